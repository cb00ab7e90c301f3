/* run.c: the driver of the story: runs rows until one waits, jumps to the tail on an outcome, traces and
 * times each row. */
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "alias/trust.h"
#include "base/log.h"
#include "enroll/enrolment.h"

struct row {
    const char *name;
    enum step_result (*run)(struct enrolment *e);
};

static const struct row story[STEP_COUNT] = {
#define ROW(code, name) [STEP_##code] = {#name, step_##name},
    ENROLMENT_STEPS(ROW)
#undef ROW
};

struct log_scope enrolment_scope(const struct enrolment *e)
{
    return (struct log_scope){.request_id = e->request_id,
                              .tenant = e->alias->settings->tenant,
                              .alias = e->alias->settings->name,
                              .transaction = e->transaction_text,
                              .client = e->client};
}

static void trace(const struct enrolment *e, const struct row *row, int64_t now)
{
    metrics_observe(e->service->parts.metrics, METRIC_STEP_SECONDS, (double)(now - e->step_started) / 1000.0,
                    METRIC_LABELS(row->name));
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    struct log_scope scope = enrolment_scope(e);
    log_line(LOG_LEVEL_DEBUG, &scope, "enrolment.step", "%s after %lld ms", row->name,
             (long long)(now - e->started));
}

/* The shared tail seals and replies; a failure inside the tail goes straight to the reply. */
static void to_tail(struct enrolment *e)
{
    e->step = e->in_tail ? STEP_REPLY : STEP_RECOLLECT;
    e->in_tail = true;
}

void enrolment_run(struct enrolment *e)
{
    while (e->step < STEP_COUNT) {
        const struct row *row = &story[e->step];
        e->step++;
        enum step_result result = row->run(e);
        int64_t now = clock_monotonic(e->service->parts.clock);
        trace(e, row, now);
        e->step_started = now;
        if (result == STEP_WAIT)
            return;
        if (result == STEP_FAIL)
            outcome_fail(&e->outcome, e->error.code);
        if (result != STEP_NEXT)
            to_tail(e);
    }
    enrolment_free(e);
}

void enrolment_resume(struct enrolment *e)
{
    enrolment_run(e);
}

enum step_result enrolment_fail(struct enrolment *e, enum error_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    e->error.code = code;
    vsnprintf(e->error.text, sizeof e->error.text, format, args);
    va_end(args);
    return STEP_FAIL;
}

int64_t enrolment_patience(const struct enrolment *e)
{
    int64_t left = e->started + e->settings->enroll.wait - clock_monotonic(e->service->parts.clock);
    return left > 0 ? left : 0;
}

void enrolment_free(struct enrolment *e)
{
    if (e->submission)
        submission_forget(e->submission);
    if (e->timer)
        event_free(e->timer);
    scep_message_free(e->opening.message);
    secret_free(&e->password);
    ra_set_unref(e->opening.ra);
    trust_unref(e->opening.trust);
    buffer_free(&e->opening.signer_der);
    buffer_free(&e->opening.decoded);
    buffer_free(&e->sealed_csr);
    buffer_free(&e->sealing.der);
    audit_details_free(&e->details);
    audit_details_free(&e->held_details);
    store_answer_free(e->answer);
    outcome_clear(&e->outcome);
    free(e->transaction_text);
    alias_unref(e->alias);
    gateway_settings_unref(e->settings);
    e->service->requests--;
    free(e);
}
