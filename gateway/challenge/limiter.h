/* limiter.h: refused challenges per alias and per source address, within a sliding window and bounded memory.
 *
 * An address is limited at the alias' `failure_limit`. The alias as a whole is limited at
 * LIMITER_ALIAS_FACTOR times that, so that one bad client locks out itself alone. Times are monotonic ms.
 * Loop thread.
 */
#pragma once

#include "settings/snapshot.h"

#define LIMITER_ALIAS_FACTOR 20

struct limiter;

struct limiter *limiter_create(void); /* NULL when out of memory */
void limiter_free(struct limiter *l); /* accepts NULL */
bool limiter_allows(struct limiter *l, const struct alias_settings *alias, const char *address, int64_t now);
void limiter_count(struct limiter *l, const struct alias_settings *alias, const char *address, int64_t now);
