/* limiter.h: refused challenges per alias and per source address, within a sliding window and bounded memory.
 *
 * An address is limited at the alias' `failure_limit`. The alias as a whole is limited at
 * LIMITER_ALIAS_FACTOR times that, so that one bad client locks out itself alone. Times are monotonic ms.
 * Loop thread.
 *
 * Replicas on one store count together, approximately. Each failure counts here at once and is told to the
 * store, whose answer says what all replicas have refused (sharing.h). Of one key, R replicas together let
 * through at most
 *
 *     limit + 2 R g
 *
 * refused guesses in a window: g is what one replica lets through while one exchange with the store lasts,
 * from the first guess that it has to tell until the answer, that guess included. (Twice, because an answer
 * may have left the store just before the limit was reached; what came in meanwhile rides on the exchange
 * after it.) While the store is away every replica counts alone: then, and in any case, R replicas let through
 * no more than R times what one would. A client that is refused here and then turns to a replica that never saw it is known
 * there with its first refused guess, and otherwise within about a second, as long as requests arrive.
 */
#pragma once

#include "settings/snapshot.h"
#include "store/store.h"

#define LIMITER_ALIAS_FACTOR 20

struct limiter;

struct limiter *limiter_create(void);                     /* NULL when out of memory */
void limiter_free(struct limiter *l);                     /* accepts NULL */
bool limiter_applies(const struct alias_settings *alias); /* does it set a limit? */
bool limiter_allows(struct limiter *l, const struct alias_settings *alias, const char *address, int64_t now);
void limiter_count(struct limiter *l, const struct alias_settings *alias, const char *address, int64_t now);

/* ---- for sharing.c ------------------------------------------------------------------------------------- */

enum limiter_scope { LIMITER_ALIAS, LIMITER_ADDRESS };

/* `address` counts for LIMITER_ADDRESS alone. */
void limiter_key(enum limiter_scope scope, const char *alias, const char *address,
                 uint8_t key[TALLY_KEY_SIZE]);
/* Is any failure of the alias known, here or elsewhere? */
bool limiter_has_failures(struct limiter *l, const uint8_t alias[TALLY_KEY_SIZE], int64_t window,
                          int64_t now);
/* What was counted since it was last taken; from now on it is on its way, or given back. */
int64_t limiter_take_untold(struct limiter *l, enum limiter_scope scope, const uint8_t key[TALLY_KEY_SIZE]);
void limiter_give_back(struct limiter *l, enum limiter_scope scope, const uint8_t key[TALLY_KEY_SIZE],
                       int64_t untold);

struct limiter_time {
    int64_t window;
    int64_t into_window; /* since the store's present window began */
    int64_t now;         /* monotonic */
};

/* Replaces what was known of others; what was not told yet is added on top. */
void limiter_learn(struct limiter *l, enum limiter_scope scope, const struct tally_record *told,
                   const struct limiter_time *time);
