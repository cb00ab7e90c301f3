/* issuer_and_serial.c: see issuer_and_serial.h. */
#include "scep/issuer_and_serial.h"

#include "scep/ber.h"

bool issuer_and_serial_read(struct issuer_and_serial *out, struct bytes payload)
{
    struct ber outer, issuer, serial;
    size_t length;
    if (ber_check(payload, &length, NULL) || !ber_take(&payload, BER_SEQUENCE, &outer) || payload.len > 0 ||
        !ber_take(&outer.content, BER_SEQUENCE, &issuer) || !ber_take(&outer.content, BER_INTEGER, &serial) ||
        outer.content.len > 0)
        return false;
    *out = (struct issuer_and_serial){.issuer = issuer.whole, .serial = serial.content};
    return true;
}
