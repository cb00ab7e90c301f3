/* limiter.c: see limiter.h.
 *
 * Each key has two counters: of its present window and of the one before, which counts less and less as the
 * present one passes. A table is full at its capacity; then the key that failed longest ago is forgotten. Who
 * has enough addresses to push his own out meets the limit of the alias.
 */
#include "challenge/limiter.h"

#include <arpa/inet.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 16384
#define ALIASES_MAX   4096
#define KEY_SIZE      16

struct tally {
    uint8_t key[KEY_SIZE];
    struct tally *same_slot;     /* next of the hash chain */
    struct tally *older, *newer; /* by the last failure */
    int64_t start;               /* of the present window */
    int64_t present, before;
};

struct table {
    struct tally *tallies; /* the first `count` are in use */
    struct tally **slots;  /* `capacity` chains */
    struct tally *oldest, *newest;
    size_t count, capacity;
};

struct limiter {
    struct table addresses, aliases;
};

static bool table_init(struct table *t, size_t capacity)
{
    t->capacity = capacity;
    t->tallies = calloc(capacity, sizeof *t->tallies);
    t->slots = calloc(capacity, sizeof(struct tally *));
    return t->tallies && t->slots;
}

struct limiter *limiter_create(void)
{
    struct limiter *l = calloc(1, sizeof *l);
    if (l && table_init(&l->addresses, ADDRESSES_MAX) && table_init(&l->aliases, ALIASES_MAX))
        return l;
    limiter_free(l);
    return NULL;
}

void limiter_free(struct limiter *l)
{
    if (!l)
        return;
    free(l->addresses.tallies);
    free(l->addresses.slots);
    free(l->aliases.tallies);
    free(l->aliases.slots);
    free(l);
}

/* ---- keys ---------------------------------------------------------------------------------------------- */

/* Whoever has one IPv6 address has 2^64 of them: a /64 counts as one. An IPv4 address may come mapped into
 * IPv6. */
static size_t network(const char *address, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (inet_pton(AF_INET, address, out) == 1)
        return 4;
    if (inet_pton(AF_INET6, address, out) != 1)
        return 0;
    if (memcmp(out, mapped, sizeof mapped) != 0)
        return 8;
    memmove(out, out + 12, 4);
    return 4;
}

/* A hash, so that keys are of one size and nobody chooses their slot. `address` NULL: of the alias as a
 * whole. */
static void make_key(const char *alias, const char *address, uint8_t key[KEY_SIZE])
{
    uint8_t text[512], digest[SHA256_DIGEST_LENGTH];
    size_t len = strnlen(alias, 255) + 1; /* with a NUL between the two */
    memcpy(text, alias, len - 1);
    text[len - 1] = 0;
    if (address) {
        uint8_t bits[16];
        size_t part = network(address, bits);
        const void *source = part > 0 ? (const void *)bits : address;
        part = part > 0 ? part : strnlen(address, 255);
        memcpy(text + len, source, part);
        len += part;
    }
    SHA256(text, len, digest);
    memcpy(key, digest, KEY_SIZE);
}

static struct tally **slot_of(const struct table *t, const uint8_t key[KEY_SIZE])
{
    size_t number;
    memcpy(&number, key, sizeof number);
    return &t->slots[number % t->capacity];
}

static struct tally *find(const struct table *t, const uint8_t key[KEY_SIZE])
{
    struct tally *y = *slot_of(t, key);
    while (y && memcmp(y->key, key, KEY_SIZE) != 0)
        y = y->same_slot;
    return y;
}

/* ---- order of the last failure ------------------------------------------------------------------------- */

static void unlink_age(struct table *t, struct tally *y)
{
    *(y->older ? &y->older->newer : &t->oldest) = y->newer;
    *(y->newer ? &y->newer->older : &t->newest) = y->older;
}

static void link_newest(struct table *t, struct tally *y)
{
    y->newer = NULL;
    y->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = y;
    t->newest = y;
}

static struct tally *forget_oldest(struct table *t)
{
    struct tally *y = t->oldest;
    unlink_age(t, y);
    struct tally **place = slot_of(t, y->key);
    while (*place != y)
        place = &(*place)->same_slot;
    *place = y->same_slot;
    return y;
}

static struct tally *insert(struct table *t, const uint8_t key[KEY_SIZE], int64_t now)
{
    struct tally *y = t->count < t->capacity ? &t->tallies[t->count++] : forget_oldest(t);
    struct tally **slot = slot_of(t, key);
    *y = (struct tally){.same_slot = *slot, .start = now};
    memcpy(y->key, key, KEY_SIZE);
    *slot = y;
    link_newest(t, y);
    return y;
}

/* ---- windows ------------------------------------------------------------------------------------------- */

static void advance(struct tally *y, int64_t window, int64_t now)
{
    int64_t passed = now - y->start;
    if (passed < window)
        return;
    y->before = passed < 2 * window ? y->present : 0;
    y->present = 0;
    y->start = passed < 2 * window ? y->start + window : now;
}

static bool below(const struct table *t, const uint8_t key[KEY_SIZE], int64_t limit, int64_t window,
                  int64_t now)
{
    struct tally *y = find(t, key);
    if (!y)
        return true;
    advance(y, window, now);
    double weight = (double)(window - (now - y->start)) / (double)window;
    return (double)y->before * weight + (double)y->present < (double)limit;
}

static void count(struct table *t, const uint8_t key[KEY_SIZE], int64_t window, int64_t now)
{
    struct tally *y = find(t, key);
    if (!y)
        y = insert(t, key, now);
    advance(y, window, now);
    y->present++;
    unlink_age(t, y);
    link_newest(t, y);
}

static bool is_limited(const struct challenge_settings *s)
{
    return s->failure_limit > 0 && s->failure_window > 0;
}

bool limiter_allows(struct limiter *l, const struct alias_settings *alias, const char *address, int64_t now)
{
    const struct challenge_settings *s = &alias->challenge;
    if (!is_limited(s) ||
        l->aliases.count == 0) /* nothing was refused yet: most gateways, most of the time */
        return true;
    uint8_t key[KEY_SIZE];
    make_key(alias->name, NULL, key);
    if (!below(&l->aliases, key, (int64_t)s->failure_limit * LIMITER_ALIAS_FACTOR, s->failure_window, now))
        return false;
    make_key(alias->name, address ? address : "", key);
    return below(&l->addresses, key, s->failure_limit, s->failure_window, now);
}

void limiter_count(struct limiter *l, const struct alias_settings *alias, const char *address, int64_t now)
{
    const struct challenge_settings *s = &alias->challenge;
    if (!is_limited(s))
        return;
    uint8_t key[KEY_SIZE];
    make_key(alias->name, NULL, key);
    count(&l->aliases, key, s->failure_window, now);
    make_key(alias->name, address ? address : "", key);
    count(&l->addresses, key, s->failure_window, now);
}
