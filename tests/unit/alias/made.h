/* made.h: certificates for tests, made with OpenSSL alone. */
#pragma once

#include <openssl/x509.h>

#include "base/bytes.h"

struct made {
    X509 *certificate;
    EVP_PKEY *key;
};

struct made_order {
    const char *name;
    const struct made *issuer; /* NULL: self-signed */
    bool ca;
    const char *usage; /* NULL: no keyUsage */
    bool ec;
    long from, to; /* seconds from now; both 0: a day around now */
};

struct made make(struct made_order order);
void made_free(struct made *m);
struct bytes made_der(const struct made *m);                       /* the caller frees data with free() */
void made_write(const char *path, const struct made *m, bool key); /* PEM */
