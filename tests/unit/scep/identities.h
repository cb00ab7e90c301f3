/* identities.h: keys of tests/data/keys and certificates made on the spot, for tests of the protocol room. */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>

EVP_PKEY *identity_key(const char *name); /* "ra-rsa" */
/* `usage` in OpenSSL's notation, NULL for no keyUsage. Self-signed when `issuer` is NULL. */
struct identity_wish {
    const char *common_name;
    const char *usage;
    bool ca;
    X509 *issuer;
    EVP_PKEY *issuer_key;
};
X509 *identity_certificate(EVP_PKEY *key, const struct identity_wish *wish);
