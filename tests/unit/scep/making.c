/* making.c: see making.h. Anything that fails here ends the test program. */
#include "making.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "making: %s failed\n", #condition);                                              \
            ERR_print_errors_fp(stderr);                                                                     \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#define NOTHING ((struct bytes){0})

static struct arena *arena;

void making_start(void)
{
    arena = arena_create();
    MUST(arena);
}

void making_end(void)
{
    arena_free(arena);
    arena = NULL;
}

/* ---- encoding ------------------------------------------------------------------------------------------ */

static uint8_t *room(size_t len)
{
    uint8_t *memory = arena_alloc(arena, len + 1);
    MUST(memory);
    return memory;
}

struct bytes der_raw(const void *data, size_t len)
{
    uint8_t *copy = room(len);
    if (len)
        memcpy(copy, data, len);
    return bytes_of(copy, len);
}

struct bytes der_concat(const struct bytes *parts, size_t count)
{
    size_t len = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    uint8_t *all = room(len);
    for (size_t i = 0; i < count; used += parts[i++].len)
        if (parts[i].len)
            memcpy(all + used, parts[i].data, parts[i].len);
    return bytes_of(all, len);
}

struct bytes der_repeat(struct bytes element, size_t count)
{
    uint8_t *all = room(count * element.len);
    for (size_t i = 0; i < count && element.len; i++)
        memcpy(all + i * element.len, element.data, element.len);
    return bytes_of(all, count * element.len);
}

struct bytes der_join(uint8_t tag, const struct bytes *parts, size_t count)
{
    struct bytes content = der_concat(parts, count);
    uint8_t head[5] = {tag};
    size_t used = 1;
    if (content.len < 0x80) {
        head[used++] = (uint8_t)content.len;
    } else {
        size_t octets = content.len > 0xFFFF ? 3 : content.len > 0xFF ? 2 : 1;
        head[used++] = (uint8_t)(0x80 | octets);
        while (octets-- > 0)
            head[used++] = (uint8_t)(content.len >> 8 * octets);
    }
    return CONCAT(bytes_of(head, used), content);
}

struct bytes der_text(uint8_t tag, const char *text)
{
    return DER(tag, bytes_of(text, strlen(text)));
}

struct bytes der_oid(const char *dotted)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(dotted, 1);
    uint8_t *der = NULL;
    int len = i2d_ASN1_OBJECT(oid, &der);
    MUST(oid && len > 0);
    struct bytes copy = der_raw(der, (size_t)len);
    OPENSSL_free(der);
    ASN1_OBJECT_free(oid);
    return copy;
}

struct bytes der_integer(long value)
{
    MUST(value >= 0 && value < 128);
    uint8_t byte = (uint8_t)value;
    return DER(0x02, bytes_of(&byte, 1));
}

struct bytes der_algorithm(const char *dotted, struct bytes parameters)
{
    return DER(0x30, der_oid(dotted), parameters);
}

struct bytes ber_indefinite(uint8_t tag, struct bytes content)
{
    uint8_t head[] = {tag, 0x80};
    return CONCAT(bytes_of(head, 2), content, bytes_of("\0", 2));
}

struct bytes ber_pieces(uint8_t tag, struct bytes content, size_t piece)
{
    struct bytes all = NOTHING;
    while (content.len > 0) {
        size_t len = content.len < piece ? content.len : piece;
        all = CONCAT(all, DER(0x04, bytes_of(content.data, len)));
        content = bytes_of(content.data + len, content.len - len);
    }
    return ber_indefinite(tag, all);
}

#define ENCODED(call)                                                                                        \
    uint8_t *der = NULL;                                                                                     \
    int len = call;                                                                                          \
    MUST(len >= 0);                                                                                          \
    struct bytes copy = der_raw(der, (size_t)len);                                                           \
    OPENSSL_free(der);                                                                                       \
    return copy

struct bytes der_name(X509_NAME *name)
{
    ENCODED(i2d_X509_NAME(name, &der));
}

struct bytes der_certificate(X509 *certificate)
{
    ENCODED(i2d_X509(certificate, &der));
}

struct bytes der_spki(EVP_PKEY *key)
{
    ENCODED(i2d_PUBKEY(key, &der));
}

static struct bytes der_serial(X509 *certificate)
{
    ENCODED(i2d_ASN1_INTEGER(X509_get_serialNumber(certificate), &der));
}

struct bytes der_common_name(const char *text)
{
    return DER(0x30, DER(0x31, DER(0x30, der_oid("2.5.4.3"), der_text(0x0C, text))));
}

/* ---- signing ------------------------------------------------------------------------------------------- */

static struct bytes sign(EVP_PKEY *key, const char *digest, bool pss, struct bytes data)
{
    uint8_t signature[4096];
    size_t len = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    MUST(EVP_DigestSignInit_ex(context, &pkey, digest[0] ? digest : NULL, NULL, NULL, key, NULL) == 1);
    if (pss)
        MUST(EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) > 0 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, 32) > 0);
    MUST(EVP_DigestSign(context, signature, &len, data.data, data.len) == 1);
    EVP_MD_CTX_free(context);
    return der_raw(signature, len);
}

static struct bytes pss_algorithm(void)
{
    struct bytes sha256 = der_algorithm("2.16.840.1.101.3.4.2.1", DER_NULL);
    return der_algorithm("1.2.840.113549.1.1.10",
                         DER(0x30, DER(0xA0, sha256),
                             DER(0xA1, der_algorithm("1.2.840.113549.1.1.8", sha256)),
                             DER(0xA2, der_integer(32))));
}

static struct bytes signature_algorithm(EVP_PKEY *key, const char *digest, bool pss)
{
    int nid = EVP_PKEY_get_base_id(key);
    char dotted[80];
    if (pss)
        return pss_algorithm();
    if (digest[0])
        MUST(OBJ_find_sigid_by_algs(&nid, OBJ_txt2nid(digest), EVP_PKEY_get_base_id(key)));
    MUST(OBJ_obj2txt(dotted, sizeof dotted, OBJ_nid2obj(nid), 1) > 0);
    return der_algorithm(dotted, EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? DER_NULL : NOTHING);
}

static struct bytes spoiled(struct bytes signature, bool bad)
{
    if (bad)
        ((uint8_t *)signature.data)[signature.len / 2] ^= 1;
    return signature;
}

/* ---- PKCS#10 ------------------------------------------------------------------------------------------- */

struct bytes made_attribute(const char *oid, struct bytes value)
{
    return DER(0x30, der_oid(oid), DER(0x31, value));
}

struct bytes made_extension(int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    MUST(extension);
    uint8_t *der = NULL;
    int len = i2d_X509_EXTENSION(extension, &der);
    struct bytes copy = der_raw(der, (size_t)len);
    OPENSSL_free(der);
    X509_EXTENSION_free(extension);
    return copy;
}

struct bytes made_csr(const struct csr_wish *w)
{
    const char *digest = w->digest ? w->digest : "SHA256";
    struct bytes info =
        DER(0x30, der_integer(w->version), w->subject.len ? w->subject : der_common_name("device"),
            w->spki.len ? w->spki : der_spki(w->key),
            w->no_attributes ? NOTHING : der_join(0xA0, w->attributes, w->attribute_count));
    struct bytes signature = spoiled(sign(w->key, digest, w->pss, info), w->bad_signature);
    return CONCAT(
        DER(0x30, info, signature_algorithm(w->key, digest, w->pss), DER(0x03, bytes_of("\0", 1), signature)),
        w->behind);
}

/* ---- envelopes ----------------------------------------------------------------------------------------- */

struct bytes made_issuer_and_serial(X509 *certificate)
{
    return DER(0x30, der_name(X509_get_issuer_name(certificate)), der_serial(certificate));
}

static struct bytes encrypt_key(const struct envelope_wish *w, struct bytes key)
{
    uint8_t out[4096];
    size_t len = sizeof out;
    struct bytes in = w->key_block.len ? w->key_block : key;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, X509_get0_pubkey(w->recipient), NULL);
    int padding = w->key_block.len ? RSA_NO_PADDING
                  : w->oaep_digest ? RSA_PKCS1_OAEP_PADDING
                                   : RSA_PKCS1_PADDING;
    MUST(EVP_PKEY_encrypt_init(context) > 0 && EVP_PKEY_CTX_set_rsa_padding(context, padding) > 0);
    if (w->oaep_digest)
        MUST(EVP_PKEY_CTX_set_rsa_oaep_md_name(context, w->oaep_digest, NULL) > 0 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, w->mgf1_digest, NULL) > 0);
    MUST(EVP_PKEY_encrypt(context, out, &len, in.data, in.len) > 0);
    EVP_PKEY_CTX_free(context);
    return der_raw(out, len);
}

static struct bytes made_recipient(const struct envelope_wish *w, struct bytes key)
{
    if (w->without_recipient)
        return NOTHING;
    struct bytes encrypted = w->encrypted_key.len ? w->encrypted_key : encrypt_key(w, key);
    return DER(0x30, der_integer(0), w->identifier.len ? w->identifier : made_issuer_and_serial(w->recipient),
               w->key_algorithm.len ? w->key_algorithm : der_algorithm(OID_RSA, DER_NULL),
               w->ber ? ber_pieces(0x24, encrypted, 100) : DER(0x04, encrypted));
}

static struct bytes padded(const struct envelope_wish *w, size_t block)
{
    if (w->padded.len)
        return w->padded;
    size_t pad = block - w->payload.len % block;
    uint8_t bytes[16];
    memset(bytes, (int)pad, sizeof bytes);
    return CONCAT(w->payload, bytes_of(bytes, pad));
}

static struct bytes encrypt_content(const struct envelope_wish *w, const EVP_CIPHER *cipher, struct bytes iv)
{
    struct bytes in = padded(w, (size_t)EVP_CIPHER_get_block_size(cipher));
    uint8_t *out = room(in.len + 32);
    int len = 0, more = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    MUST(EVP_EncryptInit_ex2(context, cipher, (const uint8_t *)MADE_KEY, iv.data, NULL) &&
         EVP_CIPHER_CTX_set_padding(context, 0) &&
         EVP_EncryptUpdate(context, out, &len, in.data, (int)in.len) &&
         EVP_EncryptFinal_ex(context, out + len, &more));
    EVP_CIPHER_CTX_free(context);
    if (w->flip)
        out[w->flip - 1] ^= 0x40;
    return bytes_of(out, in.len);
}

struct bytes made_envelope(const struct envelope_wish *w)
{
    OSSL_LIB_CTX *library = w->legacy ? OSSL_LIB_CTX_new() : NULL;
    OSSL_PROVIDER *provider = w->legacy ? OSSL_PROVIDER_load(library, "legacy") : NULL;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(library, w->cipher ? w->cipher : "AES-128-CBC", NULL);
    MUST(cipher);
    char dotted[80];
    MUST(OBJ_obj2txt(dotted, sizeof dotted, OBJ_nid2obj(EVP_CIPHER_get_type(cipher)), 1) > 0);
    struct bytes iv = bytes_of("an IV of 16 byte", (size_t)EVP_CIPHER_get_iv_length(cipher));
    struct bytes key = bytes_of(MADE_KEY, (size_t)EVP_CIPHER_get_key_length(cipher));
    struct bytes ciphertext = encrypt_content(w, cipher, iv);
    struct bytes element = w->ciphertext.len       ? w->ciphertext
                           : w->without_ciphertext ? NOTHING
                           : w->ber                ? ber_pieces(0xA0, ciphertext, 64)
                                                   : DER(0x80, ciphertext);
    struct bytes encrypted =
        CONCAT(w->content_type.len ? w->content_type : der_oid(OID_DATA),
               w->cipher_algorithm.len ? w->cipher_algorithm : der_algorithm(dotted, DER(0x04, iv)), element);
    struct bytes recipients = CONCAT(w->before, made_recipient(w, key), w->after);
    EVP_CIPHER_free(cipher);
    OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(library);
    struct bytes type = der_oid(w->type ? w->type : OID_ENVELOPED_DATA);
    if (!w->ber)
        return DER(0x30, type,
                   DER(0xA0, DER(0x30, der_integer(0), DER(0x31, recipients), DER(0x30, encrypted))));
    struct bytes data = ber_indefinite(
        0x30, CONCAT(der_integer(0), ber_indefinite(0x31, recipients), ber_indefinite(0x30, encrypted)));
    return ber_indefinite(0x30, CONCAT(type, ber_indefinite(0xA0, data)));
}

/* ---- messages ------------------------------------------------------------------------------------------ */

static struct bytes content_digest(const struct message_wish *w, const char *digest)
{
    uint8_t value[EVP_MAX_MD_SIZE];
    size_t len = 0;
    struct bytes content = w->no_content ? NOTHING : w->content;
    MUST(EVP_Q_digest(NULL, digest, NULL, content.data, content.len, value, &len));
    return DER(0x04, bytes_of(value, len));
}

static struct bytes either(struct bytes wish, struct bytes usual)
{
    return wish.len ? wish : usual;
}

/* `moved` receives the one that is to be unsigned. */
static struct bytes signed_attributes(const struct message_wish *w, const char *digest, struct bytes *moved)
{
    const struct {
        const char *oid;
        struct bytes value;
    } rows[] = {
        {OID_CONTENT_TYPE, either(w->content_type_value, der_oid(OID_DATA))},
        {OID_MESSAGE_DIGEST, either(w->digest_value, content_digest(w, digest))},
        {OID_MESSAGE_TYPE, either(w->type_value, der_text(0x13, w->type ? w->type : "19"))},
        {OID_TRANSACTION_ID, either(w->transaction_id, der_text(0x13, "transaction-1"))},
        {OID_SENDER_NONCE, either(w->nonce, der_text(0x04, "sixteen byte non"))},
    };
    struct bytes all = NOTHING;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes attribute = made_attribute(rows[i].oid, rows[i].value);
        if (w->unsigned_oid && !strcmp(rows[i].oid, w->unsigned_oid))
            *moved = attribute;
        else if (!w->drop || strcmp(rows[i].oid, w->drop))
            all = CONCAT(all, attribute);
    }
    return CONCAT(all, w->extra_attributes);
}

static struct bytes digest_algorithm(const struct message_wish *w, const char *digest)
{
    char dotted[80];
    MUST(OBJ_obj2txt(dotted, sizeof dotted, OBJ_nid2obj(OBJ_txt2nid(digest)), 1) > 0);
    return either(w->digest_algorithm, der_algorithm(dotted, DER_NULL));
}

struct bytes made_signer_info(const struct message_wish *w)
{
    const char *digest = w->digest ? w->digest : "SHA256";
    struct bytes moved = NOTHING;
    struct bytes attributes = signed_attributes(w, digest, &moved);
    struct bytes to_sign = w->no_attributes ? w->content : DER(0x31, attributes);
    struct bytes signature = spoiled(sign(w->signer_key, digest, w->pss, to_sign), w->bad_signature);
    struct bytes algorithm = signature_algorithm(w->signer_key, digest, w->pss);
    if (EVP_PKEY_get_base_id(w->signer_key) == EVP_PKEY_RSA && !w->pss)
        algorithm = der_algorithm(OID_RSA, DER_NULL);
    return DER(0x30, der_integer(1), either(w->signer_id, made_issuer_and_serial(w->signer)),
               digest_algorithm(w, digest), w->no_attributes ? NOTHING : DER(0xA0, attributes),
               either(w->signature_algorithm, algorithm), DER(0x04, signature),
               moved.len ? DER(0xA1, moved) : NOTHING);
}

struct bytes made_message(const struct message_wish *w)
{
    struct bytes content_oid = der_oid(w->content_type ? w->content_type : OID_DATA);
    struct bytes certificates = either(w->certificates, der_certificate(w->signer));
    struct bytes signers = w->no_signer ? NOTHING : CONCAT(made_signer_info(w), w->second_signer);
    struct bytes digests = DER(0x31, digest_algorithm(w, w->digest ? w->digest : "SHA256"));
    struct bytes tail = CONCAT(w->no_certificates ? NOTHING : DER(0xA0, certificates), DER(0x31, signers));
    struct bytes wrapped =
        w->ber ? ber_indefinite(0xA0, ber_pieces(0x24, w->content, 100)) : DER(0xA0, DER(0x04, w->content));
    struct bytes inner = CONCAT(content_oid, w->no_content ? NOTHING : wrapped);
    if (!w->ber)
        return CONCAT(DER(0x30, der_oid(OID_SIGNED_DATA),
                          DER(0xA0, DER(0x30, der_integer(1), digests, DER(0x30, inner), tail))),
                      w->behind);
    struct bytes data =
        ber_indefinite(0x30, CONCAT(der_integer(1), digests, ber_indefinite(0x30, inner), tail));
    return CONCAT(ber_indefinite(0x30, CONCAT(der_oid(OID_SIGNED_DATA), ber_indefinite(0xA0, data))),
                  w->behind);
}
