/* persist.c: repeat until the store says something definite, with back-off. */
#include "enroll/persist.h"

#include <event2/event.h>

#include "base/clock.h"

#define FIRST_DELAY   50
#define LONGEST_DELAY 1000

static void ask(struct persist *p);

static void again(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    ask(data);
}

static void answered(void *context, struct store_answer *answer)
{
    struct persist *p = context;
    bool definite = answer->outcome != STORE_UNKNOWN && answer->outcome != STORE_UNAVAILABLE;
    if (definite || clock_monotonic(&clock_system) >= p->ends) {
        p->done(p->context, answer);
        return;
    }
    struct timeval pause = {.tv_sec = p->delay / 1000, .tv_usec = (p->delay % 1000) * 1000};
    p->delay = p->delay * 2 > LONGEST_DELAY ? LONGEST_DELAY : p->delay * 2;
    if (event_base_once(p->base, -1, EV_TIMEOUT, again, p, &pause) < 0) {
        p->done(p->context, answer);
        return;
    }
    store_answer_free(answer);
}

static void ask(struct persist *p)
{
    store_submit(p->store, p->request, answered, p);
}

void persist_start(struct persist *p)
{
    p->ends = clock_monotonic(&clock_system) + p->give_up_after;
    p->delay = FIRST_DELAY;
    ask(p);
}
