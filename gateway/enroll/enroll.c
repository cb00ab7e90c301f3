/* enroll.c: THE STORY of an enrolment. Read it top to bottom; enrolment.h lists the rows, run.c drives them.
 *
 *   open - admit - recall - authorise - decide - begin - submit (and record) - seal - reply
 *
 * GetCert and GetCRL leave it after admit: look up - seal - reply (look_up.c).
 *
 * Every failure jumps to the tail: seal a FAILURE CertRep, or a bare HTTP error while none can be built, then
 * reply. A client that went away cancels nothing.
 */
#include <event2/event.h>
#include <string.h>

#include "alias/proxy.h"
#include "alias/trust.h"
#include "base/cleanup.h"
#include "enroll/delivery.h"
#include "enroll/gate.h"
#include "enroll/restore.h"
#include "enroll/trail.h"
#include "transaction/transaction.h"

#define FIRST_PAUSE   50 /* ms before a busy transaction is looked at again; doubles */
#define LONGEST_PAUSE 500

/* ---- store operations and waiting ---------------------------------------------------------------------- */

static void store_answered(void *context, struct store_answer *answer)
{
    struct enrolment *e = context;
    e->answer = answer;
    enrolment_resume(e);
}

enum step_result enrolment_ask_store(struct enrolment *e)
{
    store_answer_free(e->answer);
    e->answer = NULL;
    e->persist = (struct persist){.store = e->service->parts.store,
                                  .base = e->service->parts.base,
                                  .request = &e->request,
                                  .give_up_after = enrolment_patience(e),
                                  .done = store_answered,
                                  .context = e};
    persist_start(&e->persist);
    return STEP_WAIT;
}

enum step_result enrolment_store_failed(struct enrolment *e)
{
    return enrolment_fail(e, ERR_STORE_UNAVAILABLE, "%s: %s", store_outcome_name(e->answer->outcome),
                          e->answer->reason);
}

static void time_over(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    enrolment_resume(data);
}

static bool start_timer(struct enrolment *e, int64_t delay)
{
    struct timeval pause = {.tv_sec = delay / 1000, .tv_usec = (delay % 1000) * 1000};
    if (!e->timer)
        e->timer = evtimer_new(e->service->parts.base, time_over, e);
    return e->timer && evtimer_add(e->timer, &pause) == 0;
}

/* Somebody works on this transaction: look again until enroll.wait is over, then say PENDING. */
static enum step_result wait_for_other(struct enrolment *e)
{
    int64_t patience = enrolment_patience(e);
    e->pause = e->pause ? e->pause * 2 : FIRST_PAUSE;
    if (e->pause > LONGEST_PAUSE)
        e->pause = LONGEST_PAUSE;
    if (!patience || !start_timer(e, e->pause < patience ? e->pause : patience)) {
        outcome_pending(&e->outcome);
        return STEP_SETTLED;
    }
    e->step = STEP_RECALL;
    return STEP_WAIT;
}

static enum step_result settle_from(struct enrolment *e, const struct transaction_record *record)
{
    if (!outcome_of_record(&e->outcome, record))
        return enrolment_fail(e, ERR_INTERNAL, "out of memory");
    return STEP_SETTLED;
}

/* ---- open and admit ------------------------------------------------------------------------------------ */

static void open_run(void *data)
{
    struct opening *o = data;
    o->code = scep_open(&o->message, o->der, &o->rules, &o->error);
    struct scep_message *m = o->message;
    if (m && scep_type_asks(m->type)) {
        look_up_read(o);
        return;
    }
    if (o->code != ERR_OK)
        return;
    o->proxy = m->csr && proxy_signers_allow(o->proxies, m->signer, o->now);
    renewal_read(o);
}

static void open_done(void *data)
{
    struct enrolment *e = (struct enrolment *)((char *)data - offsetof(struct enrolment, opening));
    enrolment_resume(e);
}

static uint32_t types_served(const struct alias_settings *a)
{
    return SCEP_TYPE(SCEP_PKCS_REQ) | SCEP_TYPE(SCEP_CERT_POLL) |
           (a->renewal.enabled ? SCEP_TYPE(SCEP_RENEWAL_REQ) : 0) |
           (a->queries.certificates != QUERY_NONE ? SCEP_TYPE(SCEP_GET_CERT) : 0) |
           (a->queries.crl ? SCEP_TYPE(SCEP_GET_CRL) : 0);
}

enum step_result step_open(struct enrolment *e)
{
    const struct alias_settings *a = e->alias->settings;
    struct opening *o = &e->opening;
    o->ra = ra_set_ref(e->alias->ra);
    o->proxies = e->alias->proxies;
    o->trust = e->alias->trust ? trust_ref(e->alias->trust) : NULL;
    o->now = clock_realtime(e->service->parts.clock);
    o->rules = (struct scep_rules){
        .ciphers = a->ciphers | (a->compat.obsolete_des ? SCEP_CIPHER_DES : 0),
        .digests = a->digests | (a->compat.obsolete_md5 ? SCEP_DIGEST_MD5 : 0),
        .rsa_min_bits = a->policy.rsa_min_bits,
        .rsa_max_bits = a->policy.rsa_max_bits,
        .recipients = o->ra->identities,
        .recipient_count = o->ra->count,
        .ec_signers = a->reply.to_ec_signers != 0,
        .update_is_renewal = a->compat.update_req,
        .types = types_served(a),
    };
    enum error_code code = pool_submit(e->alias->lane, (struct job){open_run, open_done, o});
    if (code != ERR_OK)
        return enrolment_fail(e, code, "the worker queue of this alias is full");
    return STEP_WAIT;
}

static char *printable(struct bytes id)
{
    struct buffer text;
    buffer_init(&text, 4 * SCEP_TRANSACTION_ID_MAX + 1);
    for (size_t i = 0; i < id.len; i++) {
        if (id.data[i] > ' ' && id.data[i] < 0x7f && id.data[i] != '\\')
            buffer_append(&text, &id.data[i], 1);
        else
            buffer_format(&text, "\\x%02x", id.data[i]);
    }
    return buffer_take(&text, NULL);
}

static enum step_result open_again(struct enrolment *e)
{
    scep_message_free(TAKE(e->opening.message));
    ra_set_unref(TAKE(e->opening.ra));
    trust_unref(TAKE(e->opening.trust));
    e->opening.error = (struct error){0};
    e->step = STEP_OPEN;
    return STEP_NEXT;
}

static void looked_for_ra(void *context, bool looked)
{
    struct enrolment *e = context;
    if (!looked)
        e->opening.code = ERR_STORE_UNAVAILABLE;
    e->step = STEP_OPENED;
    enrolment_resume(e);
}

/* The recipient is in clear, and another replica may have made its identity a moment ago: the store knows. */
static bool look_for_ra(struct enrolment *e)
{
    bool first = !e->looked_for_ra;
    e->looked_for_ra = true;
    return first && ra_maker_look(e->service->parts.ra_maker, e->alias, looked_for_ra, e);
}

enum step_result step_opened(struct enrolment *e)
{
    struct opening *o = &e->opening;
    if (o->message && !e->transaction_text)
        e->transaction_text = printable(o->message->transaction_id);
    if (o->code == ERR_OK)
        return STEP_NEXT;
    if (o->code == ERR_ENVELOPE_UNREADABLE && scep_type_asks(o->message->type))
        return STEP_NEXT; /* it asks for nothing that there is */
    if (o->code == ERR_RECIPIENT_UNKNOWN && e->alias->ra != o->ra)
        return open_again(e);
    if (o->code == ERR_RECIPIENT_UNKNOWN && look_for_ra(e))
        return STEP_WAIT;
    return enrolment_fail(e, o->code, "%s", error_text(&o->error));
}

static void note_obsolete(struct enrolment *e, const struct scep_message *m)
{
    if (m->cipher != SCEP_CIPHER_DES && m->digest != SCEP_DIGEST_MD5)
        return;
    struct audit_details details;
    audit_details_init(&details);
    audit_detail(&details, "cipher", scep_cipher_name(m->cipher));
    audit_detail(&details, "digest", scep_digest_name(m->digest));
    trail_append(e->service, AUDIT_OBSOLETE_ALGORITHM, e->alias, "", e->client, &details);
}

/* A self-signed signer must have the CSR's key: a captured envelope could be signed again by anyone otherwise
 * . One with a certificate of ours may renew it: that is looked at after recall. */
enum step_result step_admit(struct enrolment *e)
{
    const struct scep_message *m = e->opening.message;
    note_obsolete(e, m);
    if (scep_type_asks(m->type))
        return look_up_admit(e);
    if (m->type == SCEP_CERT_POLL)
        return STEP_NEXT;
    renewal_suspect(e);
    if (memcmp(m->signer_spki_sha256, m->csr->spki_sha256, sizeof m->csr->spki_sha256) != 0 &&
        !e->opening.proxy && e->renewal == RENEWAL_NONE)
        return enrolment_fail(
            e, ERR_SIGNER_NOT_CSR_KEY,
            "the signer's key is not the CSR's, and the signer is none of this alias' proxy_signers");
    return delivery_admit(e);
}

/* ---- recall -------------------------------------------------------------------------------------------- */

static struct transaction_key key_of(const struct enrolment *e)
{
    const struct scep_message *m = e->opening.message;
    struct transaction_key key = {.alias = e->alias->settings->name, .transaction_id = m->transaction_id};
    memcpy(key.signer_spki_sha256, m->signer_spki_sha256, sizeof key.signer_spki_sha256);
    return key;
}

enum step_result step_recall(struct enrolment *e)
{
    store_request_init(&e->request, STORE_TRANSACTION_RECALL);
    e->request.recall = key_of(e);
    return enrolment_ask_store(e);
}

static enum step_result answer_again(struct enrolment *e, const struct transaction_record *record)
{
    if (record->state == TRANSACTION_ISSUED) {
        struct audit_details details;
        audit_details_init(&details);
        audit_detail(&details, "serial", record->serial);
        trail_append(e->service, AUDIT_CERTIFICATE_DELIVERED_AGAIN, e->alias, record->id, e->client,
                     &details);
    }
    return settle_from(e, record);
}

static enum step_result go_on_with(struct enrolment *e, const struct transaction_record *record, int64_t now)
{
    if (record->state == TRANSACTION_ATTENTION || record->decision == DECISION_AWAITED ||
        (record->state == TRANSACTION_PENDING && now < record->next_poll))
        return settle_from(e, record);
    strncpy(e->record_id, record->id, sizeof e->record_id - 1);
    e->step = STEP_TAKE_UP;
    if (!submission_is_held(record))
        return STEP_NEXT;
    if (strcmp(record->renews, e->opening.signer.serial) != 0)
        return enrolment_fail(e, ERR_RENEWAL_SIGNER, "not signed with the certificate that is to be renewed");
    e->renewal = RENEWAL_HELD_AGAIN;
    e->step = STEP_CONSULT;
    return STEP_NEXT;
}

/* Of a renewal the outcome is given again as long as it is known: nothing else keeps somebody who recorded the
 * request from having a further certificate made. */
static int64_t repeat_window(const struct enrolment *e, const struct transaction_record *record)
{
    bool renewal = record && record->renews[0];
    return renewal ? INT64_MAX : e->alias->settings->transaction.retransmit_window;
}

enum step_result step_recalled(struct enrolment *e)
{
    const struct csr *csr = e->opening.message->csr;
    e->given_back[0] = '\0';
    if (e->answer->outcome != STORE_OK && e->answer->outcome != STORE_NOT_FOUND)
        return enrolment_store_failed(e);
    const struct transaction_record *record = e->answer->transaction_count ? e->answer->transactions : NULL;
    int64_t now = e->answer->now; /* the store's: its times mean the same on every replica */
    if (record && e->renewal == RENEWAL_ASKED && renewal_of_outcome(e, record))
        return STEP_NEXT;
    switch (transaction_match(record, csr ? csr->info_sha256 : NULL, now, repeat_window(e, record))) {
    case TRANSACTION_ANSWER:
        return answer_again(e, record);
    case TRANSACTION_WAITING:
    case TRANSACTION_ORPHANED:
        return go_on_with(e, record, now);
    case TRANSACTION_BUSY:
        return wait_for_other(e);
    case TRANSACTION_OTHER:
        if (!e->alias->settings->transaction.supersede)
            return enrolment_fail(e, ERR_TRANSACTION_CONFLICT,
                                  "transaction %s is unfinished with another CSR", record->id);
        strncpy(e->given_back, record->challenge_id, sizeof e->given_back - 1);
        break;
    case TRANSACTION_NEW:
        break;
    }
    if (!csr)
        return enrolment_fail(e, ERR_TRANSACTION_UNKNOWN, "CertPoll for a transaction that does not exist");
    return STEP_NEXT;
}

/* ---- authorise and decide ------------------------------------------------------------------------------ */

static void challenge_answered(void *context, const struct challenge_verdict *verdict)
{
    struct enrolment *e = context;
    e->challenge = *verdict;
    enrolment_resume(e);
}

/* A renewal needs a challenge only where the settings say so. */
static bool needs_challenge(const struct enrolment *e)
{
    enum renewal_challenge rule = e->alias->settings->renewal.challenge;
    if (e->renewal != RENEWAL_PROVED || rule == RENEWAL_CHALLENGE_REQUIRED)
        return true;
    return rule == RENEWAL_CHALLENGE_CHECKED && e->opening.message->csr->has_challenge;
}

static bool forgives_used_challenge(const struct enrolment *e)
{
    return e->renewal == RENEWAL_PROVED && e->alias->settings->renewal.challenge == RENEWAL_CHALLENGE_CHECKED;
}

enum step_result step_authorise(struct enrolment *e)
{
    e->challenge = (struct challenge_verdict){.code = ERR_OK};
    if (!needs_challenge(e)) {
        e->step = STEP_DECIDE;
        return STEP_NEXT;
    }
    struct challenge_facts facts = {.csr = e->opening.message->csr,
                                    .used_is_good = forgives_used_challenge(e),
                                    .client_address = e->exchange->client_address,
                                    .given_back = e->given_back};
    challenge_validate(e->service->parts.challenges, e->alias, &facts, challenge_answered, e);
    return STEP_WAIT;
}

/* A copy of this very request may have begun since we recalled: then its transaction answers, and nobody
 * reused anything. */
static bool look_again(struct enrolment *e)
{
    if (e->looked_again)
        return false;
    e->looked_again = true;
    e->step = STEP_RECALL;
    return true;
}

enum step_result step_authorised(struct enrolment *e)
{
    if (e->challenge.code == ERR_OK || (e->challenge.code == ERR_CHALLENGE_REUSED && look_again(e)))
        return STEP_NEXT;
    if (e->challenge.code == ERR_CHALLENGE_MISSING && e->alias->gate)
        return STEP_NEXT; /* the gate may hold it; what passes without a challenge is refused at begin */
    return enrolment_fail(e, e->challenge.code, "%s", e->challenge.text);
}

enum step_result step_decide(struct enrolment *e)
{
    struct policy_facts facts = {.csr = e->opening.message->csr};
    policy_decide(e->alias->policy, &facts, &e->policy);
    if (e->policy.allowed)
        return STEP_NEXT;
    return enrolment_fail(e, ERR_POLICY_REFUSED, "%s", e->policy.reasons);
}

/* ---- begin --------------------------------------------------------------------------------------------- */

static struct backend_request planned_request(const struct enrolment *e, const struct csr *csr)
{
    const struct alias_settings *a = e->alias->settings;
    struct bytes issuer = ra_set_issuer(e->opening.ra, e->opening.message->recipient);
    return (struct backend_request){
        .transaction = e->record_id,
        .alias = a->name,
        .tenant = a->tenant,
        .purpose = BACKEND_FOR_CLIENT,
        .csr = {csr->der.data, csr->der.len},
        .subject = {csr->subject_der.data, csr->subject_der.len},
        .spki = {csr->spki_der.data, csr->spki_der.len},
        .extensions = {csr->extensions_der.data, csr->extensions_der.len},
        .max_validity = a->policy.max_validity,
        .issuer = {issuer.data, issuer.len},
    };
}

static void fill_renewal(struct enrolment *e)
{
    struct transaction_record *record = &e->request.begin.record;
    e->request.begin.retransmit_window = INT64_MAX; /* repeat_window */
    e->request.begin.alone = e->alias->settings->renewal.one_at_a_time;
    record->renews = e->opening.signer.serial;
    if (e->renewal_verdict.decision == RENEWAL_HELD)
        record->cookie = submission_held_cookie();
    audit_detail(&e->details, "renews", record->renews);
}

static void fill_begin(struct enrolment *e, const struct csr *csr, size_t plan_len)
{
    const struct alias_settings *a = e->alias->settings;
    struct transaction_record *record = &e->request.begin.record;
    e->request.begin.retransmit_window = a->transaction.retransmit_window;
    e->request.begin.supersede = a->transaction.supersede;
    e->request.begin.lease = e->settings->enroll.lease;
    record->id = e->record_id;
    record->key = key_of(e);
    memcpy(record->csr_info_sha256, csr->info_sha256, sizeof record->csr_info_sha256);
    X509_digest(e->opening.ra->identities[e->opening.message->recipient].certificate, EVP_sha256(),
                record->recipient_sha256, NULL);
    record->sealed_csr = buffer_bytes(&e->sealed_csr);
    record->plan = bytes_of(e->plan, plan_len);
    record->challenge_id = e->challenge.challenge_id;
    if (e->renewal == RENEWAL_PROVED)
        fill_renewal(e);
    record->subject = csr->subject_text;
    record->client = e->client;
    audit_detail(&e->details, "subject", csr->subject_text);
    audit_detail(&e->details, "challenge", e->challenge.challenge_id);
    audit_detail(&e->details, "backend", a->backend);
    e->request.events[e->request.event_count++] = audit_event(
        AUDIT_REQUEST_ACCEPTED, a->name, a->tenant, e->record_id, e->client, audit_details_text(&e->details));
    gate_fill_begin(e);
}

enum step_result step_begin(struct enrolment *e)
{
    const struct csr *csr = e->opening.message->csr;
    random_id(e->record_id);
    struct backend_request ask = planned_request(e, csr);
    if (gate_ask(e, &ask) == STEP_FAIL)
        return STEP_FAIL;
    /* What is held is planned when it has been approved: its validity is to begin then. */
    int plan_len = e->admission.hold ? 0 : backend_prepare(e->alias->backend, &ask, e->plan);
    if (plan_len < 0)
        return enrolment_fail(e, ERR_BACKEND_UNAVAILABLE, "the backend %s could not plan the request",
                              e->alias->settings->backend);
    buffer_reset(&e->sealed_csr);
    enum error_code code = keys_seal(e->service->parts.keys, SEAL_CSR, e->alias->settings->name, e->record_id,
                                     csr->der, &e->sealed_csr, &e->error);
    if (code != ERR_OK)
        return enrolment_fail(e, ERR_INTERNAL, "the request cannot be sealed for the store");
    audit_details_free(&e->details);
    audit_details_init(&e->details);
    store_request_init(&e->request, STORE_TRANSACTION_BEGIN);
    fill_begin(e, csr, (size_t)plan_len);
    return enrolment_ask_store(e);
}

static enum step_result challenge_taken(struct enrolment *e)
{
    const struct challenge_record *c = e->answer->challenge_count ? e->answer->challenges : NULL;
    if (c && !c->uses_left && look_again(e))
        return STEP_NEXT;
    challenge_failed(e->service->parts.challenges, e->alias, e->exchange->client_address);
    if (!c || c->state == CHALLENGE_REVOKED)
        return enrolment_fail(e, ERR_CHALLENGE_REFUSED, "the challenge was revoked meanwhile");
    if (c->uses_left > 0)
        return enrolment_fail(e, ERR_CHALLENGE_EXPIRED, "the challenge expired meanwhile");
    strncpy(e->challenge.bound_to, c->first_transaction, sizeof e->challenge.bound_to - 1);
    return enrolment_fail(e, ERR_CHALLENGE_REUSED, "the challenge was taken by transaction %s",
                          c->first_transaction);
}

/* An answer that was lost for long names a claim that our lease has lost meanwhile. */
static bool claim_is_stale(const struct store_answer *a)
{
    return a->transaction_count && a->transactions[0].claim != a->claim;
}

/* Copies from e->answer what the submission needs; a record that is not the one just made was left by
 * somebody else. */
static enum step_result order_from_answer(struct enrolment *e)
{
    const struct transaction_record *record = e->answer->transaction_count ? e->answer->transactions : NULL;
    bool first = !record || !strcmp(record->id, e->record_id);
    if (gate_holds(e, record))
        return settle_from(e, record);
    if (claim_is_stale(e->answer))
        return wait_for_other(e);
    if (!first)
        strncpy(e->record_id, record->id, sizeof e->record_id - 1);
    e->order = (struct submission_order){
        .alias = e->alias,
        .record_id = e->record_id,
        .claim = e->answer->claim,
        .plan = first ? e->request.begin.record.plan : record->plan,
        .cookie = first ? (struct bytes){0} : record->cookie,
        .renews = first ? e->request.begin.record.renews : record->renews,
        .held = first && e->renewal_verdict.decision == RENEWAL_HELD ? e->renewal_verdict.reason : NULL,
        .recipient_sha256 = first ? NULL : record->recipient_sha256,
        .approved = !first && record->decision == DECISION_APPROVED,
        .first = first,
        .client = e->client,
    };
    e->step = STEP_SUBMIT;
    return STEP_NEXT;
}

/* Under another key, which no other CONFLICT is. */
static bool renewed_elsewhere(const struct enrolment *e)
{
    const struct transaction_record *other = e->answer->transaction_count ? e->answer->transactions : NULL;
    struct transaction_key own = key_of(e);
    return other && (!bytes_equal(other->key.transaction_id, own.transaction_id) ||
                     memcmp(other->key.signer_spki_sha256, own.signer_spki_sha256,
                            sizeof own.signer_spki_sha256) != 0);
}

enum step_result step_begun(struct enrolment *e)
{
    switch (e->answer->outcome) {
    case STORE_MINE:
        return order_from_answer(e);
    case STORE_RUNNING:
        return wait_for_other(e);
    case STORE_FINISHED:
        return answer_again(e, e->answer->transactions);
    case STORE_TAKEN:
        return challenge_taken(e);
    case STORE_FULL:
        gate_limit_reached(e);
        e->step = STEP_BEGIN;
        return STEP_NEXT;
    case STORE_CONFLICT:
        if (renewed_elsewhere(e))
            return enrolment_fail(e, ERR_RENEWAL_UNDER_WAY, "transaction %s renews the same certificate",
                                  e->answer->transactions[0].id);
        return enrolment_fail(e, ERR_TRANSACTION_CONFLICT, "the transaction is unfinished with another CSR");
    default:
        return enrolment_store_failed(e);
    }
}

/* ---- take up: what recall found due or orphaned -------------------------------------------------------- */

enum step_result step_take_up(struct enrolment *e)
{
    store_request_init(&e->request, STORE_TRANSACTION_CLAIM);
    e->request.claim.alias = e->alias->settings->name;
    e->request.claim.record_id = e->record_id;
    e->request.claim.lease = e->settings->enroll.lease;
    return enrolment_ask_store(e);
}

static void csr_restored(void *context, struct csr *csr, const char *problem)
{
    struct enrolment *e = context;
    e->order.csr = csr;
    if (csr)
        delivery_learn(e, csr);
    else
        error_set(&e->error, ERR_INTERNAL, "%s", problem);
    enrolment_resume(e);
}

enum step_result step_taken_up(struct enrolment *e)
{
    switch (e->answer->outcome) {
    case STORE_MINE:
        break;
    case STORE_RUNNING:
        return wait_for_other(e);
    case STORE_FINISHED:
        return answer_again(e, e->answer->transactions);
    default:
        return enrolment_store_failed(e);
    }
    if (claim_is_stale(e->answer))
        return wait_for_other(e);
    const struct transaction_record *record = &e->answer->transactions[0];
    e->order = (struct submission_order){.alias = e->alias,
                                         .record_id = e->record_id,
                                         .claim = e->answer->claim,
                                         .plan = record->plan,
                                         .cookie = record->cookie,
                                         .renews = record->renews,
                                         .recipient_sha256 = record->recipient_sha256,
                                         .approved = record->decision == DECISION_APPROVED,
                                         .client = e->client};
    if (e->renewal == RENEWAL_HELD_AGAIN && e->renewal_verdict.decision == RENEWAL_GRANTED)
        e->order.cookie = submission_fresh_cookie();
    else if (e->renewal == RENEWAL_HELD_AGAIN)
        e->order.refused = &e->renewal_verdict;
    if (e->opening.message->csr)
        return STEP_NEXT;
    if (restore_csr(e->service, e->alias, record, csr_restored, e) != ERR_OK)
        return enrolment_fail(e, ERR_OVERLOADED, "the worker queue of this alias is full");
    return STEP_WAIT;
}

/* ---- submit -------------------------------------------------------------------------------------------- */

static void submission_over(void *context, const struct outcome *outcome)
{
    struct enrolment *e = context;
    e->submission = NULL;
    if (e->timer)
        evtimer_del(e->timer);
    if (outcome->status == SCEP_SUCCESS)
        outcome_of_chain(&e->outcome, outcome->chain, outcome->chain_count, outcome->serial);
    else if (outcome->status == SCEP_FAILURE)
        outcome_fail(&e->outcome, outcome->error);
    else
        outcome_pending(&e->outcome);
    enrolment_resume(e);
}

enum step_result step_submit(struct enrolment *e)
{
    struct scep_message *m = e->opening.message;
    if (!e->order.csr)
        e->order.csr = TAKE(m->csr);
    if (!e->order.csr)
        return STEP_FAIL; /* it could not be restored; e->error says why */
    e->submission = submission_start(e->service, &e->order, submission_over, e);
    if (!e->submission)
        return enrolment_fail(e, ERR_OVERLOADED, "out of memory");
    outcome_pending(&e->outcome); /* unless it ends before our patience does */
    if (start_timer(e, enrolment_patience(e)))
        return STEP_WAIT;
    submission_forget(TAKE(e->submission));
    return enrolment_fail(e, ERR_OVERLOADED, "out of memory");
}

enum step_result step_submitted(struct enrolment *e)
{
    if (e->submission) /* our patience is over: it goes on without us */
        submission_forget(TAKE(e->submission));
    return STEP_SETTLED;
}
