/* announce.c: see announce.h. Told at least once: what failed comes again, with growing pauses, for as long as
 * the request waits. */
#include "enroll/announce.h"

#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/codec.h"
#include "base/log.h"
#include "enroll/persist.h"

#define PATIENCE    5000            /* ms of repeating a store operation */
#define BUSY        500             /* ms: another announcement of this gate is under way */
#define BACKOFF_MAX (5 * 60 * 1000) /* ms */
#define NOTICE_MAX  16384

struct announcement {
    struct enroll *service;
    struct alias *alias;
    char obligation[128];
    uint64_t claim;
    int attempts;
    char record_id[ID_TEXT_SIZE];
    struct store_request request;
    struct persist persist;
};

static void finish(struct announcement *a, int64_t again_after)
{
    metrics_add(a->service->parts.metrics, METRIC_OBLIGATIONS_DONE, 1,
                METRIC_LABELS("approval.announce", again_after ? "later" : "done"));
    obligations_finish(a->service->parts.obligations, a->obligation, a->claim, again_after);
    alias_unref(a->alias);
    a->service->resumptions--;
    free(a);
}

static int64_t backoff(int attempts)
{
    int64_t delay = INT64_C(1000) << (attempts < 9 ? attempts : 9);
    return delay < BACKOFF_MAX ? delay : BACKOFF_MAX;
}

static void told(void *context, const char *problem)
{
    struct announcement *a = context;
    struct log_scope scope = {.alias = a->alias->settings->name, .transaction = a->record_id};
    if (problem)
        log_line(LOG_LEVEL_WARNING, &scope, "approval.untold", "nobody was told of a held request: %s",
                 problem);
    else
        log_line(LOG_LEVEL_DEBUG, &scope, "approval.told", "the gate has announced a held request");
    finish(a, problem ? backoff(a->attempts) : 0);
}

/* ---- the notice ---------------------------------------------------------------------------------------- */

static void member(struct buffer *out, const char *name, const char *value)
{
    buffer_text(out, out->len > 1 ? "," : "");
    codec_json_string(out, bytes_of_text(name));
    buffer_text(out, ":");
    codec_json_string(out, bytes_of_text(value));
}

static void write_notice(struct buffer *out, const struct alias_settings *a,
                         const struct transaction_record *t)
{
    char created[CLOCK_TEXT_SIZE], expires[CLOCK_TEXT_SIZE], command[256];
    snprintf(command, sizeof command, "scepgate approve --alias %s %s", a->name, t->id);
    buffer_text(out, "{");
    member(out, "event", audit_name(AUDIT_REQUEST_HELD));
    member(out, "alias", a->name);
    member(out, "tenant", a->tenant);
    member(out, "transaction", t->id);
    member(out, "subject", t->subject);
    member(out, "client", t->client);
    member(out, "reason", t->reason);
    member(out, "created", clock_text(t->created, created));
    member(out, "expires", clock_text(t->expires, expires));
    member(out, "approve", command);
    buffer_format(out, ",\"approvals\":%d}", t->approvals_needed);
}

static void tell(struct announcement *a, const struct transaction_record *t)
{
    struct buffer notice;
    buffer_init(&notice, NOTICE_MAX);
    write_notice(&notice, a->alias->settings, t);
    enum backend_announcement started =
        notice.failed ? ANNOUNCEMENT_NEEDLESS
                      : backend_announce(a->alias->gate, (const char *)notice.data, told, a);
    buffer_free(&notice);
    if (started == ANNOUNCEMENT_BUSY)
        finish(a, BUSY);
    else if (started == ANNOUNCEMENT_NEEDLESS)
        finish(a, 0);
}

static void found(void *context, struct store_answer *answer)
{
    struct announcement *a = context;
    const struct transaction_record *t =
        answer->outcome == STORE_OK && answer->transaction_count ? answer->transactions : NULL;
    bool known = t || answer->outcome == STORE_NOT_FOUND;
    if (t && t->decision == DECISION_AWAITED && !transaction_finished(t->state) && a->alias->gate)
        tell(a, t);
    else
        finish(a, known ? 0 : backoff(a->attempts));
    store_answer_free(answer);
}

static void handle(void *context, const struct obligation *o)
{
    struct enroll *service = context;
    struct alias *alias = alias_directory_find(service->parts.directory, o->alias);
    struct announcement *a = alias ? calloc(1, sizeof *a) : NULL;
    if (!a) { /* an alias that was taken out of the settings may come back */
        obligations_finish(service->parts.obligations, o->id, o->claim, -1);
        return;
    }
    service->resumptions++;
    a->service = service;
    a->alias = alias_ref(alias);
    a->claim = o->claim;
    a->attempts = o->attempts;
    strncpy(a->obligation, o->id, sizeof a->obligation - 1);
    strncpy(a->record_id, o->reference, sizeof a->record_id - 1);
    store_request_init(&a->request, STORE_TRANSACTION_FIND);
    a->request.transaction_find.alias = alias->settings->name;
    a->request.transaction_find.record_id = a->record_id;
    a->persist = (struct persist){.store = service->parts.store,
                                  .base = service->parts.base,
                                  .request = &a->request,
                                  .give_up_after = PATIENCE,
                                  .done = found,
                                  .context = a};
    persist_start(&a->persist);
}

void announce_register(struct enroll *service)
{
    obligations_handle(service->parts.obligations, "approval.announce", handle, service);
}
