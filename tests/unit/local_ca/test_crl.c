/* test_crl.c: revocation lists as others read them: OpenSSL's parser, verifier and command line. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/local_ca/own.h"
#include "unit/local_ca/host.h"

extern const struct backend_type local_ca_type;

#define DAY (86400LL * 1000)

struct bench {
    struct backend_host *host;
    void *ca;
    struct host_result chain, result;
    X509 *certificate;
};

static void bench_open(struct bench *b, const struct host_value *values, size_t count)
{
    char problem[512];
    *b = (struct bench){.host = host_create(values, count)};
    b->ca = host_open(b->host, problem, sizeof problem);
    cr_assert(b->ca, "%s", problem);
    cr_assert(local_ca_type.ca_chain(b->ca, BACKEND_CA_CURRENT, host_completed, &b->chain));
    host_run(b->host);
    const unsigned char *at = b->chain.chain[0];
    b->certificate = d2i_X509(NULL, &at, (long)b->chain.lens[0]);
    cr_assert(b->certificate);
}

static void bench_close(struct bench *b)
{
    host_result_clear(&b->chain);
    host_result_clear(&b->result);
    X509_free(b->certificate);
    local_ca_type.close(b->ca);
    host_destroy(b->host);
}

static struct backend_bytes issuer_of(const struct bench *b)
{
    return (struct backend_bytes){.data = b->chain.chain[0], .len = b->chain.lens[0]};
}

static void ask(struct bench *b, const struct backend_crl_request *request)
{
    host_result_clear(&b->result);
    cr_assert(local_ca_type.crl(b->ca, request, host_completed, &b->result));
    cr_assert_eq(b->result.calls, 0, "the completion was called inside the start");
    host_run(b->host);
    cr_assert_eq(b->result.calls, 1);
}

static X509_CRL *make(struct bench *b, int64_t number, const struct backend_revocation *entries, size_t count)
{
    struct backend_crl_request request = {
        .issuer = issuer_of(b), .number = number, .revocations = entries, .count = count};
    ask(b, &request);
    cr_assert_eq(b->result.verdict, BACKEND_ISSUED, "%s", b->result.reason);
    const unsigned char *at = b->result.crl;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)b->result.crl_len);
    cr_assert(list && at == b->result.crl + b->result.crl_len);
    return list;
}

static struct backend_revocation entry(uint32_t serial, int64_t at, int reason)
{
    struct backend_revocation r = {.at = at, .reason = (uint8_t)reason};
    for (int i = 3; i >= 0; i--)
        if (r.serial_len || serial >> (8 * i) & 0xff)
            r.serial[r.serial_len++] = (uint8_t)(serial >> (8 * i));
    return r;
}

/* The reason of a serial's entry; 0 without the extension, -1 when it is not on the list. */
static int listed(X509_CRL *list, uint64_t serial)
{
    X509_REVOKED *found;
    OWN(INTEGER) ASN1_INTEGER *number = ASN1_INTEGER_new();
    cr_assert(ASN1_INTEGER_set_uint64(number, serial));
    if (!X509_CRL_get0_by_serial(list, &found, number))
        return -1;
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(found, NID_crl_reason, NULL, NULL);
    long value = reason ? ASN1_ENUMERATED_get(reason) : 0;
    ASN1_ENUMERATED_free(reason);
    return (int)value;
}

static int64_t ms_of(const ASN1_TIME *t)
{
    struct tm parts;
    cr_assert(ASN1_TIME_to_tm(t, &parts));
    return (int64_t)timegm(&parts) * 1000;
}

/* `openssl crl -verify` on it, and what -text says. */
static void verify_with_openssl(const struct bench *b, char *text, size_t size)
{
    char folder[] = "/tmp/crl.XXXXXX", ca[64], crl[64], command[256];
    cr_assert(mkdtemp(folder));
    snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    snprintf(crl, sizeof crl, "%s/a.crl", folder);
    FILE *file = fopen(ca, "w");
    cr_assert(PEM_write_X509(file, b->certificate));
    fclose(file);
    file = fopen(crl, "w");
    cr_assert_eq(fwrite(b->result.crl, 1, b->result.crl_len, file), b->result.crl_len);
    fclose(file);
    snprintf(command, sizeof command, "openssl crl -inform der -in %s -CAfile %s -verify -noout -text 2>&1",
             crl, ca);
    FILE *out = popen(command, "r");
    size_t len = fread(text, 1, size - 1, out);
    text[len] = '\0';
    while (fgetc(out) != EOF)
        ;
    cr_assert_eq(pclose(out), 0, "%s", text);
    unlink(ca), unlink(crl), rmdir(folder);
}

Test(crl, verifies_under_every_kind_of_ca)
{
    const char *types[] = {"rsa-2048", "ec-p256", "ec-p384"};
    const struct backend_revocation entries[] = {entry(0x80, 1000, 1), entry(2, 2000, 0)};
    for (size_t i = 0; i < 3; i++)
        for (size_t count = 0; count <= 2; count++) {
            struct host_value values[] = {{"key_type", types[i]}};
            struct bench b;
            char text[8192];
            bench_open(&b, values, 1);
            OWN(X509_CRL) X509_CRL *list = make(&b, 7, entries, count);
            cr_assert_eq(X509_CRL_get_version(list), X509_CRL_VERSION_2);
            cr_assert_eq(X509_CRL_verify(list, X509_get0_pubkey(b.certificate)), 1);
            cr_assert_eq(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list)), count ? (int)count : -1);
            verify_with_openssl(&b, text, sizeof text);
            cr_assert(strstr(text, "verify OK"), "%s", text);
            bench_close(&b);
        }
}

Test(crl, has_its_extensions_and_times)
{
    struct host_value values[] = {{"key_type", "ec-p256"}, {"crl.interval", "2d"}, {"crl.validity", "3d"}};
    struct bench b;
    bench_open(&b, values, 3);
    host_time = 1900000000000;
    OWN(X509_CRL) X509_CRL *list = make(&b, 0x80000001, NULL, 0);
    AUTHORITY_KEYID *by = X509_CRL_get_ext_d2i(list, NID_authority_key_identifier, NULL, NULL);
    cr_assert(by && ASN1_OCTET_STRING_cmp(by->keyid, X509_get0_subject_key_id(b.certificate)) == 0);
    AUTHORITY_KEYID_free(by);
    int critical = -1;
    int64_t number = 0;
    ASN1_INTEGER *found = X509_CRL_get_ext_d2i(list, NID_crl_number, &critical, NULL);
    cr_assert(found && critical == 0 && ASN1_INTEGER_get_int64(&number, found));
    cr_assert_eq(number, 0x80000001);
    ASN1_INTEGER_free(found);
    cr_assert_eq(X509_CRL_get_ext_count(list), 2);
    cr_assert_eq(ms_of(X509_CRL_get0_lastUpdate(list)), host_time);
    cr_assert_eq(ms_of(X509_CRL_get0_nextUpdate(list)), host_time + 3 * DAY);
    cr_assert_eq(b.result.this_update, host_time);
    cr_assert_eq(b.result.next_update, host_time + 3 * DAY);
    cr_assert_eq(local_ca_type.crl_interval(b.ca), 2 * DAY);
    cr_assert_eq(ASN1_STRING_type(X509_CRL_get0_lastUpdate(list)), V_ASN1_UTCTIME);
    host_time = 0;
    bench_close(&b);
}

Test(crl, times_from_2050_on_are_generalized)
{
    struct host_value values[] = {{"key_type", "ec-p256"}, {"ca_validity", "36500d"}};
    struct bench b;
    bench_open(&b, values, 2);
    host_time = 2524607990000; /* ten seconds before 2050 */
    struct backend_revocation late = entry(5, 2524608000000, 4);
    OWN(X509_CRL) X509_CRL *list = make(&b, 1, &late, 1);
    cr_assert_eq(ASN1_STRING_type(X509_CRL_get0_lastUpdate(list)), V_ASN1_UTCTIME);
    cr_assert_eq(ASN1_STRING_type(X509_CRL_get0_nextUpdate(list)), V_ASN1_GENERALIZEDTIME);
    const X509_REVOKED *only = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(list), 0);
    cr_assert_eq(ASN1_STRING_type(X509_REVOKED_get0_revocationDate(only)), V_ASN1_GENERALIZEDTIME);
    cr_assert_eq(ms_of(X509_REVOKED_get0_revocationDate(only)), 2524608000000);
    host_time = 0;
    bench_close(&b);
}

Test(crl, reasons_are_said_as_the_rfc_has_them)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct backend_revocation entries[12];
    struct bench b;
    bench_open(&b, values, 1);
    for (int i = 0; i < 12; i++)
        entries[i] = entry((uint32_t)i + 1, 1000, i);
    OWN(X509_CRL) X509_CRL *list = make(&b, 1, entries, 12);
    for (int i = 0; i < 12; i++)
        cr_assert_eq(listed(list, (uint64_t)i + 1), i == 7 || i == 8 || i == 11 ? 0 : i, "reason %d", i);
    const X509_REVOKED *first = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(list), 0);
    cr_assert_eq(X509_REVOKED_get_ext_count(first), 0, "unspecified is left out");
    bench_close(&b);
}

/* Two replicas that read the same rows in other orders make the same list. */
Test(crl, order_of_entries_does_not_matter)
{
    struct host_value values[] = {{"key_type", "rsa-2048"}};
    const struct backend_revocation one[] = {entry(0x80, 1000, 1), entry(0x7f, 2000, 4),
                                             entry(0x100, 3000, 0), entry(0x80, 5000, 6)};
    const struct backend_revocation other[] = {one[3], one[2], one[1], one[0]};
    struct bench b;
    bench_open(&b, values, 1);
    host_time = 1900000000000;
    X509_CRL_free(make(&b, 1, one, 4));
    size_t len = b.result.crl_len;
    OWN(memory) uint8_t *first = malloc(len);
    memcpy(first, b.result.crl, len);
    OWN(X509_CRL) X509_CRL *list = make(&b, 1, other, 4);
    cr_assert(b.result.crl_len == len && memcmp(b.result.crl, first, len) == 0);
    cr_assert_eq(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list)), 3, "a serial is listed once");
    cr_assert_eq(listed(list, 0x80), 1, "for good wins over a hold");
    host_time = 0;
    bench_close(&b);
}

Test(crl, serials_are_integers_whatever_their_bits)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct backend_revocation entries[3] = {entry(0xff, 1, 0), entry(0, 1, 0)};
    entries[2].serial_len = BACKEND_SERIAL_MAX;
    memset(entries[2].serial, 0xee, BACKEND_SERIAL_MAX);
    struct bench b;
    bench_open(&b, values, 1);
    OWN(X509_CRL) X509_CRL *list = make(&b, 1, entries, 3);
    cr_assert_eq(listed(list, 0xff), 0);
    cr_assert_eq(listed(list, 0), 0);
    cr_assert_eq(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list)), 3);
    bench_close(&b);
}

Test(crl, ten_thousand_entries_are_all_found)
{
    struct host_value values[] = {{"key_type", "rsa-2048"}};
    size_t count = 10000;
    OWN(memory) struct backend_revocation *entries = calloc(count, sizeof *entries);
    for (size_t i = 0; i < count; i++)
        entries[i] = entry((uint32_t)(i * 2654435761U) | 1U << 31, (int64_t)i * 1000, (int)(i % 6));
    struct bench b;
    char text[512];
    bench_open(&b, values, 1);
    OWN(X509_CRL) X509_CRL *list = make(&b, 1, entries, count);
    verify_with_openssl(&b, text, sizeof text);
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += listed(list, (uint32_t)(i * 2654435761U) | 1U << 31) >= 0;
    cr_assert_eq(found, count);
    bench_close(&b);
}

/* ---- who signs no lists -------------------------------------------------------------------------------- */

static void write_pair(const char *folder, const char *usage)
{
    char path[128];
    OWN(PKEY) EVP_PKEY *key = EVP_EC_gen("P-256");
    OWN(X509) X509 *ca = X509_new();
    X509_set_version(ca, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(ca), 1);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(ca), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"Brought", -1, -1, 0);
    X509_set_issuer_name(ca, X509_get_subject_name(ca));
    X509_gmtime_adj(X509_getm_notBefore(ca), 0);
    X509_gmtime_adj(X509_getm_notAfter(ca), 86400);
    X509_set_pubkey(ca, key);
    X509_EXTENSION *extensions[] = {
        X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"),
        X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, usage)};
    for (int i = 0; i < 2; i++) {
        X509_add_ext(ca, extensions[i], -1);
        X509_EXTENSION_free(extensions[i]);
    }
    cr_assert(X509_sign(ca, key, EVP_sha256()));
    snprintf(path, sizeof path, "%s/ca.pem", folder);
    FILE *file = fopen(path, "w");
    PEM_write_X509(file, ca);
    fclose(file);
    snprintf(path, sizeof path, "%s/ca-key.pem", folder);
    file = fopen(path, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

Test(crl, a_ca_that_may_not_sign_lists_says_so)
{
    char problem[512];
    struct bench b = {.host = host_create(NULL, 0)};
    write_pair(host_folder(b.host), "critical,keyCertSign");
    b.ca = host_open(b.host, problem, sizeof problem);
    cr_assert(b.ca, "%s", problem);
    cr_assert(strstr(host_logged(b.host), "lacks cRLSign"), "%s", host_logged(b.host));
    ask(&b, &(struct backend_crl_request){.number = 1});
    cr_assert_eq(b.result.verdict, BACKEND_REJECTED);
    cr_assert(strstr(b.result.reason, "lacks cRLSign"), "%s", b.result.reason);
    bench_close(&b);
}

Test(crl, a_foreign_issuer_gets_none)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct bench b;
    bench_open(&b, values, 1);
    ask(&b, &(struct backend_crl_request){.issuer = {(const uint8_t *)"x", 1}, .number = 1});
    cr_assert_eq(b.result.verdict, BACKEND_REJECTED);
    bench_close(&b);
}

Test(crl, impossible_orders_fail)
{
    struct host_value values[] = {{"key_type", "ec-p256"}};
    struct backend_revocation long_one = {.serial_len = BACKEND_SERIAL_MAX + 1};
    struct bench b;
    bench_open(&b, values, 1);
    ask(&b, &(struct backend_crl_request){.number = 0});
    cr_assert_eq(b.result.verdict, BACKEND_MISCONFIGURED);
    ask(&b, &(struct backend_crl_request){.number = 1, .revocations = &long_one, .count = 1});
    cr_assert_eq(b.result.verdict, BACKEND_MISCONFIGURED);
    bench_close(&b);
}

Test(crl, validity_must_outlast_the_interval)
{
    struct host_value values[] = {{"key_type", "ec-p256"}, {"crl.interval", "7d"}, {"crl.validity", "7d"}};
    char problem[512];
    struct backend_host *host = host_create(values, 3);
    cr_assert_not(host_open(host, problem, sizeof problem));
    cr_assert(strstr(problem, "crl.validity"), "%s", problem);
    host_destroy(host);
}

Test(crl, urls_of_certificates_may_name_the_ca)
{
    struct host_value values[] = {{"key_type", "ec-p256"},
                                  {"profile.crl_urls", "[http://a.example/{ca}.crl]"},
                                  {"profile.issuer_urls", "[http://a.example/{ca}.cer?of={ca}]"}};
    struct bench b;
    char problem[512];
    bench_open(&b, values, 3); /* what is in certificates, tests/system/test_crl.py looks at */
    bench_close(&b);
    struct backend_host *host = host_create(values, 3);
    write_pair(host_folder(host), "critical,keyCertSign,cRLSign");
    cr_assert_not(host_open(host, problem, sizeof problem), "a CA without subjectKeyIdentifier");
    cr_assert(strstr(problem, "subjectKeyIdentifier"), "%s", problem);
    host_destroy(host);
}
