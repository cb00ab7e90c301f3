/* ra_look.c: see ra_look.h. */
#include "issuing/ra_look.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"

#define PAUSE 1000 /* ms from the begin of a look to the next one of the same alias */

struct asker {
    struct asker *next;
    void (*done)(void *context, bool looked);
    void *context;
};

/* Lives from the first question until a pause has passed without another one. */
struct look {
    struct look *next;
    struct ra_looks *looks;
    struct alias *alias;    /* a reference */
    struct asker *waiting;  /* for the next look */
    struct asker *answered; /* by the running one */
    struct event *timer;    /* until the next look may begin */
    int64_t begun;          /* monotonic */
    bool running;
};

struct ra_looks {
    struct event_base *base;
    const struct ra_attempt_parts *parts;
    struct look *first;
    size_t running;
    void (*freed)(void *context); /* set: nothing more is begun */
    void *context;
};

static void tell(struct asker *list, bool looked)
{
    while (list) {
        struct asker *next = list->next;
        list->done(list->context, looked);
        free(list);
        list = next;
    }
}

static void look_free(struct look *k)
{
    struct look **at = &k->looks->first;
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    event_free(k->timer);
    alias_unref(k->alias);
    free(k);
}

static void arm(struct look *k)
{
    int64_t left = k->begun + PAUSE - clock_monotonic(&clock_system);
    left = !k->begun || left < 0 ? 0 : left;
    struct timeval pause = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    evtimer_add(k->timer, &pause);
}

static void looks_settle(struct ra_looks *l)
{
    if (!l->freed || l->running)
        return;
    void (*freed)(void *context) = l->freed;
    void *context = l->context;
    free(l);
    freed(context);
}

static void on_ended(void *context, const struct ra_outcome *outcome)
{
    struct look *k = context;
    struct ra_looks *l = k->looks;
    struct asker *answered = k->answered;
    bool looked = outcome->done;
    k->answered = NULL;
    k->running = false;
    l->running--;
    if (l->freed)
        look_free(k);
    else
        arm(k);
    tell(answered, looked);
    looks_settle(l);
}

static void on_time(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct look *k = data;
    if (!k->waiting || *k->looks->parts->stopped) {
        struct asker *waiting = k->waiting;
        look_free(k);
        tell(waiting, false);
        return;
    }
    k->answered = k->waiting;
    k->waiting = NULL;
    k->begun = clock_monotonic(&clock_system);
    k->running = true;
    k->looks->running++;
    if (ra_attempt_look(k->looks->parts, k->alias, on_ended, k))
        return;
    static const struct ra_outcome nothing = {0};
    on_ended(k, &nothing);
}

static struct look *look_of(struct ra_looks *l, struct alias *alias)
{
    struct look *k = l->first;
    while (k && k->alias != alias)
        k = k->next;
    if (k)
        return k;
    k = calloc(1, sizeof *k);
    if (!k || !(k->timer = evtimer_new(l->base, on_time, k))) {
        free(k);
        return NULL;
    }
    k->looks = l;
    k->alias = alias_ref(alias);
    k->next = l->first;
    l->first = k;
    return k;
}

struct ra_looks *ra_looks_create(struct event_base *base, const struct ra_attempt_parts *parts)
{
    struct ra_looks *l = calloc(1, sizeof *l);
    if (l)
        *l = (struct ra_looks){.base = base, .parts = parts};
    return l;
}

bool ra_looks_ask(struct ra_looks *l, struct alias *alias, void (*done)(void *context, bool looked),
                  void *context)
{
    if (alias->settings->ra.from != RA_FROM_BACKEND || *l->parts->stopped)
        return false;
    struct look *k = look_of(l, alias);
    struct asker *a = k ? malloc(sizeof *a) : NULL;
    if (!a) {
        if (k && !k->running && !k->waiting && !evtimer_pending(k->timer, NULL))
            look_free(k);
        return false;
    }
    *a = (struct asker){.next = k->waiting, .done = done, .context = context};
    k->waiting = a;
    if (!k->running && !evtimer_pending(k->timer, NULL))
        arm(k);
    return true;
}

bool ra_looks_idle(const struct ra_looks *l)
{
    const struct look *k = l->first;
    while (k && !k->running && !k->waiting)
        k = k->next;
    return !k;
}

void ra_looks_free(struct ra_looks *l, void (*freed)(void *context), void *context)
{
    l->freed = freed;
    l->context = context;
    for (struct look *k = l->first, *next; k; k = next) {
        next = k->next;
        struct asker *waiting = k->waiting;
        k->waiting = NULL;
        if (k->running)
            event_del(k->timer);
        else
            look_free(k);
        tell(waiting, false);
    }
    looks_settle(l);
}
