/* obligations.h: durable work that is due at a time whether or not a client comes back.
 *
 * Claims due rows in small leased batches, hands each to the handler of its kind, and records what the
 * handler says: finished, again later (with back-off), or given up after a number of attempts. Loop thread.
 */
#pragma once

#include "store/store.h"

struct obligations;

/* The handler keeps nothing of `o` after it returns, copies what it needs, and calls obligations_finish
 * exactly once (not necessarily before it returns). */
typedef void obligation_handler(void *context, const struct obligation *o);

/* NULL when out of memory. */
struct obligations *obligations_create(struct event_base *base, struct store *store);
/* `kind` is static text. Rows of a kind without a handler are put back for a minute: another replica may
 * know it. */
void obligations_handle(struct obligations *o, const char *kind, obligation_handler *handler, void *context);
void obligations_start(struct obligations *o);
/* Claims no more; what handlers have in hand may still be finished. */
void obligations_stop(struct obligations *o);
bool obligations_idle(const struct obligations *o);
void obligations_free(struct obligations *o); /* stopped and idle; accepts NULL */
/* `id` and `claim` as given. again_after: 0 finished; > 0 again after that many ms; < 0: failed, again with
 * back-off or given up. */
void obligations_finish(struct obligations *o, const char *id, uint64_t claim, int64_t again_after);
