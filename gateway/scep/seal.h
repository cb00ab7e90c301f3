/* seal.h: CertRep messages in their three exact forms (RFC 8894 sections 3.3.2 and 3.4; checklist H, L, P,
 * Q).
 *
 * Pure: call from a worker. Everything in the reply is borrowed for the call.
 */
#pragma once

#include <openssl/x509.h>

#include "scep/message.h"

#define SCEP_CERTIFICATES_MAX 8

struct scep_reply {
    enum scep_pki_status status;
    enum fail_info fail;   /* with SCEP_FAILURE */
    const char *fail_text; /* with SCEP_FAILURE; NULL: no failInfoText */
    struct bytes transaction_id;
    struct bytes recipient_nonce; /* the request's senderNonce, byte for byte */
    enum scep_digest digest;
    /* SCEP_SUCCESS only: */
    enum scep_cipher cipher;
    struct scep_key_transport transport;
    enum scep_delivery delivery;
    X509 *recipient;       /* the certificate that signed the request (M-09) */
    struct bytes password; /* with SCEP_DELIVERY_PASSWORD: the challenge of the request */
    int iterations;        /* and how often PBKDF2 turns it over */
    struct bytes certificates[SCEP_CERTIFICATES_MAX]; /* DER, the issued one first (P-02) */
    size_t certificate_count;
    struct bytes crl; /* DER; instead of certificates */
    /* always: */
    X509 *signer; /* RA certificate, included in the message (G-04) */
    EVP_PKEY *signer_key;
};

/* Appends the DER to `out`. senderNonce is fresh, signingTime is now. */
enum error_code scep_seal(struct buffer *out, const struct scep_reply *reply, struct error *e);
