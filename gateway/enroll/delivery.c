/* delivery.c: see delivery.h. */
#include "enroll/delivery.h"

#include "enroll/restore.h"
#include "scep/envelope.h"

static enum scep_delivery delivery_with(const struct enrolment *e, bool password_known)
{
    return scep_delivery_for(e->opening.message->signer_key, password_known,
                             e->alias->settings->reply.to_ec_signers);
}

static bool has_password(const struct csr *csr)
{
    return csr->has_challenge && csr->challenge.len > 0;
}

void delivery_learn(struct enrolment *e, const struct csr *csr)
{
    if (e->password.len == 0 && delivery_with(e, has_password(csr)) == SCEP_DELIVERY_PASSWORD)
        secret_set(&e->password, csr->challenge.data, csr->challenge.len);
}

enum step_result delivery_admit(struct enrolment *e)
{
    const struct csr *csr = e->opening.message->csr;
    if (csr)
        delivery_learn(e, csr);
    if (delivery_with(e, e->password.len > 0) != SCEP_DELIVERY_NONE)
        return STEP_NEXT;
    return enrolment_fail(
        e, ERR_REPLY_IMPOSSIBLE, "the signer's key cannot encrypt, and %s; see `reply.to_ec_signers`",
        csr && has_password(csr) ? "its challenge may not be used for it"
                                 : "the request has no challenge to encrypt the reply with");
}

bool delivery_needs_csr(const struct csr *csr, const struct alias_settings *a)
{
    return csr->key.kind != KEY_RSA && has_password(csr) && (a->reply.to_ec_signers & SCEP_EC_REPLY_PASSWORD);
}

/* ---- the rows ------------------------------------------------------------------------------------------ */

static void csr_recollected(void *context, struct csr *csr, const char *problem)
{
    (void)problem; /* the next row sees that there is no password */
    struct enrolment *e = context;
    if (csr)
        delivery_learn(e, csr);
    csr_free(csr);
    enrolment_resume(e);
}

/* A CertPoll does not bring the challenge, but the request that it asks after did. */
enum step_result step_recollect(struct enrolment *e)
{
    if (e->outcome.status != SCEP_SUCCESS || e->password.len > 0 ||
        delivery_with(e, true) != SCEP_DELIVERY_PASSWORD)
        return STEP_NEXT;
    const struct transaction_record *record =
        e->answer && e->answer->transaction_count ? e->answer->transactions : NULL;
    if (!record || !record->sealed_csr.len ||
        restore_csr(e->service, e->alias, record, csr_recollected, e) != ERR_OK)
        return STEP_NEXT;
    return STEP_WAIT;
}

enum step_result step_recollected(struct enrolment *e)
{
    if (e->outcome.status != SCEP_SUCCESS)
        return STEP_NEXT;
    e->delivery = delivery_with(e, e->password.len > 0);
    if (e->delivery == SCEP_DELIVERY_NONE) {
        enrolment_fail(
            e, ERR_REPLY_IMPOSSIBLE,
            "the certificate is there, but not the challenge to encrypt it with; the client gets it "
            "when it sends its request again");
        outcome_fail(&e->outcome, ERR_REPLY_IMPOSSIBLE);
    }
    return STEP_NEXT;
}
