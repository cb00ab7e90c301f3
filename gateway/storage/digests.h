/* digests.h: many records as few bytes: a checksum of all of them in whatever order, and a bag that knows which
 * ones it has. A record's digest is the SHA-256 of its canonical form (store/canonical.h).
 */
#pragma once

#include "store/store.h"

#define DIGEST_SIZE 32

struct digest {
    uint8_t bytes[DIGEST_SIZE];
};

bool digest_of(struct digest *out, enum store_kind kind, const void *record); /* false: out of memory */

/* The sum of the digests, modulo 2^256: two sets are the same when count and sum are. */
struct digest_sum {
    int64_t count;
    uint8_t sum[DIGEST_SIZE];
};

void digest_sum_add(struct digest_sum *s, const struct digest *d);
bool digest_sum_same(const struct digest_sum *a, const struct digest_sum *b);
void digest_sum_text(const struct digest_sum *s, char out[2 * DIGEST_SIZE + 1]); /* hex */

/* A zeroed one is empty. */
struct digest_bag {
    struct digest_bag_entry *entries;
    size_t used, capacity;
};

bool digest_bag_put(struct digest_bag *b, const struct digest *d);  /* false: out of memory */
bool digest_bag_take(struct digest_bag *b, const struct digest *d); /* true: it was in it; now once less */
void digest_bag_free(struct digest_bag *b);
