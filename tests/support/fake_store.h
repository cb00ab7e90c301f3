/* fake_store.h: a store that answers as a test says, asynchronously on the loop, and counts what is asked.
 *
 * For rooms above the store that need its odd outcomes on demand; the store's own promises are proved on the
 * real one.
 */
#pragma once

#include <event2/event.h>

#include "base/arena.h"
#include "store/store.h"

struct fake_store {
    struct store store;
    struct event_base *base;
    /* Fills the answer; its members come out of answer->arena or outlive the answer. */
    void (*answer)(struct fake_store *fake, const struct store_request *request, struct store_answer *answer);
    void *context; /* the test's */
    int asked[STORE_OPERATION_COUNT];
    int open; /* submitted, not yet answered */
};

void fake_store_init(struct fake_store *fake, struct event_base *base);
