/* client_identity.c: what a client brings along and looks for: CSR, self-signed signer, certificates of a bag
 * (see client.h). */
#include <openssl/rand.h>
#include <string.h>

#include "base/cleanup.h"
#include "scep/client.h"
#include "scep/encode.h"

#define CLOCK_SKEW_SECONDS  (60 * 60)
#define SELF_SIGNED_SECONDS (365 * 24 * 60 * 60)

typedef STACK_OF(X509_EXTENSION) EXTENSION_STACK;

static void extension_stack_free(EXTENSION_STACK *stack)
{
    sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
DEFINE_CLEANUP(EXTENSION_STACK, EXTENSION_STACK *, extension_stack_free)
DEFINE_CLEANUP(X509_EXTENSION, X509_EXTENSION *, X509_EXTENSION_free)

X509 *scep_client_find(STACK_OF(X509) *bag, EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(bag); i++) {
        EVP_PKEY *candidate = X509_get0_pubkey(sk_X509_value(bag, i));
        if (candidate && EVP_PKEY_eq(candidate, key) == 1)
            return sk_X509_value(bag, i);
    }
    return NULL;
}

/* How well a certificate fits; 0 not at all. A certificate without keyUsage may be used for everything, so
 * that one which names the use beats it, and an RA certificate beats the CA that has the same bits. */
static int fitness(X509 *certificate, bool signing)
{
    const bool named = X509_get_extension_flags(certificate) & EXFLAG_KUSAGE;
    const uint32_t usage = X509_get_key_usage(certificate);
    const bool ca = X509_check_ca(certificate) > 0;
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int score = 0;
    if (signing)
        score = usage & KU_DIGITAL_SIGNATURE ? 6 : 0;
    else if (!key || !EVP_PKEY_is_a(key, "RSA"))
        return 0;
    else
        score = usage & KU_KEY_ENCIPHERMENT ? 6 : usage & KU_DATA_ENCIPHERMENT ? 4 : 0;
    if (score)
        return score * 10 + (named ? 5 : 0) + (ca ? 0 : 6);
    return ca ? 1 : 0;
}

X509 *scep_client_pick(STACK_OF(X509) *bag, bool signing)
{
    X509 *best = NULL;
    int most = 0;
    for (int i = 0; i < sk_X509_num(bag); i++) {
        int score = fitness(sk_X509_value(bag, i), signing);
        if (score > most) {
            most = score;
            best = sk_X509_value(bag, i);
        }
    }
    return best;
}

static bool set_random_serial(X509 *certificate)
{
    uint8_t serial[16];
    if (RAND_bytes(serial, sizeof serial) != 1)
        return false;
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive and of one length */
    CLEANUP(BIGNUM) BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    return number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    CLEANUP(X509_EXTENSION) X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    return extension && X509_add_ext(certificate, extension, -1) == 1;
}

/* NULL lets OpenSSL choose: Ed25519 and Ed448 have a digest of their own. */
static const EVP_MD *digest_for(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448") ? NULL : EVP_sha256();
}

enum error_code scep_client_self_signed(X509 **out, EVP_PKEY *key, X509_NAME *subject, struct error *e)
{
    *out = NULL;
    CLEANUP(X509) X509 *certificate = X509_new();
    const char *usage =
        EVP_PKEY_is_a(key, "RSA") ? "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature";
    /* notBefore lies back: clients and servers disagree about the time. */
    if (!certificate || X509_set_version(certificate, X509_VERSION_3) != 1 ||
        !set_random_serial(certificate) || X509_set_subject_name(certificate, subject) != 1 ||
        X509_set_issuer_name(certificate, subject) != 1 ||
        !X509_gmtime_adj(X509_getm_notBefore(certificate), -CLOCK_SKEW_SECONDS) ||
        !X509_gmtime_adj(X509_getm_notAfter(certificate), SELF_SIGNED_SECONDS) ||
        X509_set_pubkey(certificate, key) != 1 || !add_extension(certificate, NID_key_usage, usage) ||
        X509_sign(certificate, key, digest_for(key)) <= 0)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "cannot make a self-signed certificate");
    *out = TAKE(certificate);
    return ERR_OK;
}

static bool printable(struct bytes text)
{
    static const char others[] = " '()+,-./:=?";
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              memchr(others, c, sizeof others - 1)))
            return false;
    }
    return true;
}

static bool add_challenge(X509_REQ *request, struct bytes challenge)
{
    if (challenge.len == 0)
        return true;
    /* A DirectoryString; PrintableString where it fits, for the servers that compare encodings. */
    const int type = printable(challenge) ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
    return X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, type, challenge.data,
                                     (int)challenge.len) == 1;
}

static enum error_code add_sans(X509_REQ *request, const char *sans, struct error *e)
{
    if (!sans || !*sans)
        return ERR_OK;
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, NULL, request, NULL, 0);
    X509V3_set_ctx_nodb(&context); /* "dirName:" and "@section" would look into a configuration */
    CLEANUP(X509_EXTENSION)
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, sans);
    if (!extension)
        return error_set_openssl(
            e, ERR_SETTINGS_INVALID,
            "the subject alternative names '%s' are not of the form DNS:a.example,IP:10.0.0.1", sans);
    CLEANUP(EXTENSION_STACK) EXTENSION_STACK *stack = sk_X509_EXTENSION_new_null();
    if (!stack || sk_X509_EXTENSION_push(stack, extension) <= 0)
        return error_set(e, ERR_INTERNAL, "out of memory");
    extension = NULL;
    if (X509_REQ_add_extensions(request, stack) != 1)
        return error_set_openssl(e, ERR_INTERNAL, "cannot add the extensions to the CSR");
    return ERR_OK;
}

enum error_code scep_client_csr(struct buffer *out, EVP_PKEY *key, X509_NAME *subject, struct bytes challenge,
                                const char *sans, struct error *e)
{
    CLEANUP(X509_REQ) X509_REQ *request = X509_REQ_new();
    if (!request || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_subject_name(request, subject) != 1 || X509_REQ_set_pubkey(request, key) != 1)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "cannot start a CSR");
    if (!add_challenge(request, challenge))
        return error_set_openssl(e, ERR_INTERNAL, "cannot add the challenge password to the CSR");
    enum error_code code = add_sans(request, sans, e);
    if (code)
        return code;
    if (X509_REQ_sign(request, key, digest_for(key)) <= 0)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "cannot sign the CSR");
    return scep_encode(out, ASN1_ITEM_rptr(X509_REQ), request, e);
}
