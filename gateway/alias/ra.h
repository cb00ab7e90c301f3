/* ra.h: the RA identity of an alias: what opens its messages, signs its replies, and answers GetCACert.
 *
 * An `ra_set` is immutable and reference-counted (any thread may hold one; jobs on workers do): the current
 * identity first, then those that still open old messages. An identity has one key pair for both, or one that
 * opens and one that signs, as NDES has it. Every pair is tested when it is loaded.
 */
#pragma once

#include "alias/ca_body.h"
#include "scep/open.h"
#include "store/store.h"

/* What a key pair is for: the keyUsage of its certificate says it. */
enum ra_role { RA_OPENS = 1 << 0, RA_SIGNS = 1 << 1, RA_BOTH = RA_OPENS | RA_SIGNS };

struct ra_next;

struct ra_set {
    struct scep_recipient identities[SCEP_RECIPIENTS_MAX]; /* they open messages */
    struct scep_recipient signers[SCEP_RECIPIENTS_MAX];    /* the n-th signs what answers the n-th */
    size_t count;
    int64_t not_after; /* of the current identity: of whichever certificate ends first */
    int64_t renewal;   /* when it, or the one that follows it, should be renewed */
    struct ca_body ca;
    uint8_t current_sha256[32]; /* of the current certificate that opens */
    struct ra_next *next;       /* what follows it; NULL: no successor of its CA is staged */
    int references;
};

struct ra_parts {
    const struct scep_recipient *identities; /* newest first: each certificate and key gets a reference */
    const struct scep_recipient *signers;    /* as many; NULL: each identity signs for itself */
    size_t count;
    const struct bytes *chain; /* issuing CA up to the root, DER; empty for an RA that is the CA itself */
    size_t chain_count;
    bool root_in_body;
};

/* ERR_KEY_UNUSABLE unless the pair belongs together, is RSA, and can do all of `roles` (enum ra_role). */
enum error_code ra_pair_check(const struct scep_recipient *pair, unsigned roles, struct error *e);
/* The same for every pair of a set. */
enum error_code ra_set_create(struct ra_set **out, const struct ra_parts *parts, struct error *e);
/* Two thirds of its life are over. */
static inline int64_t ra_renewal_time(int64_t not_before, int64_t not_after)
{
    return not_before + (not_after - not_before) / 3 * 2;
}
struct ra_set *ra_set_ref(struct ra_set *s);
void ra_set_unref(struct ra_set *s); /* accepts NULL */

/* False when none of the identities has this certificate (DER). */
bool ra_set_opens_with(const struct ra_set *s, struct bytes certificate);

/* ---- a successor that is staged ------------------------------------------------------------------------ */

/* While the alias' CA has a successor, the set opens messages to both RAs: the recipient says which CA is to issue
 * (RFC 8894 section 5.1). */
struct ra_next {
    int64_t from;         /* ms since 1970: when the successor takes over */
    size_t first;         /* identities from here on are the successor's; `count` when it has none yet */
    struct bytes issuer;  /* the successor's CA certificate, DER; owned */
    struct ra_set *after; /* the alias' set from then on; NULL while the successor has no identity */
    struct bytes
        announcement; /* GetNextCACert, signed by the current identity; owned; empty without `after` */
};

struct ra_staging {
    struct ra_set *present;
    struct ra_set *next; /* NULL: it cannot be asked yet, but the time of the switch is known */
    struct bytes issuer;
    int64_t from;
    enum scep_digest digest; /* of the announcement */
};

/* `front` before the identities of `behind`, which still open old messages; answers GetCACert as `front`. */
enum error_code ra_set_join(struct ra_set **out, const struct ra_set *front, const struct ra_set *behind,
                            struct error *e);
/* `present`, with its successor. */
enum error_code ra_set_stage(struct ra_set **out, const struct ra_staging *staging, struct error *e);
/* The certificate of the CA that must issue what this identity opened; empty: whoever is in charge. Borrowed. */
struct bytes ra_set_issuer(const struct ra_set *s, size_t identity);
/* The same by the SHA-256 of the identity's certificate, as transactions record it. */
struct bytes ra_set_issuer_for(const struct ra_set *s, const uint8_t recipient_sha256[32]);

/* ---- given by the administrator ------------------------------------------------------------------------ */

struct ra_given {
    const struct bytes *chain; /* of the CA, behind what the files bring themselves */
    size_t chain_count;
    bool root_in_body;
};

struct ra_files { /* PEM: certificate with optional chain behind it, and the key */
    const char *certificate, *key;
};
struct ra_pem { /* the same from memory; the names stand for the texts in errors */
    struct bytes certificate, key;
    const char *certificate_name, *key_name;
};

/* `signs` NULL: the pair that opens also signs. Reads files (blocking). */
enum error_code ra_from_files(struct ra_set **out, const struct ra_files *opens, const struct ra_files *signs,
                              const struct ra_given *given, struct error *e);
enum error_code ra_from_pem(struct ra_set **out, const struct ra_pem *opens, const struct ra_pem *signs,
                            const struct ra_given *given, struct error *e);

/* ---- kept in the store --------------------------------------------------------------------------------- */

/* A generation is one key pair, which opens, signs, or does both. */
#define RA_RECORDS_MAX (2 * SCEP_RECIPIENTS_MAX)

/* enum ra_role, by the certificate; 0 when there is none that can be read. */
unsigned ra_record_roles(const struct ra_record *r);
/* Unseals what the store holds, newest generation with a certificate first; what an identity opened is
 * answered with its own signature, or with that of the pair that was made after it to sign. NOT an error when
 * there is none to open or none to sign: *out NULL. */
enum error_code ra_from_records(struct ra_set **out, const struct ra_record *records, size_t count,
                                const struct keys *keys, bool root_in_body, struct error *e);

#define RA_RECORD_ID_SIZE 32
const char *ra_record_id(char out[RA_RECORD_ID_SIZE],
                         int64_t generation); /* "ra-GENERATION", what a key is sealed for */
enum error_code ra_unseal_key(EVP_PKEY **out, const struct ra_record *r, const struct keys *keys,
                              struct error *e);
