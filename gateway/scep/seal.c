/* seal.c: see seal.h. */
#include "scep/seal.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "scep/chain.h"
#include "scep/envelope.h"
#include "scep/signing.h"

#define SEALED_MAX                                                                                           \
    (1024 * 1024) /* of an intermediate form, without a revocation list; far above eight certificates */

/* messageType, pkiStatus, transactionID, two nonces, failInfo, failInfoText */
#define ATTRIBUTES_MAX 7

static enum error_code write_bag(struct buffer *bag, const struct scep_reply *reply, struct error *e)
{
    if (reply->crl.len && !reply->certificate_count)
        return scep_chain_write_crl(bag, reply->crl, e);
    if (reply->crl.len || reply->certificate_count == 0 || reply->certificate_count > SCEP_CERTIFICATES_MAX)
        return error_set(e, ERR_INTERNAL, "a SUCCESS reply with %zu certificates%s", reply->certificate_count,
                         reply->crl.len ? " and a revocation list" : "");
    return scep_chain_write(bag, reply->certificates, reply->certificate_count, e);
}

/* Only SUCCESS has content: the envelope around degenerate SignedData (section 3.3.2.1). */
static enum error_code envelope_bag(struct buffer *out, const struct scep_reply *reply, struct error *e)
{
    CLEANUP(buffer) struct buffer bag;
    buffer_init(&bag, SEALED_MAX + reply->crl.len);
    enum error_code code = write_bag(&bag, reply, e);
    if (code)
        return code;
    const struct scep_envelope envelope = {.content = buffer_bytes(&bag),
                                           .cipher = reply->cipher,
                                           .delivery = reply->delivery,
                                           .transport = reply->transport,
                                           .recipient = reply->recipient,
                                           .password = reply->password,
                                           .iterations = reply->iterations};
    return scep_envelope_write(out, &envelope, e);
}

static struct bytes status_text(enum scep_pki_status status)
{
    return bytes_of_text(status == SCEP_SUCCESS ? "0" : status == SCEP_FAILURE ? "2" : "3");
}

static struct bytes fail_text(enum fail_info fail)
{
    static const char *const digits[] = {"0", "1", "2", "3", "4"};
    return bytes_of_text(digits[fail]);
}

static size_t fill_attributes(struct scep_attribute_value out[ATTRIBUTES_MAX], const struct scep_reply *reply,
                              struct bytes sender_nonce)
{
    size_t count = 0;
    out[count++] = (struct scep_attribute_value){SCEP_ATTRIBUTE_TRANSACTION_ID, reply->transaction_id};
    out[count++] = (struct scep_attribute_value){SCEP_ATTRIBUTE_MESSAGE_TYPE, bytes_of_text("3")};
    out[count++] = (struct scep_attribute_value){SCEP_ATTRIBUTE_PKI_STATUS, status_text(reply->status)};
    out[count++] = (struct scep_attribute_value){SCEP_ATTRIBUTE_SENDER_NONCE, sender_nonce};
    out[count++] = (struct scep_attribute_value){SCEP_ATTRIBUTE_RECIPIENT_NONCE, reply->recipient_nonce};
    if (reply->status == SCEP_FAILURE) {
        out[count++] = (struct scep_attribute_value){SCEP_ATTRIBUTE_FAIL_INFO, fail_text(reply->fail)};
        if (reply->fail_text)
            out[count++] =
                (struct scep_attribute_value){SCEP_ATTRIBUTE_FAIL_INFO_TEXT, bytes_of_text(reply->fail_text)};
    }
    return count;
}

static enum error_code check_reply(const struct scep_reply *reply, struct error *e)
{
    if (!reply->signer || !reply->signer_key)
        return error_set(e, ERR_INTERNAL, "a reply without a signer");
    if (reply->status != SCEP_SUCCESS && reply->status != SCEP_FAILURE && reply->status != SCEP_PENDING)
        return error_set(e, ERR_INTERNAL, "a reply with pkiStatus %d", (int)reply->status);
    if (reply->status == SCEP_FAILURE && (reply->fail < FAIL_BAD_ALG || reply->fail > FAIL_BAD_CERT_ID))
        return error_set(e, ERR_INTERNAL, "a FAILURE with failInfo %d", (int)reply->fail);
    return ERR_OK;
}

enum error_code scep_seal(struct buffer *out, const struct scep_reply *reply, struct error *e)
{
    enum error_code code = check_reply(reply, e);
    if (code)
        return code;
    CLEANUP(buffer) struct buffer envelope;
    buffer_init(&envelope, SEALED_MAX + reply->crl.len);
    if (reply->status == SCEP_SUCCESS && (code = envelope_bag(&envelope, reply, e)))
        return code;

    uint8_t sender_nonce[SCEP_NONCE_SIZE];
    if ((code = secret_random(sender_nonce, sizeof sender_nonce)))
        return error_set(e, code, "no random bytes for a senderNonce");
    struct scep_attribute_value attributes[ATTRIBUTES_MAX];
    const struct scep_signing signing = {
        .signer = reply->signer,
        .key = reply->signer_key,
        .digest = reply->digest,
        .content = buffer_bytes(&envelope),
        .attributes = attributes,
        .attribute_count = fill_attributes(attributes, reply, bytes_of(sender_nonce, sizeof sender_nonce)),
    };
    return scep_sign(out, &signing, e);
}
