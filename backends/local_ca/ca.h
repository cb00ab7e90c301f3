/* ca.h: a CA that can sign: its certificate, key and chain, loaded and checked once, with everything that
 * issuing reads made ready.
 *
 * Immutable after ca_load; any thread may sign, each with a context of its own.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "backends/backend.h"
#include "backends/local_ca/ca_files.h"
#include "backends/local_ca/der.h"

struct ca {
    X509 *certificate;
    EVP_PKEY *key;
    struct der chain[BACKEND_CHAIN_MAX]; /* DER, this CA first, up to the root as far as the files go */
    size_t chain_count;
    int64_t not_before, not_after; /* seconds since 1970 */
    struct der subject;            /* Name */
    struct der algorithm;          /* AlgorithmIdentifier of its signatures */
    struct der key_id;             /* subjectKeyIdentifier's octets; empty when the certificate has none */
    EVP_MD *sha256;     /* fetched once: a look-up by name per certificate costs more than hashing */
    EVP_MD_CTX *signer; /* an initialised EVP_DigestSign context, only ever copied */
};

struct ca_source {
    const char *certificate; /* PEM; further certificates in it are the chain unless `chain` is given */
    const char *key;         /* PEM */
    const char *passphrase;  /* NULL without */
    const char *chain;       /* PEM, issuer of the CA first; NULL without */
    const char *digest;      /* "sha256" */
    bool whenever;           /* its validity does not have to span the present */
};

/* Checks that key and certificate belong together, CA:TRUE, keyCertSign, validity, key type and size, and
 * every link of the chain. */
bool ca_load(struct ca **out, const struct ca_source *source, struct problem *p);
void ca_free(struct ca *ca); /* accepts NULL */
/* Appends SEQUENCE { tbs, algorithm, signature } for a finished TBSCertificate. Thread-safe. */
bool ca_sign(const struct ca *ca, struct backend_bytes tbs, struct der *out);

/* Reads PEM; a passphrase that is missing is a problem, never a prompt. */
bool ca_read_key(EVP_PKEY **out, const char *path, const char *passphrase, struct problem *p);
bool ca_read_certificates(STACK_OF(X509) **out, const char *path, struct problem *p);
/* The checks of ca_load on a pair, also used before a subordinate is signed with it. */
bool ca_check_pair(X509 *certificate, EVP_PKEY *key, const struct ca_source *source, struct problem *p);
int64_t ca_time(const ASN1_TIME *t); /* seconds since 1970; 0 when unreadable */
