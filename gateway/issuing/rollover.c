/* rollover.c: see rollover.h. */
#include "issuing/rollover.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define PERIOD           1000  /* ms */
#define AGAIN            10000 /* ms until an alias whose switch did not come about is looked at again */
#define BACKEND_DEADLINE 10000

struct turn { /* of one alias */
    struct turn *next;
    struct rollover *rollover;
    struct alias *alias; /* a reference */
    struct ra_set *set;  /* a reference: the one that has a successor */
    bool asking;
    int64_t again; /* monotonic ms */
};

struct rollover {
    struct event_base *base;
    struct alias_directory *directory;
    struct ra_maker *maker;
    const struct clock *clock;
    struct event *timer;
    struct turn *turns; /* under way, or resting */
    size_t asking;
    bool stopped;
};

static void turn_free(struct turn *t)
{
    struct turn **at = &t->rollover->turns;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    ra_set_unref(t->set);
    alias_unref(t->alias);
    free(t);
}

static void note(const struct alias *alias, enum log_level level, const char *event, const char *sentence)
{
    struct log_scope scope = {.alias = alias->settings->name, .tenant = alias->settings->tenant};
    log_line(level, &scope, event, "%s", sentence);
}

/* The new RA needs nothing but what is in memory: a store that is away delays no switch. */
static void switch_over(struct turn *t)
{
    struct alias *alias = t->alias;
    if (alias->ra != t->set)
        return;
    if (t->set->next->after) {
        alias_install_ra(alias, ra_set_ref(t->set->next->after));
        note(alias, LOG_LEVEL_INFO, "ca.switched",
             "the successor of the CA has taken over; its RA answers, and the one before still opens "
             "messages");
    } else {
        note(alias, LOG_LEVEL_WARNING, "ca.switched",
             "the successor of the CA has taken over, but the alias has no RA certificate of it yet");
    }
}

static void told(void *context, const struct backend_result *result)
{
    struct turn *t = context;
    struct rollover *r = t->rollover;
    const struct ra_next *next = t->set->next;
    bool in_charge = result->verdict == BACKEND_ISSUED && result->chain_count &&
                     bytes_equal(next->issuer, bytes_of(result->chain[0].data, result->chain[0].len));
    r->asking--;
    t->asking = false;
    if (r->stopped) {
        turn_free(t);
        return;
    }
    if (in_charge)
        switch_over(t);
    ra_maker_ensure(r->maker, t->alias, NULL, NULL); /* also when it was withdrawn meanwhile */
    if (t->alias->ra != t->set)
        turn_free(t);
}

static struct turn *turn_of(const struct rollover *r, const struct alias *alias)
{
    struct turn *t = r->turns;
    while (t && t->alias != alias)
        t = t->next;
    return t;
}

static void begin(struct rollover *r, struct alias *alias)
{
    struct turn *t = calloc(1, sizeof *t);
    if (!t)
        return;
    int64_t now = clock_monotonic(&clock_system);
    *t = (struct turn){.next = r->turns,
                       .rollover = r,
                       .alias = alias_ref(alias),
                       .set = ra_set_ref(alias->ra),
                       .asking = true,
                       .again = now + AGAIN};
    r->turns = t;
    r->asking++;
    backend_ask_chain(alias->backend, BACKEND_CA_CURRENT, BACKEND_DEADLINE, told, t);
}

static void look_at(struct alias *alias, void *context)
{
    struct rollover *r = context;
    const struct ra_set *set = alias->ra;
    if (set && set->next && set->next->from <= clock_realtime(r->clock) && !turn_of(r, alias))
        begin(r, alias);
}

/* Those whose rest is over, or whose alias has another set by now. */
static void drop_rested(struct rollover *r)
{
    int64_t now = clock_monotonic(&clock_system);
    for (struct turn *t = r->turns, *next; t; t = next) {
        next = t->next;
        if (!t->asking && (now >= t->again || t->alias->ra != t->set))
            turn_free(t);
    }
}

static void on_time(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct rollover *r = data;
    if (r->stopped)
        return;
    drop_rested(r);
    alias_directory_each(r->directory, look_at, r);
}

struct rollover *rollover_create(struct event_base *base, struct alias_directory *directory,
                                 struct ra_maker *maker, const struct clock *clock)
{
    static const struct timeval period = {.tv_sec = PERIOD / 1000};
    struct rollover *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct rollover){.base = base, .directory = directory, .maker = maker, .clock = clock};
    r->timer = event_new(base, -1, EV_PERSIST, on_time, r);
    if (r->timer && evtimer_add(r->timer, &period) == 0)
        return r;
    rollover_free(r);
    return NULL;
}

bool rollover_idle(const struct rollover *r)
{
    return r->asking == 0;
}

void rollover_stop(struct rollover *r)
{
    r->stopped = true;
}

void rollover_free(struct rollover *r)
{
    if (!r)
        return;
    if (r->timer)
        event_free(r->timer);
    while (r->turns)
        turn_free(r->turns);
    free(r);
}
