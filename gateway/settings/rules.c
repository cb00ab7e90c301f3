/* rules.c: maps of name -> rule, each rule a small section of its own. */
#include <stdlib.h>
#include <string.h>

#include "settings/schema.h"
#include "settings/section.h"
#include "settings/shown.h"

static struct rule_set *rules_create(size_t count)
{
    struct rule_set *rules = calloc(1, sizeof *rules);
    if (!rules || count == 0)
        return rules;
    rules->items = calloc(count, sizeof *rules->items);
    rules->names = calloc(count, sizeof *rules->names);
    rules->blocks = calloc(count, sizeof *rules->blocks);
    if (rules->items && rules->names && rules->blocks)
        return rules;
    rules_free(rules);
    return NULL;
}

static bool name_is_good(struct reader *r, const struct setting_row *row, const struct node *key, char *name)
{
    char why[240] = "", text[SHOWN_SIZE];
    if (row->choices && choice_index(row->choices, name) < 0) {
        problem(r->problems, key->at, "`%s` has no \"%s\"; choose of: %s", row->path, shown(text, key->text),
                row->choices);
        return false;
    }
    if (!row->check || row->check(name, why, sizeof why))
        return true;
    problem(r->problems, key->at, "`%s`: \"%s\" %s", row->path, shown(text, key->text), why);
    return false;
}

static bool add_rule(struct reader *r, struct rule_set *rules, const struct setting_row *row,
                     const struct node *key)
{
    char text[SHOWN_SIZE];
    size_t i = rules->count;
    char *name = strdup(key->text);
    struct setting_block *b = block_create(NULL, key->at);
    if (!name || !b) {
        free(name);
        block_unref(b);
        problem(r->problems, key->at, "out of memory while reading");
        return false;
    }
    rules->names[i] = name;
    rules->blocks[i] = b;
    rules->count++;
    b->rows = schema_rule;
    b->row_count = schema_rule_count;
    size_t before = r->problems->error_count;
    section_read(r, b, key->next, NULL);
    section_bind(b, &rules->items[i]);
    rules->items[i].name = name;
    if (rules->items[i].required && rules->items[i].forbidden)
        problem(r->problems, key->at, "`%s`: \"%s\" cannot be both required and forbidden", row->path,
                shown(text, name));
    return name_is_good(r, row, key, name) && r->problems->error_count == before;
}

bool rules_read(struct reader *r, struct rule_set **out, const struct setting_row *row,
                const struct node *map)
{
    *out = NULL;
    if (map->kind != NODE_MAP && !node_is_null(map)) {
        problem(r->problems, map->at,
                "`%s` must be a map of names to rules, such as {%s: {required: true}}, but here is %s",
                row->path, row->choices ? "dns" : "CN", node_kind_name(map));
        return false;
    }
    struct rule_set *rules = rules_create(map->count / 2);
    if (!rules) {
        problem(r->problems, map->at, "out of memory while reading");
        return false;
    }
    bool good = true;
    for (const struct node *key = map->first; key; key = key->next->next)
        good = add_rule(r, rules, row, key) && good;
    if (good)
        *out = rules;
    else
        rules_free(rules);
    return good;
}

void rules_free(struct rule_set *rules)
{
    if (!rules)
        return;
    for (size_t i = 0; i < rules->count; i++) {
        free(rules->names[i]);
        block_unref(rules->blocks[i]);
    }
    free(rules->items);
    free(rules->names);
    free(rules->blocks);
    free(rules);
}

bool rules_equal(const struct rule_set *a, const struct rule_set *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++) {
        const struct pattern_rule *x = &a->items[i], *y = &b->items[i];
        equal = strcmp(x->name, y->name) == 0 && x->required == y->required && x->forbidden == y->forbidden &&
                x->max_count == y->max_count && text_list_equal(&x->patterns, &y->patterns);
    }
    return equal;
}
