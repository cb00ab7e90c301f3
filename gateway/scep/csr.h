/* csr.h: a PKCS#10 request (RFC 2986) read once into the facts that policy, stores and backends need.
 *
 * Everything is owned by the `struct csr`. Attribute values are UTF-8 whatever string type they came in; a
 * subject or SAN value with an embedded NUL or an undecodable string makes the CSR malformed.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "scep/message.h"

enum key_kind { KEY_OTHER, KEY_RSA, KEY_EC, KEY_ED25519, KEY_ED448, KEY_DSA, KEY_RSA_PSS };

struct key_facts {
    enum key_kind kind;
    int bits;
    const char
        *curve; /* "P-256", "P-384", "P-521", or OpenSSL's short name; NULL for others. Static memory. */
};

enum san_kind { SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SAN_UPN, SAN_DIRECTORY, SAN_OTHER, SAN_KIND_COUNT };

struct subject_field {
    const char *name; /* "CN", "O", "serialNumber", "unstructuredName"; dotted OID when OpenSSL has no name */
    const char *value;
};

struct san_entry {
    enum san_kind kind;
    const char *
        value; /* as text; IP addresses in presentation form, directory names as RFC 2253, SAN_OTHER as its OID */
};

#define CSR_FIELDS_MAX 32
#define CSR_SANS_MAX   64

struct csr {
    struct bytes der;         /* exactly as decrypted */
    struct bytes subject_der; /* X.501 Name */
    struct bytes spki_der;    /* SubjectPublicKeyInfo, byte for byte */
    struct bytes
        extensions_der; /* SEQUENCE OF Extension as requested; empty when none. All three OIDs of N-13, merged */
    uint8_t info_sha256[32]; /* hash of CertificationRequestInfo: the identity of a request */
    uint8_t spki_sha256[32];
    struct key_facts key;
    int signature_digest; /* NID of the hash in the CSR's own signature; NID_undef for EdDSA */
    char *subject_text;   /* RFC 2253 */
    struct subject_field fields[CSR_FIELDS_MAX];
    size_t field_count;
    struct san_entry sans[CSR_SANS_MAX];
    size_t san_count;
    bool has_challenge;
    struct secret challenge; /* challengePassword as UTF-8 (checklist N-12) */
};

/* `known_key`, when its encoding is byte for byte the CSR's SPKI, verifies the CSR without decoding that key again (`known_spki`
 * is its encoding); otherwise pass NULL and an empty run. Verifies the self-signature (N-11). Limits: `rsa_max_bits` bounds
 * the work. On any failure ERR_ENVELOPE_UNREADABLE with the cause in `e` for the audit trail. */
enum error_code csr_parse(struct csr **out, struct bytes der, EVP_PKEY *known_key, struct bytes known_spki,
                          int rsa_max_bits, struct error *e);
void csr_free(struct csr *c); /* wipes the challenge; accepts NULL */

/* Facts of any public key. */
struct key_facts key_facts_of(EVP_PKEY *key);
const char *key_kind_name(enum key_kind kind); /* "rsa", "ec", … */
const char *san_kind_name(enum san_kind kind); /* "dns", "email", "ip", "uri", "upn", "directory", "other" */
