/* message.h: the vocabulary of RFC 8894: types, states, algorithms, OIDs. No behaviour beyond look-ups. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

enum scep_message_type { /* section 3.2.1.2 */
                         SCEP_CERT_REP = 3,
                         SCEP_RENEWAL_REQ = 17,
                         SCEP_UPDATE_REQ = 18,
                         SCEP_PKCS_REQ = 19,
                         SCEP_CERT_POLL = 20,
                         SCEP_GET_CERT = 21,
                         SCEP_GET_CRL = 22,
};

static inline bool scep_type_asks(int type) /* for what exists, instead of for a certificate */
{
    return type == SCEP_GET_CERT || type == SCEP_GET_CRL;
}

#define SCEP_TYPE(type) (1u << (type)) /* for sets of them */
#define SCEP_TYPES_OF_REQUESTS                                                                               \
    (SCEP_TYPE(SCEP_RENEWAL_REQ) | SCEP_TYPE(SCEP_UPDATE_REQ) | SCEP_TYPE(SCEP_PKCS_REQ) |                   \
     SCEP_TYPE(SCEP_CERT_POLL) | SCEP_TYPE(SCEP_GET_CERT) | SCEP_TYPE(SCEP_GET_CRL))

enum scep_pki_status { SCEP_SUCCESS = 0, SCEP_FAILURE = 2, SCEP_PENDING = 3 }; /* section 3.2.1.3 */

/* Bits, so that an alias' allow-list is one word. DES and MD5 exist only for compat.obsolete_algorithms. */
enum scep_cipher {
    SCEP_CIPHER_AES128 = 1 << 0,
    SCEP_CIPHER_AES192 = 1 << 1,
    SCEP_CIPHER_AES256 = 1 << 2,
    SCEP_CIPHER_DES3 = 1 << 3,
    SCEP_CIPHER_DES = 1 << 4,
};

enum scep_digest {
    SCEP_DIGEST_SHA1 = 1 << 0,
    SCEP_DIGEST_SHA224 = 1 << 1,
    SCEP_DIGEST_SHA256 = 1 << 2,
    SCEP_DIGEST_SHA384 = 1 << 3,
    SCEP_DIGEST_SHA512 = 1 << 4,
    SCEP_DIGEST_MD5 = 1 << 5,
};

#define SCEP_CIPHERS_MODERN  (SCEP_CIPHER_AES128 | SCEP_CIPHER_AES192 | SCEP_CIPHER_AES256)
#define SCEP_CIPHERS_DEFAULT (SCEP_CIPHERS_MODERN | SCEP_CIPHER_DES3)
#define SCEP_DIGESTS_MODERN                                                                                  \
    (SCEP_DIGEST_SHA224 | SCEP_DIGEST_SHA256 | SCEP_DIGEST_SHA384 | SCEP_DIGEST_SHA512)
#define SCEP_DIGESTS_DEFAULT (SCEP_DIGESTS_MODERN | SCEP_DIGEST_SHA1)

/* How the content key travels; the reply mirrors the request. */
struct scep_key_transport {
    bool oaep;       /* false: RSAES-PKCS1-v1_5 */
    int oaep_digest; /* NID; with oaep only */
    int mgf1_digest; /* NID; with oaep only */
};

/* How the content key of a reply reaches its recipient (RFC 8894 section 3.1). */
enum scep_delivery {
    SCEP_DELIVERY_TRANSPORT, /* by the recipient's RSA key */
    SCEP_DELIVERY_PASSWORD,  /* by the challenge password, for a key that can only sign */
    SCEP_DELIVERY_AGREEMENT, /* by ECDH with the recipient's EC key, of which RFC 8894 says nothing */
    SCEP_DELIVERY_NONE,      /* not at all */
};

/* What an alias allows for signers whose keys cannot encrypt; bits. */
enum scep_ec_reply {
    SCEP_EC_REPLY_PASSWORD = 1 << 0,
    SCEP_EC_REPLY_AGREEMENT = 1 << 1,
};

const char *scep_cipher_name(enum scep_cipher c); /* "aes-128-cbc"; NULL when unknown */
const char *scep_digest_name(enum scep_digest d); /* "sha-256" */
const char *scep_message_type_name(int type);     /* "PKCSReq"; "unknown" */
int scep_cipher_nid(enum scep_cipher c);
int scep_digest_nid(enum scep_digest d);
enum scep_cipher scep_cipher_of_nid(int nid); /* 0 when it is none of ours */
enum scep_digest scep_digest_of_nid(int nid);

/* The largest values that are echoed (checklist I-06, K-06). */
#define SCEP_TRANSACTION_ID_MAX 255
#define SCEP_NONCE_MAX          64
#define SCEP_NONCE_SIZE         16
#define SCEP_SPKI_HASH_SIZE     32
