/* node.h: a YAML text as a tree of nodes that know their place. Hostile text costs bounded memory and time.
 *
 * One document; no tags; no duplicate keys; keys are scalars; UTF-8 without NUL. An alias (`*x`) shares the
 * children of what it names, so expansion costs nothing here, and is bounded for those who walk the tree.
 */
#pragma once

#include "base/arena.h"
#include "settings/problems.h"

#define NODE_DEPTH_MAX   16
#define NODE_ANCHORS_MAX 256
#define NODES_MAX        (32 * 1000 * 1000) /* with aliases expanded */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    const char *text;   /* scalars */
    struct node *first; /* lists: the items; maps: key, value, key, value … */
    struct node *next;
    struct place at;
    uint32_t count;  /* children; a map has two per entry */
    uint32_t weight; /* nodes of the expanded subtree */
    enum node_kind kind;
    bool plain; /* a scalar without quotes */
};

/* NULL when the text is not such a document (problems were added). An empty document is an empty map. */
struct node *node_parse(struct bytes yaml, struct arena *arena, struct problems *problems);
/* A plain scalar that YAML reads as "nothing": `~`, `null` or an empty value. */
bool node_is_null(const struct node *n);
const char *node_kind_name(const struct node *n); /* "a list" */
/* The value under a key of a map; NULL when there is none. */
const struct node *node_member(const struct node *map, const char *key);
