/* section.h: blocks of values, one behind the other: what an alias says, what `defaults` says, what the rows
 * say.
 *
 * A value is looked up along that chain, so 100,000 aliases share what they have in common. A block is built
 * by one thread and never changed once it is in a snapshot; references may be taken and dropped on any
 * thread.
 */
#pragma once

#include "settings/value.h"

struct setting_block {
    const struct setting_row *rows;
    size_t row_count;
    struct setting_block *parent; /* a reference; NULL at the end of the chain */
    char *file;                   /* at the end of the chain: for origins */
    struct setting_value *values; /* dense (one per row, perhaps unset) at the end of the chain */
    size_t count;
    struct place at;
    int references;
};

/* The end of a chain: what the rows say themselves. A row that contradicts itself aborts. NULL when out of
 * memory. */
struct setting_block *block_of_rows(const struct setting_row *rows, size_t count, const char *file);
struct setting_block *block_create(struct setting_block *parent,
                                   struct place at); /* takes a reference of its own */
struct setting_block *block_ref(struct setting_block *b);
void block_unref(struct setting_block *b); /* accepts NULL */

/* NULL when unset. */
const struct setting_value *block_find(const struct setting_block *b, size_t row); /* along the chain */
const struct setting_value *block_own(const struct setting_block *b, size_t row);  /* in this block */
size_t block_row(const struct setting_block *b, const char *path); /* aborts when there is none */
/* Where the value stands that holds; where the block stands when nobody wrote one. */
struct place block_place(const struct setting_block *b, const char *path);
/* A value that follows from others (a path under the state folder). false when out of memory. */
bool block_put_text(struct setting_block *b, const char *path, const char *text);
bool block_put_bool(struct setting_block *b, const char *path, bool value);

/* Reads a map into a block. `others` are keys that the caller reads (ended by NULL), or NULL. All problems
 * are added. */
void section_read(struct reader *r, struct setting_block *b, const struct node *map,
                  const char *const *others);
/* Adds a problem for every required row that the chain leaves unset. `what` names the section: "alias
 * `demo`". */
void section_require(struct reader *r, const struct setting_block *b, const char *what);
/* Empty texts into every text member, so that none is NULL. */
void section_clear(const struct setting_row *rows, size_t count, void *target);
/* Writes the block's own values through the rows' offsets; texts stay the block's. */
void section_bind(const struct setting_block *b, void *target);
