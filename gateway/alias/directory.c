/* directory.c: aliases by name and by URL (alias.h). One hash table holds every key there is; a key is a
 * letter for its kind, then text:
 *
 *   n NAME          an alias
 *   p HOST NUL PATH one of its own paths; HOST is empty for an alias without hosts
 *   h HOST          one of its hosts
 *
 * Keys are folded like the URLs that look for them, into a buffer on the stack: routing allocates nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "alias/alias.h"

#define KEY_MAX        1024 /* longer paths have no exact form; what follows /scep/ALIAS may be of any length */
#define FIRST_CAPACITY 64

struct key {
    char text[KEY_MAX];
    size_t len;
    bool cut; /* it did not fit */
};

struct entry {
    struct entry *next;
    struct alias *alias; /* borrowed from the name's entry */
    size_t len;
    char text[];
};

struct alias_directory {
    struct entry **buckets;
    size_t capacity; /* a power of two */
    size_t entries, aliases;
};

/* ---- the table ----------------------------------------------------------------------------------------- */

/* FNV-1a. Keys come from the settings; strangers only look, so they cannot lengthen a bucket. */
static size_t hash(const char *text, size_t len)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3;
    return (size_t)(h ^ h >> 32);
}

static struct entry **place_of(const struct alias_directory *d, const struct key *k)
{
    struct entry **at = &d->buckets[hash(k->text, k->len) & (d->capacity - 1)];
    while (*at && ((*at)->len != k->len || memcmp((*at)->text, k->text, k->len) != 0))
        at = &(*at)->next;
    return at;
}

static struct alias *look_up(const struct alias_directory *d, const struct key *k)
{
    const struct entry *e = k->cut ? NULL : *place_of(d, k);
    return e ? e->alias : NULL;
}

static bool grow(struct alias_directory *d)
{
    struct alias_directory larger = {.capacity = d->capacity * 2};
    larger.buckets = calloc(larger.capacity, sizeof *larger.buckets);
    if (!larger.buckets)
        return false;
    for (size_t i = 0; i < d->capacity; i++) {
        for (struct entry *e = d->buckets[i], *next; e; e = next) {
            next = e->next;
            struct entry **bucket = &larger.buckets[hash(e->text, e->len) & (larger.capacity - 1)];
            e->next = *bucket;
            *bucket = e;
        }
    }
    free(d->buckets);
    d->buckets = larger.buckets;
    d->capacity = larger.capacity;
    return true;
}

static bool put(struct alias_directory *d, const struct key *k, struct alias *a)
{
    if (k->cut)
        return false;
    struct entry **at = place_of(d, k);
    if (*at) {
        (*at)->alias = a;
        return true;
    }
    if (d->entries >= d->capacity) {
        if (!grow(d))
            return false;
        at = place_of(d, k);
    }
    struct entry *e = malloc(sizeof *e + k->len);
    if (!e)
        return false;
    *e = (struct entry){.alias = a, .len = k->len};
    memcpy(e->text, k->text, k->len);
    *at = e;
    d->entries++;
    return true;
}

/* Only when it is still `a`'s: another alias may have taken the key over. */
static void drop(struct alias_directory *d, const struct key *k, const struct alias *a)
{
    struct entry **at = k->cut ? NULL : place_of(d, k);
    if (!at || !*at || (*at)->alias != a)
        return;
    struct entry *e = *at;
    *at = e->next;
    free(e);
    d->entries--;
}

/* ---- keys ---------------------------------------------------------------------------------------------- */

static void add(struct key *k, char c)
{
    if (k->len < KEY_MAX)
        k->text[k->len++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    else
        k->cut = true;
}

static void add_text(struct key *k, const char *text)
{
    while (*text)
        add(k, *text++);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* IOS puts the port behind the first segment: "/scep:8081/pkiclient.exe". */
static const char *skip_port(const char *at)
{
    const char *end = at + 1 + strspn(at + 1, "0123456789");
    return end > at + 1 && (*end == '/' || *end == '\0') ? end : at;
}

/* Decoded once, lower case, runs of slashes folded, no slash at the end, "/" in front. */
static void add_path(struct key *k, const char *path)
{
    size_t start = k->len;
    bool first_segment = true;
    add(k, '/');
    for (const char *at = path; *at; at++) {
        char c = *at;
        if (c == ':' && first_segment && skip_port(at) != at) {
            at = skip_port(at) - 1;
            continue;
        }
        if (c == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
            c = (char)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
            at += 2;
        }
        if (c == '/' && k->len > 0 && k->text[k->len - 1] == '/')
            continue;
        if (c == '/')
            first_segment = false;
        add(k, c);
    }
    if (!k->cut && k->len > start + 1 && k->text[k->len - 1] == '/')
        k->len--;
}

static struct key *key_of_name(struct key *k, const char *name, size_t len)
{
    k->len = 0;
    k->cut = false;
    add(k, 'n');
    for (size_t i = 0; i < len; i++)
        add(k, name[i]);
    return k;
}

static struct key *key_of_path(struct key *k, const char *host, const char *path)
{
    k->len = 0;
    k->cut = false;
    add(k, 'p');
    add_text(k, host);
    add(k, '\0');
    add_path(k, path);
    return k;
}

static struct key *key_of_host(struct key *k, const char *host)
{
    k->len = 0;
    k->cut = false;
    add(k, 'h');
    add_text(k, host);
    return k;
}

struct visit {
    struct alias_directory *directory;
    struct alias *alias;
    struct error *e;
    enum error_code code;
};

/* Every key of an alias but its name. */
static void each_key(struct visit *v, void (*visit)(struct visit *v, const struct key *k))
{
    const struct alias_settings *s = v->alias->settings;
    struct key k;
    for (size_t p = 0; p < s->paths.count; p++) {
        if (s->hosts.count == 0)
            visit(v, key_of_path(&k, "", s->paths.items[p]));
        for (size_t h = 0; h < s->hosts.count; h++)
            visit(v, key_of_path(&k, s->hosts.items[h], s->paths.items[p]));
    }
    for (size_t h = 0; h < s->hosts.count; h++)
        visit(v, key_of_host(&k, s->hosts.items[h]));
}

static void visit_drop(struct visit *v, const struct key *k)
{
    drop(v->directory, k, v->alias);
}

/* An alias with paths leaves a host to one that has nothing else: several may share a host by their paths. */
static bool yields(const struct visit *v, const struct key *k)
{
    const struct alias *holder = look_up(v->directory, k);
    return holder && holder != v->alias && k->text[0] == 'h' && v->alias->settings->paths.count > 0;
}

static void visit_put(struct visit *v, const struct key *k)
{
    if (!yields(v, k) && !put(v->directory, k, v->alias))
        v->code = ERR_INTERNAL;
}

/* ---- the directory ------------------------------------------------------------------------------------- */

struct alias_directory *alias_directory_create(void)
{
    struct alias_directory *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->capacity = FIRST_CAPACITY;
    d->buckets = calloc(d->capacity, sizeof *d->buckets);
    if (!d->buckets) {
        free(d);
        return NULL;
    }
    return d;
}

void alias_directory_free(struct alias_directory *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->capacity; i++) {
        for (struct entry *e = d->buckets[i], *next; e; e = next) {
            next = e->next;
            if (e->text[0] == 'n')
                alias_unref(e->alias);
            free(e);
        }
    }
    free(d->buckets);
    free(d);
}

static void release(struct alias_directory *d, struct alias *a)
{
    struct visit v = {.directory = d, .alias = a};
    each_key(&v, visit_drop);
    alias_unref(a);
}

enum error_code alias_directory_put(struct alias_directory *d, struct alias *a)
{
    struct key k;
    struct alias *old = look_up(d, key_of_name(&k, a->settings->name, strlen(a->settings->name)));
    if (!put(d, &k, a))
        return ERR_INTERNAL;
    alias_ref(a);
    if (old)
        release(d, old);
    else
        d->aliases++;
    struct visit v = {.directory = d, .alias = a};
    each_key(&v, visit_put);
    if (v.code != ERR_OK)
        alias_directory_remove(d, a->settings->name);
    return v.code;
}

void alias_directory_remove(struct alias_directory *d, const char *name)
{
    struct key k;
    struct alias *a = look_up(d, key_of_name(&k, name, strlen(name)));
    if (!a)
        return;
    drop(d, &k, a);
    d->aliases--;
    release(d, a);
}

struct alias *alias_directory_find(const struct alias_directory *d, const char *name)
{
    struct key k;
    return look_up(d, key_of_name(&k, name, strlen(name)));
}

size_t alias_directory_count(const struct alias_directory *d)
{
    return d->aliases;
}

void alias_directory_each(const struct alias_directory *d, void (*visit)(struct alias *a, void *context),
                          void *context)
{
    for (size_t i = 0; i < d->capacity; i++) {
        for (struct entry *e = d->buckets[i], *next; e; e = next) {
            next = e->next;
            if (e->text[0] == 'n')
                visit(e->alias, context);
        }
    }
}

/* ---- routing ------------------------------------------------------------------------------------------- */

#define CLIENT_FILE "/pkiclient.exe" /* appended by clients to whatever they were given */

static bool drop_client_file(struct key *k, size_t path_at)
{
    size_t len = sizeof CLIENT_FILE - 1;
    if (k->cut || k->len < path_at + len || memcmp(k->text + k->len - len, CLIENT_FILE, len) != 0)
        return false;
    k->len -= len;
    if (k->len == path_at)
        k->text[k->len++] = '/';
    return true;
}

/* An alias' own path, as it is or with the client's file name behind it; on this host first. */
static struct alias *by_own_path(const struct alias_directory *d, const char *host, const char *path)
{
    const char *hosts[] = {host, ""};
    for (size_t i = *host ? 0 : 1; i < 2; i++) {
        struct key k;
        struct alias *a = look_up(d, key_of_path(&k, hosts[i], path));
        if (!a && drop_client_file(&k, strlen(hosts[i]) + 2))
            a = look_up(d, &k);
        if (a)
            return a;
    }
    return NULL;
}

/* The segment behind `prefix`; with `rest`, exactly that must follow it. */
static struct alias *by_segment(const struct alias_directory *d, const struct key *path, const char *prefix,
                                const char *rest)
{
    size_t len = strlen(prefix);
    if (path->len <= len || memcmp(path->text, prefix, len) != 0)
        return NULL;
    const char *name = path->text + len, *end = path->text + path->len;
    const char *slash = memchr(name, '/', (size_t)(end - name));
    size_t name_len = (size_t)((slash ? slash : end) - name);
    if (rest && (path->cut || !slash || (size_t)(end - slash) != strlen(rest) ||
                 memcmp(slash, rest, strlen(rest)) != 0))
        return NULL;
    struct key k;
    return look_up(d, key_of_name(&k, name, name_len));
}

static struct alias *by_host(const struct alias_directory *d, const char *host, const struct key *path)
{
    static const char *const forms[] = {"/", "/scep", "/cgi-bin/pkiclient.exe", "/scep/pkiclient.exe",
                                        CLIENT_FILE};
    if (!*host || path->cut)
        return NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct key k;
        if (path->len == strlen(forms[i]) && memcmp(path->text, forms[i], path->len) == 0)
            return look_up(d, key_of_host(&k, host));
    }
    return NULL;
}

struct alias *alias_directory_route(const struct alias_directory *d, const char *path, const char *host)
{
    struct key folded = {.len = 0};
    add_path(&folded, path);
    struct alias *a = by_own_path(d, host, path);
    if (!a)
        a = by_segment(d, &folded, "/scep/", NULL);
    if (!a)
        a = by_segment(d, &folded, "/ejbca/publicweb/apply/scep/", CLIENT_FILE);
    return a ? a : by_host(d, host, &folded);
}

/* ---- claims -------------------------------------------------------------------------------------------- */

static enum error_code conflict(struct visit *v, const struct alias *holder, const char *what)
{
    return v->code =
               error_set(v->e, ERR_SETTINGS_INVALID, "%s: alias %s has a %s that already means alias %s (%s)",
                         v->alias->settings->origin, v->alias->settings->name, what, holder->settings->name,
                         holder->settings->origin);
}

static void visit_claim(struct visit *v, const struct key *k)
{
    const struct alias *holder = look_up(v->directory, k);
    bool shared = k->text[0] == 'h' && holder &&
                  (v->alias->settings->paths.count > 0 || holder->settings->paths.count > 0);
    if (v->code != ERR_OK)
        return;
    if (holder && holder != v->alias && !shared)
        conflict(v, holder, k->text[0] == 'h' ? "host" : "path");
    else
        visit_put(v, k);
}

/* "/scep/b" as a path of another alias would take b's own URL away. */
static void claim_no_standard_form(struct visit *v)
{
    const struct text_list *paths = &v->alias->settings->paths;
    for (size_t i = 0; v->code == ERR_OK && i < paths->count; i++) {
        struct key folded = {.len = 0};
        add_path(&folded, paths->items[i]);
        const struct alias *holder = by_segment(v->directory, &folded, "/scep/", NULL);
        if (!holder)
            holder = by_segment(v->directory, &folded, "/ejbca/publicweb/apply/scep/", CLIENT_FILE);
        if (holder && holder != v->alias)
            conflict(v, holder, "path");
    }
}

static enum error_code claim_all(struct alias_directory *d, struct alias *claimants, size_t count,
                                 struct error *e)
{
    struct visit v = {.directory = d, .e = e};
    struct key k;
    for (size_t i = 0; i < count; i++)
        if (!put(d, key_of_name(&k, claimants[i].settings->name, strlen(claimants[i].settings->name)),
                 &claimants[i]))
            return error_set(e, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; v.code == ERR_OK && i < count; i++) {
        v.alias = &claimants[i];
        each_key(&v, visit_claim);
        claim_no_standard_form(&v);
    }
    return v.code;
}

enum error_code alias_directory_check(struct alias_settings *const *aliases, size_t count, struct error *e)
{
    struct alias_directory *d = alias_directory_create();
    struct alias *claimants = calloc(count + 1, sizeof *claimants); /* nothing but their settings */
    for (size_t i = 0; claimants && i < count; i++)
        claimants[i] =
            (struct alias){.settings = aliases[i], .references = 2}; /* never the directory's to free */
    enum error_code code =
        d && claimants ? claim_all(d, claimants, count, e) : error_set(e, ERR_INTERNAL, "out of memory");
    alias_directory_free(d);
    free(claimants);
    return code;
}
