/* ca.c: loading and checking a CA, and signing with it (ca.h). */
#include "backends/local_ca/ca.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "backends/local_ca/own.h"

#define RSA_BITS_MIN 2048

int64_t ca_time(const ASN1_TIME *t)
{
    int days, seconds;
    OWN(TIME) ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    if (!epoch || !ASN1_TIME_diff(&days, &seconds, epoch, t))
        return 0;
    return (int64_t)days * 86400 + seconds;
}

/* ---- reading PEM --------------------------------------------------------------------------------------- */

static BIO *open_pem(const char *path, struct problem *p)
{
    BIO *file = BIO_new_file(path, "r");
    if (!file) {
        int cause = errno;
        ERR_clear_error();
        char text[128];
        problem_say(p, "cannot read %s: %s", path, strerror_r(cause, text, sizeof text));
    }
    return file;
}

/* OpenSSL's default would ask on the terminal. */
static int give_passphrase(char *out, int size, int for_writing, void *passphrase)
{
    (void)for_writing;
    size_t len = passphrase ? strlen(passphrase) : 0;
    if (len == 0 || len > (size_t)size)
        return -1;
    memcpy(out, passphrase, len);
    return (int)len;
}

bool ca_read_key(EVP_PKEY **out, const char *path, const char *passphrase, struct problem *p)
{
    *out = NULL;
    OWN(BIO) BIO *file = open_pem(path, p);
    if (!file)
        return false;
    union {
        const char *text;
        void *argument;
    } secret = {.text = passphrase}; /* the callback's argument is not const */
    *out = PEM_read_bio_PrivateKey(file, NULL, give_passphrase, secret.argument);
    if (*out)
        return true;
    return problem_openssl(p, "%s holds no PEM private key that can be read%s", path,
                           passphrase ? " with this passphrase" : "; if it is encrypted, set its passphrase");
}

bool ca_read_certificates(STACK_OF(X509) **out, const char *path, struct problem *p)
{
    *out = NULL;
    OWN(BIO) BIO *file = open_pem(path, p);
    if (!file)
        return false;
    OWN(certificates) STACK_OF(X509) *stack = sk_X509_new_null();
    if (!stack)
        return problem_say(p, "out of memory");
    for (;;) {
        X509 *certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);
        if (!certificate)
            break;
        if (!sk_X509_push(stack, certificate)) {
            X509_free(certificate);
            return problem_say(p, "out of memory");
        }
    }
    bool at_the_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!at_the_end || sk_X509_num(stack) == 0)
        return problem_openssl(p, "%s is not a list of PEM certificates", path);
    ERR_clear_error();
    *out = GIVE(stack);
    return true;
}

/* ---- checks -------------------------------------------------------------------------------------------- */

static bool check_key(EVP_PKEY *key, const char *path, struct problem *p)
{
    int type = EVP_PKEY_get_base_id(key);
    if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC)
        return problem_say(p, "the CA key %s is neither RSA nor EC; bring a CA with such a key", path);
    if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
        return problem_say(p, "the CA key %s has %d bits; at least %d are needed", path,
                           EVP_PKEY_get_bits(key), RSA_BITS_MIN);
    return true;
}

static bool check_validity(X509 *certificate, const char *path, struct problem *p)
{
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)
        return problem_say(p, "the CA certificate %s has expired; bring a renewed one", path);
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        return problem_say(p, "the CA certificate %s is not valid yet; look at this machine's clock", path);
    return true;
}

bool ca_check_pair(X509 *certificate, EVP_PKEY *key, const struct ca_source *source, struct problem *p)
{
    const char *path = source->certificate;
    if (!check_key(key, source->key, p))
        return false;
    if (X509_check_private_key(certificate, key) != 1) {
        ERR_clear_error();
        return problem_say(p, "the CA certificate %s and the key %s do not belong together", path,
                           source->key);
    }
    if (!(X509_get_extension_flags(certificate) & EXFLAG_CA))
        return problem_say(p, "the certificate %s is not a CA's (basicConstraints CA:TRUE is missing)", path);
    if (!(X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN))
        return problem_say(p, "the CA certificate %s may not sign certificates (keyUsage lacks keyCertSign)",
                           path);
    return source->whenever || check_validity(certificate, path, p);
}

static bool check_links(STACK_OF(X509) *chain, struct problem *p)
{
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        X509 *subject = sk_X509_value(chain, i), *issuer = sk_X509_value(chain, i + 1);
        bool issued = X509_check_issued(issuer, subject) == X509_V_OK &&
                      X509_verify(subject, X509_get0_pubkey(issuer)) == 1;
        ERR_clear_error();
        if (!issued)
            return problem_say(
                p,
                "certificate %d of the CA's chain did not issue the one before it; order the chain from "
                "the CA's issuer up to the root",
                i + 1);
    }
    return true;
}

/* ---- making ready -------------------------------------------------------------------------------------- */

static bool keep_chain(struct ca *ca, STACK_OF(X509) *chain, struct problem *p)
{
    int count = sk_X509_num(chain);
    if (count > BACKEND_CHAIN_MAX)
        return problem_say(p, "the CA's chain has %d certificates; at most %d are possible", count,
                           BACKEND_CHAIN_MAX);
    for (int i = 0; i < count; i++) {
        unsigned char *encoded = NULL;
        int len = i2d_X509(sk_X509_value(chain, i), &encoded);
        if (len <= 0)
            return problem_openssl(p, "cannot encode certificate %d of the CA's chain", i);
        der_raw(&ca->chain[i], encoded, (size_t)len);
        OPENSSL_free(encoded);
        ca->chain_count++;
    }
    return true;
}

/* RFC 4055 section 5: the parameters of RSA signatures are NULL; RFC 5758 section 3.2: absent for ECDSA. */
static bool keep_algorithm(struct ca *ca, int digest)
{
    int type = EVP_PKEY_get_base_id(ca->key), signature;
    if (!OBJ_find_sigid_by_algs(&signature, digest, type))
        return false;
    size_t at = der_open(&ca->algorithm, DER_SEQUENCE);
    der_nid(&ca->algorithm, signature);
    if (type == EVP_PKEY_RSA)
        der_element(&ca->algorithm, V_ASN1_NULL, NULL, 0);
    der_close(&ca->algorithm, at);
    return !ca->algorithm.failed;
}

static bool keep_names(struct ca *ca)
{
    const unsigned char *name;
    size_t len;
    if (!X509_NAME_get0_der(X509_get_subject_name(ca->certificate), &name, &len))
        return false;
    der_raw(&ca->subject, name, len);
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(ca->certificate);
    if (id)
        der_raw(&ca->key_id, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
    return !ca->subject.failed && !ca->key_id.failed;
}

static bool make_ready(struct ca *ca, const struct ca_source *source, struct problem *p)
{
    ca->not_before = ca_time(X509_get0_notBefore(ca->certificate));
    ca->not_after = ca_time(X509_get0_notAfter(ca->certificate));
    ca->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ca->signer = EVP_MD_CTX_new();
    bool ready = ca->sha256 && ca->signer && keep_names(ca) &&
                 keep_algorithm(ca, OBJ_txt2nid(source->digest)) &&
                 EVP_DigestSignInit_ex(ca->signer, NULL, source->digest, NULL, NULL, ca->key, NULL) == 1;
    return ready || problem_openssl(p, "cannot sign with the CA key %s and %s", source->key, source->digest);
}

/* The certificate file's own rest, or the chain file behind the certificate. */
static bool read_chain(STACK_OF(X509) **out, const struct ca_source *source, struct problem *p)
{
    if (!ca_read_certificates(out, source->certificate, p))
        return false;
    if (!source->chain)
        return true;
    while (sk_X509_num(*out) > 1)
        X509_free(sk_X509_pop(*out));
    OWN(certificates) STACK_OF(X509) *above = NULL;
    if (!ca_read_certificates(&above, source->chain, p))
        return false;
    if (X509_cmp(sk_X509_value(*out, 0), sk_X509_value(above, 0)) == 0) /* a chain file may repeat the CA */
        X509_free(sk_X509_shift(above));
    while (sk_X509_num(above) > 0) {
        if (!sk_X509_push(*out, sk_X509_value(above, 0)))
            return problem_say(p, "out of memory");
        sk_X509_shift(above);
    }
    return true;
}

static bool load(struct ca *ca, const struct ca_source *source, struct problem *p)
{
    OWN(certificates) STACK_OF(X509) *chain = NULL;
    if (!read_chain(&chain, source, p) || !ca_read_key(&ca->key, source->key, source->passphrase, p))
        return false;
    ca->certificate = sk_X509_value(chain, 0);
    X509_up_ref(ca->certificate);
    return ca_check_pair(ca->certificate, ca->key, source, p) && check_links(chain, p) &&
           keep_chain(ca, chain, p) && make_ready(ca, source, p);
}

bool ca_load(struct ca **out, const struct ca_source *source, struct problem *p)
{
    *out = NULL;
    struct ca *ca = calloc(1, sizeof *ca);
    if (!ca)
        return problem_say(p, "out of memory");
    if (!load(ca, source, p)) {
        ca_free(ca);
        return false;
    }
    *out = ca;
    return true;
}

void ca_free(struct ca *ca)
{
    if (!ca)
        return;
    EVP_MD_CTX_free(ca->signer);
    EVP_MD_free(ca->sha256);
    EVP_PKEY_free(ca->key);
    X509_free(ca->certificate);
    for (size_t i = 0; i < BACKEND_CHAIN_MAX; i++)
        der_free(&ca->chain[i]);
    der_free(&ca->subject);
    der_free(&ca->algorithm);
    der_free(&ca->key_id);
    free(ca);
}

/* ---- signing ------------------------------------------------------------------------------------------- */

bool ca_sign(const struct ca *ca, struct backend_bytes tbs, struct der *out)
{
    OWN(DIGEST) EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = (size_t)EVP_PKEY_get_size(ca->key);
    OWN(memory) uint8_t *signature = malloc(1 + len);
    if (!context || !signature || !EVP_MD_CTX_copy_ex(context, ca->signer))
        return false;
    signature[0] = 0; /* no unused bits in the BIT STRING */
    if (EVP_DigestSign(context, signature + 1, &len, tbs.data, tbs.len) != 1)
        return false;
    size_t at = der_open(out, DER_SEQUENCE);
    der_raw(out, tbs.data, tbs.len);
    der_raw(out, ca->algorithm.data, ca->algorithm.len);
    der_element(out, V_ASN1_BIT_STRING, signature, 1 + len);
    der_close(out, at);
    return !out->failed;
}
