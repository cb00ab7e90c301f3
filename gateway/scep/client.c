/* client.c: requests (see client.h); client_reply.c opens replies, client_identity.c makes CSRs and picks
 * certificates. */
#include "scep/client.h"

#include <openssl/asn1t.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "scep/encode.h"
#include "scep/envelope.h"
#include "scep/signing.h"

#define REQUEST_MAX (1024 * 1024)

typedef struct issuer_and_subject { /* section 3.3.3 */
    X509_NAME *issuer;
    X509_NAME *subject;
} ISSUER_AND_SUBJECT;

/* clang-format off */
ASN1_SEQUENCE(ISSUER_AND_SUBJECT) = {
    ASN1_SIMPLE(ISSUER_AND_SUBJECT, issuer, X509_NAME),
    ASN1_SIMPLE(ISSUER_AND_SUBJECT, subject, X509_NAME),
} static_ASN1_SEQUENCE_END(ISSUER_AND_SUBJECT);
/* clang-format on */

/* messageData of the request (section 3.2.2). */
static enum error_code write_data(struct buffer *out, const struct scep_client_request *r, struct error *e)
{
    switch (r->type) {
    case SCEP_PKCS_REQ:
    case SCEP_RENEWAL_REQ:
        if (r->csr.len == 0)
            return error_set(e, ERR_INTERNAL, "a %s without a CSR", scep_message_type_name(r->type));
        buffer_append(out, r->csr.data, r->csr.len);
        return out->failed ? error_set(e, ERR_INTERNAL, "the CSR is too large to be sent") : ERR_OK;
    case SCEP_CERT_POLL:
        if (!r->issuer || !r->subject)
            return error_set(e, ERR_INTERNAL, "a CertPoll without issuer and subject");
        const ISSUER_AND_SUBJECT names = {.issuer = r->issuer, .subject = r->subject};
        return scep_encode(out, ASN1_ITEM_rptr(ISSUER_AND_SUBJECT), &names, e);
    default:
        return error_set(e, ERR_INTERNAL, "the client does not send %s", scep_message_type_name(r->type));
    }
}

enum error_code scep_client_seal(struct buffer *out, const struct scep_client_request *r, struct error *e)
{
    CLEANUP(buffer) struct buffer data;
    buffer_init(&data, REQUEST_MAX);
    enum error_code code = write_data(&data, r, e);
    if (code)
        return code;
    CLEANUP(buffer) struct buffer envelope;
    buffer_init(&envelope, REQUEST_MAX);
    const struct scep_envelope inside = {
        .content = buffer_bytes(&data), .cipher = r->cipher, .recipient = r->recipient};
    code = scep_envelope_write(&envelope, &inside, e);
    if (code)
        return code;

    char type[12];
    snprintf(type, sizeof type, "%d", (int)r->type);
    const struct scep_attribute_value attributes[] = {
        {SCEP_ATTRIBUTE_TRANSACTION_ID, r->transaction_id},
        {SCEP_ATTRIBUTE_MESSAGE_TYPE, bytes_of_text(type)},
        {SCEP_ATTRIBUTE_SENDER_NONCE, bytes_of(r->sender_nonce, sizeof r->sender_nonce)},
    };
    const struct scep_signing signing = {
        .signer = r->signer,
        .key = r->signer_key,
        .digest = r->digest,
        .content = buffer_bytes(&envelope),
        .attributes = attributes,
        .attribute_count = sizeof attributes / sizeof *attributes,
    };
    return scep_sign(out, &signing, e);
}
