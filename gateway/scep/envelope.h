/* envelope.h: a pkcsPKIEnvelope: EnvelopedData for one recipient (RFC 8894 sections 3.1 and 3.2.2). Pure.
 */
#pragma once

#include <openssl/x509.h>

#include "scep/message.h"

struct scep_envelope {
    struct bytes content; /* messageData */
    enum scep_cipher cipher;
    enum scep_delivery delivery;
    struct scep_key_transport transport; /* SCEP_DELIVERY_TRANSPORT */
    X509 *recipient;                     /* SCEP_DELIVERY_TRANSPORT, SCEP_DELIVERY_AGREEMENT */
    struct bytes password;               /* SCEP_DELIVERY_PASSWORD; never empty */
    int iterations;                      /* of PBKDF2 */
};

/* How something can be encrypted to the owner of `key`, `allowed` being a set of enum scep_ec_reply. A known
 * password goes before key agreement, because that is what RFC 8894 section 3.1 asks for. */
enum scep_delivery scep_delivery_for(EVP_PKEY *key, bool password_known, uint32_t allowed);
/* Appends the ContentInfo as DER. ERR_ALGORITHM_REFUSED: the recipient's key does not allow this delivery, or
 * an algorithm is not available. */
enum error_code scep_envelope_write(struct buffer *out, const struct scep_envelope *envelope,
                                    struct error *e);
