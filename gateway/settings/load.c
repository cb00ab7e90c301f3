/* load.c: a file to a snapshot, section by section. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/cleanup.h"
#include "scep/message.h"
#include "settings/check.h"
#include "settings/families.h"
#include "settings/forms.h"
#include "settings/schema.h"
#include "settings/section.h"
#include "settings/settings.h"
#include "settings/shown.h"
#include "settings/store_url.h"

#define TRIM_ABOVE (1024 * 1024)

struct load {
    struct reader reader;
    const struct settings_catalogue *catalogue;
    struct gateway_settings *s;
    struct alias_settings common; /* what an alias is that says nothing */
};

static bool out_of_memory(struct load *l)
{
    problem(l->reader.problems, (struct place){0}, "out of memory while reading");
    return false;
}

/* Names of sections are checked like texts, at their keys. */
static bool name_is_good(struct load *l, const char *what, const struct node *key)
{
    char why[240] = "", text[SHOWN_SIZE], name[66];
    snprintf(name, sizeof name, "%s", key->text); /* cut, but still too long for a name */
    if (form_name(name, why, sizeof why))
        return true;
    problem(l->reader.problems, key->at, "%s \"%s\" %s", what, shown(text, key->text), why);
    return false;
}

static char *origin_text(const struct load *l, struct place at)
{
    char *text = NULL;
    return asprintf(&text, "%s:%" PRIu32 ":%" PRIu32, l->s->file, at.line, at.column) < 0 ? NULL : text;
}

/* ---- the gateway's own rows ---------------------------------------------------------------------------- */

static bool put_below_state(struct gateway_settings *s, const char *path, const char *leaf)
{
    if (setting_block_text(s->block, path))
        return true;
    CLEANUP(memory) char *text = path_join(setting_block_text(s->block, "state"), leaf);
    return text && block_put_text(s->block, path, text);
}

/* What `store.url` says goes where its parts would stand; it stays the URL's. */
static bool derive_store(struct load *l)
{
    static const char row[] = "store.url";
    struct gateway_settings *s = l->s;
    char why[240];
    const char *text = setting_block_text(s->block, row);
    if (!text)
        return true;
    if (!store_url_parse(&s->url, text, why, sizeof why)) {
        if (!why[0])
            return out_of_memory(l);
        problem(l->reader.problems, block_place(s->block, row), "`%s` %s", row, why);
        return true;
    }
    const struct setting_value *v = block_find(s->block, block_row(s->block, row));
    if (s->url->password.len && !v->secret->file && !v->secret->env)
        l->reader.inline_secrets++;
    s->store.addresses = (struct text_list){.items = &s->url->address, .count = 1};
    s->store.user = s->url->user;
    s->store.password.value = s->url->password;
    s->store.database = s->url->database;
    s->store.tls.enabled = s->url->tls;
    return true;
}

static bool read_gateway(struct load *l, const struct node *root)
{
    struct gateway_settings *s = l->s;
    struct setting_block *rows = block_of_rows(schema_gateway, schema_gateway_count, s->file);
    s->block = rows ? block_create(rows, root->at) : NULL;
    block_unref(rows);
    if (!s->block)
        return out_of_memory(l);
    section_read(&l->reader, s->block, root, schema_sections);
    bool redis = strcmp(setting_block_text(s->block, "store.type"), "redis") == 0;
    if (!put_below_state(s, "admin.socket", "admin.sock") ||
        (!redis && !put_below_state(s, "store.path", "scepgate.db")))
        return out_of_memory(l);
    section_clear(schema_gateway, schema_gateway_count, s);
    section_bind(s->block->parent, s);
    section_bind(s->block, s);
    return derive_store(l);
}

/* The map of a named section; NULL when it is missing, empty or no map. */
static const struct node *section_map(struct load *l, const struct node *root, const char *name)
{
    const struct node *map = node_member(root, name);
    if (!map || node_is_null(map))
        return NULL;
    if (map->kind != NODE_MAP)
        problem(l->reader.problems, map->at, "`%s` must be a map of names to settings, but here is %s", name,
                node_kind_name(map));
    return map->kind == NODE_MAP ? map : NULL;
}

/* ---- backends ------------------------------------------------------------------------------------------ */

static const struct backend_rows *find_type(struct load *l, const struct node *key)
{
    char text[SHOWN_SIZE], list[240] = "";
    const struct node *type = key->next->kind == NODE_MAP ? node_member(key->next, "type") : NULL;
    const struct backend_rows *found =
        type && type->kind == NODE_SCALAR ? catalogue_find(l->catalogue, type->text) : NULL;
    if (found)
        return found;
    for (size_t i = 0, used = 0; i < l->catalogue->backend_count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? " " : "",
                                 l->catalogue->backends[i].type);
    if (type && type->kind == NODE_SCALAR)
        problem(l->reader.problems, type->at, "there is no type of backend \"%s\"; choose of: %s",
                shown(text, type->text), list);
    else
        problem(l->reader.problems, key->at, "backend `%s` needs `type`; choose of: %s",
                shown(text, key->text), list);
    return NULL;
}

static bool read_backend(struct load *l, const struct node *key)
{
    static const char *const others[] = {"type", NULL};
    char text[SHOWN_SIZE], what[SHOWN_SIZE + 16];
    bool named = name_is_good(l, "the name of a backend", key);
    const struct backend_rows *type = find_type(l, key);
    if (!type || !named)
        return true;
    struct backend_settings *b = &l->s->backends[l->s->backend_count++];
    struct setting_block *rows = block_of_rows(type->rows, type->row_count, l->s->file);
    b->block = rows ? block_create(rows, key->at) : NULL;
    block_unref(rows);
    b->name = strdup(key->text);
    b->type = strdup(type->type);
    b->origin = origin_text(l, key->at);
    if (!b->block || !b->name || !b->type || !b->origin)
        return out_of_memory(l);
    section_read(&l->reader, b->block, key->next, others);
    snprintf(what, sizeof what, "backend `%s`", shown(text, key->text));
    section_require(&l->reader, b->block, what);
    return true;
}

static bool read_backends(struct load *l, const struct node *root)
{
    const struct node *map = section_map(l, root, "backends");
    if (!map)
        return true;
    l->s->backends = calloc(map->count / 2 + 1, sizeof *l->s->backends);
    bool good = l->s->backends || out_of_memory(l);
    for (const struct node *key = map->first; good && key; key = key->next->next)
        good = read_backend(l, key);
    return good;
}

/* ---- aliases ------------------------------------------------------------------------------------------- */

/* What single rows cannot say: words that stand for more than one member. */
static void derive_alias(struct alias_settings *a)
{
    static const char words[] = "backend files ca";
    static const enum ra_source sources[] = {RA_FROM_BACKEND, RA_FROM_FILES, RA_FROM_CA};
    static char empty[1];
    const struct setting_value *from = block_find(a->block, block_row(a->block, "ra.from"));
    const struct setting_value *obsolete =
        block_find(a->block, block_row(a->block, "compat.obsolete_algorithms"));
    int word = choice_index(words, from->text);
    a->ra.from = word < 0 ? RA_FROM_BACKEND : sources[word];
    a->ra.backend = word < 0 ? from->text : empty;
    for (size_t i = 0; i < obsolete->list.count; i++) {
        a->compat.obsolete_des |= strcmp(obsolete->list.items[i], "des") == 0;
        a->compat.obsolete_md5 |= strcmp(obsolete->list.items[i], "md5") == 0;
    }
    a->ciphers |= a->compat.obsolete_des ? SCEP_CIPHER_DES : 0;
    a->digests |= a->compat.obsolete_md5 ? SCEP_DIGEST_MD5 : 0;
}

static bool read_defaults(struct load *l, const struct node *root)
{
    const struct node *map = section_map(l, root, "defaults");
    struct setting_block *rows = block_of_rows(schema_alias, schema_alias_count, l->s->file);
    struct setting_block *b = rows ? block_create(rows, map ? map->at : root->at) : NULL;
    block_unref(rows);
    l->s->defaults = b;
    if (!b)
        return out_of_memory(l);
    if (map)
        section_read(&l->reader, b, map, NULL);
    for (size_t i = 0; i < b->count; i++) {
        const char *path = b->rows[b->values[i].row].path;
        bool claim = strcmp(path, "hosts") == 0 || strcmp(path, "paths") == 0;
        if (claim && b->values[i].list.count)
            problem(l->reader.problems, b->values[i].at,
                    "`%s` cannot stand in `defaults`: every alias would claim the same", path);
    }
    if (!families_apply(b, l->reader.problems))
        return out_of_memory(l);
    section_clear(schema_alias, schema_alias_count, &l->common);
    section_bind(b->parent, &l->common);
    section_bind(b, &l->common);
    return true;
}

/* The alias with its name and origin behind it, in one piece of memory. */
static struct alias_settings *alias_create(const struct load *l, const struct node *key)
{
    CLEANUP(memory) char *origin = origin_text(l, key->at);
    size_t name_size = strlen(key->text) + 1, origin_size = origin ? strlen(origin) + 1 : 0;
    struct alias_settings *a = origin ? malloc(sizeof *a + name_size + origin_size) : NULL;
    if (!a)
        return NULL;
    *a = l->common;
    a->references = 1;
    a->name = (char *)(a + 1);
    a->origin = a->name + name_size;
    memcpy(a->name, key->text, name_size);
    memcpy(a->origin, origin, origin_size);
    a->block = block_create(l->s->defaults, key->at);
    if (!a->block) {
        free(a);
        return NULL;
    }
    return a;
}

static bool read_alias(struct load *l, const struct node *key)
{
    char what[96];
    if (!name_is_good(l, "the name of an alias", key))
        return true;
    struct alias_settings *a = alias_create(l, key);
    if (!a)
        return out_of_memory(l);
    l->s->aliases[l->s->alias_count++] = a;
    section_read(&l->reader, a->block, key->next, NULL);
    snprintf(what, sizeof what, "alias `%s`", a->name);
    section_require(&l->reader, a->block, what);
    if (!families_apply(a->block, l->reader.problems))
        return out_of_memory(l);
    section_bind(a->block, a);
    derive_alias(a);
    return true;
}

static bool read_aliases(struct load *l, const struct node *root)
{
    const struct node *map = section_map(l, root, "aliases");
    if (!map)
        return true;
    l->s->aliases = calloc(map->count / 2 + 1, sizeof *l->s->aliases);
    bool good = l->s->aliases || out_of_memory(l);
    for (const struct node *key = map->first; good && key; key = key->next->next)
        good = read_alias(l, key);
    return good;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static void read_sections(struct load *l, const struct node *root)
{
    if (root->kind != NODE_MAP && !node_is_null(root)) {
        problem(l->reader.problems, root->at,
                "a settings file is a map, beginning with `listen:` or `aliases:`, but here is %s",
                node_kind_name(root));
        return;
    }
    if (read_gateway(l, root) && read_backends(l, root) && read_defaults(l, root) && read_aliases(l, root))
        settings_check(l->s, l->reader.problems);
}

struct origin { /* where a text came from */
    const char *name, *folder;
    bool world_readable;
};

static enum error_code parse(struct gateway_settings **out, struct bytes text, const struct origin *from,
                             const struct settings_catalogue *catalogue, struct problems *problems)
{
    static const struct settings_catalogue nothing = {0};
    struct load l = {.reader = {.problems = problems, .folder = from->folder},
                     .catalogue = catalogue ? catalogue : &nothing};
    struct arena *arena = arena_create();
    l.s = calloc(1, sizeof *l.s);
    if (l.s)
        l.s->references = 1;
    bool ready = arena && l.s && (l.s->file = strdup(from->name));
    const struct node *root = ready ? node_parse(text, arena, problems) : NULL;
    if (root)
        read_sections(&l, root);
    else if (!ready)
        out_of_memory(&l);
    if (l.reader.inline_secrets && from->world_readable)
        warning(problems, (struct place){0},
                "holds secrets, and every user of this machine can read it (chmod 600)");
    arena_free(arena);
#ifdef __GLIBC__
    if (text.len >
        TRIM_ABOVE) /* the tree of 100,000 aliases is larger than what stays of them, and lies between it */
        malloc_trim(0);
#endif
    problems_close(problems);
    if (problems->error_count) {
        gateway_settings_unref(l.s);
        return ERR_SETTINGS_INVALID;
    }
    *out = l.s;
    return ERR_OK;
}

enum error_code settings_parse(struct gateway_settings **out, struct bytes text, const char *name,
                               const char *folder, const struct settings_catalogue *catalogue,
                               struct buffer *problems, struct buffer *warnings)
{
    struct problems p = {.file = name, .errors = problems, .warnings = warnings};
    struct origin from = {.name = name, .folder = folder};
    *out = NULL;
    return parse(out, text, &from, catalogue, &p);
}

/* The whole file; false with a problem. */
static bool read_file(struct buffer *text, const char *path, struct origin *from, struct problems *p)
{
    struct stat info;
    CLEANUP(FILE) FILE *f = fopen(path, "re");
    if (!f || fstat(fileno(f), &info) != 0) {
        problem(p, (struct place){0}, "cannot be opened: %s", error_errno(errno));
        return false;
    }
    if (S_ISDIR(info.st_mode)) {
        problem(p, (struct place){0}, "is a folder; name the file");
        return false;
    }
    from->world_readable = info.st_mode & S_IROTH;
    char part[65536];
    size_t got;
    while (!text->failed && (got = fread(part, 1, sizeof part, f)) > 0)
        buffer_append(text, part, got);
    secret_wipe(part, sizeof part);
    if (ferror(f) || text->failed)
        problem(p, (struct place){0}, text->failed ? "is larger than %zu MiB" : "cannot be read",
                SETTINGS_FILE_MAX >> 20);
    return !ferror(f) && !text->failed;
}

/* Absolute, so that a snapshot means the same wherever it is printed; not that of a link's target, because
 * links are seen as files. */
static char *folder_of(const char *path)
{
    CLEANUP(memory) char *copy = strdup(path);
    char *slash = copy ? strrchr(copy, '/') : NULL;
    if (slash)
        slash[slash == copy] = '\0';
    return copy ? realpath(slash ? copy : ".", NULL) : NULL;
}

enum error_code settings_load(struct gateway_settings **out, const char *path,
                              const struct settings_catalogue *catalogue, struct buffer *problems,
                              struct buffer *warnings)
{
    struct problems p = {.file = path, .errors = problems, .warnings = warnings};
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, SETTINGS_FILE_MAX);
    struct origin from = {.name = path};
    *out = NULL;
    if (!read_file(&text, path, &from, &p))
        return ERR_FILE_UNREADABLE;
    CLEANUP(memory) char *folder = folder_of(path);
    if (!folder) {
        problem(&p, (struct place){0}, "its folder cannot be found: %s", error_errno(errno));
        return ERR_FILE_UNREADABLE;
    }
    from.folder = folder;
    return parse(out, buffer_bytes(&text), &from, catalogue, &p);
}
