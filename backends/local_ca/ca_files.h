/* ca_files.h: making a CA: key, and a self-signed certificate, a request for one, or one signed by a local
 * CA.
 *
 * Used at first start and by `scepgate ca init`. Blocking. Nothing that exists is ever overwritten. Keys have
 * mode 0600 and are in place only once the certificate (or request) is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backends/local_ca/problem.h"

struct ca_order {
    const char *key_type;   /* one of ca_key_types(); NULL: rsa-3072 */
    const char *subject;    /* RFC 2253 text */
    const char *digest;     /* sha256, sha384, sha512; NULL: sha256 */
    int64_t validity;       /* ms; ignored for a request */
    bool answers_scep;      /* adds the keyUsage bits that CA-as-RA needs (ra.from: ca) */
    const char *passphrase; /* encrypts the key file; NULL or "": not encrypted */
    const char *key_path;
    const char *certificate_path; /* NULL with request_path */
    const char *request_path;     /* makes a PKCS#10 request for an outside root to sign; NULL otherwise */
    /* Signs a subordinate with this CA; its certificate is appended to the new one. All NULL: self-signed. */
    const char *issuer_certificate, *issuer_key, *issuer_passphrase;
};

bool ca_create(const struct ca_order *order, struct problem *p);
/* "rsa-2048 rsa-3072 rsa-4096 ec-p256 ec-p384" */
const char *ca_key_types(void);
/* Puts a key in place whose creation was cut short after its certificate was written; does nothing otherwise.
 */
bool ca_finish_creation(const char *certificate_path, const char *key_path, struct problem *p);
