/* sharing.c: see sharing.h.
 *
 * Exchanges live in a table of sets, as a cache does: an alias has its place in one of a few, and takes that
 * of the one that was quiet for longest. Whose place was taken loses nothing but its turn: what it had to
 * tell stays in the limiter until it next has something to tell.
 */
#include "challenge/sharing.h"

#include <stdlib.h>
#include <string.h>

#define EXCHANGES_MAX 4096
#define SET_SIZE      8
#define QUEUE_MAX     (STORE_TALLIES_MAX - 1) /* the first entry is the alias' own */
#define REFRESH       1000                    /* ms between two exchanges that have nothing to tell */
#define NEVER         (INT64_MIN / 2)
#define PAUSE         1000 /* ms after one that the store did not take */

struct key {
    uint8_t bytes[TALLY_KEY_SIZE];
};

struct exchange {
    struct key alias;
    char *name; /* NULL: nobody's */
    int64_t window;
    int64_t began;        /* the last one; monotonic */
    int64_t paused_until; /* monotonic */
    bool urgent;          /* something is to be told */
    struct key *queue;    /* addresses for the next one */
    size_t queued;
    struct flight *flight; /* NULL: none is under way */
};

/* Lives until the store has answered. */
struct flight {
    struct sharing *sharing; /* NULL: it is gone */
    struct exchange *exchange;
    bool unsure; /* the answer was lost: to be repeated */
    char *name;
    struct store_request request;
};

struct sharing {
    struct store *store;
    struct limiter *limiter;
    const struct clock *clock;
    bool alone; /* the store shares nothing */
    struct exchange exchanges[EXCHANGES_MAX];
};

struct sharing *sharing_create(struct store *store, struct limiter *limiter, const struct clock *clock)
{
    struct sharing *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->store = store;
    s->limiter = limiter;
    s->clock = clock;
    return s;
}

static void flight_free(struct flight *f)
{
    free(f->name);
    free(f);
}

void sharing_free(struct sharing *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < EXCHANGES_MAX; i++) {
        struct exchange *x = &s->exchanges[i];
        if (x->flight && x->flight->unsure)
            flight_free(x->flight);
        else if (x->flight)
            x->flight->sharing = NULL;
        free(x->name);
        free(x->queue);
    }
    free(s);
}

/* ---- places -------------------------------------------------------------------------------------------- */

static bool same_key(const struct key *a, const struct key *b)
{
    return memcmp(a->bytes, b->bytes, TALLY_KEY_SIZE) == 0;
}

static bool occupy(struct exchange *x, const struct key *alias, const char *name)
{
    char *copy = strdup(name);
    if (!copy)
        return false;
    free(x->name);
    *x = (struct exchange){.alias = *alias, .name = copy, .began = NEVER, .queue = x->queue};
    if (!x->queue)
        x->queue = calloc(QUEUE_MAX, sizeof *x->queue);
    return x->queue != NULL;
}

/* NULL: all its places are taken by others that are under way, or there is no memory. */
static struct exchange *exchange_of(struct sharing *s, const struct alias_settings *alias)
{
    struct key key;
    uint32_t number;
    limiter_key(LIMITER_ALIAS, alias->name, NULL, key.bytes);
    memcpy(&number, key.bytes, sizeof number);
    struct exchange *set = &s->exchanges[number % (EXCHANGES_MAX / SET_SIZE) * SET_SIZE], *quiet = NULL;
    for (size_t i = 0; i < SET_SIZE; i++) {
        struct exchange *x = &set[i];
        if (x->name && same_key(&x->alias, &key))
            return x;
        if (!x->flight && (!quiet || (quiet->name && (!x->name || x->began < quiet->began))))
            quiet = x;
    }
    return quiet && occupy(quiet, &key, alias->name) ? quiet : NULL;
}

/* A full queue takes no more: those have to wait for their next failure. */
static void enqueue(struct exchange *x, const struct key *address)
{
    for (size_t i = 0; i < x->queued; i++)
        if (same_key(&x->queue[i], address))
            return;
    if (x->queued < QUEUE_MAX)
        x->queue[x->queued++] = *address;
}

/* ---- an exchange --------------------------------------------------------------------------------------- */

static void answered(void *context, struct store_answer *answer);

static enum limiter_scope scope_of(size_t entry)
{
    return entry == 0 ? LIMITER_ALIAS : LIMITER_ADDRESS;
}

static void add_entry(struct sharing *s, struct store_request *r, const struct key *key)
{
    size_t entry = r->tally.count++;
    memcpy(r->tally.entries[entry].key, key->bytes, TALLY_KEY_SIZE);
    r->tally.entries[entry].add = limiter_take_untold(s->limiter, scope_of(entry), key->bytes);
}

static void begin(struct sharing *s, struct exchange *x, int64_t now)
{
    struct flight *f = calloc(1, sizeof *f);
    char *name = strdup(x->name);
    if (!f || !name) { /* another time */
        free(f);
        free(name);
        return;
    }
    *f = (struct flight){.sharing = s, .exchange = x, .name = name};
    store_request_init(&f->request, STORE_TALLY);
    f->request.tally.alias = f->name;
    f->request.tally.window = x->window;
    add_entry(s, &f->request, &x->alias);
    for (size_t i = 0; i < x->queued; i++)
        add_entry(s, &f->request, &x->queue[i]);
    x->queued = 0;
    x->urgent = false;
    x->began = now;
    x->flight = f;
    store_submit(s->store, &f->request, answered, f);
}

static void go_on(struct sharing *s, struct exchange *x)
{
    int64_t now = clock_monotonic(s->clock);
    if (now < x->paused_until)
        return;
    if (x->flight && x->flight->unsure) {
        x->flight->unsure = false;
        store_submit(s->store, &x->flight->request, answered, x->flight); /* the same operation id */
    } else if (!x->flight && (x->urgent || now - x->began >= REFRESH)) {
        begin(s, x, now);
    }
}

static void learn(struct sharing *s, const struct flight *f, const struct store_answer *answer)
{
    const struct store_request *r = &f->request;
    const struct limiter_time time = {.window = r->tally.window,
                                      .into_window = answer->now % r->tally.window,
                                      .now = clock_monotonic(s->clock)};
    s->alone = answer->tally_count == 0;
    for (size_t i = 0; i < answer->tally_count && i < r->tally.count; i++)
        limiter_learn(s->limiter, scope_of(i), &answer->tallies[i], &time);
}

static void give_back(struct sharing *s, const struct flight *f)
{
    for (size_t i = 0; i < f->request.tally.count; i++) {
        struct key key;
        int64_t untold = f->request.tally.entries[i].add;
        memcpy(key.bytes, f->request.tally.entries[i].key, TALLY_KEY_SIZE);
        limiter_give_back(s->limiter, scope_of(i), key.bytes, untold);
        f->exchange->urgent = f->exchange->urgent || untold > 0;
        if (i > 0 && untold > 0)
            enqueue(f->exchange, &key);
    }
}

static void answered(void *context, struct store_answer *answer)
{
    struct flight *f = context;
    struct sharing *s = f->sharing;
    struct exchange *x = f->exchange;
    enum store_outcome outcome = answer->outcome;
    if (!s) {
        flight_free(f);
        store_answer_free(answer);
        return;
    }
    if (outcome == STORE_OK)
        learn(s, f, answer);
    else if (outcome != STORE_UNKNOWN)
        give_back(s, f);
    store_answer_free(answer);
    if (outcome != STORE_OK)
        x->paused_until = clock_monotonic(s->clock) + PAUSE;
    if (outcome == STORE_UNKNOWN) {
        f->unsure = true;
        return;
    }
    x->flight = NULL;
    flight_free(f);
    if (x->urgent && !s->alone)
        go_on(s, x);
}

/* ---- what happens -------------------------------------------------------------------------------------- */

static struct exchange *open_exchange(struct sharing *s, const struct alias_settings *alias)
{
    if (s->alone || !limiter_applies(alias))
        return NULL;
    struct exchange *x = exchange_of(s, alias);
    if (x)
        x->window = alias->challenge.failure_window;
    return x;
}

static void enqueue_address(struct exchange *x, const struct alias_settings *alias, const char *address)
{
    struct key key;
    limiter_key(LIMITER_ADDRESS, alias->name, address, key.bytes);
    enqueue(x, &key);
}

void sharing_arrived(struct sharing *s, const struct alias_settings *alias, const char *address)
{
    struct exchange *x = open_exchange(s, alias);
    if (!x)
        return;
    if (limiter_has_failures(s->limiter, x->alias.bytes, x->window, clock_monotonic(s->clock)))
        enqueue_address(x, alias, address);
    go_on(s, x);
}

void sharing_failed(struct sharing *s, const struct alias_settings *alias, const char *address)
{
    struct exchange *x = open_exchange(s, alias);
    if (!x)
        return;
    enqueue_address(x, alias, address);
    x->urgent = true;
    go_on(s, x);
}
