/* certificate.c: a certificate's facts through a template that leaves the public key alone.
 *
 * d2i_X509 decodes the key at once, which costs more than everything else here; the template keeps it as bytes.
 */
#include "scep/certificate.h"

#include <openssl/asn1t.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/codec.h"

struct certificate_validity {
    ASN1_TIME *not_before;
    ASN1_TIME *not_after;
};

struct certificate_tbs {
    ASN1_INTEGER *version;
    ASN1_INTEGER *serial;
    X509_ALGOR *signature;
    X509_NAME *issuer;
    struct certificate_validity *validity;
    X509_NAME *subject;
    ASN1_TYPE *spki;
    ASN1_BIT_STRING *issuer_uid;
    ASN1_BIT_STRING *subject_uid;
    STACK_OF(X509_EXTENSION) *extensions;
};

struct certificate {
    struct certificate_tbs *tbs;
    X509_ALGOR *signature_algorithm;
    ASN1_BIT_STRING *signature;
};

typedef struct certificate_validity CERTIFICATE_VALIDITY;
typedef struct certificate_tbs CERTIFICATE_TBS;
typedef struct certificate CERTIFICATE;

ASN1_SEQUENCE(CERTIFICATE_VALIDITY) =
    {
        ASN1_SIMPLE(CERTIFICATE_VALIDITY, not_before, ASN1_TIME),
        ASN1_SIMPLE(CERTIFICATE_VALIDITY, not_after, ASN1_TIME),
} static_ASN1_SEQUENCE_END(CERTIFICATE_VALIDITY)

        ASN1_SEQUENCE(CERTIFICATE_TBS) =
            {
                ASN1_EXP_OPT(CERTIFICATE_TBS, version, ASN1_INTEGER, 0),
                ASN1_SIMPLE(CERTIFICATE_TBS, serial, ASN1_INTEGER),
                ASN1_SIMPLE(CERTIFICATE_TBS, signature, X509_ALGOR),
                ASN1_SIMPLE(CERTIFICATE_TBS, issuer, X509_NAME),
                ASN1_SIMPLE(CERTIFICATE_TBS, validity, CERTIFICATE_VALIDITY),
                ASN1_SIMPLE(CERTIFICATE_TBS, subject, X509_NAME),
                ASN1_SIMPLE(CERTIFICATE_TBS, spki, ASN1_ANY),
                ASN1_IMP_OPT(CERTIFICATE_TBS, issuer_uid, ASN1_BIT_STRING, 1),
                ASN1_IMP_OPT(CERTIFICATE_TBS, subject_uid, ASN1_BIT_STRING, 2),
                ASN1_EXP_SEQUENCE_OF_OPT(CERTIFICATE_TBS, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(CERTIFICATE_TBS)

                ASN1_SEQUENCE(CERTIFICATE) =
                    {
                        ASN1_SIMPLE(CERTIFICATE, tbs, CERTIFICATE_TBS),
                        ASN1_SIMPLE(CERTIFICATE, signature_algorithm, X509_ALGOR),
                        ASN1_SIMPLE(CERTIFICATE, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(CERTIFICATE)

                        static void certificate_release(CERTIFICATE * c)
{
    ASN1_item_free((ASN1_VALUE *)c, ASN1_ITEM_rptr(CERTIFICATE));
}

DEFINE_CLEANUP(certificate, CERTIFICATE *, certificate_release)

static bool hex_of(char *out, size_t size, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    if (len * 2 + 1 > size)
        return false;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[len * 2] = '\0';
    return true;
}

bool certificate_serial_text(char out[CERTIFICATE_SERIAL_SIZE], struct bytes integer)
{
    *out = '\0';
    if (integer.len == 0 || integer.data[0] & 0x80)
        return false;
    while (integer.len > 1 && integer.data[0] == 0)
        integer = bytes_of(integer.data + 1, integer.len - 1);
    return hex_of(out, CERTIFICATE_SERIAL_SIZE, integer.data, integer.len);
}

void certificate_name_hash(char out[65], struct bytes name)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(name.data, name.len, digest);
    hex_of(out, 65, digest, sizeof digest);
}

static bool serial_text(char *out, size_t size, const ASN1_INTEGER *serial)
{
    if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
        return false;
    return hex_of(out, size, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
}

static bool name_text(char *out, size_t size, const X509_NAME *name)
{
    CLEANUP(BIO) BIO *memory = BIO_new(BIO_s_mem());
    if (!memory || X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253) < 0)
        return false;
    int got = BIO_read(memory, out, (int)size - 1);
    out[got > 0 ? got : 0] = '\0';
    return true;
}

static bool name_hash(char out[65], const X509_NAME *name)
{
    const unsigned char *der = NULL;
    size_t len = 0;
    uint8_t digest[32];
    return X509_NAME_get0_der(name, &der, &len) && EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL) &&
           hex_of(out, 65, digest, sizeof digest);
}

static bool time_ms(int64_t *out, const ASN1_TIME *time)
{
    struct tm parts;
    if (!ASN1_TIME_to_tm(time, &parts))
        return false;
    *out = (int64_t)timegm(&parts) * 1000;
    return true;
}

static bool spki_hash(uint8_t out[32], const ASN1_TYPE *spki)
{
    if (spki->type != V_ASN1_SEQUENCE)
        return false;
    const ASN1_STRING *raw = spki->value.sequence;
    return EVP_Digest(ASN1_STRING_get0_data(raw), (size_t)ASN1_STRING_length(raw), out, NULL, EVP_sha256(),
                      NULL) == 1;
}

enum error_code certificate_read(struct certificate_facts *out, struct bytes der, struct error *e)
{
    const unsigned char *at = der.data;
    CLEANUP(certificate)
    CERTIFICATE *c = (CERTIFICATE *)ASN1_item_d2i(NULL, &at, (long)der.len, ASN1_ITEM_rptr(CERTIFICATE));
    if (!c || at != der.data + der.len)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "this is not one DER certificate");
    const struct certificate_tbs *t = c->tbs;
    memset(out, 0, sizeof *out);
    out->self_issued = X509_NAME_cmp(t->issuer, t->subject) == 0;
    if (!serial_text(out->serial, sizeof out->serial, t->serial) ||
        !name_text(out->issuer, sizeof out->issuer, t->issuer) ||
        !name_text(out->subject, sizeof out->subject, t->subject) ||
        !name_hash(out->issuer_sha256, t->issuer) || !time_ms(&out->not_before, t->validity->not_before) ||
        !time_ms(&out->not_after, t->validity->not_after) || !spki_hash(out->spki_sha256, t->spki))
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "the certificate has a field that cannot be read");
    return ERR_OK;
}
