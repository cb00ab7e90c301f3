/* ra.h: the RA identity of an alias: what opens its messages, signs its replies, and answers GetCACert.
 *
 * An `ra_set` is immutable and reference-counted (any thread may hold one; jobs on workers do): the current
 * identity first, then those that still open old messages. A key pair is tested when it is loaded.
 */
#pragma once

#include <openssl/x509.h>

#include "scep/open.h"
#include "store/store.h"

struct ra_set {
    struct scep_recipient identities[SCEP_RECIPIENTS_MAX];
    size_t count;
    int64_t not_after;           /* of the current identity */
    int64_t renewal;             /* when it should be renewed */
    struct bytes ca_body;        /* GetCACert body, ready to send */
    const char *ca_content_type; /* application/x-x509-ca-cert or -ca-ra-cert (RFC 8894 section 4.2.1) */
    char ca_sha256[65];          /* of the certificate that a client should pin: the issuing CA, hex */
    uint8_t current_sha256[32];  /* of the current RA certificate */
    int references;
};

/* `identities` newest first: each certificate and key gets a reference. `chain` is the issuing CA up to the
 * root, DER; empty for an RA that is the CA itself. ERR_KEY_UNUSABLE when a key does not fit, cannot sign or
 * decrypt, or is not RSA. */
enum error_code ra_set_create(struct ra_set **out, const struct scep_recipient *identities, size_t count,
                              const struct bytes *chain, size_t chain_count, bool root_in_body,
                              struct error *e);
/* Two thirds of its life are over. */
static inline int64_t ra_renewal_time(int64_t not_before, int64_t not_after)
{
    return not_before + (not_after - not_before) / 3 * 2;
}
struct ra_set *ra_set_ref(struct ra_set *s);
void ra_set_unref(struct ra_set *s); /* accepts NULL */

/* Reads PEM files (blocking): certificate with optional chain behind it, and the key. */
enum error_code ra_from_files(struct ra_set **out, const char *certificate, const char *key,
                              const struct bytes *ca_chain, size_t ca_chain_count, bool root_in_body,
                              struct error *e);
/* The same from memory; the names stand for the texts in errors. */
struct ra_pem {
    struct bytes certificate, key;
    const char *certificate_name, *key_name;
};
enum error_code ra_from_pem(struct ra_set **out, const struct ra_pem *pem, const struct bytes *ca_chain,
                            size_t ca_chain_count, bool root_in_body, struct error *e);
/* Unseals what the store holds, newest generation with a certificate first. NOT an error when there is none:
 * *out NULL. */
enum error_code ra_from_records(struct ra_set **out, const struct ra_record *records, size_t count,
                                const struct keys *keys, bool root_in_body, struct error *e);

#define RA_RECORD_ID_SIZE 32
const char *ra_record_id(char out[RA_RECORD_ID_SIZE],
                         int64_t generation); /* "ra-GENERATION", what a key is sealed for */
enum error_code ra_unseal_key(EVP_PKEY **out, const struct ra_record *r, const struct keys *keys,
                              struct error *e);
