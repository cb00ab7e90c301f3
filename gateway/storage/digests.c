/* digests.c: see digests.h. */
#include "storage/digests.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/canonical.h"

#define RECORD_MAX ((size_t)256 << 20)
#define BAG_FIRST  1024 /* a power of two */

bool digest_of(struct digest *out, enum store_kind kind, const void *record)
{
    CLEANUP(buffer) struct buffer form;
    buffer_init(&form, RECORD_MAX);
    canonical_write(&form, kind, record);
    return !form.failed && SHA256(form.data, form.len, out->bytes);
}

/* ---- sum ----------------------------------------------------------------------------------------------- */

void digest_sum_add(struct digest_sum *s, const struct digest *d)
{
    unsigned carry = 0;
    for (size_t i = DIGEST_SIZE; i-- > 0;) {
        carry += (unsigned)s->sum[i] + d->bytes[i];
        s->sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
    s->count++;
}

bool digest_sum_same(const struct digest_sum *a, const struct digest_sum *b)
{
    return a->count == b->count && memcmp(a->sum, b->sum, DIGEST_SIZE) == 0;
}

void digest_sum_text(const struct digest_sum *s, char out[2 * DIGEST_SIZE + 1])
{
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", s->sum[i]);
}

/* ---- bag ----------------------------------------------------------------------------------------------- */

/* Open addressing. An entry whose count is 0 keeps its place, so that others are still found behind it. */
struct digest_bag_entry {
    struct digest digest;
    uint32_t count;
    bool used;
};

static struct digest_bag_entry *place_of(const struct digest_bag *b, const struct digest *d)
{
    size_t at;
    memcpy(&at, d->bytes, sizeof at);
    for (at &= b->capacity - 1;; at = (at + 1) & (b->capacity - 1)) {
        struct digest_bag_entry *e = &b->entries[at];
        if (!e->used || memcmp(&e->digest, d, sizeof *d) == 0)
            return e;
    }
}

static bool grow(struct digest_bag *b)
{
    struct digest_bag larger = {.used = b->used, .capacity = b->capacity ? 2 * b->capacity : BAG_FIRST};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (!larger.entries)
        return false;
    for (size_t i = 0; i < b->capacity; i++)
        if (b->entries[i].used)
            *place_of(&larger, &b->entries[i].digest) = b->entries[i];
    free(b->entries);
    *b = larger;
    return true;
}

bool digest_bag_put(struct digest_bag *b, const struct digest *d)
{
    if (2 * b->used >= b->capacity && !grow(b))
        return false;
    struct digest_bag_entry *e = place_of(b, d);
    b->used += !e->used;
    e->used = true;
    e->digest = *d;
    e->count++;
    return true;
}

bool digest_bag_take(struct digest_bag *b, const struct digest *d)
{
    struct digest_bag_entry *e = b->capacity ? place_of(b, d) : NULL;
    if (!e || !e->used || e->count == 0)
        return false;
    e->count--;
    return true;
}

void digest_bag_free(struct digest_bag *b)
{
    free(b->entries);
    *b = (struct digest_bag){0};
}
