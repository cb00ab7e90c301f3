/* ask.c: see ask.h. */
#include "store/ask.h"

#include <event2/event.h>

#define TRIES    5
#define DELAY_MS 100

static void answered(void *context, struct store_answer *answer)
{
    struct ask *a = context;
    if (answer->outcome == STORE_UNKNOWN && a->again && ++a->tries < TRIES) {
        struct timeval delay = {.tv_usec = DELAY_MS * 1000 * a->tries};
        store_answer_free(answer);
        event_add(a->again, &delay);
        return;
    }
    if (a->again)
        event_free(a->again);
    a->again = NULL;
    a->done(a->context, answer); /* may free `a` */
    store_answer_free(answer);
}

static void submit(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct ask *a = context;
    store_submit(a->store, &a->request, answered, a);
}

void ask_start(struct ask *a, struct event_base *base, struct store *store, ask_done *done, void *context)
{
    a->store = store;
    a->done = done;
    a->context = context;
    a->tries = 0;
    a->again = event_new(base, -1, 0, submit, a); /* without it the first outcome stands */
    store_submit(store, &a->request, answered, a);
}
