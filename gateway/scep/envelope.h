/* envelope.h: a pkcsPKIEnvelope: EnvelopedData for one RSA recipient (RFC 8894 sections 3.1 and 3.2.2). Pure.
 */
#pragma once

#include <openssl/x509.h>

#include "scep/message.h"

struct scep_envelope {
    struct bytes content; /* messageData */
    enum scep_cipher cipher;
    struct scep_key_transport transport;
    X509 *recipient;
};

/* Appends the ContentInfo as DER. A recipient whose key cannot encrypt: ERR_ALGORITHM_REFUSED. */
enum error_code scep_envelope_write(struct buffer *out, const struct scep_envelope *envelope,
                                    struct error *e);
/* ERR_ALGORITHM_REFUSED unless the certificate's key can be the recipient of an envelope. */
enum error_code scep_envelope_check_recipient(X509 *recipient, struct error *e);
