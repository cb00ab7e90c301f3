/* obligations.c: see obligations.h.
 *
 * One claim is in flight at a time; each claimed row is a `struct duty` until the store has confirmed what
 * became of it. A row that is claimed again while its handler still runs here (its lease ran out) keeps that
 * handler and takes over the newer claim. One that was put anew meanwhile, which begins its attempts anew, is for
 * a change that the handler may not have seen: it comes once more when the handler is through.
 */
#include "transaction/obligations.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define HANDLERS_MAX 16
#define BATCH        16
#define DUTIES_MAX   64 /* rows in hand at once; over that nothing is claimed */
#define LEASE_MS     (5 * 60 * 1000)
#define PERIOD_MS    1000
#define ATTEMPTS_MAX 20
#define BACKOFF_MAX  (10 * 60 * 1000)
#define UNHANDLED_MS (60 * 1000) /* a kind that only a newer replica knows */

struct handler {
    const char *kind;
    obligation_handler *call;
    void *context;
};

struct duty {
    struct obligations *owner;
    struct duty *next;
    char *id;
    uint64_t given_claim; /* that the handler knows */
    uint64_t claim;       /* the newest */
    int attempts;
    bool put_anew;
    bool finishing; /* `done` is with the store, or waits to be repeated */
    struct store_request done;
    struct event *repeat;
};

struct obligations {
    struct event_base *base;
    struct store *store;
    struct event *timer;
    struct handler handlers[HANDLERS_MAX];
    size_t handler_count;
    struct duty *duties;
    size_t duty_count;
    struct store_request claim;
    bool claim_open;  /* its outcome is not known: repeat it as it is */
    bool claim_flies; /* the store will call back */
    bool running;
};

static void tick(evutil_socket_t fd, short what, void *context);
static void submit_done(struct duty *d);

static void arm(struct event *timer, int64_t ms)
{
    const struct timeval after = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    event_add(timer, &after);
}

struct obligations *obligations_create(struct event_base *base, struct store *store)
{
    struct obligations *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->base = base;
    o->store = store;
    o->timer = evtimer_new(base, tick, o);
    if (!o->timer) {
        free(o);
        return NULL;
    }
    return o;
}

void obligations_handle(struct obligations *o, const char *kind, obligation_handler *handler, void *context)
{
    assert(o->handler_count < HANDLERS_MAX);
    o->handlers[o->handler_count++] = (struct handler){kind, handler, context};
}

void obligations_start(struct obligations *o)
{
    o->running = true;
    arm(o->timer, 0);
}

/* ---- one row ------------------------------------------------------------------------------------------- */

static void duty_free(struct duty *d)
{
    struct obligations *o = d->owner;
    struct duty **place = &o->duties;
    while (*place != d)
        place = &(*place)->next;
    *place = d->next;
    o->duty_count--;
    if (d->repeat)
        event_free(d->repeat);
    free(d->id);
    free(d);
}

static void repeat_done(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    submit_done(context);
}

/* What is lost when the runner has stopped is found again by the row's lease. */
static void done_answered(void *context, struct store_answer *answer)
{
    struct duty *d = context;
    bool lost = answer->outcome == STORE_UNKNOWN || answer->outcome == STORE_UNAVAILABLE;
    store_answer_free(answer);
    if (lost && d->owner->running)
        arm(d->repeat, PERIOD_MS);
    else
        duty_free(d);
}

static void submit_done(struct duty *d)
{
    store_submit(d->owner->store, &d->done, done_answered, d);
}

static struct duty *duty_create(struct obligations *o, const struct obligation *row)
{
    struct duty *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    *d = (struct duty){.owner = o,
                       .next = o->duties,
                       .given_claim = row->claim,
                       .claim = row->claim,
                       .attempts = row->attempts};
    o->duties = d;
    o->duty_count++;
    d->id = strdup(row->id);
    d->repeat = evtimer_new(o->base, repeat_done, d);
    if (d->id && d->repeat)
        return d;
    duty_free(d);
    return NULL;
}

/* again_after as in `struct store_request`. */
static void finish(struct duty *d, int64_t again_after)
{
    d->finishing = true;
    store_request_init(&d->done, STORE_OBLIGATION_DONE);
    d->done.obligation_done.id = d->id;
    d->done.obligation_done.claim = d->claim;
    d->done.obligation_done.again_after = again_after;
    submit_done(d);
}

/* Doubles from a second to the cap; up to a quarter less, so that what failed together does not come back
 * together. */
static int64_t backoff(int attempts)
{
    int64_t delay = BACKOFF_MAX;
    if (attempts < 10) /* 2^10 s is beyond the cap */
        delay = INT64_C(1000) << (attempts > 0 ? attempts : 0);
    if (delay > BACKOFF_MAX)
        delay = BACKOFF_MAX;
    uint32_t chance = 0;
    (void)secret_random(&chance, sizeof chance); /* without it, just no jitter */
    return delay - (int64_t)(chance % (uint32_t)(delay / 4));
}

void obligations_finish(struct obligations *o, const char *id, uint64_t claim, int64_t again_after)
{
    struct duty *d = o->duties;
    while (d && (d->finishing || d->given_claim != claim || strcmp(d->id, id) != 0))
        d = d->next;
    if (!d)
        return;
    if (again_after < 0)
        again_after = d->attempts >= ATTEMPTS_MAX ? -1 : backoff(d->attempts);
    finish(d, again_after == 0 && d->put_anew ? 1 : again_after);
}

/* ---- claiming ------------------------------------------------------------------------------------------ */

static const struct handler *handler_of(const struct obligations *o, const char *kind)
{
    for (size_t i = 0; i < o->handler_count; i++)
        if (strcmp(o->handlers[i].kind, kind) == 0)
            return &o->handlers[i];
    return NULL;
}

static struct duty *in_hand(const struct obligations *o, const char *id)
{
    for (struct duty *d = o->duties; d; d = d->next)
        if (!d->finishing && strcmp(d->id, id) == 0)
            return d;
    return NULL;
}

static void take(struct obligations *o, const struct obligation *row)
{
    struct duty *d = in_hand(o, row->id);
    if (d) {
        d->claim = row->claim;
        d->put_anew = d->put_anew || row->attempts <= d->attempts;
        return;
    }
    d = duty_create(o, row);
    if (!d) /* its lease runs out */
        return;
    const struct handler *h = handler_of(o, row->kind);
    if (!o->running) /* stopped since it was asked for: for another replica, at once */
        finish(d, 1);
    else if (!h)
        finish(d, UNHANDLED_MS);
    else
        h->call(h->context, row);
}

static void claim_answered(void *context, struct store_answer *answer)
{
    struct obligations *o = context;
    o->claim_flies = false;
    o->claim_open = answer->outcome == STORE_UNKNOWN;
    bool full =
        answer->outcome == STORE_OK && answer->obligation_count >= (size_t)o->claim.obligation_claim.limit;
    for (size_t i = 0; answer->outcome == STORE_OK && i < answer->obligation_count; i++)
        take(o, &answer->obligations[i]);
    store_answer_free(answer);
    if (o->running)
        arm(o->timer, full ? 0 : PERIOD_MS);
}

static void tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct obligations *o = context;
    if (!o->running || o->claim_flies)
        return;
    if (o->duty_count >= DUTIES_MAX) {
        arm(o->timer, PERIOD_MS);
        return;
    }
    if (!o->claim_open) {
        size_t room = DUTIES_MAX - o->duty_count;
        store_request_init(&o->claim, STORE_OBLIGATION_CLAIM);
        o->claim.obligation_claim.limit = room < BATCH ? (int)room : BATCH;
        o->claim.obligation_claim.lease = LEASE_MS;
    }
    o->claim_flies = true;
    store_submit(o->store, &o->claim, claim_answered, o);
}

/* ---- the end ------------------------------------------------------------------------------------------- */

void obligations_stop(struct obligations *o)
{
    o->running = false;
    event_del(o->timer);
    for (struct duty *next, *d = o->duties; d; d = next) {
        next = d->next;
        if (d->finishing && event_pending(d->repeat, EV_TIMEOUT, NULL))
            duty_free(d);
    }
}

bool obligations_idle(const struct obligations *o)
{
    return !o->claim_flies && o->duty_count == 0;
}

void obligations_free(struct obligations *o)
{
    if (!o)
        return;
    assert(!o->running && obligations_idle(o));
    event_free(o->timer);
    free(o);
}
