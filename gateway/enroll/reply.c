/* reply.c: the tail of the story: seal the CertRep, answer, leave the audit row. The one way out. */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "enroll/enrolment.h"
#include "enroll/trail.h"

#define PKI_MESSAGE "application/x-pki-message"
#define REPLY_MAX   (256 * 1024) /* a revocation list comes on top */

/* ---- seal ---------------------------------------------------------------------------------------------- */

static void seal_run(void *data)
{
    struct sealing *s = data;
    s->code = scep_seal(&s->der, &s->reply, &s->error);
}

static void seal_done(void *data)
{
    struct enrolment *e = (struct enrolment *)((char *)data - offsetof(struct enrolment, sealing));
    enrolment_resume(e);
}

static bool is_challenge_failure(enum error_code code)
{
    return code == ERR_CHALLENGE_REFUSED || code == ERR_CHALLENGE_EXPIRED || code == ERR_CHALLENGE_REUSED ||
           code == ERR_CHALLENGE_BINDING || code == ERR_CHALLENGE_LIMITED;
}

/* compat.refused_challenge_as_401: whoever did not prove that he may ask is answered by HTTP. */
static bool is_unauthorized(const struct enrolment *e)
{
    return e->alias->settings->compat.refused_challenge_as_401 && e->outcome.status == SCEP_FAILURE &&
           (e->outcome.error == ERR_CHALLENGE_MISSING || is_challenge_failure(e->outcome.error));
}

/* A CertRep needs a readable transactionID and nonce, and an error that RFC 8894 has a failInfo for. */
static bool can_seal(const struct enrolment *e)
{
    if (!e->opening.message || is_unauthorized(e))
        return false;
    return e->outcome.status != SCEP_FAILURE || error_info(e->outcome.error)->fail != FAIL_NONE;
}

/* The request's digest, unless the request was refused for it. */
static enum scep_digest reply_digest(const struct enrolment *e)
{
    enum scep_digest asked = e->opening.message->digest;
    return asked & e->opening.rules.digests ? asked : SCEP_DIGEST_SHA256;
}

static const char *fail_text(const struct enrolment *e)
{
    if (!e->alias->settings->compat.fail_info_text)
        return NULL;
    if (e->outcome.error == ERR_ENVELOPE_UNREADABLE) /* one uniform answer, without text */
        return NULL;
    if (e->outcome.reason[0])
        return e->outcome.reason;
    if (e->outcome.error == ERR_POLICY_REFUSED && e->policy.reasons[0])
        return e->policy.reasons;
    return error_info(e->outcome.error)->sentence;
}

/* How many of a chain, issued certificate first, a client is sent. */
static size_t certificates_sent(const struct outcome *o, enum reply_certificates wanted)
{
    struct certificate_facts last;
    switch (wanted) {
    case REPLY_ISSUED:
        return 1;
    case REPLY_ISSUER:
        return o->chain_count < 2 ? o->chain_count : 2;
    case REPLY_INTERMEDIATES:
        return o->chain_count > 1 && certificate_read(&last, o->chain[o->chain_count - 1], NULL) == ERR_OK &&
                       last.self_issued
                   ? o->chain_count - 1
                   : o->chain_count;
    case REPLY_ALL:
        break;
    }
    return o->chain_count;
}

/* The issued one first: some clients take the first (P-02). */
static void fill_certificates(struct scep_reply *reply, const struct outcome *o,
                              enum reply_certificates wanted)
{
    reply->certificate_count = certificates_sent(o, wanted);
    memcpy(reply->certificates, o->chain, reply->certificate_count * sizeof *reply->certificates);
}

static void fill_reply(struct enrolment *e, struct scep_reply *reply)
{
    const struct scep_message *m = e->opening.message;
    const struct scep_recipient *ra = &e->opening.ra->signers[m->recipient];
    *reply = (struct scep_reply){.status = e->outcome.status,
                                 .fail = FAIL_NONE,
                                 .transaction_id = m->transaction_id,
                                 .recipient_nonce = m->sender_nonce,
                                 .digest = reply_digest(e),
                                 .signer = ra->certificate,
                                 .signer_key = ra->key};
    if (reply->status == SCEP_FAILURE) {
        reply->fail = error_info(e->outcome.error)->fail;
        reply->fail_text = fail_text(e);
    }
    if (reply->status == SCEP_SUCCESS) {
        reply->cipher = m->cipher;
        reply->transport = m->transport;
        reply->delivery = e->delivery;
        reply->recipient = m->signer;
        reply->password = bytes_of(e->password.data, e->password.len);
        reply->iterations = e->alias->settings->reply.password_iterations;
        reply->crl = e->outcome.crl;
        if (!reply->crl.len)
            fill_certificates(reply, &e->outcome, e->alias->settings->reply.certificates);
    }
}

enum step_result step_seal(struct enrolment *e)
{
    if (!can_seal(e)) {
        e->step = STEP_REPLY;
        return STEP_NEXT;
    }
    buffer_init(&e->sealing.der, REPLY_MAX + e->outcome.crl.len);
    fill_reply(e, &e->sealing.reply);
    enum error_code code = pool_submit(e->alias->lane, (struct job){seal_run, seal_done, &e->sealing});
    if (code != ERR_OK)
        return enrolment_fail(e, code, "the worker queue of this alias is full");
    return STEP_WAIT;
}

enum step_result step_sealed(struct enrolment *e)
{
    if (e->sealing.code == ERR_OK && !e->sealing.der.failed)
        return STEP_NEXT;
    buffer_reset(&e->sealing.der);
    return enrolment_fail(e, ERR_INTERNAL, "the reply cannot be sealed: %s", error_text(&e->sealing.error));
}

/* ---- reply, metrics, log, audit ------------------------------------------------------------------------ */

static const char *status_name(enum scep_pki_status status)
{
    return status == SCEP_SUCCESS ? "success" : status == SCEP_PENDING ? "pending" : "failure";
}

static void count_reply(const struct enrolment *e, int http_status)
{
    static const char *const fails[] = {"badAlg", "badMessageCheck", "badRequest", "badTime", "badCertId"};
    struct metrics *m = e->service->parts.metrics;
    const struct error_info *info = error_info(e->outcome.error);
    const char *alias = e->alias->settings->name;
    char status[8];
    snprintf(status, sizeof status, "%d", http_status);
    metrics_add(m, METRIC_HTTP_REQUESTS, 1, METRIC_LABELS("PKIOperation", status));
    metrics_observe(m, METRIC_ENROLMENT_SECONDS,
                    (double)(clock_monotonic(e->service->parts.clock) - e->started) / 1000.0,
                    METRIC_LABELS(alias));
    if (e->outcome.status == SCEP_FAILURE)
        metrics_add(m, METRIC_REFUSALS, 1, METRIC_LABELS(alias, info->name));
    if (e->outcome.status == SCEP_FAILURE && is_challenge_failure(e->outcome.error))
        metrics_add(m, METRIC_CHALLENGE_FAILURES, 1, METRIC_LABELS(alias));
    if (http_status != 200)
        return;
    const char *fail = e->outcome.status == SCEP_FAILURE && info->fail != FAIL_NONE ? fails[info->fail] : "";
    metrics_add(m, METRIC_REPLIES, 1,
                METRIC_LABELS(alias, scep_message_type_name(e->opening.message->type),
                              status_name(e->outcome.status), fail));
}

/* Which audit event a refusal is; AUDIT_COUNT for what another room has audited, or what is no refusal of the
 * client. */
static enum audit_code refusal_event(enum error_code code)
{
    switch (code) {
    case ERR_CHALLENGE_REUSED:
        return AUDIT_CHALLENGE_REUSED;
    case ERR_CHALLENGE_MISSING:
    case ERR_CHALLENGE_REFUSED:
    case ERR_CHALLENGE_EXPIRED:
    case ERR_CHALLENGE_BINDING:
    case ERR_CHALLENGE_LIMITED:
        return AUDIT_CHALLENGE_REFUSED;
    case ERR_POLICY_REFUSED:
        return AUDIT_REQUEST_REFUSED;
    case ERR_RENEWAL_SIGNER:
    case ERR_RENEWAL_EXPIRED:
    case ERR_RENEWAL_REVOKED:
    case ERR_RENEWAL_UNKNOWN:
    case ERR_RENEWAL_EARLY:
    case ERR_RENEWAL_CHANGED:
    case ERR_RENEWAL_UNDER_WAY:
        return AUDIT_RENEWAL_REFUSED;
    case ERR_STORE_UNAVAILABLE:
    case ERR_OVERLOADED:
    case ERR_SHUTTING_DOWN:
    case ERR_BACKEND_UNAVAILABLE:
        return AUDIT_COUNT;
    default:
        return AUDIT_MESSAGE_REFUSED;
    }
}

static void audit_refusal(const struct enrolment *e)
{
    enum audit_code event = refusal_event(e->error.code);
    if (event == AUDIT_COUNT)
        return;
    struct audit_details details;
    audit_details_init(&details);
    audit_detail(&details, "error", error_info(e->error.code)->name);
    audit_detail(&details, e->error.code == ERR_POLICY_REFUSED ? "reasons" : "cause", e->error.text);
    if (e->opening.message)
        audit_detail(&details, "message_type", scep_message_type_name(e->opening.message->type));
    audit_detail(&details, "transaction_id", e->transaction_text);
    if (event == AUDIT_RENEWAL_REFUSED)
        audit_detail(&details, "renews", e->opening.signer.serial);
    audit_detail(&details, "challenge", e->challenge.challenge_id[0] ? e->challenge.challenge_id : NULL);
    audit_detail(&details, "bound_to", e->challenge.bound_to[0] ? e->challenge.bound_to : NULL);
    trail_append(e->service, event, e->alias, "", e->client, &details);
}

static void log_reply(const struct enrolment *e)
{
    struct log_scope scope = enrolment_scope(e);
    if (e->error.code != ERR_OK)
        log_line((enum log_level)error_info(e->error.code)->log_level, &scope, "enrolment.refused", "%s: %s",
                 error_info(e->error.code)->name,
                 e->error.text[0] ? e->error.text : error_info(e->error.code)->sentence);
    else
        log_line(LOG_LEVEL_INFO, &scope, "enrolment.answered", "%s %s%s%s",
                 scep_message_type_name(e->opening.message->type), status_name(e->outcome.status),
                 e->outcome.serial[0] ? ", serial " : "", e->outcome.serial);
}

enum step_result step_reply(struct enrolment *e)
{
    static const struct http_header no_store[] = {{"Cache-Control", "no-store"}};
    const struct error_info *info = error_info(e->outcome.error);
    struct bytes der = buffer_bytes(&e->sealing.der);
    int http_status = der.len ? 200 : is_unauthorized(e) ? 401 : info->http_status;
    log_reply(e);
    count_reply(e, http_status);
    if (e->error.code != ERR_OK)
        audit_refusal(e);
    if (der.len)
        http_reply(e->exchange, 200, PKI_MESSAGE, der, no_store, 1);
    else
        http_reply_error(e->exchange, http_status, info->sentence,
                         http_status == 503 ? e->settings->enroll.retry_after : 0);
    e->exchange = NULL;
    return STEP_NEXT;
}
