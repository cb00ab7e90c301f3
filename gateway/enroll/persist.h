/* persist.h: one store operation, repeated with the same operation id while its outcome is unknown or the
 * store is away.
 *
 * Loop thread. The completion is called exactly once, with the last answer, never inside persist_start.
 */
#pragma once

#include "store/store.h"

struct event_base;

/* Embedded in the owner of the request; zero before use. */
struct persist {
    struct store *store;
    struct event_base *base;
    const struct store_request *request; /* alive until the completion */
    int64_t give_up_after;               /* ms, with what the store took to answer */
    store_done *done;
    void *context;
    /* private */
    int64_t ends; /* monotonic */
    int64_t delay;
};

void persist_start(struct persist *p);
