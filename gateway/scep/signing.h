/* signing.h: a pkiMessage: SignedData with one signer and SCEP's signed attributes (RFC 8894 section 3.2).
 * Pure. */
#pragma once

#include <openssl/x509.h>

#include "scep/attribute.h"

struct scep_signing {
    X509 *signer; /* included in the message */
    EVP_PKEY *key;
    enum scep_digest digest;
    struct bytes content; /* pkcsPKIEnvelope; empty: no eContent at all, and a digest over nothing (P-06) */
    const struct scep_attribute_value *attributes;
    size_t attribute_count;
    STACK_OF(X509) *also; /* certificates to include beside the signer's; NULL: none */
};

/* Appends the ContentInfo as DER. contentType, messageDigest and signingTime are added to `attributes`. */
enum error_code scep_sign(struct buffer *out, const struct scep_signing *s, struct error *e);
