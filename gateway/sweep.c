/* sweep.c: the obligation "retention.sweep": deletes what the retention settings say, in bounded steps, for
 * ever. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server_parts.h"

#define KIND        "retention.sweep"
#define FIRST_DELAY (60 * 1000)      /* ms after the start */
#define PERIOD      (60 * 60 * 1000) /* ms between sweeps that found little */
#define STEP        1000             /* rows per store operation */
#define NEXT_STEP   1000             /* ms until the next step of a sweep that found much */

struct sweep {
    struct server *server;
    char obligation[512];
    uint64_t claim;
    struct store_request request;
};

static void swept(void *context, struct store_answer *answer)
{
    struct sweep *w = context;
    int64_t again = answer->outcome == STORE_OK && answer->total < STEP ? PERIOD : NEXT_STEP;
    if (answer->outcome == STORE_OK && answer->total)
        log_line(LOG_LEVEL_INFO, NULL, "retention.swept", "retention deleted %lld rows",
                 (long long)answer->total);
    bool failed = answer->outcome != STORE_OK;
    store_answer_free(answer);
    metrics_add(w->server->metrics, METRIC_OBLIGATIONS_DONE, 1,
                METRIC_LABELS(KIND, failed ? "failed" : "done"));
    obligations_finish(w->server->obligations, w->obligation, w->claim, failed ? PERIOD : again);
    w->server->rows_in_flight--;
    free(w);
}

static void on_due(void *context, const struct obligation *o)
{
    struct server *s = context;
    const struct retention_settings *r = &s->settings->retention;
    struct sweep *w = calloc(1, sizeof *w);
    if (!w) {
        obligations_finish(s->obligations, o->id, o->claim, PERIOD);
        return;
    }
    w->server = s;
    w->claim = o->claim;
    strncpy(w->obligation, o->id, sizeof w->obligation - 1);
    store_request_init(&w->request, STORE_SWEEP);
    w->request.sweep.unused_challenge = r->unused_challenge;
    w->request.sweep.used_challenge = r->used_challenge;
    w->request.sweep.finished_transaction = r->finished_transaction;
    w->request.sweep.certificate = r->certificate;
    w->request.sweep.audit = r->audit;
    w->request.sweep.limit = STEP;
    s->rows_in_flight++;
    store_submit(s->store, &w->request, swept, w);
}

static void put_answered(void *context, struct store_answer *answer)
{
    struct sweep *w = context;
    if (answer->outcome != STORE_OK)
        log_line(LOG_LEVEL_ERROR, NULL, "retention.broken",
                 "the sweep could not be scheduled, and will be when the store is ready: %s", answer->reason);
    w->server->sweep_scheduled = answer->outcome == STORE_OK;
    store_answer_free(answer);
    w->server->rows_in_flight--;
    free(w);
}

void server_handle_sweep(struct server *s)
{
    obligations_handle(s->obligations, KIND, on_due, s);
}

void server_schedule_sweep(struct server *s)
{
    struct sweep *w = calloc(1, sizeof *w);
    if (!w)
        return;
    w->server = s;
    s->sweep_scheduled = true; /* until the store says otherwise */
    store_request_init(&w->request, STORE_OBLIGATION_PUT);
    w->request.obligation_put =
        (struct obligation_new){.alias = "", .kind = KIND, .reference = "", .delay = FIRST_DELAY};
    s->rows_in_flight++;
    store_submit(s->store, &w->request, put_answered, w);
}
