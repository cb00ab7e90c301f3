/* resume.c: what must happen to a transaction even when its client never comes back.
 *
 * Both obligations begin alike: claim the transaction; finished or gone means done, running means later. A
 * pending one is no orphan: its client asks again, and not before the backend's delay is over. Unless people
 * have approved it: then it is submitted at once, and polled when its delay is over.
 */
#include "enroll/resume.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "enroll/persist.h"
#include "enroll/restore.h"
#include "enroll/submission.h"

#define LATER    10000 /* ms until a transaction that somebody works on is looked at again */
#define PATIENCE 5000  /* ms of repeating a store operation */

struct resumption {
    struct enroll *service;
    struct alias *alias;
    char obligation[128];
    uint64_t obligation_claim;
    char record_id[ID_TEXT_SIZE];
    bool expire;
    struct store_request request;
    struct persist persist;
    struct store_answer *answer;
    struct audit_details details;
};

static void resumption_finish(struct resumption *r, int64_t again_after)
{
    const char *result = again_after == 0 ? "done" : again_after > 0 ? "later" : "failed";
    metrics_add(r->service->parts.metrics, METRIC_OBLIGATIONS_DONE, 1,
                METRIC_LABELS(r->expire ? "transaction.expire" : "submission.resume", result));
    obligations_finish(r->service->parts.obligations, r->obligation, r->obligation_claim, again_after);
    store_answer_free(r->answer);
    audit_details_free(&r->details);
    alias_unref(r->alias);
    r->service->resumptions--;
    free(r);
}

static void ask_store(struct resumption *r, store_done *done)
{
    r->persist = (struct persist){.store = r->service->parts.store,
                                  .base = r->service->parts.base,
                                  .request = &r->request,
                                  .give_up_after = PATIENCE,
                                  .done = done,
                                  .context = r};
    persist_start(&r->persist);
}

/* ---- expire -------------------------------------------------------------------------------------------- */

static void expired(void *context, struct store_answer *answer)
{
    struct resumption *r = context;
    bool settled = answer->outcome == STORE_OK || answer->outcome == STORE_FINISHED ||
                   answer->outcome == STORE_NOT_FOUND;
    store_answer_free(answer);
    resumption_finish(r, settled ? 0 : -1);
}

/* A challenge is given back only when we know that no certificate came of it: a lost submission has 'L' in
 * its cookie (submission.h). */
static bool nothing_was_issued(const struct transaction_record *record)
{
    return record->state == TRANSACTION_PENDING && record->cookie.len && record->cookie.data[0] != 'L';
}

static void expire(struct resumption *r)
{
    const struct alias_settings *a = r->alias->settings;
    store_request_init(&r->request, STORE_TRANSACTION_ADVANCE);
    r->request.advance.alias = a->name;
    r->request.advance.record_id = r->record_id;
    r->request.advance.claim = r->answer->claim;
    r->request.advance.state = TRANSACTION_EXPIRED;
    r->request.advance.error_name = error_info(ERR_TRANSACTION_EXPIRED)->name;
    r->request.advance.release_challenge = nothing_was_issued(&r->answer->transactions[0]);
    r->request.advance.erase_csr = true;
    r->request.advance.drop_lease = true;
    r->request.events[0] = audit_event(AUDIT_REQUEST_EXPIRED, a->name, a->tenant, r->record_id, "",
                                       audit_details_text(&r->details));
    r->request.event_count = 1;
    ask_store(r, expired);
}

static void was_put_back(void *context, struct store_answer *answer)
{
    store_answer_free(answer);
    resumption_finish(context, LATER);
}

static void put_back(struct resumption *r)
{
    store_request_init(&r->request, STORE_TRANSACTION_ADVANCE);
    r->request.advance.alias = r->alias->settings->name;
    r->request.advance.record_id = r->record_id;
    r->request.advance.claim = r->answer->claim;
    r->request.advance.drop_lease = true;
    ask_store(r, was_put_back);
}

/* ---- resume -------------------------------------------------------------------------------------------- */

static void resubmitted(void *context, const struct outcome *outcome)
{
    resumption_finish(context, outcome->status == SCEP_PENDING ? LATER : 0);
}

static void restored(void *context, struct csr *csr, const char *problem)
{
    struct resumption *r = context;
    const struct transaction_record *record = &r->answer->transactions[0];
    struct log_scope scope = {.alias = r->alias->settings->name, .transaction = r->record_id};
    if (!csr) {
        log_line(LOG_LEVEL_ERROR, &scope, "submission.lost", "an orphaned request cannot be taken up: %s",
                 problem);
        resumption_finish(r, -1);
        return;
    }
    struct submission_order order = {.alias = r->alias,
                                     .record_id = r->record_id,
                                     .claim = r->answer->claim,
                                     .csr = csr,
                                     .plan = record->plan,
                                     .cookie = record->cookie,
                                     .renews = record->renews,
                                     .recipient_sha256 = record->recipient_sha256,
                                     .approved = record->decision == DECISION_APPROVED,
                                     .client = ""};
    if (submission_is_held(record)) { /* its client's polls judge it */
        order.cookie = (struct bytes){0};
        order.held = "the gateway stopped before it could be put on hold";
    }
    log_line(LOG_LEVEL_INFO, &scope, "submission.resumed", "%s",
             order.approved ? "an approved request is submitted" : "an orphaned submission is taken up");
    if (!submission_start(r->service, &order, resubmitted, r))
        resumption_finish(r, LATER);
}

static void claim(struct resumption *r);

static void looked_at(void *context, struct store_answer *answer)
{
    struct resumption *r = context;
    const struct transaction_record *record =
        answer->outcome == STORE_OK && answer->transaction_count ? answer->transactions : NULL;
    bool approved = record && record->state == TRANSACTION_PENDING && record->decision == DECISION_APPROVED &&
                    !submission_is_held(record); /* its client's polls judge it */
    bool ours = approved || (record && record->state == TRANSACTION_RECEIVED);
    bool over = answer->outcome == STORE_NOT_FOUND || (record && !ours);
    int64_t wait = approved ? record->next_poll - answer->now : 0;
    store_answer_free(answer);
    if (ours && wait <= 0)
        claim(r);
    else
        resumption_finish(r, over ? 0 : wait > 0 ? wait : LATER);
}

static void look_at(struct resumption *r)
{
    store_request_init(&r->request, STORE_TRANSACTION_FIND);
    r->request.transaction_find.alias = r->alias->settings->name;
    r->request.transaction_find.record_id = r->record_id;
    ask_store(r, looked_at);
}

static void claimed(void *context, struct store_answer *answer)
{
    struct resumption *r = context;
    r->answer = answer;
    bool over = answer->outcome == STORE_FINISHED || answer->outcome == STORE_NOT_FOUND;
    if (over)
        resumption_finish(r, 0);
    else if (answer->outcome != STORE_MINE || answer->transactions[0].claim != answer->claim)
        resumption_finish(r, LATER); /* somebody else works on it */
    else if (r->expire && answer->transactions[0].expires > answer->now)
        put_back(r); /* somebody approved it meanwhile, which gave it more time */
    else if (r->expire)
        expire(r);
    else if (restore_csr(r->service, r->alias, &answer->transactions[0], restored, r) != ERR_OK)
        resumption_finish(r, LATER);
}

static void claim(struct resumption *r)
{
    store_request_init(&r->request, STORE_TRANSACTION_CLAIM);
    r->request.claim.alias = r->alias->settings->name;
    r->request.claim.record_id = r->record_id;
    r->request.claim.lease = r->service->settings->enroll.lease;
    ask_store(r, claimed);
}

static void resumption_start(struct enroll *service, const struct obligation *o, bool is_expiry)
{
    struct alias *alias = alias_directory_find(service->parts.directory, o->alias);
    struct resumption *r = alias ? calloc(1, sizeof *r) : NULL;
    if (!r) { /* an alias that was taken out of the settings may come back */
        obligations_finish(service->parts.obligations, o->id, o->claim, -1);
        return;
    }
    service->resumptions++;
    r->service = service;
    r->alias = alias_ref(alias);
    r->expire = is_expiry;
    r->obligation_claim = o->claim;
    strncpy(r->obligation, o->id, sizeof r->obligation - 1);
    strncpy(r->record_id, o->reference, sizeof r->record_id - 1);
    audit_details_init(&r->details);
    if (is_expiry)
        claim(r);
    else
        look_at(r);
}

static void handle_resume(void *context, const struct obligation *o)
{
    resumption_start(context, o, false);
}

static void handle_expire(void *context, const struct obligation *o)
{
    resumption_start(context, o, true);
}

void resume_register(struct enroll *service)
{
    obligations_handle(service->parts.obligations, "submission.resume", handle_resume, service);
    obligations_handle(service->parts.obligations, "transaction.expire", handle_expire, service);
}
