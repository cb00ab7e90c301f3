/* section.c: maps to blocks by their rows, and blocks to structs. */
#include "settings/section.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/shown.h"

#define PATH_MAX_BYTES 128
#define SIBLINGS_MAX   64

struct walk {
    struct reader *reader;
    struct setting_block *block;
    const char *const *others;
};

static const struct setting_row *find_row(const struct setting_block *b, const char *path)
{
    for (size_t i = 0; i < b->row_count; i++) {
        if (strcmp(b->rows[i].path, path) == 0)
            return &b->rows[i];
    }
    return NULL;
}

static bool is_folder(const struct setting_block *b, const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < b->row_count; i++) {
        if (strncmp(b->rows[i].path, path, len) == 0 && b->rows[i].path[len] == '.')
            return true;
    }
    return false;
}

/* The keys that are known below `prefix` ("" or "challenge."), cut out of the paths into `words`. */
static size_t siblings(const struct walk *w, const char *prefix, char words[][PATH_MAX_BYTES],
                       const char **out)
{
    size_t count = 0, len = strlen(prefix);
    for (size_t i = 0; i < w->block->row_count && count < SIBLINGS_MAX; i++) {
        const char *path = w->block->rows[i].path;
        if (strncmp(path, prefix, len) != 0)
            continue;
        snprintf(words[count], PATH_MAX_BYTES, "%.*s", (int)strcspn(path + len, "."), path + len);
        if (count == 0 || strcmp(words[count], words[count - 1]) != 0) {
            out[count] = words[count];
            count++;
        }
    }
    for (size_t i = 0; !len && w->others && w->others[i] && count < SIBLINGS_MAX; i++)
        out[count++] = w->others[i];
    return count;
}

/* A known name in a wrong place: "ttl" beside "challenge". */
static const char *elsewhere(const struct setting_block *b, const char *key)
{
    for (size_t i = 0; i < b->row_count; i++) {
        const char *dot = strrchr(b->rows[i].path, '.');
        if (strcmp(dot ? dot + 1 : b->rows[i].path, key) == 0)
            return b->rows[i].path;
    }
    return NULL;
}

static void unknown_key(const struct walk *w, const char *prefix, const struct node *key)
{
    char words[SIBLINGS_MAX][PATH_MAX_BYTES], text[SHOWN_SIZE], list[400] = "";
    const char *known[SIBLINGS_MAX];
    size_t count = siblings(w, prefix, words, known), used = 0;
    const char *close = closest_word(key->text, known, count);
    if (!close)
        close = elsewhere(w->block, key->text);
    for (size_t i = 0; !close && i < count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", known[i]);
    if (close)
        problem(w->reader->problems, key->at, "`%s%s` is not a setting here; did you mean `%s`?", prefix,
                shown(text, key->text), close);
    else
        problem(w->reader->problems, key->at, "`%s%s` is not a setting here; known here: %s", prefix,
                shown(text, key->text), list);
}

static void take_value(const struct walk *w, const struct setting_row *row, const struct node *n)
{
    struct setting_block *b = w->block;
    struct setting_value v;
    size_t index = (size_t)(row - b->rows);
    if (block_own(b, index) || !value_read(w->reader, &v, row, n)) /* a duplicate was told already */
        return;
    struct setting_value *values = realloc(b->values, (b->count + 1) * sizeof *values);
    if (!values) {
        value_free(&v, row);
        problem(w->reader->problems, n->at, "out of memory while reading");
        return;
    }
    v.row = (uint16_t)index;
    b->values = values;
    b->values[b->count++] = v;
}

static bool is_other(const struct walk *w, const char *path)
{
    for (size_t i = 0; w->others && w->others[i]; i++) {
        if (strcmp(w->others[i], path) == 0)
            return true;
    }
    return false;
}

static void walk_map(const struct walk *w, const struct node *map, const char *prefix)
{
    char path[PATH_MAX_BYTES];
    if (map->kind != NODE_MAP && !node_is_null(map)) {
        problem(w->reader->problems, map->at, "%s%.*s%s must be a map of settings, but here is %s",
                *prefix ? "`" : "this", (int)strlen(prefix) - (*prefix != 0), prefix, *prefix ? "`" : "",
                node_kind_name(map));
        return;
    }
    for (const struct node *key = map->first; key; key = key->next->next) {
        int len = snprintf(path, sizeof path, "%s%s", prefix, key->text);
        bool fits = len > 0 && (size_t)len + 1 < sizeof path && !strchr(key->text, '.');
        const struct setting_row *row = fits ? find_row(w->block, path) : NULL;
        if (row) {
            take_value(w, row, key->next);
        } else if (fits && is_folder(w->block, path)) {
            memcpy(path + len, ".", 2);
            walk_map(w, key->next, path);
        } else if (!fits || !is_other(w, path)) {
            unknown_key(w, prefix, key);
        }
    }
}

void section_read(struct reader *r, struct setting_block *b, const struct node *map,
                  const char *const *others)
{
    struct walk w = {.reader = r, .block = b, .others = others};
    walk_map(&w, map, "");
}

void section_require(struct reader *r, const struct setting_block *b, const char *what)
{
    for (size_t i = 0; i < b->row_count; i++) {
        if (b->rows[i].flags & SETTING_REQUIRED && !block_find(b, i))
            problem(r->problems, b->at, "%s needs `%s`%s%s%s: %s", what, b->rows[i].path,
                    b->rows[i].choices ? " (" : "", b->rows[i].choices ? b->rows[i].choices : "",
                    b->rows[i].choices ? ")" : "", b->rows[i].help);
    }
}

static uint32_t choice_bits(const struct text_list *list, const char *choices)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < list->count; i++)
        bits |= UINT32_C(1) << choice_index(choices, list->items[i]);
    return bits;
}

/* Rule sets are bound to a pointer followed by its count, as text lists are. */
struct rule_span {
    struct pattern_rule *items;
    size_t count;
};
_Static_assert(offsetof(struct policy_settings, subject_field_count) -
                       offsetof(struct policy_settings, subject_fields) ==
                   offsetof(struct rule_span, count),
               "a count follows its rules");
_Static_assert(offsetof(struct policy_settings, san_kind_count) -
                       offsetof(struct policy_settings, san_kinds) ==
                   offsetof(struct rule_span, count),
               "a count follows its rules");

static void bind_choice(const struct setting_value *v, const struct setting_row *row, char *at)
{
    if (row->flags & SETTING_WORD)
        *(char **)at = v->text;
    else
        *(int *)at = choice_index(row->choices, v->text);
}

static void bind_value(const struct setting_value *v, const struct setting_row *row, void *place)
{
    char *at = place;
    switch (row->type) {
    case SETTING_BOOL:
        *(bool *)at = v->number != 0;
        break;
    case SETTING_INT:
        *(int *)at = (int)v->number;
        break;
    case SETTING_SIZE:
        *(size_t *)at = (size_t)v->number;
        break;
    case SETTING_DURATION:
        *(int64_t *)at = v->number;
        break;
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_REFERENCE:
        *(char **)at = v->text;
        break;
    case SETTING_CHOICE:
        bind_choice(v, row, at);
        break;
    case SETTING_CHOICES:
    case SETTING_LIST:
    case SETTING_PATHS:
        if (row->flags & SETTING_BITS)
            *(uint32_t *)at = choice_bits(&v->list, row->choices);
        else
            *(struct text_list *)at = v->list;
        break;
    case SETTING_SECRET: /* stays the block's */
        *(struct secret_source *)at = *v->secret;
        break;
    case SETTING_RULES:
        *(struct rule_span *)at = (struct rule_span){.items = v->rules->items, .count = v->rules->count};
        break;
    }
}

void section_clear(const struct setting_row *rows, size_t count, void *target)
{
    static char empty[1];
    for (size_t i = 0; i < count; i++) {
        bool text =
            rows[i].type == SETTING_TEXT || rows[i].type == SETTING_PATH || rows[i].type == SETTING_REFERENCE;
        if (text && !(rows[i].flags & SETTING_UNBOUND))
            *(char **)((char *)target + rows[i].offset) = empty;
    }
}

void section_bind(const struct setting_block *b, void *target)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct setting_value *v = &b->values[i];
        const struct setting_row *row = v->row == SETTING_NO_ROW ? NULL : &b->rows[v->row];
        if (row && !(row->flags & SETTING_UNBOUND))
            bind_value(v, row, (char *)target + row->offset);
    }
}
