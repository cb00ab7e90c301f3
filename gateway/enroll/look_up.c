/* look_up.c: the part of the story that knows GetCert and GetCRL (RFC 8894 sections 2.6, 2.7 and 3.3.4): they ask for
 * what exists, so nothing is begun and nothing waits.
 *
 * Whatever a message asks for in vain is answered alike, and at the same cost: a certificate that there is not, that is
 * another alias' or another client's, and an envelope that cannot be read. An answer that told these apart would decrypt
 * the envelopes of other people's requests (scep/open.h). So what can be said without the envelope is said before, and
 * what could not be read is looked up as well.
 */
#include <string.h>

#include "base/cleanup.h"
#include "enroll/delivery.h"
#include "enroll/enrolment.h"
#include "enroll/trail.h"

/* ---- facts --------------------------------------------------------------------------------------------- */

void look_up_read(struct opening *o)
{
    if (o->code != ERR_OK && o->code != ERR_ENVELOPE_UNREADABLE)
        return;
    const struct scep_message *m = o->message;
    struct look_up_facts *asked = &o->asked;
    certificate_name_hash(asked->issuer_sha256, m->issuer_der);
    certificate_serial_text(asked->serial, m->serial);
    if (m->signer && !m->signer_self_signed)
        opening_read_signer(o);
}

enum step_result look_up_admit(struct enrolment *e)
{
    if (delivery_admit(e) == STEP_FAIL)
        return STEP_FAIL;
    bool introduce = e->opening.message->type == SCEP_GET_CERT &&
                     e->alias->settings->queries.certificates == QUERY_ALIAS && e->opening.signer.serial[0];
    e->step = introduce ? STEP_INTRODUCE : STEP_LOOK_UP;
    return STEP_NEXT;
}

/* ---- who asks ------------------------------------------------------------------------------------------ */

static enum step_result find_certificate(struct enrolment *e, const char *issuer_sha256, const char *serial)
{
    store_request_init(&e->request, STORE_CERTIFICATE_FIND);
    e->request.certificate_find.alias = e->alias->settings->name;
    e->request.certificate_find.issuer_sha256 = issuer_sha256;
    e->request.certificate_find.serial = serial;
    return enrolment_ask_store(e);
}

/* An RA certificate, which is recorded without a transaction, is the gateway's own. */
static const struct certificate_record *found_for_client(const struct enrolment *e)
{
    const struct certificate_record *record = e->answer->certificate_count ? e->answer->certificates : NULL;
    return record && record->transaction[0] ? record : NULL;
}

static bool store_answered(const struct enrolment *e)
{
    return e->answer->outcome == STORE_OK || e->answer->outcome == STORE_NOT_FOUND;
}

enum step_result step_introduce(struct enrolment *e)
{
    return find_certificate(e, e->opening.signer.issuer_sha256, e->opening.signer.serial);
}

enum step_result step_introduced(struct enrolment *e)
{
    if (!store_answered(e))
        return enrolment_store_failed(e);
    const struct certificate_record *record = found_for_client(e);
    e->introduced = record && bytes_equal(record->der, buffer_bytes(&e->opening.signer_der)) &&
                    !record->revoked && record->not_before <= e->answer->now &&
                    e->answer->now < record->not_after;
    return STEP_NEXT;
}

/* ---- what is asked for --------------------------------------------------------------------------------- */

/* Every miss, with the cause for the audit trail alone. */
static enum step_result miss(struct enrolment *e, const char *cause)
{
    const struct opening *o = &e->opening;
    if (o->code != ERR_OK)
        cause = error_text(&o->error);
    return enrolment_fail(e, ERR_CERTIFICATE_UNKNOWN, "%s", cause);
}

/* A list is public, and of a whole CA: whoever asks may have it, and the serial number plays no part (checklist T-01). */
static enum step_result look_up_crl(struct enrolment *e)
{
    const struct enroll_parts *parts = &e->service->parts;
    const struct bytes *crl = NULL;
    if (e->opening.code == ERR_OK && parts->publisher)
        crl = publisher_crl(parts->publisher, e->alias->backend, e->opening.message->issuer_der);
    if (!crl || !crl->len)
        return miss(e, "the issuer is none of this alias' CAs, or has no revocation list");
    if (!outcome_of_crl(&e->outcome, *crl))
        return enrolment_fail(e, ERR_INTERNAL, "out of memory");
    return STEP_SETTLED;
}

enum step_result step_look_up(struct enrolment *e)
{
    const struct look_up_facts *asked = &e->opening.asked;
    if (e->opening.message->type == SCEP_GET_CRL)
        return look_up_crl(e);
    return find_certificate(e, asked->issuer_sha256, asked->serial);
}

static bool same_key(const struct enrolment *e, const struct certificate_facts *asked)
{
    return memcmp(asked->spki_sha256, e->opening.message->signer_spki_sha256, sizeof asked->spki_sha256) == 0;
}

static void audit_given(struct enrolment *e, const struct certificate_record *record)
{
    struct audit_details details;
    audit_details_init(&details);
    audit_detail(&details, "serial", record->serial);
    audit_detail(&details, "subject", record->subject);
    audit_detail(&details, "signer", e->opening.signer.serial[0] ? e->opening.signer.serial : NULL);
    trail_append(e->service, AUDIT_CERTIFICATE_GIVEN, e->alias, record->transaction, e->client, &details);
}

enum step_result step_looked_up(struct enrolment *e)
{
    struct certificate_facts facts;
    if (!store_answered(e))
        return enrolment_store_failed(e);
    const struct certificate_record *record = found_for_client(e);
    if (!record || certificate_read(&facts, record->der, NULL) != ERR_OK)
        return miss(e, "this alias issued no such certificate");
    if (!same_key(e, &facts) && !e->introduced)
        return miss(e, "the certificate is not the signer's own");
    audit_given(e, record);
    if (!outcome_of_chain(&e->outcome, &record->der, 1, record->serial))
        return enrolment_fail(e, ERR_INTERNAL, "out of memory");
    return STEP_SETTLED;
}
