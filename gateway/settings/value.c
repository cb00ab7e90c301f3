/* value.c: see value.h. */
#include "settings/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "settings/shown.h"
#include "settings/units.h"

#define TEXT_MAX    65536
#define CHOICES_MAX 64

/* How each type of number is read and written, and what to write instead of what was found. */
static const struct number_type {
    bool (*parse)(const char *text, int64_t *out);
    const char *(*print)(char out[UNIT_TEXT_SIZE], int64_t number);
    const char *expected;
} number_types[] = {
    [SETTING_INT] = {integer_parse, NULL, "a whole number"},
    [SETTING_SIZE] = {size_parse, size_text, "a size such as 64KiB or 2MiB"},
    [SETTING_DURATION] = {duration_parse, duration_text,
                          "a duration with its unit, such as 30s, 5m, 24h or 365d"},
};

static bool out_of_memory(struct reader *r, struct place at)
{
    problem(r->problems, at, "out of memory while reading");
    return false;
}

static bool bad_kind(struct reader *r, const struct setting_row *row, const struct node *n,
                     const char *expected)
{
    problem(r->problems, n->at, "`%s` must be %s, but here is %s", row->path, expected, node_kind_name(n));
    return false;
}

char *path_join(const char *folder, const char *path)
{
    char *joined = NULL;
    if (path[0] == '/' || !folder || !folder[0])
        return strdup(path);
    return asprintf(&joined, "%s/%s", folder, path) < 0 ? NULL : joined;
}

int choice_index(const char *choices, const char *word)
{
    size_t len = strlen(word);
    int index = 0;
    for (const char *p = choices; len && *p; index++) {
        size_t here = strcspn(p, " ");
        if (here == len && strncmp(p, word, len) == 0)
            return index;
        p += here + strspn(p + here, " ");
    }
    return -1;
}

size_t choice_words(const char *choices, char **copy, const char **words, size_t max)
{
    size_t count = 0;
    *copy = strdup(choices ? choices : "");
    for (char *p = *copy; p && *p && count < max;) {
        words[count++] = p;
        p += strcspn(p, " ");
        while (*p == ' ')
            *p++ = '\0';
    }
    return count;
}

static bool bad_choice(struct reader *r, const struct setting_row *row, const struct node *n)
{
    char text[SHOWN_SIZE];
    const char *words[CHOICES_MAX];
    CLEANUP(memory) char *copy = NULL;
    size_t count = choice_words(row->choices, &copy, words, CHOICES_MAX);
    const char *close = closest_word(n->text, words, count);
    problem(r->problems, n->at, "`%s` cannot be \"%s\"%s%s%s; choose of: %s", row->path, shown(text, n->text),
            close ? "; did you mean `" : "", close ? close : "", close ? "`?" : "", row->choices);
    return false;
}

static bool read_bool(struct reader *r, struct setting_value *out, const struct setting_row *row,
                      const struct node *n)
{
    static const char words[] = "false no off true yes on";
    int index = n->kind == NODE_SCALAR ? choice_index(words, n->text) : -1;
    if (index < 0) {
        char text[SHOWN_SIZE];
        if (n->kind != NODE_SCALAR)
            return bad_kind(r, row, n, "true or false");
        problem(r->problems, n->at, "`%s` must be true or false, not \"%s\"", row->path,
                shown(text, n->text));
        return false;
    }
    out->number = index >= 3;
    return true;
}

static const char *number_text(const struct number_type *type, char out[UNIT_TEXT_SIZE], int64_t number)
{
    if (type->print)
        return type->print(out, number);
    snprintf(out, UNIT_TEXT_SIZE, "%lld", (long long)number);
    return out;
}

static bool read_number(struct reader *r, struct setting_value *out, const struct setting_row *row,
                        const struct node *n)
{
    const struct number_type *type = &number_types[row->type];
    char text[SHOWN_SIZE], min[UNIT_TEXT_SIZE], max[UNIT_TEXT_SIZE];
    if (n->kind != NODE_SCALAR)
        return bad_kind(r, row, n, type->expected);
    if (!type->parse(n->text, &out->number)) {
        problem(r->problems, n->at, "`%s` must be %s, not \"%s\"", row->path, type->expected,
                shown(text, n->text));
        return false;
    }
    bool bounded = row->min != 0 || row->max != 0 || row->type != SETTING_INT;
    if ((bounded && out->number < row->min) || (row->max && out->number > row->max)) {
        number_text(type, min, row->min);
        number_text(type, max, row->max);
        problem(r->problems, n->at, "`%s` must be %s %s%s%s, not \"%s\"", row->path,
                row->max ? "from" : "at least", min, row->max ? " to " : "", row->max ? max : "",
                shown(text, n->text));
        return false;
    }
    return true;
}

static bool text_is_good(struct reader *r, const struct setting_row *row, const struct node *n, char *text)
{
    char why[240] = "", quoted[SHOWN_SIZE];
    if (!row->check || row->check(text, why, sizeof why))
        return true;
    problem(r->problems, n->at, "`%s`: \"%s\" %s", row->path, shown(quoted, n->text), why);
    return false;
}

/* One text, as a value or as an item of a list. */
static char *read_item(struct reader *r, const struct setting_row *row, const struct node *n)
{
    bool path = row->type == SETTING_PATH || row->type == SETTING_PATHS;
    size_t len = strlen(n->text);
    if (len > TEXT_MAX || (path && len == 0)) {
        problem(r->problems, n->at, "`%s` %s", row->path, len ? "is too long" : "must not be empty");
        return NULL;
    }
    if ((row->type == SETTING_CHOICE || row->type == SETTING_CHOICES) &&
        choice_index(row->choices, n->text) < 0) {
        bad_choice(r, row, n);
        return NULL;
    }
    CLEANUP(memory) char *text = path ? path_join(r->folder, n->text) : strdup(n->text);
    if (!text)
        out_of_memory(r, n->at);
    return text && text_is_good(r, row, n, text) ? TAKE(text) : NULL;
}

static bool read_text(struct reader *r, struct setting_value *out, const struct setting_row *row,
                      const struct node *n)
{
    if (n->kind != NODE_SCALAR)
        return bad_kind(r, row, n, "a single text");
    int64_t len = (int64_t)strlen(n->text);
    if (len < row->min || (row->max && len > row->max)) {
        problem(r->problems, n->at, "`%s` must have at least %lld and at most %lld bytes, not %lld",
                row->path, (long long)row->min, (long long)(row->max ? row->max : TEXT_MAX), (long long)len);
        return false;
    }
    out->text = read_item(r, row, n);
    return out->text != NULL;
}

static void text_list_free(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

static bool read_list(struct reader *r, struct setting_value *out, const struct setting_row *row,
                      const struct node *n)
{
    if (n->kind == NODE_MAP || node_is_null(n))
        return bad_kind(r, row, n, "a list, such as [one, two]");
    const struct node *item = n->kind == NODE_LIST ? n->first : n;
    int64_t count = n->kind == NODE_LIST ? n->count : 1;
    if (count < row->min || (row->max && count > row->max)) {
        problem(r->problems, n->at, "`%s` needs %s %lld items, but has %lld", row->path,
                count < row->min ? "at least" : "at most",
                (long long)(count < row->min ? row->min : row->max), (long long)count);
        return false;
    }
    out->list = (struct text_list){.items = count ? calloc((size_t)count, sizeof(char *)) : NULL};
    bool good = !count || out->list.items || out_of_memory(r, n->at);
    for (int64_t i = 0; out->list.items && i < count; i++, item = item->next) {
        bool single = item->kind == NODE_SCALAR && !node_is_null(item);
        char *text = single ? read_item(r, row, item) : NULL;
        if (!single)
            bad_kind(r, row, item, "a list of single texts");
        if (text)
            out->list.items[out->list.count++] = text;
        else
            good = false;
    }
    if (!good)
        text_list_free(&out->list);
    return good;
}

bool value_read(struct reader *r, struct setting_value *out, const struct setting_row *row,
                const struct node *n)
{
    *out = (struct setting_value){.row = SETTING_NO_ROW, .at = n->at};
    if (node_is_null(n) && row->type != SETTING_RULES) {
        problem(r->problems, n->at, "`%s` has no value; write one or remove the line", row->path);
        return false;
    }
    switch (row->type) {
    case SETTING_BOOL:
        return read_bool(r, out, row, n);
    case SETTING_INT:
    case SETTING_SIZE:
    case SETTING_DURATION:
        return read_number(r, out, row, n);
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_CHOICE:
    case SETTING_REFERENCE:
        return read_text(r, out, row, n);
    case SETTING_LIST:
    case SETTING_PATHS:
    case SETTING_CHOICES:
        return read_list(r, out, row, n);
    case SETTING_SECRET:
        return secret_source_read(r, &out->secret, row, n);
    case SETTING_RULES:
        return rules_read(r, &out->rules, row, n);
    }
    abort(); /* a row of a type that this table does not know */
}

void value_free(struct setting_value *v, const struct setting_row *row)
{
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_CHOICE:
    case SETTING_REFERENCE:
        if (v->text && row->flags & SETTING_SECRET_VALUE)
            secret_wipe(v->text, strlen(v->text));
        free(v->text);
        break;
    case SETTING_LIST:
    case SETTING_PATHS:
    case SETTING_CHOICES:
        text_list_free(&v->list);
        break;
    case SETTING_SECRET:
        secret_source_free(v->secret);
        break;
    case SETTING_RULES:
        rules_free(v->rules);
        break;
    default:
        break;
    }
}

bool text_list_equal(const struct text_list *a, const struct text_list *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = strcmp(a->items[i], b->items[i]) == 0;
    return equal;
}

bool value_equal(const struct setting_value *a, const struct setting_value *b, const struct setting_row *row)
{
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_CHOICE:
    case SETTING_REFERENCE:
        return strcmp(a->text, b->text) == 0;
    case SETTING_LIST:
    case SETTING_PATHS:
    case SETTING_CHOICES:
        return text_list_equal(&a->list, &b->list);
    case SETTING_SECRET:
        return secret_source_equal(a->secret, b->secret);
    case SETTING_RULES:
        return rules_equal(a->rules, b->rules);
    default:
        return a->number == b->number;
    }
}
