/* canonical.h: a record as bytes that are the same whatever store it was read from: how two stores are held
 * against each other.
 *
 * Each member is written with its length, in the order of store.h. Left out is what belongs to one store
 * alone: leases, an obligation's id and claim, an audit row's sequence and hash. Pure.
 */
#pragma once

#include "store/store.h"

/* Appends. `record` is the one of that kind: struct challenge_record, struct transaction_record … */
void canonical_write(struct buffer *out, enum store_kind kind, const void *record);
bool canonical_same(enum store_kind kind, const void *a, const void *b); /* false also when out of memory */
