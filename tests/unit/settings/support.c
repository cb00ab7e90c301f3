/* support.c: see support.h. */
#include "support.h"

#include <stdlib.h>

static const struct setting_row test_rows[] = {
    {"path", SETTING_PATH, .help = "A path."},
    {"secret", SETTING_SECRET, .flags = SETTING_SECRET_VALUE, .help = "A secret."},
    {"on", SETTING_BOOL, .initial = "true", .help = "A switch."},
    {"profile.validity", SETTING_DURATION, 0, 0, 1000 * 1000, .initial = "10s", .help = "A duration."},
    {"profile.usages", SETTING_CHOICES, .initial = "[sign]", .choices = "sign encrypt", .help = "Choices."},
    {"profile.urls", SETTING_LIST, .help = "Texts."},
    {"number", SETTING_INT, .help = "Any number."},
    {"kind", SETTING_CHOICE, .initial = "small", .choices = "small large", .help = "A choice."},
};

static const struct setting_row strict_rows[] = {
    {"url", SETTING_TEXT, 0, 1, 100, .flags = SETTING_REQUIRED, .help = "Where it is."},
};

static struct backend_rows types[] = {
    {"strict", "Needs a URL.", strict_rows, 1},
    {"test", "For tests.", test_rows, sizeof test_rows / sizeof test_rows[0]},
};

const struct settings_catalogue support_catalogue = {types, 2};

struct loaded load_bytes(struct bytes text)
{
    struct loaded l = {0};
    buffer_init(&l.problems, 1 << 20);
    buffer_init(&l.warnings, 1 << 20);
    l.code = settings_parse(&l.s, text, "t.yaml", SETTINGS_TEST_DATA, &support_catalogue, &l.problems,
                            &l.warnings);
    return l;
}

struct loaded load_text(const char *text)
{
    return load_bytes(bytes_of_text(text));
}

void unload(struct loaded *l)
{
    gateway_settings_unref(l->s);
    buffer_free(&l->problems);
    buffer_free(&l->warnings);
}

const char *problems_of(const struct loaded *l)
{
    return l->problems.data ? (const char *)l->problems.data : "";
}

const char *warnings_of(const struct loaded *l)
{
    return l->warnings.data ? (const char *)l->warnings.data : "";
}
