/* test_directory.c: which alias a URL means. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alias/alias.h"

static struct alias_settings all_settings[32];
static size_t made;

/* "a|b" as a list; NULL: none. */
static struct text_list split(const char *text)
{
    static char *items[128];
    static size_t used;
    struct text_list list = {.items = &items[used]};
    for (char *at = text ? strdup(text) : NULL, *next; at; at = next) {
        next = strchr(at, '|');
        if (next)
            *next++ = '\0';
        items[used++] = at;
        list.count++;
    }
    return list;
}

static struct alias_settings *settings(const char *name, const char *hosts, const char *paths)
{
    struct alias_settings *s = &all_settings[made++];
    *s = (struct alias_settings){.name = strdup(name),
                                 .origin = strdup("test.yaml:1:1"),
                                 .hosts = split(hosts),
                                 .paths = split(paths),
                                 .references = 1000};
    return s;
}

static struct alias *make_alias(struct alias_settings *s)
{
    struct alias *a = calloc(1, sizeof *a);
    *a = (struct alias){.settings = s, .references = 1};
    return a;
}

static void put(struct alias_directory *d, struct alias_settings *s)
{
    struct alias *a = make_alias(s);
    cr_assert_eq(alias_directory_put(d, a), ERR_OK);
    alias_unref(a);
}

static const char *route(const struct alias_directory *d, const char *path, const char *host)
{
    const struct alias *a = alias_directory_route(d, path, host);
    return a ? a->settings->name : "(none)";
}

#define CHECK_ROUTE(path, host, name)                                                                        \
    cr_assert_str_eq(route(d, path, host), name, "%s on \"%s\" means %s", path, host, route(d, path, host))

Test(directory, every_form_of_a_url)
{
    struct alias_directory *d = alias_directory_create();
    put(d, settings("Demo", NULL, NULL));
    put(d, settings("ndes", NULL, "/certsrv/mscep/mscep.dll|/CGI-bin/pkiclient.exe"));
    put(d, settings("routers", "Scep.Example.org", NULL));
    put(d, settings("tenant", "t.example|u.example", "/cgi-bin/pkiclient.exe|/odd path"));
    const struct {
        const char *path, *host, *name;
    } rows[] = {
        /* the plain form, with anything below it */
        {"/scep/demo", "", "Demo"},
        {"/scep/DEMO/", "", "Demo"},
        {"/SCEP/demo/pkiclient.exe", "any.example", "Demo"},
        {"/scep/demo/cgi-bin/pkiclient.exe", "", "Demo"},
        {"//scep///demo", "", "Demo"},
        {"/scep/d%65mo", "", "Demo"},
        {"/scep%2Fdemo", "", "Demo"},
        {"scep/demo", "", "Demo"},
        {"/scep:8081/demo/pkiclient.exe", "", "Demo"},
        {"/scep/demo2", "", "(none)"},
        {"/scep/dem", "", "(none)"},
        {"/scep/", "", "(none)"},
        {"/scep", "", "(none)"},
        {"/", "", "(none)"},
        {"", "", "(none)"},
        {"/xscep/demo", "", "(none)"},
        {"/scep/d%00emo", "", "(none)"},
        {"/scep/d%zzmo", "", "(none)"},
        /* EJBCA's */
        {"/ejbca/publicweb/apply/scep/demo/pkiclient.exe", "", "Demo"},
        {"/EJBCA/publicweb/apply/scep/Demo/PKIClient.exe", "", "Demo"},
        {"/ejbca/publicweb/apply/scep/demo", "", "(none)"},
        {"/ejbca/publicweb/apply/scep/demo/other", "", "(none)"},
        /* own paths, with the client's file name behind them */
        {"/certsrv/mscep/mscep.dll", "", "ndes"},
        {"/CertSrv/mscep/MSCEP.dll/", "whatever", "ndes"},
        {"/certsrv/mscep/mscep.dll/pkiclient.exe", "", "ndes"},
        {"/certsrv/mscep/mscep.dll/other", "", "(none)"},
        {"/certsrv/mscep", "", "(none)"},
        {"/cgi-bin/pkiclient.exe", "", "ndes"},
        /* with hosts only there */
        {"/cgi-bin/pkiclient.exe", "t.example", "tenant"},
        {"/cgi-bin/pkiclient.exe", "U.Example", "tenant"},
        {"/cgi-bin/pkiclient.exe", "v.example", "ndes"},
        {"/odd%20path", "t.example", "tenant"},
        {"/odd path", "v.example", "(none)"},
        /* a host alone */
        {"/scep", "scep.example.ORG", "routers"},
        {"/", "scep.example.org", "routers"},
        {"", "scep.example.org", "routers"},
        {"/scep:80/pkiclient.exe", "scep.example.org", "routers"},
        {"/scep/demo", "scep.example.org", "Demo"},
        {"/elsewhere", "scep.example.org", "(none)"},
        {"/", "t.example", "tenant"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROUTE(rows[i].path, rows[i].host, rows[i].name);
    alias_directory_free(d);
}

Test(directory, paths_of_any_length)
{
    struct alias_directory *d = alias_directory_create();
    put(d, settings("demo", NULL, NULL));
    char *path = calloc(1, 70000);
    snprintf(path, 70000, "/scep/demo/");
    memset(path + strlen(path), 'x', 60000);
    CHECK_ROUTE(path, "", "demo");
    memset(path, 'x', 60000);
    CHECK_ROUTE(path, "", "(none)");
    memset(path, '/', 60000);
    CHECK_ROUTE(path, "", "(none)");
    snprintf(path, 70000, "/scep/");
    memset(path + strlen(path), 'd', 60000);
    CHECK_ROUTE(path, "", "(none)");
    free(path);
    alias_directory_free(d);
}

Test(directory, replacing_takes_the_old_urls_away)
{
    struct alias_directory *d = alias_directory_create();
    put(d, settings("a", "a.example", "/one"));
    put(d, settings("A", NULL, "/two"));
    cr_assert_eq(alias_directory_count(d), 1);
    CHECK_ROUTE("/one", "a.example", "(none)");
    CHECK_ROUTE("/", "a.example", "(none)");
    CHECK_ROUTE("/two", "a.example", "A");
    put(d, settings("b", NULL, "/two")); /* a path that moved to another alias … */
    CHECK_ROUTE("/two", "", "b");
    put(d, settings("a", NULL, "/three")); /* … stays there when the first is replaced */
    CHECK_ROUTE("/two", "", "b");
    CHECK_ROUTE("/three", "", "a");
    alias_directory_remove(d, "B");
    CHECK_ROUTE("/two", "", "(none)");
    cr_assert_null(alias_directory_find(d, "b"));
    cr_assert_eq(alias_directory_count(d), 1);
    alias_directory_remove(d, "nobody");
    cr_assert_eq(alias_directory_count(d), 1);
    alias_directory_free(d);
}

Test(directory, a_reference_outlives_the_directory)
{
    struct alias_directory *d = alias_directory_create();
    struct alias *a = make_alias(settings("a", NULL, NULL));
    cr_assert_eq(alias_directory_put(d, a), ERR_OK);
    cr_assert_eq(alias_directory_put(d, a), ERR_OK); /* the same again changes nothing */
    cr_assert_eq(a->references, 2);
    cr_assert_eq(alias_directory_find(d, "A"), a);
    alias_directory_free(d);
    cr_assert_eq(a->references, 1);
    alias_unref(a);
}

static void count(struct alias *a, void *context)
{
    cr_assert(a);
    ++*(int *)context;
}

Test(directory, many_aliases)
{
    struct alias_directory *d = alias_directory_create();
    enum { MANY = 5000 };
    struct alias_settings *many = calloc(MANY, sizeof *many);
    char name[32], path[64];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "alias-%d", i);
        many[i] = (struct alias_settings){.name = strdup(name), .references = 1000};
        put(d, &many[i]);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "/scep/ALIAS-%d/x", i);
        cr_assert_str_eq(route(d, path, ""), many[i].name);
    }
    int seen = 0;
    alias_directory_each(d, count, &seen);
    cr_assert_eq(seen, MANY);
    for (int i = 0; i < MANY; i += 2)
        alias_directory_remove(d, many[i].name);
    cr_assert_eq(alias_directory_count(d), MANY / 2);
    cr_assert_str_eq(route(d, "/scep/alias-1", ""), "alias-1");
    cr_assert_str_eq(route(d, "/scep/alias-2", ""), "(none)");
    alias_directory_free(d);
    for (int i = 0; i < MANY; i++)
        free(many[i].name);
    free(many);
}

Test(directory, two_claims_on_one_url_are_refused)
{
    struct error e = {0};
    struct alias_settings *good[] = {
        settings("a", NULL, "/x|/y"),
        settings("b", "h", "/x"),
        settings("c", "h", "/z"),
        settings("d", "h", NULL),
    };
    cr_assert_eq(alias_directory_check(good, 4, &e), ERR_OK, "%s", e.text);
    struct alias_settings *path[] = {good[0], settings("e", NULL, "//X/")};
    cr_assert_eq(alias_directory_check(path, 2, &e), ERR_SETTINGS_INVALID);
    cr_assert(strstr(e.text, "alias e") && strstr(e.text, "alias a"), "%s", e.text);
    struct alias_settings *host[] = {good[3], settings("f", "H", NULL)};
    cr_assert_eq(alias_directory_check(host, 2, &e), ERR_SETTINGS_INVALID);
    struct alias_settings *form[] = {settings("g", NULL, "/scep/A"), good[0]};
    cr_assert_eq(alias_directory_check(form, 2, &e), ERR_SETTINGS_INVALID);
    cr_assert_eq(alias_directory_check(NULL, 0, &e), ERR_OK);
}
