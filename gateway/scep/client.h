/* client.h: SCEP from the other side: requests we send and CertReps we read (checklist Z). Pure. */
#pragma once

#include <openssl/x509.h>

#include "scep/capabilities.h"
#include "scep/message.h"

struct scep_client_request {
    enum scep_message_type type; /* PKCSReq, RenewalReq, CertPoll */
    struct bytes transaction_id;
    uint8_t sender_nonce[SCEP_NONCE_SIZE]; /* fresh per message, by the caller */
    enum scep_digest digest;
    enum scep_cipher cipher;
    X509 *recipient; /* encryption certificate out of GetCACert */
    X509 *signer;
    EVP_PKEY *signer_key;
    struct bytes csr;   /* PKCSReq, RenewalReq: PKCS#10 DER */
    X509_NAME *issuer;  /* CertPoll */
    X509_NAME *subject; /* CertPoll */
};

struct scep_client_reply {
    enum scep_pki_status status;
    enum fail_info fail;
    char *fail_text;              /* NULL when absent */
    STACK_OF(X509) *certificates; /* SUCCESS: as sent, find yours by public key (Z-09) */
};

enum error_code scep_client_seal(struct buffer *out, const struct scep_client_request *r, struct error *e);
/* Checks signature (by a certificate of `authorities`), transactionID, messageType and recipientNonce (Z-04).
 * Junk content of a FAILURE or PENDING is ignored (Z-05). `password` opens a pwri reply (EC keys; may be
 * empty). */
enum error_code scep_client_open(struct scep_client_reply *out, struct bytes message,
                                 const struct scep_client_request *request, STACK_OF(X509) *authorities,
                                 struct bytes password, struct error *e);
void scep_client_reply_clear(struct scep_client_reply *r);

/* The certificate of a bag that has this public key, NULL when there is none. Borrowed. */
X509 *scep_client_find(STACK_OF(X509) *bag, EVP_PKEY *key);
/* By keyUsage: keyEncipherment first, then dataEncipherment, then the CA (D-08); `signing` picks
 * digitalSignature. Borrowed. */
X509 *scep_client_pick(STACK_OF(X509) *bag, bool signing);
/* A self-signed certificate for the first request (section 2.3): same subject and key, keyUsage both bits. */
enum error_code scep_client_self_signed(X509 **out, EVP_PKEY *key, X509_NAME *subject, struct error *e);
/* PKCS#10 with optional challengePassword and SANs ("DNS:a.example,IP:10.0.0.1" in OpenSSL's notation). */
enum error_code scep_client_csr(struct buffer *out, EVP_PKEY *key, X509_NAME *subject, struct bytes challenge,
                                const char *sans, struct error *e);
