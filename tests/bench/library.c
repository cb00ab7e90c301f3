/* library.c: what an enrolment costs without a gateway, as one line of JSON: CPU seconds per enrolment of
 *
 *   library path: the same operations straight through OpenSSL's CMS and X.509 API, no HTTP, no store;
 *   floor: the raw public-key operations that one enrolment cannot avoid: 3 private, 2 verifications, 1
 * encryption.
 *
 *   library --count N --rounds N      RSA-2048 everywhere; both measured in turn, medians printed
 */
#include <getopt.h>
#include <openssl/cms.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "bench/messages.h"

#define ROUNDS_MAX 101

struct party {
    EVP_PKEY *ca_key, *ra_key;
    X509 *ca, *ra;
};

#define MUST(expression)                                                                                     \
    do {                                                                                                     \
        if (!(expression)) {                                                                                 \
            fprintf(stderr, "library: %s failed (line %d)\n", #expression, __LINE__);                        \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static X509_NAME *name_of(const char *cn)
{
    X509_NAME *name = X509_NAME_new();
    MUST(name && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0));
    return name;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    MUST(extension && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

/* The certificate that a CA makes of a request: fresh 20-byte serial, a year, the usual extensions. */
static X509 *issue(X509 *ca, EVP_PKEY *ca_key, X509_NAME *subject, EVP_PKEY *key)
{
    X509 *c = X509_new();
    uint8_t serial[20];
    MUST(c && RAND_bytes(serial, sizeof serial) == 1);
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    MUST(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(c)));
    BN_free(number);
    X509 *issuer = ca ? ca : c;
    MUST(X509_set_version(c, 2) && X509_set_subject_name(c, subject) && X509_set_pubkey(c, key));
    MUST(X509_set_issuer_name(c, X509_get_subject_name(issuer)));
    MUST(X509_gmtime_adj(X509_getm_notBefore(c), 0) && X509_gmtime_adj(X509_getm_notAfter(c), 31536000));
    add_extension(c, issuer, NID_subject_key_identifier, "hash");
    add_extension(c, issuer, NID_authority_key_identifier, "keyid");
    add_extension(c, issuer, NID_basic_constraints, ca ? "critical,CA:FALSE" : "critical,CA:TRUE");
    add_extension(c, issuer, NID_key_usage,
                  ca ? "critical,digitalSignature,keyEncipherment" : "critical,keyCertSign,cRLSign");
    MUST(X509_sign(c, ca_key, EVP_sha256()));
    return c;
}

static void party_make(struct party *p)
{
    CLEANUP(X509_NAME) X509_NAME *ca = name_of("bench CA");
    CLEANUP(X509_NAME) X509_NAME *ra = name_of("bench RA");
    p->ca_key = messages_key();
    p->ra_key = messages_key();
    p->ca = issue(NULL, p->ca_key, ca, p->ca_key);
    p->ra = issue(p->ca, p->ca_key, ra, p->ra_key);
}

/* ---- the library path ---------------------------------------------------------------------------------- */

static X509_REQ *open_request(const struct party *p, struct bytes der, X509 **signer)
{
    CLEANUP(BIO) BIO *in = BIO_new_mem_buf(der.data, (int)der.len);
    CLEANUP(BIO) BIO *content = BIO_new(BIO_s_mem());
    CLEANUP(BIO) BIO *plain = BIO_new(BIO_s_mem());
    CLEANUP(CMS) CMS_ContentInfo *signed_data = d2i_CMS_bio(in, NULL);
    MUST(signed_data &&
         CMS_verify(signed_data, NULL, NULL, NULL, content, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY));
    STACK_OF(X509) *signers = CMS_get0_signers(signed_data);
    MUST(signers && sk_X509_num(signers) == 1);
    *signer = sk_X509_value(signers, 0);
    X509_up_ref(*signer);
    sk_X509_free(signers);
    CLEANUP(CMS) CMS_ContentInfo *enveloped = d2i_CMS_bio(content, NULL);
    MUST(enveloped && CMS_decrypt(enveloped, p->ra_key, p->ra, NULL, plain, CMS_BINARY));
    X509_REQ *request = d2i_X509_REQ_bio(plain, NULL);
    MUST(request && X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1);
    return request;
}

static void add_text(CMS_SignerInfo *si, const char *oid, int type, const void *data, int len)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    MUST(object && CMS_signed_add1_attr_by_OBJ(si, object, type, data, len));
    ASN1_OBJECT_free(object);
}

static void seal_reply(const struct party *p, X509 *issued, X509 *signer)
{
    uint8_t nonce[16];
    CLEANUP(PKCS7) PKCS7 *bag = PKCS7_new();
    CLEANUP(BIO) BIO *plain = BIO_new(BIO_s_mem());
    CLEANUP(BIO) BIO *sealed = BIO_new(BIO_s_mem());
    CLEANUP(BIO) BIO *out = BIO_new(BIO_s_mem());
    MUST(bag && PKCS7_set_type(bag, NID_pkcs7_signed) && PKCS7_add_certificate(bag, issued));
    bag->d.sign->contents->type = OBJ_nid2obj(NID_pkcs7_data);
    MUST(i2d_PKCS7_bio(plain, bag));
    STACK_OF(X509) *recipients = sk_X509_new_null();
    MUST(recipients && sk_X509_push(recipients, signer));
    CLEANUP(CMS) CMS_ContentInfo *enveloped = CMS_encrypt(recipients, plain, EVP_aes_128_cbc(), CMS_BINARY);
    sk_X509_free(recipients);
    MUST(enveloped && i2d_CMS_bio(sealed, enveloped));
    CLEANUP(CMS) CMS_ContentInfo *reply = CMS_sign(NULL, NULL, NULL, sealed, CMS_PARTIAL | CMS_BINARY);
    MUST(reply);
    CMS_SignerInfo *si =
        CMS_add1_signer(reply, p->ra, p->ra_key, EVP_sha256(), CMS_PARTIAL | CMS_BINARY | CMS_NOSMIMECAP);
    MUST(si && RAND_bytes(nonce, sizeof nonce) == 1);
    add_text(si, "2.16.840.1.113733.1.9.2", V_ASN1_PRINTABLESTRING, "3", 1);
    add_text(si, "2.16.840.1.113733.1.9.3", V_ASN1_PRINTABLESTRING, "0", 1);
    add_text(si, "2.16.840.1.113733.1.9.5", V_ASN1_OCTET_STRING, nonce, sizeof nonce);
    add_text(si, "2.16.840.1.113733.1.9.6", V_ASN1_OCTET_STRING, nonce, sizeof nonce);
    add_text(si, "2.16.840.1.113733.1.9.7", V_ASN1_PRINTABLESTRING, "bench", 5);
    MUST(CMS_final(reply, sealed, NULL, CMS_BINARY) && i2d_CMS_bio(out, reply));
}

static void library_enrolment(const struct party *p, struct bytes der)
{
    CLEANUP(X509) X509 *signer = NULL;
    CLEANUP(X509_REQ) X509_REQ *request = open_request(p, der, &signer);
    CLEANUP(X509)
    X509 *issued = issue(p->ca, p->ca_key, X509_REQ_get_subject_name(request), X509_REQ_get0_pubkey(request));
    seal_reply(p, issued, signer);
}

/* ---- the floor ----------------------------------------------------------------------------------------- */

struct floor_parts {
    uint8_t digest[32];
    uint8_t signature[256], sealed[256];
    size_t signature_len, sealed_len;
};

static void raw_sign(EVP_PKEY *key, struct floor_parts *f)
{
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    f->signature_len = sizeof f->signature;
    MUST(c && EVP_PKEY_sign_init(c) > 0 && EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) > 0);
    MUST(EVP_PKEY_sign(c, f->signature, &f->signature_len, f->digest, sizeof f->digest) > 0);
}

static void raw_verify(EVP_PKEY *key, const struct floor_parts *f)
{
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    MUST(c && EVP_PKEY_verify_init(c) > 0 && EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) > 0);
    MUST(EVP_PKEY_verify(c, f->signature, f->signature_len, f->digest, sizeof f->digest) == 1);
}

static void raw_encrypt(EVP_PKEY *key, struct floor_parts *f)
{
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    f->sealed_len = sizeof f->sealed;
    MUST(c && EVP_PKEY_encrypt_init(c) > 0 &&
         EVP_PKEY_encrypt(c, f->sealed, &f->sealed_len, f->digest, 16) > 0);
}

static void raw_decrypt(EVP_PKEY *key, const struct floor_parts *f)
{
    uint8_t plain[256];
    size_t len = sizeof plain;
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    MUST(c && EVP_PKEY_decrypt_init(c) > 0 && EVP_PKEY_decrypt(c, plain, &len, f->sealed, f->sealed_len) > 0);
}

static void floor_enrolment(const struct party *p, struct floor_parts *f)
{
    raw_sign(p->ca_key, f);
    raw_verify(p->ca_key, f);
    raw_sign(p->ra_key, f);
    raw_verify(p->ra_key, f);
    raw_encrypt(p->ra_key, f);
    raw_decrypt(p->ra_key, f);
}

/* ---- measuring ----------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_size);
    return values[count / 2];
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"count", 1, NULL, 'n'}, {"rounds", 1, NULL, 'r'}, {0}};
    size_t count = 200, rounds = 5;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        *(option == 'n' ? &count : &rounds) = strtoul(optarg, NULL, 10);
    MUST(count > 0 && rounds > 0 && rounds < ROUNDS_MAX);
    struct party party;
    struct floor_parts parts = {{0}};
    double library[ROUNDS_MAX], floor[ROUNDS_MAX];
    party_make(&party);
    char text[] = "bench-challenge-0123456789abcdef", *challenge = text;
    struct message_order order = {.count = count,
                                  .keys = 16,
                                  .recipient = party.ra,
                                  .challenges = &challenge,
                                  .challenge_count = 1,
                                  .run = "library"};
    struct messages messages = messages_make(&order);
    for (size_t r = 0; r < rounds; r++) {
        double start = cpu_now();
        for (size_t i = 0; i < count; i++)
            library_enrolment(&party, messages.der[i]);
        library[r] = (cpu_now() - start) / (double)count;
        start = cpu_now();
        for (size_t i = 0; i < count; i++)
            floor_enrolment(&party, &parts);
        floor[r] = (cpu_now() - start) / (double)count;
    }
    printf("{\"library_ms\": %.4f, \"floor_ms\": %.4f}\n", median(library, rounds) * 1000,
           median(floor, rounds) * 1000);
    messages_free(&messages);
    return 0;
}
