/* der.h: writes DER forwards into a growing buffer. A failure sticks; ask once at the end.
 *
 * Certificates are written with this instead of OpenSSL's X509 objects, because X509_set_pubkey decodes the
 * public key (more than a million instructions on OpenSSL 3.0) although its bytes only need to be copied.
 */
#pragma once

#include <openssl/asn1.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/backend.h"

struct der {
    uint8_t *data;
    size_t len, capacity;
    bool failed;
};

#define DER_SEQUENCE               0x30
#define DER_CONTEXT(n)             (0x80 | (n)) /* primitive */
#define DER_CONTEXT_CONSTRUCTED(n) (0xa0 | (n))

void der_free(struct der *d);
struct backend_bytes der_bytes(const struct der *d);
void der_raw(struct der *d, const void *data, size_t len);
/* Begins a constructed (or wrapping) element and returns where; der_close writes its length. Nested pairs. */
size_t der_open(struct der *d, uint8_t tag);
void der_close(struct der *d, size_t at);
void der_element(struct der *d, uint8_t tag, const void *contents, size_t len);
void der_object(struct der *d, const ASN1_OBJECT *object);
void der_nid(struct der *d, int nid);
void der_true(struct der *d);
/* UTCTime through 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5). Seconds since 1970. */
void der_time(struct der *d, int64_t seconds);
