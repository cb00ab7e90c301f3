/* csr.c: a PKCS#10 request, sliced in place, so that the challenge inside it is copied once and wiped. */
#include "scep/csr.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "scep/ber.h"
#include "scep/csr_names.h"
#include "scep/key_facts.h"

#define CHALLENGE_MAX  255 /* RFC 2985 section 5.4.1: pkcs-9-ub-challengePassword */
#define ATTRIBUTES_MAX 64
#define SIZE_LIMIT                                                                                           \
    (128 * 1024) /* what is issued for it must fit into a reply, whatever bodies may come in \
                                     */

DEFINE_CLEANUP(X509_ALGOR, X509_ALGOR *, X509_ALGOR_free)
DEFINE_CLEANUP(ASN1_BIT_STRING, ASN1_BIT_STRING *, ASN1_BIT_STRING_free)
DEFINE_CLEANUP(csr, struct csr *, csr_free)

/* What the public struct does not show. */
struct parsed {
    struct csr csr;
    struct arena *texts;
    struct bytes info; /* CertificationRequestInfo */
    struct bytes algorithm, signature;
    struct bytes attributes; /* content of the SET; empty when absent */
    X509_EXTENSIONS *extensions;
    uint8_t *extensions_owned;
    unsigned seen; /* one bit per row of attribute_rows */
    bool tried;    /* a signature was compared */
};

static enum error_code malformed(struct error *e, const char *what)
{
    ERR_clear_error();
    return error_set(e, ERR_ENVELOPE_UNREADABLE, "the certificate request: %s", what);
}

/* ---- slices -------------------------------------------------------------------------------------------- */

static bool slice_info(struct parsed *p, struct bytes content)
{
    static const uint8_t version_1[] = {0};
    struct ber version, subject, spki, attributes;
    if (!ber_take(&content, BER_INTEGER, &version) ||
        !bytes_equal(version.content, bytes_of(version_1, sizeof version_1)) ||
        !ber_take(&content, BER_SEQUENCE, &subject) || !ber_take(&content, BER_SEQUENCE, &spki))
        return false;
    p->csr.subject_der = subject.whole;
    p->csr.spki_der = spki.whole;
    if (ber_take(&content, BER_CONTEXT_0, &attributes)) /* some leave out an empty set */
        p->attributes = attributes.content;
    return content.len == 0;
}

static enum error_code slice(struct parsed *p, struct error *e)
{
    struct bytes rest = p->csr.der;
    struct ber request, info, algorithm, signature;
    size_t length;
    if (rest.len > SIZE_LIMIT)
        return malformed(e, "larger than 128 KiB");
    if (ber_check(rest, &length, e) || length != rest.len)
        return malformed(e, "not a single ASN.1 element");
    if (!ber_take(&rest, BER_SEQUENCE, &request) || !ber_take(&request.content, BER_SEQUENCE, &info) ||
        !ber_take(&request.content, BER_SEQUENCE, &algorithm) ||
        !ber_take(&request.content, BER_BIT_STRING, &signature) || request.content.len > 0 ||
        !slice_info(p, info.content))
        return malformed(e, "not of the form of RFC 2986");
    p->info = info.whole;
    p->algorithm = algorithm.whole;
    p->signature = signature.whole;
    SHA256(p->info.data, p->info.len, p->csr.info_sha256);
    SHA256(p->csr.spki_der.data, p->csr.spki_der.len, p->csr.spki_sha256);
    return ERR_OK;
}

/* ---- signature ----------------------------------------------------------------------------------------- */

/* The info goes into the digest as it was sent: an ASN1_SEQUENCE is encoded by copying it. */
static bool signature_verifies(struct parsed *p, EVP_PKEY *key)
{
    const uint8_t *at = p->algorithm.data, *bits = p->signature.data;
    CLEANUP(X509_ALGOR) X509_ALGOR *algorithm = d2i_X509_ALGOR(NULL, &at, (long)p->algorithm.len);
    CLEANUP(ASN1_BIT_STRING)
    ASN1_BIT_STRING *signature = d2i_ASN1_BIT_STRING(NULL, &bits, (long)p->signature.len);
    CLEANUP(EVP_MD_CTX) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (!algorithm || !signature || !digest || !context)
        return false;
    ASN1_STRING info = {.type = V_ASN1_SEQUENCE, .data = (uint8_t *)p->info.data, .length = (int)p->info.len};
    EVP_MD_CTX_set_pkey_ctx(digest, context);
    int verdict = ASN1_item_verify_ctx(ASN1_ITEM_rptr(ASN1_SEQUENCE), algorithm, signature, &info, digest);
    p->tried = verdict >= 0;
    if (verdict != 1)
        return false;
    const EVP_MD *md = EVP_MD_CTX_get0_md(digest);
    p->csr.signature_digest = md ? EVP_MD_get_type(md) : NID_undef;
    return true;
}

/* Also a key that has been decoded is used only when it is this very one, byte for byte. */
static EVP_PKEY *decode_key(struct parsed *p, EVP_PKEY *known, struct bytes known_spki)
{
    struct bytes spki = p->csr.spki_der;
    if (known && bytes_equal(known_spki, spki))
        return EVP_PKEY_up_ref(known) ? known : NULL;
    if (!key_parameters_are_named(spki))
        return NULL;
    const uint8_t *at = spki.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.len);
    if (key && at != spki.data + spki.len) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static enum error_code verify(struct parsed *p, EVP_PKEY *known, struct bytes known_spki, int rsa_max_bits,
                              struct error *e)
{
    CLEANUP(EVP_PKEY) EVP_PKEY *key = decode_key(p, known, known_spki);
    if (!key)
        return malformed(e, "its public key cannot be decoded");
    p->csr.key = key_facts_of(key);
    if (!key_is_affordable(key, rsa_max_bits))
        return malformed(e, "its key is larger than the limit, or has a huge public exponent");
    return signature_verifies(p, key) ? ERR_OK : malformed(e, "its signature does not verify");
}

/* AlgorithmIdentifiers sha256WithRSAEncryption and ecdsa-with-SHA256, and an ECDSA signature of r = s = 1. */
static const uint8_t rsa_sha256[] = {0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86,
                                     0xF7, 0x0D, 0x01, 0x01, 0x0B, 0x05, 0x00};
static const uint8_t ecdsa_sha256[] = {0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86,
                                       0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02};
static const uint8_t ecdsa_one[] = {0x03, 0x09, 0x00, 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};

#define RSA_SIGNATURE_MAX 2048

/* A BIT STRING of as many ones as an RSA signature by the key has octets. */
static struct bytes no_rsa_signature(uint8_t out[RSA_SIGNATURE_MAX + 5], const EVP_PKEY *key)
{
    size_t len = (size_t)EVP_PKEY_get_size(key);
    if (len > RSA_SIGNATURE_MAX)
        len = RSA_SIGNATURE_MAX;
    const uint8_t head[] = {0x03, 0x82, (uint8_t)((len + 1) >> 8), (uint8_t)(len + 1), 0x00};
    memcpy(out, head, sizeof head);
    memset(out + sizeof head, 1, len);
    return bytes_of(out, sizeof head + len);
}

/* What breaks off earlier costs what a bad signature does: the same path is gone with the signer's key
 * and a signature that is none. Else the time would tell how much of a changed ciphertext still reads as a
 * request. */
static void spend(const struct parsed *p, EVP_PKEY *known, struct bytes known_spki, int rsa_max_bits)
{
    uint8_t none[RSA_SIGNATURE_MAX + 5];
    bool rsa = EVP_PKEY_get_base_id(known) == EVP_PKEY_RSA;
    struct parsed stand_in = {.csr.spki_der = known_spki, .info = p->csr.der.len ? p->csr.der : known_spki};
    stand_in.algorithm =
        rsa ? bytes_of(rsa_sha256, sizeof rsa_sha256) : bytes_of(ecdsa_sha256, sizeof ecdsa_sha256);
    stand_in.signature = rsa ? no_rsa_signature(none, known) : bytes_of(ecdsa_one, sizeof ecdsa_one);
    SHA256(stand_in.info.data, stand_in.info.len, stand_in.csr.info_sha256);
    SHA256(known_spki.data, known_spki.len, stand_in.csr.spki_sha256);
    (void)verify(&stand_in, NULL, (struct bytes){0}, rsa_max_bits, NULL);
}

/* ---- attributes ---------------------------------------------------------------------------------------- */

static enum error_code read_challenge(struct parsed *p, struct bytes value, struct error *e)
{
    const uint8_t *at = value.data;
    unsigned char *utf8 = NULL;
    int len = -1;
    ASN1_TYPE *any = d2i_ASN1_TYPE(NULL, &at, (long)value.len);
    if (any && any->type != V_ASN1_BOOLEAN && any->type != V_ASN1_NULL && any->type != V_ASN1_OBJECT) {
        ASN1_STRING *string = any->value.asn1_string;
        len = ASN1_STRING_to_UTF8(&utf8, string);
        secret_wipe(string->data, (size_t)string->length);
    }
    ASN1_TYPE_free(any);
    bool text = len >= 0 && len <= CHALLENGE_MAX && !memchr(utf8, 0, (size_t)len);
    enum error_code code = text ? secret_set(&p->csr.challenge, utf8, (size_t)len) : ERR_ENVELOPE_UNREADABLE;
    if (len >= 0)
        OPENSSL_clear_free(utf8, (size_t)len);
    p->csr.has_challenge = code == ERR_OK;
    return text ? code : malformed(e, "its challengePassword is no text of at most 255 bytes");
}

static bool has_extension(const X509_EXTENSIONS *extensions, X509_EXTENSION *wanted)
{
    return extensions && X509v3_get_ext_by_OBJ(extensions, X509_EXTENSION_get_object(wanted), -1) >= 0;
}

static enum error_code read_extensions(struct parsed *p, struct bytes value, struct error *e)
{
    const uint8_t *at = value.data;
    X509_EXTENSIONS *found = d2i_X509_EXTENSIONS(NULL, &at, (long)value.len);
    enum error_code code = found ? ERR_OK : malformed(e, "its extensions cannot be decoded");
    while (!code && sk_X509_EXTENSION_num(found) > 0) {
        X509_EXTENSION *extension = sk_X509_EXTENSION_shift(found);
        if (has_extension(p->extensions, extension))
            code = malformed(e, "it asks for an extension twice");
        else if (!X509v3_add_ext(&p->extensions, extension, -1))
            code = error_set(e, ERR_INTERNAL, "out of memory");
        X509_EXTENSION_free(extension);
    }
    sk_X509_EXTENSION_pop_free(found, X509_EXTENSION_free);
    return code;
}

static const struct attribute_row {
    struct bytes oid;
    enum error_code (*read)(struct parsed *p, struct bytes value, struct error *e);
} attribute_rows[] = {
    /* challengePassword 1.2.840.113549.1.9.7 */
    {{(const uint8_t[]){0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x07}, 9}, read_challenge},
    /* extensionRequest 1.2.840.113549.1.9.14 */
    {{(const uint8_t[]){0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x0E}, 9}, read_extensions},
    /* VeriSign's, of old SCEP clients: 2.16.840.1.113733.1.9.8 */
    {{(const uint8_t[]){0x60, 0x86, 0x48, 0x01, 0x86, 0xF8, 0x45, 0x01, 0x09, 0x08}, 10}, read_extensions},
    /* Microsoft's: 1.3.6.1.4.1.311.2.1.14 */
    {{(const uint8_t[]){0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0E}, 10}, read_extensions},
};
#define ATTRIBUTE_ROWS (sizeof attribute_rows / sizeof attribute_rows[0])

static enum error_code read_attribute(struct parsed *p, struct ber attribute, struct error *e)
{
    struct ber oid, values, value;
    if (!ber_take(&attribute.content, BER_OID, &oid) || !ber_take(&attribute.content, BER_SET, &values) ||
        attribute.content.len > 0)
        return malformed(e, "an attribute is not of the form of RFC 2986");
    for (size_t i = 0; i < ATTRIBUTE_ROWS; i++) {
        if (!bytes_equal(oid.content, attribute_rows[i].oid))
            continue;
        if (p->seen & 1U << i || !ber_next(&values.content, &value) || values.content.len > 0)
            return malformed(e, "an attribute does not occur exactly once with one value");
        p->seen |= 1U << i;
        return attribute_rows[i].read(p, value.whole, e);
    }
    return ERR_OK; /* unknown ones are ignored */
}

static enum error_code read_attributes(struct parsed *p, struct error *e)
{
    struct bytes rest = p->attributes;
    if (ber_count(rest) > ATTRIBUTES_MAX)
        return malformed(e, "it has too many attributes");
    while (rest.len > 0) {
        struct ber attribute;
        if (!ber_take(&rest, BER_SEQUENCE, &attribute))
            return malformed(e, "an attribute is not of the form of RFC 2986");
        enum error_code code = read_attribute(p, attribute, e);
        if (code)
            return code;
    }
    return ERR_OK;
}

static enum error_code read_requested(struct parsed *p, struct error *e)
{
    if (!p->extensions)
        return ERR_OK;
    int len = i2d_X509_EXTENSIONS(p->extensions, &p->extensions_owned);
    if (len < 0)
        return error_set_openssl(e, ERR_INTERNAL, "cannot encode the requested extensions");
    p->csr.extensions_der = bytes_of(p->extensions_owned, (size_t)len);
    if (X509v3_get_ext_by_NID(p->extensions, NID_subject_alt_name, -1) < 0)
        return ERR_OK;
    CLEANUP(GENERAL_NAMES)
    GENERAL_NAMES *names = X509V3_get_d2i(p->extensions, NID_subject_alt_name, NULL, NULL);
    return names ? csr_read_sans(&p->csr, p->texts, names, e)
                 : malformed(e, "its subject alternative names cannot be decoded");
}

static enum error_code read_subject(struct parsed *p, struct error *e)
{
    const uint8_t *at = p->csr.subject_der.data;
    CLEANUP(X509_NAME) X509_NAME *subject = d2i_X509_NAME(NULL, &at, (long)p->csr.subject_der.len);
    return subject ? csr_read_subject(&p->csr, p->texts, subject, e)
                   : malformed(e, "its subject cannot be decoded");
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

enum error_code csr_parse(struct csr **out, struct bytes der, EVP_PKEY *known_key, struct bytes known_spki,
                          int rsa_max_bits, struct error *e)
{
    *out = NULL;
    struct parsed *p = calloc(1, sizeof *p);
    CLEANUP(csr) struct csr *owner = p ? &p->csr : NULL;
    if (!p || !(p->texts = arena_create()) || (der.len > 0 && !(p->csr.der = bytes_copy(der)).data))
        return error_set(e, ERR_INTERNAL, "out of memory");
    p->csr.der.len = der.len;
    enum error_code code = slice(p, e);
    if (!code)
        code = verify(p, known_key, known_spki, rsa_max_bits, e);
    if (code && !p->tried && known_key)
        spend(p, known_key, known_spki, rsa_max_bits);
    if (!code)
        code = read_subject(p, e);
    if (!code)
        code = read_attributes(p, e);
    if (!code)
        code = read_requested(p, e);
    ERR_clear_error();
    if (!code)
        *out = TAKE(owner);
    return code;
}

void csr_free(struct csr *c)
{
    if (!c)
        return;
    struct parsed *p = (struct parsed *)c;
    secret_wipe((uint8_t *)c->der.data, c->der.len); /* it holds the challenge */
    free((uint8_t *)c->der.data);
    secret_free(&c->challenge);
    free(c->subject_text);
    sk_X509_EXTENSION_pop_free(p->extensions, X509_EXTENSION_free);
    OPENSSL_free(p->extensions_owned);
    arena_free(p->texts);
    free(p);
}
