/* ca_body.h: what GetCACert and GetCACertChain answer for an RA identity (RFC 8894 section 4.2.1). Pure. */
#pragma once

#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/error.h"

struct ca_body_order {
    X509 *opener, *signer;     /* the RA's certificates; the same one when the RA has one for both */
    const struct bytes *chain; /* issuing CA up to the root, DER; empty for an RA that is the CA itself */
    size_t chain_count;
    bool root; /* in the answer to GetCACert; GetCACertChain always has it */
};

struct ca_body {
    struct bytes body;        /* GetCACert, ready to send; owned */
    const char *content_type; /* application/x-x509-ca-cert or -ca-ra-cert */
    struct bytes chain_body;  /* GetCACertChain; owned */
    char pin_sha256[65];      /* of the certificate that a client should pin: the issuing CA, hex */
};

#define CA_CHAIN_MAX       20
#define CA_CHAIN_BODY_TYPE "application/x-x509-ca-ra-cert-chain"

/* The certificate that opens comes first, because clients take the first for it; the one that signs second
 * (checklist D-08, D-09). ERR_KEY_UNUSABLE when clients could not verify the RA under a CA of the answer. */
enum error_code ca_body_make(struct ca_body *out, const struct ca_body_order *order, struct error *e);
enum error_code ca_body_copy(struct ca_body *out, const struct ca_body *from, struct error *e);
void ca_body_free(struct ca_body *b);
