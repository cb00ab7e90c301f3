/* certificate.h: what the gateway records of a certificate, read from its DER without decoding its public key. Pure. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#define CERTIFICATE_SERIAL_SIZE 65

struct certificate_facts {
    char serial[CERTIFICATE_SERIAL_SIZE]; /* hex, lower case, two digits per byte */
    char issuer_sha256[65];               /* hex, of the issuer Name's DER */
    char issuer[512];                     /* RFC 2253, shortened */
    char subject[512];                    /* RFC 2253, shortened */
    int64_t not_before, not_after;        /* ms since 1970 UTC */
    bool self_issued;                     /* issuer and subject are the same Name */
    uint8_t spki_sha256[32];              /* of the SubjectPublicKeyInfo, byte for byte */
};

/* ERR_KEY_UNUSABLE when `der` is not exactly one certificate. */
enum error_code certificate_read(struct certificate_facts *out, struct bytes der, struct error *e);

/* What an IssuerAndSerialNumber asks for, in the words of certificate_facts. Zeros in front of a serial number are
 * ignored; false, and an empty text, for one that no certificate can have: none at all, a negative or a huge one. */
bool certificate_serial_text(char out[CERTIFICATE_SERIAL_SIZE], struct bytes integer);
void certificate_name_hash(char out[65], struct bytes name);
