/* test_shipped.c: what we ship about settings: every example loads, and the page of documentation is the one
 * of these rows. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "issuing/backends.h"
#include "settings/settings.h"

static void read_file(struct buffer *out, const char *path)
{
    char part[4096];
    size_t got;
    FILE *f = fopen(path, "r");
    buffer_init(out, 1 << 20);
    cr_assert_not_null(f, "%s", path);
    while ((got = fread(part, 1, sizeof part, f)) > 0)
        buffer_append(out, part, got);
    fclose(f);
}

/* Relative paths are taken from the tests' data, which holds the secrets that examples name. */
static struct gateway_settings *load_example(const char *path, struct buffer *warnings)
{
    struct buffer text, problems;
    struct gateway_settings *s;
    buffer_init(&problems, 1 << 20);
    buffer_init(warnings, 1 << 20);
    read_file(&text, path);
    settings_parse(&s, buffer_bytes(&text), path, SETTINGS_TEST_DATA, backend_catalogue(), &problems,
                   warnings);
    cr_expect_not_null(s, "%s", problems.data ? (char *)problems.data : "");
    buffer_free(&problems);
    buffer_free(&text);
    return s;
}

static int is_yaml(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".yaml") == 0;
}

Test(shipped, every_example_loads)
{
    struct dirent **entries;
    int count = scandir(PROJECT_ROOT "/config/examples", &entries, is_yaml, alphasort);
    cr_assert_geq(count, 8);
    for (int i = 0; i < count; i++) {
        char path[512];
        struct buffer warnings;
        snprintf(path, sizeof path, PROJECT_ROOT "/config/examples/%s", entries[i]->d_name);
        struct gateway_settings *s = load_example(path, &warnings);
        cr_expect(s && s->alias_count > 0 && s->backend_count > 0, "%s", path);
        gateway_settings_unref(s);
        buffer_free(&warnings);
        free(entries[i]);
    }
    free(entries);
}

Test(shipped, minimal_file_loads_without_warnings)
{
    struct buffer warnings;
    struct gateway_settings *s = load_example(PROJECT_ROOT "/config/gateway.yaml", &warnings);
    cr_assert_not_null(s);
    cr_expect_eq(warnings.len, 0, "%s", warnings.data ? (char *)warnings.data : "");
    cr_expect_str_eq(s->aliases[0]->name, "demo");
    gateway_settings_unref(s);
    buffer_free(&warnings);
}

Test(shipped, obsolete_example_warns)
{
    struct buffer warnings;
    struct gateway_settings *s = load_example(PROJECT_ROOT "/config/examples/legacy-cisco.yaml", &warnings);
    cr_assert(s && warnings.data);
    cr_expect_not_null(strstr((char *)warnings.data, "DES and MD5"));
    cr_expect_not_null(strstr((char *)warnings.data, "`ra.from: ca`"));
    gateway_settings_unref(s);
    buffer_free(&warnings);
}

/* When this fails: scepgate config reference > docs/configuration.md */
Test(shipped, documentation_is_current)
{
    struct buffer page, fresh;
    read_file(&page, PROJECT_ROOT "/docs/configuration.md");
    buffer_init(&fresh, 1 << 20);
    settings_reference(&fresh, backend_catalogue());
    cr_assert_not_null(fresh.data);
    cr_expect(bytes_equal(buffer_bytes(&page), buffer_bytes(&fresh)),
              "docs/configuration.md is out of date: scepgate config reference > docs/configuration.md");
    const char *path = getenv("SCEPGATE_WRITE_REFERENCE"); /* where to put the fresh page, for comparison */
    if (path) {
        CLEANUP(FILE) FILE *f = fopen(path, "w");
        cr_assert(f && fwrite(fresh.data, 1, fresh.len, f) == fresh.len);
    }
    buffer_free(&page);
    buffer_free(&fresh);
}
