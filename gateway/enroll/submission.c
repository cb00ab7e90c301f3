/* submission.c: ask the backend, turn its verdict into one move of the transaction, record it. */
#include "enroll/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "enroll/delivery.h"
#include "enroll/persist.h"
#include "policy/renewal.h"
#include "transaction/transaction.h"

#define RETRY_DELAY         5000  /* ms until a backend that was away is asked again */
#define MISCONFIGURED_DELAY 60000 /* ms; an administrator has to act first */
#define HELD_DELAY          5000  /* ms until a held renewal is judged again */
#define HELD_TAG            'R'

struct submission {
    struct enroll *service;
    struct alias *alias;
    char record_id[ID_TEXT_SIZE];
    char client[64];
    char renews[CERTIFICATE_SERIAL_SIZE];
    bool first, approved;
    uint8_t recipient_sha256[32]; /* zeroed: unknown */
    enum backend_call_kind kind;
    struct csr *csr;
    struct buffer plan;
    struct buffer cookie; /* as stored */
    struct backend_request ask;
    struct outcome outcome;
    struct certificate_record certificate;
    struct certificate_facts facts;
    struct buffer next_cookie;
    char reason[512];
    uint8_t fresh_plan[BACKEND_PLAN_MAX];
    struct audit_details details;
    struct store_request move;
    struct persist persist;
    submission_done *done;
    void *context;
};

static struct bytes bytes_of_backend(struct backend_bytes b)
{
    return bytes_of(b.data, b.len);
}

static struct backend_bytes backend_bytes_of(struct bytes b)
{
    return (struct backend_bytes){.data = b.data, .len = b.len};
}

static void submission_free(struct submission *s)
{
    s->service->submissions--;
    csr_free(s->csr);
    buffer_free(&s->plan);
    buffer_free(&s->cookie);
    buffer_free(&s->next_cookie);
    outcome_clear(&s->outcome);
    audit_details_free(&s->details);
    alias_unref(s->alias);
    free(s);
}

static void note(const struct submission *s, enum log_level level, const char *event, const char *sentence)
{
    struct log_scope scope = {.alias = s->alias->settings->name,
                              .tenant = s->alias->settings->tenant,
                              .transaction = s->record_id,
                              .client = s->client};
    log_line(level, &scope, event, "%s", sentence);
}

/* A call's beginning and end: whoever compares the logs of replicas sees whether two ever overlapped. */
static void note_call(const struct submission *s, const char *event)
{
    char sentence[64];
    snprintf(sentence, sizeof sentence, "under claim %llu", (unsigned long long)s->move.advance.claim);
    note(s, LOG_LEVEL_DEBUG, event, sentence);
}

static bool safe_to_repeat(const struct submission *s)
{
    return backend_instance_type(s->alias->backend)->flags & BACKEND_SAFE_TO_REPEAT;
}

/* What the backend gave us for its polls, behind our own letter. */
static struct backend_bytes backend_cookie(const struct submission *s)
{
    return s->cookie.len ? (struct backend_bytes){s->cookie.data + 1, s->cookie.len - 1}
                         : (struct backend_bytes){0};
}

bool submission_is_held(const struct transaction_record *record)
{
    return record->cookie.len && record->cookie.data[0] == HELD_TAG;
}

struct bytes submission_held_cookie(void)
{
    static const uint8_t cookie[] = {HELD_TAG};
    return bytes_of(cookie, sizeof cookie);
}

struct bytes submission_fresh_cookie(void)
{
    static const uint8_t cookie[] = {'E'};
    return bytes_of(cookie, sizeof cookie);
}

/* ---- the move that a verdict means --------------------------------------------------------------------- */

static void fill_move(struct submission *s, uint64_t claim)
{
    audit_details_free(&s->details);
    audit_details_init(&s->details);
    store_request_init(&s->move, STORE_TRANSACTION_ADVANCE);
    s->move.advance.alias = s->alias->settings->name;
    s->move.advance.record_id = s->record_id;
    s->move.advance.claim = claim;
}

static void add_event(struct submission *s, enum audit_code code)
{
    const struct alias_settings *a = s->alias->settings;
    s->move.events[s->move.event_count++] =
        audit_event(code, a->name, a->tenant, s->record_id, s->client, audit_details_text(&s->details));
}

static void keep_reason(struct submission *s, const char *reason)
{
    strncpy(s->reason, reason && *reason ? reason : "the backend gave no reason", sizeof s->reason - 1);
    s->move.advance.reason = s->reason;
}

static void finish(struct submission *s, enum transaction_state state)
{
    s->move.advance.state = state;
    s->move.advance.drop_lease = true;
    s->move.advance.erase_csr = true;
}

static void move_broken(struct submission *s, const char *why)
{
    finish(s, TRANSACTION_FAILED);
    s->move.advance.error_name = error_info(ERR_BACKEND_BROKEN)->name;
    keep_reason(s, why);
    outcome_fail(&s->outcome, ERR_BACKEND_BROKEN);
    audit_detail(&s->details, "error", error_info(ERR_BACKEND_BROKEN)->name);
    audit_detail(&s->details, "reason", s->reason);
    add_event(s, AUDIT_REQUEST_FAILED);
    note(s, LOG_LEVEL_ERROR, "backend.broken", s->reason);
}

static void move_issued(struct submission *s, const struct backend_result *result)
{
    struct error e = {0};
    struct bytes chain[BACKEND_CHAIN_MAX];
    for (size_t i = 0; i < result->chain_count; i++)
        chain[i] = bytes_of_backend(result->chain[i]);
    if (!result->chain_count || certificate_read(&s->facts, chain[0], &e) != ERR_OK)
        return move_broken(s, "the backend issued something that is not a certificate");
    if (memcmp(s->facts.spki_sha256, s->csr->spki_sha256, sizeof s->facts.spki_sha256) != 0)
        return move_broken(s, "the backend issued a certificate for another key");
    if (!outcome_of_chain(&s->outcome, chain, result->chain_count, s->facts.serial))
        return move_broken(s, "out of memory");
    s->certificate = (struct certificate_record){.alias = s->alias->settings->name,
                                                 .issuer_sha256 = s->facts.issuer_sha256,
                                                 .serial = s->facts.serial,
                                                 .transaction = s->record_id,
                                                 .subject = s->facts.subject,
                                                 .der = s->outcome.chain[0],
                                                 .not_before = s->facts.not_before,
                                                 .not_after = s->facts.not_after};
    finish(s, TRANSACTION_ISSUED);
    s->move.advance.erase_csr = !delivery_needs_csr(s->csr, s->alias->settings);
    s->move.advance.certificate = &s->certificate;
    s->move.advance.chain = s->outcome.chain;
    s->move.advance.chain_count = s->outcome.chain_count;
    char not_after[CLOCK_TEXT_SIZE];
    audit_detail(&s->details, "serial", s->facts.serial);
    audit_detail(&s->details, "subject", s->facts.subject);
    audit_detail(&s->details, "issuer", s->facts.issuer);
    audit_detail(&s->details, "renews", s->renews[0] ? s->renews : NULL);
    audit_detail(&s->details, "not_after", clock_text(s->facts.not_after, not_after));
    add_event(s, AUDIT_CERTIFICATE_ISSUED);
}

static void move_rejected(struct submission *s, const struct backend_result *result)
{
    finish(s, TRANSACTION_REJECTED);
    s->move.advance.error_name = error_info(ERR_BACKEND_REJECTED)->name;
    s->move.advance.release_challenge = s->alias->settings->challenge.release_on_rejection;
    keep_reason(s, result->reason);
    outcome_fail(&s->outcome, ERR_BACKEND_REJECTED);
    audit_detail(&s->details, "reason", s->reason);
    add_event(s, AUDIT_REQUEST_REJECTED);
    note(s, LOG_LEVEL_INFO, "request.rejected", s->reason);
}

/* Stays with us: `tag` and `rest` say how to go on at the next poll. */
static void move_pending(struct submission *s, char tag, struct backend_bytes rest, int64_t delay)
{
    const struct alias_settings *a = s->alias->settings;
    buffer_append(&s->next_cookie, &tag, 1);
    buffer_append(&s->next_cookie, rest.data, rest.len);
    if (s->next_cookie.failed)
        return move_broken(s, "the backend gave a cookie that is too long");
    s->move.advance.state = TRANSACTION_PENDING;
    s->move.advance.cookie = buffer_bytes(&s->next_cookie);
    s->move.advance.poll_delay = delay > 0 ? delay : RETRY_DELAY;
    s->move.advance.expires_in = a->transaction.pending_expiry;
    s->move.advance.drop_lease = true;
    outcome_pending(&s->outcome);
    if (s->approved)
        s->move.obligations[s->move.obligation_count++] =
            (struct obligation_new){.alias = a->name,
                                    .kind = "submission.resume",
                                    .reference = s->record_id,
                                    .delay = s->move.advance.poll_delay};
    if (s->cookie.len) /* it was pending before: no news */
        return;
    s->move.obligations[s->move.obligation_count++] =
        (struct obligation_new){.alias = a->name,
                                .kind = "transaction.expire",
                                .reference = s->record_id,
                                .delay = a->transaction.pending_expiry};
    audit_detail_number(&s->details, "delay", s->move.advance.poll_delay);
    add_event(s, AUDIT_REQUEST_PENDING);
}

/* Every poll judges the renewal once more. */
static void move_held(struct submission *s, const char *why)
{
    struct backend_bytes none = {0};
    audit_detail(&s->details, "reason", why);
    move_pending(s, HELD_TAG, none, HELD_DELAY);
    note(s, LOG_LEVEL_WARNING, "renewal.held", why);
}

static void move_refused(struct submission *s, const struct renewal_verdict *verdict)
{
    finish(s, TRANSACTION_REJECTED);
    s->move.advance.error_name = error_info(verdict->code)->name;
    s->move.advance.release_challenge = s->alias->settings->challenge.release_on_rejection;
    keep_reason(s, verdict->reason);
    outcome_fail(&s->outcome, verdict->code);
    audit_detail(&s->details, "error", error_info(verdict->code)->name);
    audit_detail(&s->details, "cause", s->reason);
    audit_detail(&s->details, "renews", s->renews);
    add_event(s, AUDIT_RENEWAL_REFUSED);
    note(s, LOG_LEVEL_WARNING, "renewal.refused", s->reason);
}

/* Without a result we go on later as now; but an enrolment whose answer was lost may have happened. */
static void move_again(struct submission *s, const struct backend_result *result, int64_t delay)
{
    bool lost = backend_call_lost(result) && !safe_to_repeat(s);
    struct backend_bytes none = {0};
    if (s->kind == BACKEND_CALL_POLL)
        move_pending(s, 'C', backend_cookie(s), delay);
    else
        move_pending(s, s->kind == BACKEND_CALL_LOOK_UP || lost ? 'L' : 'E', none, delay);
}

static void move_unavailable(struct submission *s, const struct backend_result *result)
{
    move_again(s, result, result->delay);
    note(s, LOG_LEVEL_WARNING, "backend.unavailable", result->reason ? result->reason : "no answer");
}

static void move_misconfigured(struct submission *s, const struct backend_result *result)
{
    move_again(s, result, MISCONFIGURED_DELAY);
    note(s, LOG_LEVEL_ERROR, "backend.misconfigured", result->reason ? result->reason : "no reason given");
}

static void move_attention(struct submission *s)
{
    s->move.advance.state = TRANSACTION_ATTENTION;
    s->move.advance.drop_lease = true;
    keep_reason(s, "a submission was lost, and the backend can neither repeat nor look it up");
    outcome_pending(&s->outcome);
    audit_detail(&s->details, "reason", s->reason);
    add_event(s, AUDIT_REQUEST_ATTENTION);
    note(s, LOG_LEVEL_ERROR, "request.attention", s->reason);
}

/* ---- recording ----------------------------------------------------------------------------------------- */

static void record(struct submission *s, store_done *done);
static void submission_recorded(void *context, struct store_answer *answer);

/* The issued certificate cannot be recorded: it would take another one's place. */
static void record_clash(struct submission *s, uint64_t claim)
{
    fill_move(s, claim);
    move_broken(s, "the backend issued a serial number that another certificate has");
    record(s, submission_recorded);
}

static void note_unrecorded(const struct submission *s, const struct store_answer *answer)
{
    char sentence[256];
    snprintf(sentence, sizeof sentence, "%s%s%s: %s", transaction_state_name(s->move.advance.state),
             s->facts.serial[0] ? ", serial " : "", s->facts.serial,
             answer->reason[0] ? answer->reason : store_outcome_name(answer->outcome));
    note(s, LOG_LEVEL_ERROR, "submission.unrecorded", sentence);
}

static void submission_recorded(void *context, struct store_answer *answer)
{
    struct submission *s = context;
    if (answer->outcome == STORE_CONFLICT) {
        store_answer_free(answer);
        record_clash(s, s->move.advance.claim);
        return;
    }
    if (answer->outcome == STORE_FINISHED && answer->transaction_count)
        outcome_of_record(&s->outcome, &answer->transactions[0]);
    else if (answer->outcome != STORE_OK)
        outcome_pending(&s->outcome); /* stale, or the store is away: nothing is promised */
    if (answer->outcome == STORE_OK && s->move.advance.state == TRANSACTION_ISSUED) {
        metrics_add(s->service->parts.metrics, METRIC_CERTIFICATES, 1,
                    METRIC_LABELS(s->alias->settings->name));
        note(s, LOG_LEVEL_INFO, "certificate.issued", s->facts.subject);
    } else if (answer->outcome != STORE_OK) {
        note_unrecorded(s, answer);
    }
    store_answer_free(answer);
    if (s->done)
        s->done(s->context, &s->outcome);
    submission_free(s);
}

static void record(struct submission *s, store_done *done)
{
    s->persist = (struct persist){.store = s->service->parts.store,
                                  .base = s->service->parts.base,
                                  .request = &s->move,
                                  .give_up_after = s->service->settings->enroll.lease,
                                  .done = done,
                                  .context = s};
    persist_start(&s->persist);
}

static void submission_answered(void *context, const struct backend_result *result)
{
    struct submission *s = context;
    note_call(s, "submission.answered");
    switch (result->verdict) {
    case BACKEND_ISSUED:
        move_issued(s, result);
        break;
    case BACKEND_PENDING:
        move_pending(s, 'C', result->cookie, result->delay);
        break;
    case BACKEND_REJECTED:
        move_rejected(s, result);
        break;
    case BACKEND_UNAVAILABLE:
        move_unavailable(s, result);
        break;
    case BACKEND_MISCONFIGURED:
        move_misconfigured(s, result);
        break;
    }
    record(s, submission_recorded);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

/* How to go on; false when nobody can know what became of a lost submission. */
static bool choose_call(const struct submission *s, enum backend_call_kind *kind)
{
    const struct backend_type *type = backend_instance_type(s->alias->backend);
    char tag = s->cookie.len ? (char)s->cookie.data[0] : s->first ? 'E' : 'L';
    if (tag == 'C' && type->poll) {
        *kind = BACKEND_CALL_POLL;
        return true;
    }
    *kind = BACKEND_CALL_ENROLL;
    if (tag == 'E' || safe_to_repeat(s))
        return true;
    *kind = BACKEND_CALL_LOOK_UP;
    return type->look_up != NULL;
}

static void fill_ask(struct submission *s)
{
    const struct alias_settings *a = s->alias->settings;
    s->ask = (struct backend_request){.transaction = s->record_id,
                                      .alias = a->name,
                                      .tenant = a->tenant,
                                      .purpose = BACKEND_FOR_CLIENT,
                                      .csr = backend_bytes_of(s->csr->der),
                                      .subject = backend_bytes_of(s->csr->subject_der),
                                      .spki = backend_bytes_of(s->csr->spki_der),
                                      .extensions = backend_bytes_of(s->csr->extensions_der),
                                      .max_validity = a->policy.max_validity,
                                      .plan = backend_bytes_of(buffer_bytes(&s->plan))};
}

static void call_backend(struct submission *s)
{
    struct backend_bytes cookie =
        s->kind == BACKEND_CALL_POLL ? backend_cookie(s) : (struct backend_bytes){0};
    note_call(s, "submission.started");
    backend_call(s->alias->backend, s->kind, &s->ask, cookie, s->service->settings->enroll.backend_deadline,
                 submission_answered, s);
}

static void marked(void *context, struct store_answer *answer)
{
    struct submission *s = context;
    if (answer->outcome != STORE_OK) {
        submission_recorded(s, answer);
        return;
    }
    store_answer_free(answer);
    fill_move(s, s->move.advance.claim);
    call_backend(s);
}

/* What people had to approve first has no plan yet: its validity is to begin now. */
static bool lacks_plan(const struct submission *s)
{
    return s->approved && !s->plan.len && backend_instance_type(s->alias->backend)->prepare;
}

/* False when the backend cannot plan. */
static bool make_plan(struct submission *s)
{
    /* Sent to the RA of a CA that is staged: that one issues, however long people took to approve it. */
    s->ask.issuer = backend_bytes_of(s->alias->ra ? ra_set_issuer_for(s->alias->ra, s->recipient_sha256)
                                                  : (struct bytes){0});
    int len = backend_prepare(s->alias->backend, &s->ask, s->fresh_plan);
    s->ask.issuer = (struct backend_bytes){0};
    if (len < 0)
        return false;
    s->move.advance.plan = bytes_of(s->fresh_plan, (size_t)len);
    buffer_append(&s->plan, s->fresh_plan, (size_t)len);
    s->ask.plan = backend_bytes_of(buffer_bytes(&s->plan));
    return !s->plan.failed;
}

/* Before a backend that is not safe to repeat is asked again, the store has to know: should we die while it
 * works, it will be looked up. (A transaction that has just begun says so by its state.) A late plan is stored
 * with that, or alone. The state stays, and with it what takes up a submission that died. */
static void mark_and_call(struct submission *s)
{
    static const uint8_t lost[] = {'L'};
    outcome_pending(&s->outcome);
    if (lacks_plan(s) && !make_plan(s)) {
        struct backend_result cannot = {.verdict = BACKEND_UNAVAILABLE,
                                        .reason = "the backend could not plan the request"};
        submission_answered(s, &cannot);
        return;
    }
    if (!safe_to_repeat(s))
        s->move.advance.cookie = bytes_of(lost, sizeof lost);
    record(s, marked);
}

static struct submission *submission_create(struct enroll *service, const struct submission_order *order)
{
    struct submission *s = calloc(1, sizeof *s);
    if (!s) {
        csr_free(order->csr);
        return NULL;
    }
    service->submissions++;
    s->service = service;
    s->alias = alias_ref(order->alias);
    s->csr = order->csr;
    s->first = order->first;
    if (order->recipient_sha256)
        memcpy(s->recipient_sha256, order->recipient_sha256, sizeof s->recipient_sha256);
    s->approved = order->approved;
    strncpy(s->record_id, order->record_id, sizeof s->record_id - 1);
    strncpy(s->client, order->client, sizeof s->client - 1);
    strncpy(s->renews, order->renews ? order->renews : "", sizeof s->renews - 1);
    buffer_init(&s->plan, BACKEND_PLAN_MAX);
    buffer_init(&s->cookie, BACKEND_COOKIE_MAX + 1);
    buffer_init(&s->next_cookie, BACKEND_COOKIE_MAX + 1);
    buffer_append(&s->plan, order->plan.data, order->plan.len);
    buffer_append(&s->cookie, order->cookie.data, order->cookie.len);
    fill_move(s, order->claim);
    if (s->plan.failed || s->cookie.failed) {
        submission_free(s);
        return NULL;
    }
    fill_ask(s);
    return s;
}

struct submission *submission_start(struct enroll *service, const struct submission_order *order,
                                    submission_done *done, void *context)
{
    struct submission *s = submission_create(service, order);
    if (!s)
        return NULL;
    s->done = done;
    s->context = context;
    if (order->held || order->refused) {
        if (order->held)
            move_held(s, order->held);
        else
            move_refused(s, order->refused);
        record(s, submission_recorded);
    } else if (!choose_call(s, &s->kind)) {
        move_attention(s);
        record(s, submission_recorded);
    } else if (s->kind == BACKEND_CALL_ENROLL && !s->first && (!safe_to_repeat(s) || lacks_plan(s))) {
        mark_and_call(s);
    } else {
        call_backend(s);
    }
    return s;
}

void submission_forget(struct submission *s)
{
    s->done = NULL;
}
