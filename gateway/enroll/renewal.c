/* renewal.c: the part of the story that knows a renewal: the certificate that signed the request stands for the
 * challenge (RFC 8894 sections 2.3 and 3.3.1.2). Facts come from a worker and from the store, rules from
 * policy/renewal.h.
 */
#include <openssl/x509.h>
#include <string.h>

#include "alias/trust.h"
#include "enroll/enrolment.h"
#include "scep/same_names.h"

/* ---- facts --------------------------------------------------------------------------------------------- */

bool opening_read_signer(struct opening *o)
{
    int len = i2d_X509(o->message->signer, NULL);
    buffer_init(&o->signer_der, len > 0 ? (size_t)len : 0);
    uint8_t *at = len > 0 ? buffer_extend(&o->signer_der, (size_t)len) : NULL;
    return at && i2d_X509(o->message->signer, &at) == len &&
           certificate_read(&o->signer, buffer_bytes(&o->signer_der), NULL) == ERR_OK;
}

void renewal_read(struct opening *o)
{
    const struct scep_message *m = o->message;
    struct renewal_facts *f = &o->renewal_facts;
    *f = (struct renewal_facts){.self_signed = m->signer_self_signed, .proxy = o->proxy, .now = o->now};
    if (!o->trust || m->signer_self_signed || !opening_read_signer(o))
        return;
    f->not_before = o->signer.not_before;
    f->not_after = o->signer.not_after;
    trust_judge(o->trust, m->signer, f);
    if (!m->csr)
        return;
    f->same_key = memcmp(m->signer_spki_sha256, m->csr->spki_sha256, sizeof m->csr->spki_sha256) == 0;
    f->same_subject = same_subject(m->csr, m->signer);
    f->same_sans = same_sans(m->csr, m->signer);
}

void renewal_suspect(struct enrolment *e)
{
    const struct scep_message *m = e->opening.message;
    const struct renewal_settings *rules = &e->alias->settings->renewal;
    bool legacy =
        m->type == SCEP_PKCS_REQ && rules->legacy && e->opening.signer.serial[0] && !e->opening.proxy;
    if (rules->enabled && (m->type == SCEP_RENEWAL_REQ || legacy))
        e->renewal = RENEWAL_ASKED;
}

bool renewal_of_outcome(const struct enrolment *e, const struct transaction_record *record)
{
    return record->state == TRANSACTION_ISSUED && record->chain_count &&
           bytes_equal(record->chain[0], buffer_bytes(&e->opening.signer_der));
}

/* ---- consult ------------------------------------------------------------------------------------------- */

enum step_result step_consult(struct enrolment *e)
{
    if (e->renewal == RENEWAL_NONE) {
        e->step = STEP_AUTHORISE;
        return STEP_NEXT;
    }
    store_request_init(&e->request, STORE_CERTIFICATE_FIND);
    e->request.certificate_find.alias = e->alias->settings->name;
    e->request.certificate_find.issuer_sha256 = e->opening.signer.issuer_sha256;
    e->request.certificate_find.serial = e->opening.signer.serial;
    return enrolment_ask_store(e);
}

/* An RA certificate is recorded without a transaction: it is the gateway's own, and renews nothing. */
static void add_recorded(struct renewal_facts *f, const struct opening *o, const struct store_answer *answer)
{
    const struct certificate_record *record = answer->certificate_count ? answer->certificates : NULL;
    if (!record || !bytes_equal(record->der, buffer_bytes(&o->signer_der)))
        return;
    f->recorded = record->transaction[0] != '\0';
    f->revoked = record->revoked != 0;
}

/* A PKCSReq with its own key may still have a challenge: the certificate that signed it says nothing then,
 * unless somebody took it back. */
static bool may_enrol_instead(const struct enrolment *e)
{
    return e->opening.message->type == SCEP_PKCS_REQ && e->opening.renewal_facts.same_key &&
           e->renewal_verdict.code != ERR_RENEWAL_REVOKED;
}

static enum step_result refuse(struct enrolment *e)
{
    const struct renewal_facts *f = &e->opening.renewal_facts;
    bool stranger = !f->recorded && f->issuer == RENEWAL_BY_NOBODY;
    if (may_enrol_instead(e)) {
        e->renewal = RENEWAL_NONE;
        return STEP_NEXT;
    }
    if (e->opening.message->type == SCEP_PKCS_REQ && stranger)
        return enrolment_fail(e, ERR_SIGNER_NOT_CSR_KEY,
                              "the signer's key is not the CSR's, and its certificate was not issued here");
    return enrolment_fail(e, e->renewal_verdict.code, "%s", e->renewal_verdict.reason);
}

/* Of a held transaction: goes on waiting, or is taken up to be enrolled or rejected. */
static enum step_result consulted_again(struct enrolment *e)
{
    renewal_decide_again(&e->alias->settings->renewal, &e->opening.renewal_facts, &e->renewal_verdict);
    if (e->renewal_verdict.decision == RENEWAL_HELD) {
        outcome_pending(&e->outcome);
        return STEP_SETTLED;
    }
    e->step = STEP_TAKE_UP;
    return STEP_NEXT;
}

enum step_result step_consulted(struct enrolment *e)
{
    struct renewal_facts *f = &e->opening.renewal_facts;
    if (e->answer->outcome != STORE_OK && e->answer->outcome != STORE_NOT_FOUND)
        return enrolment_store_failed(e);
    add_recorded(f, &e->opening, e->answer);
    e->step = STEP_AUTHORISE;
    if (e->renewal == RENEWAL_HELD_AGAIN)
        return consulted_again(e);
    renewal_decide(&e->alias->settings->renewal, f, &e->renewal_verdict);
    if (e->renewal_verdict.decision == RENEWAL_REFUSED)
        return refuse(e);
    e->renewal = RENEWAL_PROVED;
    return STEP_NEXT;
}
