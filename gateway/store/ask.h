/* ask.h: one store operation, repeated with the same operation id while its outcome is unknown. Loop thread. */
#pragma once

#include "store/store.h"

struct event;

/* The answer is the callee's to read until it returns. UNKNOWN only after the last repeat. */
typedef void ask_done(void *context, const struct store_answer *answer);

struct ask {
    struct store_request request; /* filled by the caller; it and all it points to stay until `done` */
    struct store *store;
    ask_done *done;
    void *context;
    struct event *again;
    int tries;
};

/* `done` is called exactly once, never inside. */
void ask_start(struct ask *a, struct event_base *base, struct store *store, ask_done *done, void *context);
