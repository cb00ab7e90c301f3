/* block.c: chains of values, and reading them by path. */
#include "settings/block.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "settings/section.h"

static _Noreturn void refuse(const char *path, const char *why)
{
    fprintf(stderr, "settings: the row `%s` %s\n", path, why);
    abort();
}

/* What `initial` says, read as a file would be. */
static void read_initial(struct setting_value *out, const struct setting_row *row)
{
    struct buffer errors;
    buffer_init(&errors, 4096);
    struct problems problems = {.file = "initial", .errors = &errors};
    struct reader r = {.problems = &problems};
    struct arena *arena = arena_create();
    const struct node *n = arena ? node_parse(bytes_of_text(row->initial), arena, &problems) : NULL;
    if (!n || !value_read(&r, out, row, n))
        refuse(row->path, errors.data ? (const char *)errors.data : "cannot be read: out of memory");
    out->at = (struct place){0};
    arena_free(arena);
    buffer_free(&errors);
}

struct setting_block *block_of_rows(const struct setting_row *rows, size_t count, const char *file)
{
    struct setting_block *b = block_create(NULL, (struct place){0});
    if (!b)
        return NULL;
    b->rows = rows;
    b->row_count = count;
    b->file = strdup(file);
    b->values = calloc(count ? count : 1, sizeof *b->values);
    if (!b->file || !b->values || count >= SETTING_NO_ROW) {
        block_unref(b);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        b->values[i].row = SETTING_NO_ROW;
        if (rows[i].initial) {
            read_initial(&b->values[i], &rows[i]);
            b->values[i].row = (uint16_t)i;
        }
    }
    b->count = count;
    return b;
}

struct setting_block *block_create(struct setting_block *parent, struct place at)
{
    struct setting_block *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->references = 1;
    b->at = at;
    if (parent) {
        b->parent = block_ref(parent);
        b->rows = parent->rows;
        b->row_count = parent->row_count;
    }
    return b;
}

struct setting_block *block_ref(struct setting_block *b)
{
    __atomic_fetch_add(&b->references, 1, __ATOMIC_RELAXED);
    return b;
}

void block_unref(struct setting_block *b)
{
    while (b && __atomic_sub_fetch(&b->references, 1, __ATOMIC_ACQ_REL) == 0) {
        struct setting_block *parent = b->parent;
        for (size_t i = 0; i < b->count; i++) {
            if (b->values[i].row != SETTING_NO_ROW)
                value_free(&b->values[i], &b->rows[b->values[i].row]);
        }
        free(b->values);
        free(b->file);
        free(b);
        b = parent;
    }
}

const struct setting_value *block_own(const struct setting_block *b, size_t row)
{
    if (!b->parent && b->count == b->row_count && b->file)
        return b->values[row].row == SETTING_NO_ROW ? NULL : &b->values[row];
    for (size_t i = 0; i < b->count; i++) {
        if (b->values[i].row == row)
            return &b->values[i];
    }
    return NULL;
}

const struct setting_value *block_find(const struct setting_block *b, size_t row)
{
    const struct setting_value *v = NULL;
    for (; b && !v; b = b->parent)
        v = block_own(b, row);
    return v;
}

size_t block_row(const struct setting_block *b, const char *path)
{
    for (size_t i = 0; i < b->row_count; i++) {
        if (strcmp(b->rows[i].path, path) == 0)
            return i;
    }
    refuse(path, "does not exist");
}

struct place block_place(const struct setting_block *b, const char *path)
{
    const struct setting_value *v = block_find(b, block_row(b, path));
    return v && v->at.line ? v->at : b->at;
}

static bool put(struct setting_block *b, struct setting_value v)
{
    struct setting_value *values = realloc(b->values, (b->count + 1) * sizeof *values);
    if (!values)
        return false;
    b->values = values;
    b->values[b->count++] = v;
    return true;
}

bool block_put_text(struct setting_block *b, const char *path, const char *text)
{
    struct setting_value v = {.row = (uint16_t)block_row(b, path), .text = strdup(text)};
    if (v.text && put(b, v))
        return true;
    free(v.text);
    return false;
}

bool block_put_bool(struct setting_block *b, const char *path, bool value)
{
    return put(b, (struct setting_value){.row = (uint16_t)block_row(b, path), .number = value});
}

/* ---- reading by path ----------------------------------------------------------------------------------- */

#define TEXTS                                                                                                \
    (1u << SETTING_TEXT | 1u << SETTING_PATH | 1u << SETTING_CHOICE | 1u << SETTING_REFERENCE |              \
     1u << SETTING_SECRET)
#define NUMBERS (1u << SETTING_BOOL | 1u << SETTING_INT | 1u << SETTING_SIZE | 1u << SETTING_DURATION)
#define LISTS   (1u << SETTING_LIST | 1u << SETTING_PATHS | 1u << SETTING_CHOICES)

static const struct setting_value *find_typed(const struct setting_block *b, const char *path, unsigned types)
{
    size_t row = block_row(b, path);
    if (!(types & 1u << b->rows[row].type))
        refuse(path, "has another type than it is read with");
    return block_find(b, row);
}

const char *setting_block_text(const struct setting_block *b, const char *path)
{
    const struct setting_value *v = find_typed(b, path, TEXTS);
    if (v && b->rows[v->row].type == SETTING_SECRET)
        return (const char *)v->secret->value.data;
    return v ? v->text : NULL;
}

int64_t setting_block_number(const struct setting_block *b, const char *path)
{
    const struct setting_value *v = find_typed(b, path, NUMBERS);
    return v ? v->number : 0;
}

size_t setting_block_count(const struct setting_block *b, const char *path)
{
    const struct setting_value *v = find_typed(b, path, LISTS);
    return v ? v->list.count : 0;
}

const char *setting_block_item(const struct setting_block *b, const char *path, size_t index)
{
    const struct setting_value *v = find_typed(b, path, LISTS);
    return v && index < v->list.count ? v->list.items[index] : NULL;
}

const char *setting_block_origin(const struct setting_block *b, const char *path, char *out, size_t size)
{
    struct place at = block_place(b, path);
    const struct setting_block *end = b;
    while (end->parent)
        end = end->parent;
    snprintf(out, size, "%s:%" PRIu32 ":%" PRIu32, end->file ? end->file : "settings", at.line, at.column);
    return out;
}

bool setting_block_equal(const struct setting_block *a, const struct setting_block *b)
{
    bool equal = a->rows == b->rows && a->row_count == b->row_count;
    for (size_t i = 0; equal && i < a->row_count; i++) {
        const struct setting_value *x = block_find(a, i), *y = block_find(b, i);
        equal = x == y || (x && y && value_equal(x, y, &a->rows[i]));
    }
    return equal;
}
