/* node.c: libyaml's events to nodes. */
#include "settings/node.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "settings/shown.h"

struct open_node { /* a list or map whose end has not come yet */
    struct node *node;
    struct node *last;
    const char *anchor;
};

struct anchor {
    const char *name;
    struct node *node;
};

struct builder {
    struct arena *arena;
    struct problems *problems;
    struct node *root;
    struct open_node open[NODE_DEPTH_MAX];
    size_t depth;
    struct anchor anchors[NODE_ANCHORS_MAX];
    size_t anchor_count;
    uint64_t total;
    size_t documents;
};

static struct place place_of(yaml_mark_t mark)
{
    return (struct place){.line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

bool node_is_null(const struct node *n)
{
    return n->kind == NODE_SCALAR && n->plain &&
           (!n->text[0] || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

const char *node_kind_name(const struct node *n)
{
    static const char *const names[] = {
        [NODE_SCALAR] = "a single value", [NODE_LIST] = "a list", [NODE_MAP] = "a map"};
    return node_is_null(n) ? "nothing" : names[n->kind];
}

const struct node *node_member(const struct node *map, const char *key)
{
    for (const struct node *k = map->first; map->kind == NODE_MAP && k; k = k->next->next) {
        if (strcmp(k->text, key) == 0)
            return k->next;
    }
    return NULL;
}

static bool out_of_memory(struct builder *b)
{
    problem(b->problems, (struct place){0}, "out of memory while reading");
    return false;
}

/* Puts a node at the end of what is open; a map takes only scalars in the places of its keys. */
static bool attach(struct builder *b, struct node *n)
{
    b->total += n->weight;
    if (b->total > NODES_MAX) {
        problem(b->problems, n->at,
                "the document is too large: more than %d values with its aliases expanded", NODES_MAX);
        return false;
    }
    if (b->depth == 0) {
        b->root = n;
        return true;
    }
    struct open_node *o = &b->open[b->depth - 1];
    if (o->node->kind == NODE_MAP && o->node->count % 2 == 0 && n->kind != NODE_SCALAR) {
        problem(b->problems, n->at, "%s cannot be a key; write a name and a colon", node_kind_name(n));
        return false;
    }
    if (o->last)
        o->last->next = n;
    else
        o->node->first = n;
    o->last = n;
    o->node->count++;
    return true;
}

static bool remember_anchor(struct builder *b, const char *name, struct node *n)
{
    if (!name)
        return true;
    if (b->anchor_count == NODE_ANCHORS_MAX) {
        problem(b->problems, n->at, "more than %d anchors (`&name`); use `defaults` instead",
                NODE_ANCHORS_MAX);
        return false;
    }
    b->anchors[b->anchor_count++] = (struct anchor){.name = name, .node = n};
    return true;
}

static struct node *node_create(struct builder *b, enum node_kind kind, yaml_mark_t mark)
{
    struct node *n = arena_alloc(b->arena, sizeof *n);
    if (!n) {
        out_of_memory(b);
        return NULL;
    }
    n->kind = kind;
    n->weight = 1;
    n->at = place_of(mark);
    return n;
}

static bool refuse_tag(struct builder *b, const yaml_char_t *tag, yaml_mark_t mark)
{
    char text[SHOWN_SIZE];
    if (tag)
        problem(b->problems, place_of(mark), "the tag `%s` is not used here; remove it",
                shown(text, (const char *)tag));
    return tag != NULL;
}

static bool copy_anchor(struct builder *b, const yaml_char_t *name, const char **out)
{
    *out = name ? arena_text(b->arena, (const char *)name) : NULL;
    return !name || *out || out_of_memory(b);
}

static bool take_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    const char *anchor;
    if (refuse_tag(b, event->data.scalar.tag, event->start_mark) ||
        !copy_anchor(b, event->data.scalar.anchor, &anchor))
        return false;
    if (strlen(value) != event->data.scalar.length) {
        problem(b->problems, place_of(event->start_mark), "a value must not contain a NUL character");
        return false;
    }
    struct node *n = node_create(b, NODE_SCALAR, event->start_mark);
    if (!n)
        return false;
    n->text = arena_text(b->arena, value);
    n->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!n->text)
        return out_of_memory(b);
    return remember_anchor(b, anchor, n) && attach(b, n);
}

/* The children of a finished node are shared: it can hold no way back to itself, because only finished nodes
 * have names. */
static bool take_alias(struct builder *b, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    char text[SHOWN_SIZE];
    for (size_t i = b->anchor_count; i-- > 0;) {
        if (strcmp(b->anchors[i].name, name) != 0)
            continue;
        struct node *n = node_create(b, NODE_SCALAR, event->start_mark);
        if (!n)
            return false;
        struct place at = n->at;
        *n = *b->anchors[i].node;
        n->next = NULL;
        n->at = at;
        return attach(b, n);
    }
    problem(b->problems, place_of(event->start_mark), "the alias `*%s` names no finished anchor above",
            shown(text, name));
    return false;
}

static bool begin(struct builder *b, enum node_kind kind, const yaml_event_t *event)
{
    bool list = kind == NODE_LIST;
    const yaml_char_t *tag = list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    const yaml_char_t *name = list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    const char *anchor;
    if (refuse_tag(b, tag, event->start_mark) || !copy_anchor(b, name, &anchor))
        return false;
    if (b->depth == NODE_DEPTH_MAX) {
        problem(b->problems, place_of(event->start_mark), "nested deeper than %d levels", NODE_DEPTH_MAX);
        return false;
    }
    struct node *n = node_create(b, kind, event->start_mark);
    if (!n || !attach(b, n))
        return false;
    b->open[b->depth++] = (struct open_node){.node = n, .anchor = anchor};
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    const struct node *const *x = a, *const *y = b;
    int order = strcmp((*x)->text, (*y)->text);
    return order ? order : ((*x)->at.line > (*y)->at.line) - ((*x)->at.line < (*y)->at.line);
}

/* All duplicates are told, and reading goes on: they are mistakes of content, not of form. */
static bool report_duplicates(struct builder *b, const struct node *map)
{
    size_t count = map->count / 2, i = 0;
    if (count < 2)
        return true;
    CLEANUP(memory) const struct node **keys = calloc(count, sizeof *keys);
    if (!keys)
        return out_of_memory(b);
    for (const struct node *k = map->first; k; k = k->next->next)
        keys[i++] = k;
    qsort(keys, count, sizeof *keys, compare_keys);
    for (i = 1; i < count; i++) {
        char text[SHOWN_SIZE];
        if (strcmp(keys[i]->text, keys[i - 1]->text) == 0)
            problem(b->problems, keys[i]->at, "`%s` stands here twice (first in line %u); keep one",
                    shown(text, keys[i]->text), keys[i - 1]->at.line);
    }
    return true;
}

static bool end(struct builder *b)
{
    struct open_node *o = &b->open[--b->depth];
    uint64_t weight = 1;
    for (const struct node *c = o->node->first; c; c = c->next)
        weight += c->weight;
    o->node->weight = weight > NODES_MAX ? NODES_MAX : (uint32_t)weight;
    return (o->node->kind != NODE_MAP || report_duplicates(b, o->node)) &&
           remember_anchor(b, o->anchor, o->node);
}

static bool take_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->documents++ == 0)
            return true;
        problem(b->problems, place_of(event->start_mark),
                "a second document begins here; a settings file holds one");
        return false;
    case YAML_SCALAR_EVENT:
        return take_scalar(b, event);
    case YAML_ALIAS_EVENT:
        return take_alias(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return begin(b, NODE_LIST, event);
    case YAML_MAPPING_START_EVENT:
        return begin(b, NODE_MAP, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end(b);
    default:
        return true;
    }
}

static void report_syntax(struct builder *b, const yaml_parser_t *parser)
{
    const char *what = parser->problem ? parser->problem : "this cannot be read";
    if (parser->error == YAML_READER_ERROR)
        problem(b->problems, place_of(parser->mark), "not UTF-8 text (%s, byte %zu); save the file as UTF-8",
                what, parser->problem_offset);
    else if (parser->error == YAML_MEMORY_ERROR)
        out_of_memory(b);
    else
        problem(b->problems, place_of(parser->problem_mark), "not YAML: %s%s%s", what,
                parser->context ? " " : "", parser->context ? parser->context : "");
}

static bool read_events(struct builder *b, yaml_parser_t *parser)
{
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            report_syntax(b, parser);
            return false;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        bool good = take_event(b, &event);
        yaml_event_delete(&event);
        if (!good)
            return false;
    }
    return true;
}

struct node *node_parse(struct bytes yaml, struct arena *arena, struct problems *problems)
{
    CLEANUP(memory) struct builder *b = calloc(1, sizeof *b);
    yaml_parser_t parser;
    if (!b || !yaml_parser_initialize(&parser)) {
        problem(problems, (struct place){0}, "out of memory while reading");
        return NULL;
    }
    b->arena = arena;
    b->problems = problems;
    if (yaml.len >= 3 && memcmp(yaml.data, "\xEF\xBB\xBF", 3) == 0) /* editors on Windows write one */
        yaml = bytes_of(yaml.data + 3, yaml.len - 3);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, yaml.data ? yaml.data : (const unsigned char *)"", yaml.len);
    bool good = read_events(b, &parser);
    yaml_parser_delete(&parser);
    if (good && !b->root)
        b->root = node_create(b, NODE_MAP, (yaml_mark_t){0});
    return good ? b->root : NULL;
}
