/* ra_maker.c: which alias gets its RA identity when: one job per alias, a few at a time, back-off after a
 * failure (ra_maker.h). */
#include "issuing/ra_maker.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "issuing/ra_look.h"

#define RUNNING_MAX   4
#define BACKOFF_FIRST 1000
#define RENEWAL_AGAIN (60 * 1000) /* ms */
#define BACKOFF_MAX   (5 * 60 * 1000)
#define STORE_PAUSE   2000 /* while the store is away: no failure, and soon over */

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_RESTING };

struct waiter {
    struct waiter *next;
    void (*done)(void *context, bool ready);
    void *context;
};

struct ra_job {
    struct ra_job *next;
    struct ra_maker *maker;
    struct alias *alias; /* a reference */
    enum job_state state;
    struct waiter *waiters;
    struct event *timer; /* while resting */
    unsigned failures;
};

struct ra_maker {
    struct event_base *base;
    struct ra_attempt_parts parts;
    struct ra_job *jobs; /* oldest first */
    size_t running;
    bool stopped;
    struct event *kick; /* starts queued jobs outside of anybody's call */
    struct ra_looks *looks;
    /* with ra_maker_serve: */
    struct obligations *obligations;
    struct alias_directory *directory;
    struct event *round; /* over all identities that are due */
    int64_t period;
};

/* ---- waiters ------------------------------------------------------------------------------------------- */

static bool ready(const struct ra_job *j)
{
    return j->alias->ra && j->alias->ra->not_after > clock_realtime(j->maker->parts.clock);
}

/* The list is taken first: a waiter may ask again from its callback. */
static void notify(struct ra_job *j, bool how)
{
    struct waiter *w = j->waiters;
    j->waiters = NULL;
    while (w) {
        struct waiter *next = w->next;
        w->done(w->context, how);
        free(w);
        w = next;
    }
}

/* ---- jobs ---------------------------------------------------------------------------------------------- */

static void on_rested(evutil_socket_t fd, short what, void *data);

static struct ra_job *job_of(const struct ra_maker *m, const struct alias *alias)
{
    struct ra_job *j = m->jobs;
    while (j && j->alias != alias)
        j = j->next;
    return j;
}

static struct ra_job *job_create(struct ra_maker *m, struct alias *alias)
{
    struct ra_job *j = calloc(1, sizeof *j);
    if (!j || !(j->timer = evtimer_new(m->base, on_rested, j))) {
        free(j);
        return NULL;
    }
    j->maker = m;
    j->alias = alias_ref(alias);
    struct ra_job **end = &m->jobs;
    while (*end)
        end = &(*end)->next;
    *end = j;
    return j;
}

static void job_free(struct ra_job *j)
{
    struct ra_job **at = &j->maker->jobs;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    notify(j, ready(j));
    event_free(j->timer);
    alias_unref(j->alias);
    free(j);
}

static void kick(struct ra_maker *m)
{
    if (!m->stopped)
        event_active(m->kick, EV_TIMEOUT, 1);
}

static int64_t backoff(unsigned failures)
{
    int64_t delay = BACKOFF_FIRST;
    for (unsigned i = 1; i < failures && delay < BACKOFF_MAX; i++)
        delay *= 2;
    return delay < BACKOFF_MAX ? delay : BACKOFF_MAX;
}

static void rest(struct ra_job *j, int64_t delay)
{
    struct timeval wait = {.tv_sec = delay / 1000, .tv_usec = delay % 1000 * 1000};
    j->state = JOB_RESTING;
    evtimer_add(j->timer, &wait);
}

static void on_installed(void *context)
{
    struct ra_job *j = context;
    notify(j, true);
}

/* The last attempt of a maker that was freed meanwhile frees it. */
static void maker_settle(struct ra_maker *m)
{
    if (m->running > 0)
        return;
    lane_release(m->parts.lane);
    free(m);
}

static void on_ended(void *context, const struct ra_outcome *outcome)
{
    struct ra_job *j = context;
    struct ra_maker *m = j->maker;
    m->running--;
    if (m->stopped) {
        job_free(j);
        maker_settle(m);
        return;
    }
    kick(m);
    if (outcome->done) {
        job_free(j);
        return;
    }
    j->failures = outcome->quiet ? 0 : j->failures + 1;
    rest(j, outcome->again > 0 ? outcome->again : backoff(j->failures));
    notify(j, ready(j));
}

/* Rested, or somebody asks how things stand. An alias that nobody else holds any more was removed. */
static void on_rested(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct ra_job *j = data;
    if (j->alias->references == 1) {
        job_free(j);
        return;
    }
    j->state = JOB_QUEUED;
    kick(j->maker);
}

static void start(struct ra_job *j)
{
    char problem[160];
    if (j->alias->settings->ra.from == RA_FROM_BACKEND &&
        !store_ready(j->maker->parts.store, problem, sizeof problem)) {
        rest(j, STORE_PAUSE);
        notify(j, ready(j));
        return;
    }
    j->state = JOB_RUNNING;
    j->maker->running++;
    if (ra_attempt_start(&j->maker->parts, j->alias, on_installed, on_ended, j))
        return;
    j->maker->running--;
    j->failures++;
    rest(j, backoff(j->failures));
    notify(j, ready(j));
}

static void on_kick(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct ra_maker *m = data;
    for (struct ra_job *j = m->jobs, *next; j; j = next) {
        next = j->next;
        if (j->state == JOB_RESTING && j->waiters)
            notify(j, ready(j));
        else if (j->state == JOB_QUEUED && m->running < RUNNING_MAX)
            start(j);
    }
}

/* ---- the maker ----------------------------------------------------------------------------------------- */

struct ra_maker *ra_maker_create(struct event_base *base, struct store *store, const struct keys *keys,
                                 struct pool *pool, const struct clock *clock, struct metrics *metrics)
{
    struct ra_maker *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->base = base;
    m->parts = (struct ra_attempt_parts){.store = store,
                                         .keys = keys,
                                         .lane = lane_create(pool),
                                         .clock = clock,
                                         .metrics = metrics,
                                         .stopped = &m->stopped};
    m->kick = evtimer_new(base, on_kick, m);
    m->looks = ra_looks_create(base, &m->parts);
    if (!m->parts.lane || !m->kick || !m->looks) {
        ra_maker_free(m);
        return NULL;
    }
    return m;
}

void ra_maker_ensure(struct ra_maker *m, struct alias *alias, void (*done)(void *context, bool ready),
                     void *context)
{
    struct ra_job *j = job_of(m, alias);
    struct waiter *w = done ? malloc(sizeof *w) : NULL;
    if (!j)
        j = job_create(m, alias);
    if (!j || (done && !w)) {
        log_line(LOG_LEVEL_ERROR, NULL, "memory.exhausted", "no memory is left to make an RA identity");
        free(w);
        if (done)
            done(context, false);
        return;
    }
    if (done) {
        *w = (struct waiter){.next = j->waiters, .done = done, .context = context};
        j->waiters = w;
    }
    kick(m);
}

bool ra_maker_idle(const struct ra_maker *m)
{
    const struct ra_job *j = m->jobs;
    while (j && j->state == JOB_RESTING)
        j = j->next;
    return !j && ra_looks_idle(m->looks);
}

bool ra_maker_look(struct ra_maker *m, struct alias *alias, void (*done)(void *context, bool looked),
                   void *context)
{
    return ra_looks_ask(m->looks, alias, done, context);
}

void ra_maker_stop(struct ra_maker *m)
{
    m->stopped = true;
}

static void looks_freed(void *context)
{
    struct ra_maker *m = context;
    m->running--;
    maker_settle(m);
}

void ra_maker_free(struct ra_maker *m)
{
    if (!m)
        return;
    ra_maker_stop(m);
    for (struct ra_job *j = m->jobs, *next; j; j = next) {
        next = j->next;
        if (j->state != JOB_RUNNING)
            job_free(j);
    }
    if (m->kick)
        event_free(m->kick);
    if (m->round)
        event_free(m->round);
    m->kick = m->round = NULL;
    m->running++;
    if (m->looks)
        ra_looks_free(m->looks, looks_freed, m);
    else
        looks_freed(m);
}

/* ---- the obligation "ra.renew" ------------------------------------------------------------------------- */

struct renewal {
    struct obligations *obligations;
    uint64_t claim;
    char id[];
};

/* A failed renewal is repeated by its job, and looked at again when the gateway starts. */
static void looked_at(void *context, bool has_one)
{
    struct renewal *r = context;
    obligations_finish(r->obligations, r->id, r->claim, has_one ? 0 : RENEWAL_AGAIN);
    free(r);
}

static void on_due(void *context, const struct obligation *o)
{
    struct ra_maker *m = context;
    struct alias *alias = alias_directory_find(m->directory, o->alias);
    size_t size = strlen(o->id) + 1;
    struct renewal *r = alias ? malloc(sizeof *r + size) : NULL;
    if (!r) { /* an alias that was removed owes nothing */
        obligations_finish(m->obligations, o->id, o->claim, alias ? RENEWAL_AGAIN : 0);
        return;
    }
    *r = (struct renewal){.obligations = m->obligations, .claim = o->claim};
    memcpy(r->id, o->id, size);
    ra_maker_ensure(m, alias, looked_at, r);
}

/* ---- the round ----------------------------------------------------------------------------------------- */

static void ensure_due(struct alias *alias, void *context)
{
    struct ra_maker *m = context;
    if (alias->settings->ra.from == RA_FROM_BACKEND && alias->ra &&
        alias->ra->renewal <= clock_realtime(m->parts.clock) && !job_of(m, alias))
        ra_maker_ensure(m, alias, NULL, NULL);
}

/* From half to one and a half periods, so that replicas do not come at once. */
static void arm_round(struct ra_maker *m)
{
    uint32_t random = 0;
    secret_random(&random, sizeof random);
    int64_t delay = m->period / 2 + (int64_t)(random % (uint64_t)m->period);
    struct timeval wait = {.tv_sec = delay / 1000, .tv_usec = delay % 1000 * 1000};
    evtimer_add(m->round, &wait);
}

static void on_round(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct ra_maker *m = data;
    if (m->stopped)
        return;
    alias_directory_each(m->directory, ensure_due, m);
    arm_round(m);
}

void ra_maker_serve(struct ra_maker *m, struct obligations *obligations, struct alias_directory *directory,
                    int64_t period)
{
    m->obligations = obligations;
    m->directory = directory;
    m->period = period;
    obligations_handle(obligations, "ra.renew", on_due, m);
    m->round = evtimer_new(m->base, on_round, m);
    if (m->round)
        arm_round(m);
}

/* ---- settings ------------------------------------------------------------------------------------------ */

static enum error_code check_backend(const struct alias_settings *s, struct backends *b, struct error *e)
{
    const char *name = *s->ra.backend ? s->ra.backend : s->backend;
    const struct backend_instance *i = backends_issuer(b, name);
    if (!i)
        return error_set(e, ERR_SETTINGS_INVALID,
                         "%s: alias %s: there is no backend \"%s\" to certify its RA", s->origin, s->name,
                         name);
    if (backend_instance_type(i)->flags & BACKEND_CAN_CERTIFY_RA)
        return ERR_OK;
    return error_set(
        e, ERR_SETTINGS_INVALID,
        "%s: alias %s: backend \"%s\" (%s) cannot certify the gateway's RA; set ra.from to the name of a "
        "backend "
        "that can (such as a local_ca), to files with ra.certificate and ra.key, or, where the backend gives "
        "its key away, to ca",
        s->origin, s->name, name, backend_instance_type(i)->name);
}

static enum error_code check_ca(const struct alias_settings *s, struct backends *b, struct error *e)
{
    const struct backend_instance *i = backends_issuer(b, s->backend);
    if (i && backend_instance_type(i)->ca_key)
        return ERR_OK;
    return error_set(
        e, ERR_SETTINGS_INVALID,
        "%s: alias %s: ra.from is ca, but backend \"%s\" does not give its CA's key away; set ra.from to "
        "backend, to another backend's name, or to files with ra.certificate and ra.key",
        s->origin, s->name, s->backend);
}

enum error_code ra_maker_check(const struct alias_settings *s, struct backends *b, struct error *e)
{
    if (!backends_issuer(b, s->backend))
        return error_set(e, ERR_SETTINGS_INVALID, "%s: alias %s: there is no backend \"%s\"", s->origin,
                         s->name, s->backend);
    switch (s->ra.from) {
    case RA_FROM_BACKEND:
        return check_backend(s, b, e);
    case RA_FROM_CA:
        return check_ca(s, b, e);
    case RA_FROM_FILES:
        break;
    }
    if (s->ra.certificate && *s->ra.certificate && s->ra.key && *s->ra.key)
        return ERR_OK;
    return error_set(e, ERR_SETTINGS_INVALID,
                     "%s: alias %s: ra.from is files, so ra.certificate and ra.key must be set", s->origin,
                     s->name);
}
