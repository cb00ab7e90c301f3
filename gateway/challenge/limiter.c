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

struct window {
    int64_t present, before;
};

struct tally {
    uint8_t key[TALLY_KEY_SIZE];
    struct tally *same_slot;     /* next of the hash chain */
    struct tally *older, *newer; /* by the last failure */
    int64_t start;               /* of the present window */
    struct window known;         /* of all replicas, as far as is known here */
    struct window here;          /* of this one: what is known is never less */
    int64_t untold;              /* counted here, and not yet on its way to the store */
};

struct table {
    struct tally *tallies; /* the first `count` are in use */
    struct tally **slots;  /* `capacity` chains */
    struct tally *oldest, *newest;
    size_t count, capacity;
};

struct limiter {
    struct table tables[2]; /* by enum limiter_scope */
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
    if (l && table_init(&l->tables[LIMITER_ALIAS], ALIASES_MAX) &&
        table_init(&l->tables[LIMITER_ADDRESS], ADDRESSES_MAX))
        return l;
    limiter_free(l);
    return NULL;
}

void limiter_free(struct limiter *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < 2; i++) {
        free(l->tables[i].tallies);
        free(l->tables[i].slots);
    }
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

/* A hash, so that keys are of one size and nobody chooses their slot. All replicas make the same. */
void limiter_key(enum limiter_scope scope, const char *alias, const char *address,
                 uint8_t key[TALLY_KEY_SIZE])
{
    uint8_t text[512], digest[SHA256_DIGEST_LENGTH];
    size_t len = strnlen(alias, 254);
    memcpy(text, alias, len);
    text[len++] = 0; /* between the two, with what follows */
    text[len++] = scope == LIMITER_ADDRESS;
    if (scope == LIMITER_ADDRESS) {
        uint8_t bits[16];
        address = address ? address : "";
        size_t part = network(address, bits);
        const void *source = part > 0 ? (const void *)bits : address;
        part = part > 0 ? part : strnlen(address, 255);
        memcpy(text + len, source, part);
        len += part;
    }
    SHA256(text, len, digest);
    memcpy(key, digest, TALLY_KEY_SIZE);
}

static struct tally **slot_of(const struct table *t, const uint8_t key[TALLY_KEY_SIZE])
{
    size_t number;
    memcpy(&number, key, sizeof number);
    return &t->slots[number % t->capacity];
}

static struct tally *find(const struct table *t, const uint8_t key[TALLY_KEY_SIZE])
{
    struct tally *y = *slot_of(t, key);
    while (y && memcmp(y->key, key, TALLY_KEY_SIZE) != 0)
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

static struct tally *insert(struct table *t, const uint8_t key[TALLY_KEY_SIZE], int64_t now)
{
    struct tally *y = t->count < t->capacity ? &t->tallies[t->count++] : forget_oldest(t);
    struct tally **slot = slot_of(t, key);
    *y = (struct tally){.same_slot = *slot, .start = now};
    memcpy(y->key, key, TALLY_KEY_SIZE);
    *slot = y;
    link_newest(t, y);
    return y;
}

/* ---- windows ------------------------------------------------------------------------------------------- */

static void shift(struct window *w, bool by_one)
{
    w->before = by_one ? w->present : 0;
    w->present = 0;
}

static void advance(struct tally *y, int64_t window, int64_t now)
{
    int64_t passed = now - y->start;
    if (passed < window)
        return;
    bool by_one = passed < 2 * window;
    shift(&y->known, by_one);
    shift(&y->here, by_one);
    y->untold = by_one ? y->untold : 0; /* too old to be told */
    y->start = by_one ? y->start + window : now;
}

static bool below(const struct table *t, const uint8_t key[TALLY_KEY_SIZE], int64_t limit, int64_t window,
                  int64_t now)
{
    struct tally *y = find(t, key);
    if (!y)
        return true;
    advance(y, window, now);
    double weight = (double)(window - (now - y->start)) / (double)window;
    return (double)y->known.before * weight + (double)y->known.present < (double)limit;
}

static void count(struct table *t, const uint8_t key[TALLY_KEY_SIZE], int64_t window, int64_t now)
{
    struct tally *y = find(t, key);
    if (!y)
        y = insert(t, key, now);
    advance(y, window, now);
    y->known.present++;
    y->here.present++;
    y->untold++;
    unlink_age(t, y);
    link_newest(t, y);
}

bool limiter_applies(const struct alias_settings *alias)
{
    return alias->challenge.failure_limit > 0 && alias->challenge.failure_window > 0;
}

bool limiter_allows(struct limiter *l, const struct alias_settings *alias, const char *address, int64_t now)
{
    const struct challenge_settings *s = &alias->challenge;
    const struct table *aliases = &l->tables[LIMITER_ALIAS], *addresses = &l->tables[LIMITER_ADDRESS];
    if (!limiter_applies(alias) ||
        aliases->count == 0) /* nothing was refused yet: most gateways, most of the time */
        return true;
    uint8_t key[TALLY_KEY_SIZE];
    limiter_key(LIMITER_ALIAS, alias->name, NULL, key);
    if (!below(aliases, key, (int64_t)s->failure_limit * LIMITER_ALIAS_FACTOR, s->failure_window, now))
        return false;
    limiter_key(LIMITER_ADDRESS, alias->name, address, key);
    return below(addresses, key, s->failure_limit, s->failure_window, now);
}

void limiter_count(struct limiter *l, const struct alias_settings *alias, const char *address, int64_t now)
{
    uint8_t key[TALLY_KEY_SIZE];
    if (!limiter_applies(alias))
        return;
    for (enum limiter_scope scope = LIMITER_ALIAS; scope <= LIMITER_ADDRESS; scope++) {
        limiter_key(scope, alias->name, address, key);
        count(&l->tables[scope], key, alias->challenge.failure_window, now);
    }
}

/* ---- sharing ------------------------------------------------------------------------------------------- */

bool limiter_has_failures(struct limiter *l, const uint8_t alias[TALLY_KEY_SIZE], int64_t window, int64_t now)
{
    struct tally *y = find(&l->tables[LIMITER_ALIAS], alias);
    if (!y)
        return false;
    advance(y, window, now);
    return y->known.present + y->known.before > 0;
}

int64_t limiter_take_untold(struct limiter *l, enum limiter_scope scope, const uint8_t key[TALLY_KEY_SIZE])
{
    struct tally *y = find(&l->tables[scope], key);
    int64_t untold = y ? y->untold : 0;
    if (y)
        y->untold = 0;
    return untold;
}

void limiter_give_back(struct limiter *l, enum limiter_scope scope, const uint8_t key[TALLY_KEY_SIZE],
                       int64_t untold)
{
    struct tally *y = find(&l->tables[scope], key);
    if (y)
        y->untold += untold;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void limiter_learn(struct limiter *l, enum limiter_scope scope, const struct tally_record *told,
                   const struct limiter_time *time)
{
    struct table *t = &l->tables[scope];
    struct tally *y = find(t, told->key);
    if (!y && told->present + told->before == 0)
        return;
    if (!y)
        y = insert(t, told->key, time->now);
    advance(y, time->window, time->now);
    y->start = time->now - time->into_window;
    y->known.present = larger(told->present + y->untold, y->here.present);
    y->known.before = larger(told->before, y->here.before);
}
