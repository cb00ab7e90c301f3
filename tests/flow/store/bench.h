/* bench.h: a store on a workbench: opened through a factory, asked one thing at a time, under a clock that a
 * test can step.
 *
 * The conformance tests know nothing but `struct store`. To run them against another implementation, add a
 * row to implementation.c and a test() to meson.build that names it in STORE_UNDER_TEST.
 */
#pragma once

#include <stdatomic.h>

#include "base/clock.h"
#include "store/store.h"

#define BENCH_START     1700000000000 /* ms: what the clock shows at first */
#define BENCH_KEY_CHECK "0123456789abcdef0123456789abcdef"
#define MINUTE          60000
#define DAY             86400000LL

#define BENCH_PLACE_SIZE 160

struct event_base;

struct bench {
    struct event_base *base;
    struct store *store;
    struct clock clock;
    _Atomic int64_t *now; /* what the store's clock shows: a test writes here */
    _Atomic int64_t own_now;
    char folder[64];
    char place[BENCH_PLACE_SIZE];
};

void bench_open(struct bench *b);                      /* an empty store in a folder of its own */
void bench_attach(struct bench *b, const char *place); /* one that is there; never bench_close it */
void bench_reopen(struct bench *b);                    /* closes it and opens it again, as a restart would */
/* The same, and on to where leases of that duration, which a shared store's holder left, have run out. */
void bench_reopen_later(struct bench *b, int64_t lease);
void bench_close(struct bench *b); /* and removes what it left */
enum error_code bench_open_store(struct bench *b, struct store **out,
                                 struct error *e); /* one more of the same place */
bool bench_is_shared(void);                        /* can a place be opened twice? */

/* Submits and waits. The caller frees the answer. */
struct store_answer *bench_ask(struct bench *b, const struct store_request *r);
struct store_answer *bench_ask_of(struct bench *b, struct store *s, const struct store_request *r);
enum store_outcome bench_outcome(struct bench *b, const struct store_request *r); /* asks and frees */
void bench_turn(struct bench *b);                                                 /* one turn of the loop */

/* A completion that counts and frees: for many requests in flight. */
struct bench_tally {
    int answered;
    int outcomes[16];
};
void bench_tally(void *tally, struct store_answer *answer);

/* Requests of an invented device; `n` makes ids and hashes differ. The texts live until the next 4096 calls.
 */
const char *bench_id(const char *kind, int n); /* 32 hex digits */
struct store_request bench_challenge(const char *alias, int n, int uses);
struct store_request bench_begin(const char *alias, int device, int record,
                                 int challenge); /* challenge 0: none */
struct store_request bench_advance(const char *alias, int record, uint64_t claim,
                                   enum transaction_state state);
struct store_request bench_find(const char *alias, int record);
struct store_request bench_sweep(int64_t age);
struct certificate_record bench_certificate(const char *alias, int serial, int record);

/* The challenge as the store has it: uses left, -1 when there is none. */
int bench_uses_left(struct bench *b, const char *alias, int n);
