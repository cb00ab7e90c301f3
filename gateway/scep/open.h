/* open.h: a request as received, opened in two stages (RFC 8894 sections 3 and 3.2).
 *
 * Stage one looks at what anybody can see: structure, counts, sizes, algorithms, signature, recipient. Each
 * fault has a code and sentence of its own. Stage two begins with the first private-key operation and ends
 * with a parsed CSR: every fault there is ERR_ENVELOPE_UNREADABLE, found by the same path at the same cost (a
 * failed key transport goes on with a random content key); `e->text` holds the cause for the audit log alone.
 *
 * Only a type that the rules serve meets the private key, and a CertPoll never does: its envelope says
 * nothing that the transaction does not know, and an answer that tells a readable one from an unreadable one
 * would decrypt the envelopes of other people's requests, byte by byte. Whoever serves GetCert or GetCRL must
 * for the same reason answer what matches no certificate exactly like ERR_ENVELOPE_UNREADABLE, at the same cost
 * (enroll/look_up.c does).
 *
 * Pure: call from a worker. The allow-list: one SignerInfo, each attribute once, known algorithms, no
 * trailing bytes; BER is accepted.
 */
#pragma once

#include <openssl/x509.h>

#include "scep/csr.h"
#include "scep/message.h"

/* One of the alias' RA identities: the current one first, then those that still open old messages. */
struct scep_recipient {
    X509 *certificate;
    EVP_PKEY *key;
};

#define SCEP_RECIPIENTS_MAX 6

struct scep_rules {
    uint32_t ciphers; /* enum scep_cipher, or-ed */
    uint32_t digests; /* enum scep_digest, or-ed */
    int rsa_min_bits; /* of the signer's key */
    int rsa_max_bits;
    const struct scep_recipient *recipients; /* borrowed for the call */
    size_t recipient_count;
    bool ec_signers; /* false: an EC, DSA or EdDSA signer is refused with badAlg before anything is issued */
    uint32_t types;  /* SCEP_TYPE() of the messageTypes that are served, or-ed; others are ERR_MESSAGE_TYPE */
    bool update_is_renewal; /* an UpdateReq, of old drafts, is taken for a RenewalReq */
};

struct scep_message {
    int type; /* as sent, or as it is taken for; may be one that we refuse */
    struct bytes transaction_id;
    struct bytes sender_nonce;
    enum scep_digest digest; /* as sent; SHA-256 when that one cannot be used, for the refusal */
    enum scep_cipher cipher; /* 0 until the envelope was looked at */
    struct scep_key_transport transport;
    X509 *signer;
    EVP_PKEY *signer_key;     /* borrowed from `signer` */
    struct bytes signer_spki; /* borrowed from `signer` */
    uint8_t signer_spki_sha256[SCEP_SPKI_HASH_SIZE];
    bool signer_self_signed; /* issuer == subject, which is all that a stranger's certificate can say about
                                itself */
    size_t recipient;        /* index into rules->recipients */
    struct csr *csr;         /* PKCSReq, RenewalReq, UpdateReq; NULL otherwise */
    struct bytes issuer_der; /* GetCert, GetCRL: Name */
    struct bytes serial;     /* GetCert, GetCRL: INTEGER contents */
    void *owner;             /* the implementation's */
};

/* On success ERR_OK and *out. On a fault a CertRep can be built for, the code and *out with at least type,
 * transaction_id, sender_nonce, digest and, when readable, signer. Otherwise the code (ERR_NOT_CMS,
 * ERR_NOT_SCEP, …) and *out NULL. */
enum error_code scep_open(struct scep_message **out, struct bytes message, const struct scep_rules *rules,
                          struct error *e);
void scep_message_free(struct scep_message *m); /* accepts NULL */
