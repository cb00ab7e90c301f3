/* claims.c: sorted lists of what each alias claims; equal neighbours are conflicts. */
#include "settings/claims.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "settings/section.h"

#define CLAIMS_MAX (4 * 1000 * 1000)

struct claim {
    const char *host; /* "": any */
    const char *path; /* "": the usual paths */
    const struct alias_settings *alias;
};

static int compare_places(const struct alias_settings *a, const struct alias_settings *b)
{
    const struct place *x = &a->block->at, *y = &b->block->at;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
                              : (x->column > y->column) - (x->column < y->column);
}

static int compare_names(const void *a, const void *b)
{
    const struct alias_settings *x = *(struct alias_settings *const *)a,
                                *y = *(struct alias_settings *const *)b;
    int order = strcasecmp(x->name, y->name);
    return order ? order : compare_places(x, y);
}

static int compare_claims(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    int order = strcasecmp(x->host, y->host);
    if (!order)
        order = strcasecmp(x->path, y->path);
    return order ? order : compare_places(x->alias, y->alias);
}

/* Aliases sorted by name; NULL when out of memory. */
static struct alias_settings **sort_names(const struct gateway_settings *s, struct problems *problems)
{
    struct alias_settings **sorted = calloc(s->alias_count + 1, sizeof *sorted);
    if (!sorted)
        return NULL;
    if (s->alias_count)
        memcpy(sorted, s->aliases, s->alias_count * sizeof *sorted);
    qsort(sorted, s->alias_count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < s->alias_count; i++) {
        const struct alias_settings *a = sorted[i], *b = sorted[i - 1];
        if (strcasecmp(a->name, b->name) == 0 && strcmp(a->name, b->name) != 0)
            problem(problems, a->block->at,
                    "alias `%s` differs from `%s` (%s) in upper and lower case alone; rename one", a->name,
                    b->name, b->origin);
    }
    return sorted;
}

/* An own path below /scep/ would hide the alias of that name. */
static void check_hiding(const struct alias_settings *a, struct alias_settings **sorted, size_t count,
                         struct problems *problems)
{
    for (size_t i = 0; i < a->paths.count; i++) {
        const char *path = a->paths.items[i];
        char name[65];
        size_t len = strncasecmp(path, "/scep/", 6) == 0 ? strcspn(path + 6, "/") : 0;
        if (len == 0 || len >= sizeof name)
            continue;
        memcpy(name, path + 6, len);
        name[len] = '\0';
        for (size_t low = 0, high = count; low < high;) {
            size_t middle = low + (high - low) / 2;
            int order = strcasecmp(name, sorted[middle]->name);
            if (order == 0 && sorted[middle] != a)
                problem(problems, block_place(a->block, "paths"),
                        "alias `%s`: the path %s belongs to alias `%s` (%s)", a->name, path,
                        sorted[middle]->name, sorted[middle]->origin);
            if (order == 0)
                break;
            low = order > 0 ? middle + 1 : low;
            high = order < 0 ? middle : high;
        }
    }
}

static size_t claim_count(const struct alias_settings *a)
{
    size_t hosts = a->hosts.count ? a->hosts.count : 1, paths = a->paths.count ? a->paths.count : 1;
    return a->hosts.count || a->paths.count ? hosts * paths : 0;
}

static size_t add_claims(struct claim *out, const struct alias_settings *a)
{
    size_t count = claim_count(a), paths = a->paths.count ? a->paths.count : 1;
    for (size_t i = 0; i < count; i++)
        out[i] = (struct claim){.host = a->hosts.count ? a->hosts.items[i / paths] : "",
                                .path = a->paths.count ? a->paths.items[i % paths] : "",
                                .alias = a};
    return count;
}

static void check_urls(const struct gateway_settings *s, struct problems *problems)
{
    size_t total = 0, used = 0;
    for (size_t i = 0; i < s->alias_count; i++)
        total += claim_count(s->aliases[i]);
    if (total > CLAIMS_MAX) {
        problem(problems, s->block->at, "the aliases claim more than %d pairs of host and path", CLAIMS_MAX);
        return;
    }
    CLEANUP(memory) struct claim *claims = calloc(total + 1, sizeof *claims);
    if (!claims) {
        problem(problems, s->block->at, "out of memory while checking");
        return;
    }
    for (size_t i = 0; i < s->alias_count; i++)
        used += add_claims(claims + used, s->aliases[i]);
    qsort(claims, used, sizeof *claims, compare_claims);
    for (size_t i = 1; i < used; i++) {
        const struct claim *c = &claims[i], *first = &claims[i - 1];
        if (c->alias == first->alias || strcasecmp(c->host, first->host) != 0 ||
            strcasecmp(c->path, first->path) != 0)
            continue;
        problem(problems, block_place(c->alias->block, c->path[0] ? "paths" : "hosts"),
                "alias `%s` claims %s%s%s, as alias `%s` does (%s); one of them must not", c->alias->name,
                c->host, c->path[0] ? c->path : " as a host", c->host[0] ? "" : " on every host",
                first->alias->name, first->alias->origin);
    }
}

static bool is_at_or_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncasecmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* What is published and what aliases answer are found by the same addresses. */
static void check_publication(const struct gateway_settings *s, struct problems *problems)
{
    static const char *const usual[] = {"/scep", "/ejbca", "/cgi-bin/pkiclient.exe"};
    const struct publish_settings *p = &s->publish;
    if (!p->enabled || !p->path || !p->path[0])
        return;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (is_at_or_below(p->path, usual[i]))
            problem(problems, block_place(s->block, "publish.path"),
                    "`publish.path` is %s, where aliases are found (%s); choose another, such as /pki",
                    p->path, usual[i]);
    for (size_t i = 0; i < s->alias_count; i++)
        for (size_t n = 0; n < s->aliases[i]->paths.count; n++)
            if (is_at_or_below(s->aliases[i]->paths.items[n], p->path))
                problem(problems, block_place(s->aliases[i]->block, "paths"),
                        "alias `%s`: the path %s is where lists and CA certificates are published; choose "
                        "another "
                        "one, or another `publish.path`",
                        s->aliases[i]->name, s->aliases[i]->paths.items[n]);
}

void claims_check(const struct gateway_settings *s, struct problems *problems)
{
    CLEANUP(memory) struct alias_settings **sorted = sort_names(s, problems);
    if (!sorted) {
        problem(problems, s->block->at, "out of memory while checking");
        return;
    }
    for (size_t i = 0; i < s->alias_count; i++)
        check_hiding(s->aliases[i], sorted, s->alias_count, problems);
    check_urls(s, problems);
    check_publication(s, problems);
}
