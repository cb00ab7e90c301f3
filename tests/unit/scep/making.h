/* making.h: SCEP requests and PKCS#10 requests put together octet by octet, so that a test can bend any of
 * them. Nothing of the protocol room is used. Everything lives in one arena between making_start and
 * making_end. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/bytes.h"

#define OID_DATA               "1.2.840.113549.1.7.1"
#define OID_SIGNED_DATA        "1.2.840.113549.1.7.2"
#define OID_ENVELOPED_DATA     "1.2.840.113549.1.7.3"
#define OID_ENCRYPTED_DATA     "1.2.840.113549.1.7.6"
#define OID_AUTH_ENVELOPED     "1.2.840.113549.1.9.16.1.23"
#define OID_RSA                "1.2.840.113549.1.1.1"
#define OID_RSA_OAEP           "1.2.840.113549.1.1.7"
#define OID_CONTENT_TYPE       "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST     "1.2.840.113549.1.9.4"
#define OID_CHALLENGE          "1.2.840.113549.1.9.7"
#define OID_EXTENSIONS         "1.2.840.113549.1.9.14"
#define OID_EXTENSIONS_SSCEP   "2.16.840.1.113733.1.9.8"
#define OID_EXTENSIONS_WINDOWS "1.3.6.1.4.1.311.2.1.14"
#define OID_MESSAGE_TYPE       "2.16.840.1.113733.1.9.2"
#define OID_SENDER_NONCE       "2.16.840.1.113733.1.9.5"
#define OID_TRANSACTION_ID     "2.16.840.1.113733.1.9.7"

void making_start(void);
void making_end(void);

/* ---- encoding ------------------------------------------------------------------------------------------ */

struct bytes der_join(uint8_t tag, const struct bytes *parts, size_t count);
#define DER(tag, ...)                                                                                        \
    der_join((tag), (const struct bytes[]){__VA_ARGS__},                                                     \
             sizeof((const struct bytes[]){__VA_ARGS__}) / sizeof(struct bytes))
struct bytes der_raw(const void *data, size_t len); /* a copy in the arena */
struct bytes der_concat(const struct bytes *parts, size_t count);
#define CONCAT(...)                                                                                          \
    der_concat((const struct bytes[]){__VA_ARGS__},                                                          \
               sizeof((const struct bytes[]){__VA_ARGS__}) / sizeof(struct bytes))
struct bytes der_repeat(struct bytes element, size_t count);
struct bytes der_text(uint8_t tag, const char *text);
struct bytes der_oid(const char *dotted);
struct bytes der_integer(long value);
struct bytes der_algorithm(const char *dotted, struct bytes parameters); /* parameters may be empty */
/* Indefinite length; `tag` with the constructed bit. */
struct bytes ber_indefinite(uint8_t tag, struct bytes content);
/* A constructed OCTET STRING (`tag` 0x24, or 0xA0 when implicit) in pieces. */
struct bytes ber_pieces(uint8_t tag, struct bytes content, size_t piece);
#define DER_NULL bytes_of("\x05", 2)

struct bytes der_name(X509_NAME *name);
struct bytes der_common_name(const char *text); /* a Name with one CN */
struct bytes der_certificate(X509 *certificate);
struct bytes der_spki(EVP_PKEY *key);

/* ---- PKCS#10 ------------------------------------------------------------------------------------------- */

#define MADE_ATTRIBUTES_MAX 80

struct csr_wish {
    EVP_PKEY *key;
    struct bytes subject; /* empty: CN=device */
    struct bytes spki;    /* empty: the key's */
    struct bytes attributes[MADE_ATTRIBUTES_MAX];
    size_t attribute_count;
    bool no_attributes; /* not even an empty set */
    const char *digest; /* NULL: SHA256; "" for EdDSA */
    bool pss;
    bool bad_signature;
    long version;
    struct bytes behind; /* appended */
};

struct bytes made_csr(const struct csr_wish *w);
struct bytes made_attribute(const char *oid, struct bytes value);
/* "subjectAltName" as OpenSSL's notation "DNS:a.example,IP:10.0.0.1" */
struct bytes made_extension(int nid, const char *value);

/* ---- envelopes ----------------------------------------------------------------------------------------- */

struct envelope_wish {
    X509 *recipient;
    struct bytes payload;
    const char *cipher; /* OpenSSL's name; NULL: AES-128-CBC */
    bool legacy;        /* out of the legacy provider */
    /* Whatever is set replaces what would be there: */
    struct bytes identifier;    /* of the recipient */
    struct bytes key_algorithm; /* and how it is encrypted: */
    const char *oaep_digest, *mgf1_digest;
    struct bytes encrypted_key;
    struct bytes key_block; /* raw RSA input of the modulus' size, instead of a padded key */
    struct bytes cipher_algorithm;
    struct bytes content_type;
    struct bytes padded;     /* cipher input, whole blocks, instead of the padded payload */
    struct bytes ciphertext; /* the whole [0] element */
    bool without_ciphertext;
    struct bytes before, after; /* other RecipientInfos */
    bool without_recipient;
    size_t flip;      /* 1-based position of a ciphertext byte to change */
    bool ber;         /* indefinite lengths, ciphertext in pieces */
    const char *type; /* OID of the ContentInfo; NULL: EnvelopedData */
};

#define MADE_KEY "0123456789abcdefghijklmnopqrstuv" /* the content key, as long as the cipher wants it */

struct bytes made_envelope(const struct envelope_wish *w);
struct bytes made_issuer_and_serial(X509 *certificate);

/* ---- messages ------------------------------------------------------------------------------------------ */

struct message_wish {
    X509 *signer;
    EVP_PKEY *signer_key;
    struct bytes content;               /* the envelope */
    const char *type;                   /* NULL: "19" */
    struct bytes transaction_id, nonce; /* whole elements; empty: PrintableString "transaction-1", 16 bytes */
    const char *digest;                 /* NULL: SHA256 */
    const char *drop;                   /* OID of an attribute that is left out */
    struct bytes extra_attributes;      /* concatenated */
    struct bytes type_value;            /* replaces the messageType's value */
    struct bytes content_type_value, digest_value;
    const char *unsigned_oid; /* this signed attribute goes into the unsigned ones instead */
    struct bytes signer_id;
    struct bytes digest_algorithm; /* as written; signing itself goes by `digest` */
    struct bytes signature_algorithm;
    bool pss;
    bool bad_signature;
    struct bytes certificates; /* content of [0]; empty: the signer's */
    bool no_certificates;
    struct bytes second_signer; /* another SignerInfo behind */
    bool no_signer;
    bool no_content;
    bool no_attributes;
    const char *content_type; /* eContentType */
    bool ber;                 /* indefinite lengths, content in pieces */
    struct bytes behind;
};

struct bytes made_signer_info(const struct message_wish *w);
struct bytes made_message(const struct message_wish *w);
