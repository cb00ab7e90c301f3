/* call.c: one call of a backend: started, timed, measured, and completed exactly once, by its answer or by
 * its deadline. */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "issuing/instance.h"

#define TROUBLE_PERIOD (30 * 1000) /* ms between log lines of the same trouble */
#define RETRY_DELAY    5000        /* ms: of a call that could not be started or ran out of time */

static const char timeout_reason[] = "timeout";
static const char not_offered[] = "the backend does not offer this call";

struct backend_call {
    struct backend_call *next, **back; /* in backends.calls */
    struct backend_instance *instance;
    struct backend_op *op;
    backend_done *done;
    void *context;
    struct event *event; /* the deadline; or, with `failure`, the completion of a call that did not start */
    int64_t began;       /* monotonic ms */
    enum backend_verdict verdict; /* with `failure` */
    const char *failure;
    bool wants_list; /* backend_ask_crl */
    bool starting;   /* inside the backend's start function */
    bool over; /* completed by its deadline, but the backend cannot cancel: its late answer is dropped */
};

static void call_free(struct backend_call *c)
{
    *c->back = c->next;
    if (c->next)
        c->next->back = c->back;
    if (c->event)
        event_free(c->event);
    free(c);
}

void calls_free(struct backends *b)
{
    while (b->calls) {
        struct backend_call *c = b->calls;
        if (c->op && !c->over && c->instance->type->cancel)
            c->instance->type->cancel(c->instance->opened, c->op);
        call_free(c);
    }
}

/* ---- completion ---------------------------------------------------------------------------------------- */

static const char *verdict_name(const struct backend_result *r)
{
    static const char *const names[] = {
        [BACKEND_ISSUED] = "issued",
        [BACKEND_PENDING] = "pending",
        [BACKEND_REJECTED] = "rejected",
        [BACKEND_UNAVAILABLE] = "unavailable",
        [BACKEND_MISCONFIGURED] = "misconfigured",
    };
    return backend_call_lost(r) ? timeout_reason : names[r->verdict];
}

/* Trouble is said when it begins and then now and then, and once more when it is over. */
static void note(struct backend_instance *i, const struct backend_result *r, int64_t now)
{
    bool troubled = r->verdict == BACKEND_UNAVAILABLE || r->verdict == BACKEND_MISCONFIGURED;
    if (troubled && (!i->troubled || now - i->trouble_said >= TROUBLE_PERIOD)) {
        enum log_level level = r->verdict == BACKEND_UNAVAILABLE ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
        log_line(level, NULL, "backend.trouble", "backend %s is %s: %s", i->values->name,
                 r->verdict == BACKEND_UNAVAILABLE ? "unavailable" : "misconfigured",
                 r->reason && *r->reason ? r->reason : "no reason given");
        i->trouble_said = now;
    }
    if (i->troubled && !troubled)
        log_line(LOG_LEVEL_INFO, NULL, "backend.recovered", "backend %s answers again", i->values->name);
    i->troubled = troubled;
}

static void complete(struct backend_call *c, const struct backend_result *result)
{
    struct backend_instance *i = c->instance;
    struct backends *b = i->owner;
    int64_t now = clock_monotonic(b->clock);
    note(i, result, now);
    if (b->metrics)
        metrics_observe(b->metrics, METRIC_BACKEND_SECONDS, (double)(now - c->began) / 1000,
                        METRIC_LABELS(i->values->name, verdict_name(result)));
    b->running--;
    backend_done *done = c->done;
    void *context = c->context;
    if (c->over)
        event_del(c->event); /* kept until the late answer has come */
    else
        call_free(c);
    done(context, result);
}

static void complete_failed(struct backend_call *c, enum backend_verdict verdict, const char *reason)
{
    struct backend_result result = {.verdict = verdict, .reason = reason, .delay = RETRY_DELAY};
    complete(c, &result);
}

static void on_event(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct backend_call *c = data;
    if (c->failure) {
        complete_failed(c, c->verdict, c->failure);
        return;
    }
    if (c->instance->type->cancel)
        c->instance->type->cancel(c->instance->opened, c->op);
    else
        c->over = true;
    complete_failed(c, BACKEND_UNAVAILABLE, timeout_reason);
}

static const char *fault_of(const struct backend_result *r, bool wants_list)
{
    if (r->verdict > BACKEND_MISCONFIGURED)
        return "the backend answered with an unknown verdict";
    if (wants_list && r->verdict == BACKEND_ISSUED)
        return r->crl.data && r->crl.len ? NULL : "the backend answered without a revocation list";
    if (r->chain_count > BACKEND_CHAIN_MAX || r->cookie.len > BACKEND_COOKIE_MAX)
        return "the backend answered with more than its contract allows";
    if (r->verdict == BACKEND_ISSUED && r->chain_count == 0)
        return "the backend answered without a certificate";
    for (size_t i = 0; r->verdict == BACKEND_ISSUED && i < r->chain_count; i++)
        if (!r->chain[i].data || r->chain[i].len == 0)
            return "the backend answered with an empty certificate";
    return NULL;
}

static void fail_later(struct backend_call *c, enum backend_verdict verdict, const char *reason)
{
    c->verdict = verdict;
    c->failure = reason;
    event_active(c->event, EV_TIMEOUT, 1);
}

static void on_answer(void *context, const struct backend_result *result)
{
    struct backend_call *c = context;
    const char *fault = fault_of(result, c->wants_list);
    if (c->starting) { /* against the contract: our caller does not expect an answer yet */
        fail_later(c, BACKEND_MISCONFIGURED, "the backend completed a call inside its start function");
    } else if (c->over) {
        log_line(LOG_LEVEL_INFO, NULL, "backend.late",
                 "backend %s answered after the deadline; the answer is dropped", c->instance->values->name);
        call_free(c);
    } else if (fault) {
        complete_failed(c, BACKEND_MISCONFIGURED, fault);
    } else {
        complete(c, result);
    }
}

/* ---- start --------------------------------------------------------------------------------------------- */

static bool can(const struct backend_type *t, enum backend_call_kind kind)
{
    const bool able[] = {
        [BACKEND_CALL_ENROLL] = t->enroll != NULL,
        [BACKEND_CALL_POLL] = t->poll != NULL,
        [BACKEND_CALL_LOOK_UP] = t->look_up != NULL,
    };
    return able[kind];
}

static struct backend_op *start(struct backend_call *c, enum backend_call_kind kind,
                                const struct backend_request *request, struct backend_bytes cookie)
{
    const struct backend_type *t = c->instance->type;
    void *opened = c->instance->opened;
    switch (kind) {
    case BACKEND_CALL_ENROLL:
        return t->enroll(opened, request, on_answer, c);
    case BACKEND_CALL_POLL:
        return t->poll(opened, request, cookie, on_answer, c);
    case BACKEND_CALL_LOOK_UP:
        return t->look_up(opened, request, on_answer, c);
    }
    abort();
}

static struct backend_call *call_create(struct backend_instance *i, backend_done *done, void *context)
{
    struct backends *b = i->owner;
    struct backend_call *c = calloc(1, sizeof *c);
    if (!c || !(c->event = evtimer_new(b->base, on_event, c))) {
        log_line(LOG_LEVEL_ERROR, NULL, "memory.exhausted", "no memory is left for a backend call");
        abort(); /* the completion is promised, and nothing is left that could bring it */
    }
    c->instance = i;
    c->done = done;
    c->context = context;
    c->began = clock_monotonic(b->clock);
    c->next = b->calls;
    c->back = &b->calls;
    if (c->next)
        c->next->back = &c->next;
    b->calls = c;
    b->running++;
    return c;
}

/* What the backend's start function gave. */
static void started(struct backend_call *c, struct backend_op *op, int64_t deadline)
{
    struct timeval wait = {.tv_sec = deadline / 1000, .tv_usec = deadline % 1000 * 1000};
    c->op = op;
    c->starting = false;
    if (c->failure)
        return;
    if (!c->op)
        fail_later(c, BACKEND_UNAVAILABLE, "the call could not be started");
    else
        evtimer_add(c->event, &wait);
}

void backend_call(struct backend_instance *i, enum backend_call_kind kind,
                  const struct backend_request *request, struct backend_bytes cookie, int64_t deadline,
                  backend_done *done, void *context)
{
    struct backend_call *c = call_create(i, done, context);
    if (!can(i->type, kind)) {
        fail_later(c, BACKEND_MISCONFIGURED, not_offered);
        return;
    }
    c->starting = true;
    started(c, start(c, kind, request, cookie), deadline);
}

void backend_ask_chain(struct backend_instance *i, enum backend_authority which, int64_t deadline,
                       backend_done *done, void *context)
{
    struct backend_call *c = call_create(i, done, context);
    if (!i->type->ca_chain) {
        fail_later(c, BACKEND_MISCONFIGURED, not_offered);
        return;
    }
    c->starting = true;
    started(c, i->type->ca_chain(i->opened, which, on_answer, c), deadline);
}

void backend_ask_crl(struct backend_instance *i, const struct backend_crl_request *request, int64_t deadline,
                     backend_done *done, void *context)
{
    struct backend_call *c = call_create(i, done, context);
    if (!i->type->crl) {
        fail_later(c, BACKEND_MISCONFIGURED, not_offered);
        return;
    }
    c->wants_list = true;
    c->starting = true;
    started(c, i->type->crl(i->opened, request, on_answer, c), deadline);
}

bool backend_call_lost(const struct backend_result *result)
{
    return result->reason == timeout_reason;
}

int backend_prepare(struct backend_instance *i, const struct backend_request *request,
                    uint8_t plan[BACKEND_PLAN_MAX])
{
    if (!i->type->prepare)
        return 0;
    size_t len = i->type->prepare(i->opened, request, plan);
    return len > 0 && len <= BACKEND_PLAN_MAX ? (int)len : -1;
}
