/* test_certificate.c: certificates as others read them: OpenSSL's parser and verifier, not our writer. */
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "backends/local_ca/der.h"
#include "backends/local_ca/own.h"
#include "unit/local_ca/host.h"

extern const struct backend_type local_ca_type;

struct bench { /* a CA and what one request is made of */
    struct backend_host *host;
    void *ca;
    EVP_PKEY *key;
    unsigned char *spki, *subject, *extensions;
    uint8_t plan[BACKEND_PLAN_MAX];
    struct backend_request request;
    struct host_result result;
};

static void bench_open(struct bench *b, const struct host_value *values, size_t count)
{
    char problem[512];
    *b = (struct bench){.host = host_create(values, count)};
    b->ca = host_open(b->host, problem, sizeof problem);
    cr_assert(b->ca, "%s", problem);
}

static EVP_PKEY *make_key(const char *type)
{
    if (strcmp(type, "rsa") == 0)
        return EVP_RSA_gen(2048);
    return strcmp(type, "ec") == 0 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void set_request(struct bench *b, const char *key_type, const char *common_name, const char *san)
{
    OWN(NAME) X509_NAME *name = X509_NAME_new();
    if (common_name)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0);
    EVP_PKEY_free(b->key);
    b->key = make_key(key_type);
    b->request = (struct backend_request){
        .transaction = "t", .alias = "a", .tenant = "", .purpose = BACKEND_FOR_CLIENT};
    b->request.spki.len = (size_t)i2d_PUBKEY(b->key, &b->spki);
    b->request.spki.data = b->spki;
    b->request.subject.len = (size_t)i2d_X509_NAME(name, &b->subject);
    b->request.subject.data = b->subject;
    if (san) {
        OWN(extensions) X509_EXTENSIONS *list = sk_X509_EXTENSION_new_null();
        sk_X509_EXTENSION_push(list, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san));
        sk_X509_EXTENSION_push(list,
                               X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"));
        b->request.extensions.len = (size_t)i2d_X509_EXTENSIONS(list, &b->extensions);
        b->request.extensions.data = b->extensions;
    }
}

static void prepare(struct bench *b)
{
    b->request.plan.data = b->plan;
    b->request.plan.len = local_ca_type.prepare(b->ca, &b->request, b->plan);
    cr_assert_gt(b->request.plan.len, 0);
}

/* The certificate that the request gets; parsed by OpenSSL. */
static X509 *issue(struct bench *b)
{
    host_result_clear(&b->result);
    cr_assert(local_ca_type.enroll(b->ca, &b->request, host_completed, &b->result));
    cr_assert_eq(b->result.calls, 0, "the completion was called inside the start");
    host_run(b->host);
    cr_assert_eq(b->result.calls, 1);
    cr_assert_eq(b->result.verdict, BACKEND_ISSUED, "%s", b->result.reason);
    const unsigned char *at = b->result.chain[0];
    X509 *certificate = d2i_X509(NULL, &at, (long)b->result.lens[0]);
    cr_assert(certificate && at == b->result.chain[0] + b->result.lens[0]);
    return certificate;
}

static X509 *issuer(struct bench *b)
{
    const unsigned char *at = b->result.chain[1];
    return d2i_X509(NULL, &at, (long)b->result.lens[1]);
}

static void bench_close(struct bench *b)
{
    host_result_clear(&b->result);
    local_ca_type.close(b->ca);
    host_destroy(b->host);
    EVP_PKEY_free(b->key);
    OPENSSL_free(b->spki);
    OPENSSL_free(b->subject);
    OPENSSL_free(b->extensions);
}

static bool verifies(X509 *certificate, X509 *root)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, root);
    X509_STORE_CTX_init(context, store, certificate, NULL);
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT);
    int verified = X509_verify_cert(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return verified == 1;
}

/* What `openssl x509 -text` says. */
static void print(X509 *certificate, char *out, size_t size)
{
    OWN(BIO) BIO *text = BIO_new(BIO_s_mem());
    X509_print(text, certificate);
    int len = BIO_read(text, out, (int)size - 1);
    out[len > 0 ? len : 0] = '\0';
}

static int64_t seconds(const ASN1_TIME *t)
{
    struct tm parts;
    cr_assert(ASN1_TIME_to_tm(t, &parts));
    return (int64_t)timegm(&parts);
}

Test(certificate, every_kind_of_key_under_every_kind_of_ca)
{
    const char *cas[] = {"rsa-2048", "ec-p256", "ec-p384"}, *keys[] = {"rsa", "ec", "ed25519"};
    for (int i = 0; i < 3; i++) {
        struct host_value values[] = {{"key_type", cas[i]}, {"digest", i == 2 ? "sha384" : "sha256"}};
        struct bench b;
        bench_open(&b, values, 2);
        for (int k = 0; k < 3; k++) {
            set_request(&b, keys[k], "device 1", "DNS:a.example,IP:10.0.0.1,email:x@example.org,URI:urn:x");
            prepare(&b);
            OWN(X509) X509 *certificate = issue(&b);
            OWN(X509) X509 *root = issuer(&b);
            cr_assert_eq(b.result.chain_count, 2);
            cr_assert(verifies(certificate, root), "%s under %s", keys[k], cas[i]);
            cr_assert_eq(EVP_PKEY_eq(X509_get0_pubkey(certificate), b.key), 1);
            uint32_t usage = KU_DIGITAL_SIGNATURE | (k == 0 ? KU_KEY_ENCIPHERMENT : 0);
            cr_assert_eq(X509_get_key_usage(certificate), usage);
            cr_assert_eq(X509_get_extended_key_usage(certificate), (uint32_t)XKU_SSL_CLIENT);
            cr_assert_eq(X509_check_ca(certificate), 0);
            OPENSSL_free(b.spki), OPENSSL_free(b.subject), OPENSSL_free(b.extensions);
            b.spki = b.subject = b.extensions = NULL;
        }
        bench_close(&b);
    }
}

Test(certificate, extensions_are_what_the_settings_say)
{
    struct host_value values[] = {
        {"key_type", "ec-p256"},
        {"profile.key_usage", "[digitalSignature, contentCommitment, keyAgreement]"},
        {"profile.extended_key_usage", "[serverAuth, 1.3.6.1.4.1.311.20.2.2]"},
        {"profile.issuer_urls", "[http://ca.example/ca.cer]"},
        {"profile.ocsp_urls", "[http://ocsp.example]"},
        {"profile.crl_urls", "[http://ca.example/a.crl, http://b.example/a.crl]"},
        {"profile.basic_constraints", "noncritical"},
    };
    struct bench b;
    bench_open(&b, values, sizeof values / sizeof *values);
    set_request(&b, "ec", "device", "DNS:a.example");
    prepare(&b);
    OWN(X509) X509 *certificate = issue(&b);
    OWN(X509) X509 *root = issuer(&b);
    char text[8192];
    print(certificate, text, sizeof text);
    const char *expected[] = {
        "X509v3 Basic Constraints: \n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature, Non Repudiation, Key Agreement",
        "TLS Web Server Authentication, Microsoft Smartcard Login",
        "CA Issuers - URI:http://ca.example/ca.cer",
        "OCSP - URI:http://ocsp.example",
        "URI:http://ca.example/a.crl",
        "URI:http://b.example/a.crl",
        "X509v3 Subject Alternative Name: \n                DNS:a.example"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        cr_assert(strstr(text, expected[i]), "%s\nis not in\n%s", expected[i], text);
    cr_assert_eq(
        ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(certificate), X509_get0_subject_key_id(root)), 0);
    cr_assert_eq(ASN1_STRING_length(X509_get0_subject_key_id(certificate)), 20);
    cr_assert(verifies(certificate, root));
    bench_close(&b);
}

Test(certificate, extensions_can_be_left_out)
{
    struct host_value values[] = {{"key_type", "ec-p256"},
                                  {"profile.key_usage", "[]"},
                                  {"profile.extended_key_usage", "[]"},
                                  {"profile.basic_constraints", "absent"},
                                  {"profile.san", "false"}};
    struct bench b;
    bench_open(&b, values, sizeof values / sizeof *values);
    set_request(&b, "ec", "device", "DNS:a.example");
    prepare(&b);
    OWN(X509) X509 *certificate = issue(&b);
    cr_assert_eq(X509_get_ext_count(certificate), 2); /* both key identifiers */
    bench_close(&b);
}

Test(certificate, unknown_key_purpose_is_refused_at_open)
{
    struct host_value values[] = {{"key_type", "ec-p256"}, {"profile.extended_key_usage", "[clientAuht]"}};
    struct backend_host *host = host_create(values, 2);
    char problem[512];
    cr_assert_not(host_open(host, problem, sizeof problem));
    cr_assert(strstr(problem, "clientAuht"), "%s", problem);
    host_destroy(host);
}

Test(certificate, same_plan_gives_the_same_certificate)
{
    struct host_value values[] = {{"key_type", "rsa-2048"}};
    struct bench b;
    bench_open(&b, values, 1);
    set_request(&b, "rsa", "device", "DNS:a.example");
    prepare(&b);
    OWN(X509) X509 *first = issue(&b);
    host_time = ((int64_t)time(NULL) + 86400) * 1000;
    OWN(X509) X509 *second = issue(&b);
    cr_assert_eq(X509_cmp(first, second), 0);
    prepare(&b);
    OWN(X509) X509 *third = issue(&b);
    cr_assert_neq(ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(third)), 0);
    host_time = 0;
    bench_close(&b);
}

Test(certificate, serials_are_positive_and_twenty_octets)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct bench b;
    bench_open(&b, values, 1);
    set_request(&b, "ec", "device", NULL);
    for (int i = 0; i < 64; i++) {
        prepare(&b);
        OWN(X509) X509 *certificate = issue(&b);
        const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
        cr_assert_eq(ASN1_STRING_length(serial), 20);
        cr_assert_eq(ASN1_STRING_type(serial), V_ASN1_INTEGER); /* not V_ASN1_NEG_INTEGER */
    }
    bench_close(&b);
}

Test(certificate, validity_keeps_to_the_smallest_limit)
{
    const struct {
        const char *profile, *backdate, *ca;
        int64_t limit, length; /* seconds */
    } rows[] = {
        {"365d", "5m", "3650d", 0, 365 * 86400},        {"365d", "5m", "3650d", 3600, 3600},
        {"365d", "0s", "3650d", 86400, 86400},          {"30d", "5m", "3650d", 90 * 86400, 30 * 86400},
        {"36500d", "5m", "20000d", 0, 20000 * 86400LL}, /* cut to the CA's, beyond 2049 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host_value values[] = {{"key_type", "ec-p256"},
                                      {"profile.validity", rows[i].profile},
                                      {"profile.backdate", rows[i].backdate},
                                      {"ca_validity", rows[i].ca}};
        struct bench b;
        bench_open(&b, values, 4);
        set_request(&b, "ec", "device", NULL);
        b.request.max_validity = rows[i].limit * 1000;
        host_time = ((int64_t)time(NULL) + 3600) * 1000; /* an hour after the CA was made */
        int64_t now = host_time / 1000;
        prepare(&b);
        OWN(X509) X509 *certificate = issue(&b);
        OWN(X509) X509 *root = issuer(&b);
        int64_t from = seconds(X509_get0_notBefore(certificate)),
                to = seconds(X509_get0_notAfter(certificate));
        cr_assert_leq(from, now);
        cr_assert_gt(to, now);
        cr_assert_leq(to, seconds(X509_get0_notAfter(root)));
        if (i < 4)
            cr_assert_eq(to - from, rows[i].length, "row %zu", i);
        else
            cr_assert_eq(to, seconds(X509_get0_notAfter(root)));
        cr_assert_eq(X509_get0_notAfter(certificate)->type, i < 4 ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME);
        host_time = 0;
        bench_close(&b);
    }
}

Test(certificate, backdating_stops_at_the_cas_own_beginning)
{
    struct host_value values[] = {{"key_type", "ec-p256"}, {"profile.backdate", "7d"}};
    struct bench b;
    bench_open(&b, values, 2);
    set_request(&b, "ec", "device", NULL);
    prepare(&b);
    OWN(X509) X509 *certificate = issue(&b);
    OWN(X509) X509 *root = issuer(&b);
    cr_assert_eq(ASN1_TIME_compare(X509_get0_notBefore(certificate), X509_get0_notBefore(root)), 0);
    bench_close(&b);
}

Test(certificate, expired_ca_plans_nothing_and_says_so)
{
    struct host_value values[] = {{"key_type", "ec-p256"}, {"ca_validity", "2d"}};
    struct bench b;
    char problem[256];
    bench_open(&b, values, 2);
    set_request(&b, "ec", "device", NULL);
    cr_assert(local_ca_type.health(b.ca, problem, sizeof problem));
    host_time = ((int64_t)time(NULL) + 3 * 86400) * 1000;
    cr_assert_eq(local_ca_type.prepare(b.ca, &b.request, b.plan), 0);
    cr_assert_not(local_ca_type.health(b.ca, problem, sizeof problem));
    cr_assert(strstr(problem, "expired"));
    host_time = 0;
    bench_close(&b);
}

Test(certificate, ra_certificate_has_both_bits_and_nothing_to_log_in_with)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct bench b;
    bench_open(&b, values, 1);
    set_request(&b, "rsa", "RA", NULL);
    b.request.purpose = BACKEND_FOR_RA;
    b.request.max_validity = 90 * 86400000LL;
    prepare(&b);
    OWN(X509) X509 *certificate = issue(&b);
    cr_assert_eq(X509_get_key_usage(certificate), (uint32_t)(KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT));
    cr_assert_eq(X509_get_extended_key_usage(certificate), UINT32_MAX);
    cr_assert_eq(X509_check_ca(certificate), 0);
    cr_assert_eq(seconds(X509_get0_notAfter(certificate)) - seconds(X509_get0_notBefore(certificate)) >
                     89 * 86400,
                 true);
    bench_close(&b);
}

Test(certificate, ra_that_opens_or_signs_alone_has_one_bit)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    const struct {
        enum backend_purpose purpose;
        uint32_t usage;
    } rows[] = {{BACKEND_FOR_RA_OPENING, KU_KEY_ENCIPHERMENT},
                {BACKEND_FOR_RA_SIGNING, KU_DIGITAL_SIGNATURE}};
    for (size_t i = 0; i < 2; i++) {
        struct bench b;
        bench_open(&b, values, 1);
        set_request(&b, "rsa", "RA", NULL);
        b.request.purpose = rows[i].purpose;
        prepare(&b);
        OWN(X509) X509 *certificate = issue(&b);
        cr_assert_eq(X509_get_key_usage(certificate), rows[i].usage);
        cr_assert_eq(X509_check_ca(certificate), 0);
        bench_close(&b);
    }
}

Test(certificate, empty_subject_needs_a_san_which_becomes_critical)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct bench b;
    bench_open(&b, values, 1);
    set_request(&b, "ec", NULL, "DNS:a.example");
    prepare(&b);
    OWN(X509) X509 *certificate = issue(&b);
    OWN(X509) X509 *root = issuer(&b);
    int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
    cr_assert_eq(X509_EXTENSION_get_critical(X509_get_ext(certificate, at)), 1);
    cr_assert(verifies(certificate, root));
    b.request.extensions.len = 0;
    host_result_clear(&b.result);
    cr_assert(local_ca_type.enroll(b.ca, &b.request, host_completed, &b.result));
    host_run(b.host);
    cr_assert_eq(b.result.verdict, BACKEND_REJECTED);
    bench_close(&b);
}

Test(certificate, malformed_parts_are_rejected_not_signed)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct bench b;
    bench_open(&b, values, 1);
    set_request(&b, "ec", "device", "DNS:a.example");
    prepare(&b);
    struct backend_request good = b.request;
    for (size_t cut = 0; cut < 2; cut++) {
        size_t len = cut ? good.extensions.len : good.spki.len;
        for (size_t keep = cut; keep < len; keep++) { /* no extensions at all are fine */
            b.request = good;
            *(cut ? &b.request.extensions.len : &b.request.spki.len) = keep;
            host_result_clear(&b.result);
            cr_assert(local_ca_type.enroll(b.ca, &b.request, host_completed, &b.result));
            host_run(b.host);
            cr_assert_eq(b.result.verdict, BACKEND_REJECTED, "%zu of %zu", keep, len);
        }
    }
    b.request = good;
    b.request.plan.len = 5;
    host_result_clear(&b.result);
    cr_assert(local_ca_type.enroll(b.ca, &b.request, host_completed, &b.result));
    host_run(b.host);
    cr_assert_eq(b.result.verdict, BACKEND_MISCONFIGURED);
    b.request = good;
    bench_close(&b);
}

/* What comes in BER must not be signed as if it were DER: others would read another certificate, or none. */
Test(certificate, a_subject_or_key_in_ber_is_rejected)
{
    static const uint8_t indefinite[] = {0x30, 0x80, 0x31, 0x0e, 0x30, 0x0c, 0x06, 0x03, 0x55, 0x04,
                                         0x03, 0x0c, 0x05, 'a',  'l',  'i',  'c',  'e',  0,    0};
    static const uint8_t long_length[] = {0x30, 0x81, 0x10, 0x31, 0x0e, 0x30, 0x0c, 0x06, 0x03, 0x55,
                                          0x04, 0x03, 0x0c, 0x05, 'a',  'l',  'i',  'c',  'e'};
    static const uint8_t empty[] = {0x30, 0x80, 0, 0}; /* not taken for an empty subject otherwise */
    const struct backend_bytes subjects[] = {
        {indefinite, sizeof indefinite}, {long_length, sizeof long_length}, {empty, sizeof empty}};
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct bench b;
    bench_open(&b, values, 1);
    set_request(&b, "ec", "device", "DNS:a.example");
    prepare(&b);
    struct backend_request good = b.request;
    for (size_t i = 0; i < 4; i++) {
        uint8_t spki[512];
        b.request = good;
        if (i < 3)
            b.request.subject = subjects[i];
        else { /* 30 59 … becomes 30 81 59 … */
            memcpy(spki + 1, good.spki.data, good.spki.len);
            spki[0] = 0x30;
            spki[1] = 0x81;
            b.request.spki = (struct backend_bytes){spki, good.spki.len + 1};
        }
        host_result_clear(&b.result);
        cr_assert(local_ca_type.enroll(b.ca, &b.request, host_completed, &b.result));
        host_run(b.host);
        cr_assert_eq(b.result.verdict, BACKEND_REJECTED, "%zu", i);
    }
    b.request = good;
    bench_close(&b);
}

Test(certificate, cancelled_call_outlives_its_request_and_stays_silent)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct bench b;
    bench_open(&b, values, 1);
    set_request(&b, "ec", "device", "DNS:a.example");
    prepare(&b);
    struct backend_op *op = local_ca_type.enroll(b.ca, &b.request, host_completed, &b.result);
    cr_assert(op);
    local_ca_type.cancel(b.ca, op);
    OPENSSL_free(b.spki), OPENSSL_free(b.subject), OPENSSL_free(b.extensions);
    b.spki = b.subject = b.extensions = NULL;
    host_run(b.host);
    cr_assert_eq(b.result.calls, 0);
    bench_close(&b);
}

Test(certificate, full_queue_is_not_started)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct bench b;
    bench_open(&b, values, 1);
    set_request(&b, "ec", "device", NULL);
    prepare(&b);
    host_full(b.host, true);
    cr_assert_null(local_ca_type.enroll(b.ca, &b.request, host_completed, &b.result));
    cr_assert_null(local_ca_type.ca_chain(b.ca, BACKEND_CA_CURRENT, host_completed, &b.result));
    bench_close(&b);
}

Test(certificate, chain_and_key_are_the_cas)
{
    struct host_value values[] = {{"key_type", "rsa-2048"}};
    struct bench b;
    bench_open(&b, values, 1);
    cr_assert(local_ca_type.ca_chain(b.ca, BACKEND_CA_CURRENT, host_completed, &b.result));
    host_run(b.host);
    cr_assert_eq(b.result.verdict, BACKEND_ISSUED);
    cr_assert_eq(b.result.chain_count, 1);
    char *key_pem, *certificate_pem;
    cr_assert(local_ca_type.ca_key(b.ca, BACKEND_CA_CURRENT, &key_pem, &certificate_pem));
    OWN(BIO) BIO *key_text = BIO_new_mem_buf(key_pem, -1);
    OWN(BIO) BIO *certificate_text = BIO_new_mem_buf(certificate_pem, -1);
    OWN(PKEY) EVP_PKEY *key = PEM_read_bio_PrivateKey(key_text, NULL, NULL, NULL);
    OWN(X509) X509 *certificate = PEM_read_bio_X509(certificate_text, NULL, NULL, NULL);
    cr_assert_eq(X509_check_private_key(certificate, key), 1);
    free(key_pem);
    free(certificate_pem);
    bench_close(&b);
}

Test(certificate, der_lengths_of_every_size)
{
    const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65535, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct der d = {0};
        uint8_t *content = calloc(1, sizes[i] + 1);
        size_t outer = der_open(&d, DER_SEQUENCE), inner = der_open(&d, V_ASN1_OCTET_STRING);
        der_raw(&d, content, sizes[i]);
        der_close(&d, inner);
        der_element(&d, V_ASN1_OCTET_STRING, content, sizes[i]);
        der_close(&d, outer);
        const unsigned char *at = d.data;
        STACK_OF(ASN1_TYPE) *list = d2i_ASN1_SEQUENCE_ANY(NULL, &at, (long)d.len);
        cr_assert(list && at == d.data + d.len && sk_ASN1_TYPE_num(list) == 2);
        for (int k = 0; k < 2; k++)
            cr_assert_eq((size_t)ASN1_STRING_length(sk_ASN1_TYPE_value(list, k)->value.octet_string),
                         sizes[i]);
        sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
        free(content);
        der_free(&d);
    }
}
