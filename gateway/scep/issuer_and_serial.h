/* issuer_and_serial.h: the IssuerAndSerialNumber of GetCert and GetCRL (RFC 8894 section 3.3.4, RFC 5652 section 10.2.4).
 * Pure.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct issuer_and_serial {
    struct bytes issuer; /* Name, whole */
    struct bytes serial; /* INTEGER contents, as sent */
};

/* Exactly one, as BER. Borrows from `payload`. */
bool issuer_and_serial_read(struct issuer_and_serial *out, struct bytes payload);
