/* sharing.h: tells the store what was refused here and learns what was refused at other replicas.
 *
 * At most one exchange per alias is under way; what fails meanwhile rides on the next. A failure is told at
 * once. Otherwise an alias is asked about at most once a second while requests with challenges arrive, and
 * when failures of it are known, the addresses that these requests come from, too. Nothing ever waits for an
 * answer: the limiter goes by what it knows. A store that shares nothing is noticed with its first answer and
 * asked no more. Memory is bounded; loop thread.
 */
#pragma once

#include "base/clock.h"
#include "challenge/limiter.h"

struct sharing;

/* NULL when out of memory. What it is given outlives it, but exchanges may outlive it. */
struct sharing *sharing_create(struct store *store, struct limiter *limiter, const struct clock *clock);
void sharing_free(struct sharing *s); /* accepts NULL */
void sharing_arrived(struct sharing *s, const struct alias_settings *alias, const char *address);
void sharing_failed(struct sharing *s, const struct alias_settings *alias, const char *address); /* counted */
