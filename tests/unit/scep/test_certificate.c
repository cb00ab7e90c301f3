/* test_certificate.c: facts of a certificate, held against OpenSSL's own reading of it. */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"
#include "identities.h"
#include "scep/certificate.h"

static X509_NAME *name_of(const char *cn)
{
    X509_NAME *name = X509_NAME_new();
    cr_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0));
    return name;
}

static X509 *certificate_of(EVP_PKEY *key, int version)
{
    CLEANUP(X509_NAME) X509_NAME *issuer = name_of("Issuer");
    CLEANUP(X509_NAME) X509_NAME *subject = name_of("Subject, with a comma");
    X509 *c = X509_new();
    cr_assert(X509_set_version(c, version) && ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), 0x80ff));
    cr_assert(X509_set_issuer_name(c, issuer) && X509_set_subject_name(c, subject) &&
              X509_set_pubkey(c, key));
    cr_assert(ASN1_TIME_set_string_X509(X509_getm_notBefore(c), "20260102030405Z"));
    cr_assert(ASN1_TIME_set_string_X509(X509_getm_notAfter(c), "20510102030405Z")); /* a GeneralizedTime */
    cr_assert(X509_sign(c, key, EVP_sha256()));
    return c;
}

static struct bytes der_of(X509 *c)
{
    unsigned char *der = NULL;
    int len = i2d_X509(c, &der);
    cr_assert(len > 0);
    return bytes_of(der, (size_t)len);
}

static void check_facts(EVP_PKEY *key, int version)
{
    struct certificate_facts facts;
    struct error e = {0};
    uint8_t spki[32];
    CLEANUP(X509) X509 *c = certificate_of(key, version);
    struct bytes der = der_of(c);
    cr_assert_eq(certificate_read(&facts, der, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(facts.serial, "80ff"); /* the INTEGER's sign octet is no part of the number */
    cr_assert_str_eq(facts.subject, "CN=Subject\\, with a comma");
    cr_assert_str_eq(facts.issuer, "CN=Issuer");
    cr_assert_eq(facts.not_before, 1767323045000);
    cr_assert_eq(facts.not_after, 2556241445000);
    unsigned char *encoded = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &encoded);
    cr_assert(len > 0 && EVP_Digest(encoded, (size_t)len, spki, NULL, EVP_sha256(), NULL));
    cr_assert_arr_eq(facts.spki_sha256, spki, sizeof spki);
    OPENSSL_free(encoded);
    OPENSSL_free((void *)der.data);
}

Test(certificate, tells_what_openssl_tells)
{
    CLEANUP(EVP_PKEY) EVP_PKEY *rsa = identity_key("client-rsa");
    CLEANUP(EVP_PKEY) EVP_PKEY *ec = identity_key("client-ec");
    check_facts(rsa, X509_VERSION_3);
    check_facts(ec, X509_VERSION_1);
}

Test(certificate, is_one_certificate_and_nothing_else)
{
    struct certificate_facts facts;
    struct error e = {0};
    CLEANUP(EVP_PKEY) EVP_PKEY *key = identity_key("client-rsa");
    CLEANUP(X509) X509 *c = certificate_of(key, X509_VERSION_3);
    struct bytes der = der_of(c);
    uint8_t *longer = malloc(der.len + 1);
    memcpy(longer, der.data, der.len);
    longer[der.len] = 0;
    cr_assert_eq(certificate_read(&facts, bytes_of(longer, der.len + 1), &e), ERR_KEY_UNUSABLE);
    cr_assert_eq(certificate_read(&facts, bytes_of(der.data, der.len - 1), &e), ERR_KEY_UNUSABLE);
    cr_assert_eq(certificate_read(&facts, bytes_of_text("junk"), &e), ERR_KEY_UNUSABLE);
    cr_assert_eq(certificate_read(&facts, (struct bytes){0}, &e), ERR_KEY_UNUSABLE);
    free(longer);
    OPENSSL_free((void *)der.data);
}

Test(certificate, serial_numbers_that_are_asked_for)
{
    uint8_t many[300] = {0};
    char text[CERTIFICATE_SERIAL_SIZE];
    static const struct {
        const char *octets;
        size_t len;
        const char *text;
    } rows[] = {
        {"\x05", 1, "05"},         {"\x00\x80\xff", 3, "80ff"}, {"\x00", 1, "00"}, {"\x00\x00", 2, "00"},
        {"\x00\x00\x05", 3, "05"}, {"\x80\xff", 2, ""},         {"\xff", 1, ""},   {"", 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool good = certificate_serial_text(text, bytes_of(rows[i].octets, rows[i].len));
        cr_expect_str_eq(text, rows[i].text, "row %zu", i);
        cr_expect_eq(good, *rows[i].text != 0, "row %zu", i);
    }
    memset(many + 100, 0x7f, 32); /* 32 octets behind many zeros */
    cr_expect(certificate_serial_text(text, bytes_of(many, 132)));
    cr_expect_eq(strlen(text), 64);
    memset(many + 132, 0x7f, 1);
    cr_expect_not(certificate_serial_text(text, bytes_of(many, 133)));
    cr_expect_str_eq(text, "");
}

Test(certificate, names_that_are_asked_for)
{
    struct certificate_facts facts;
    char hash[65];
    CLEANUP(EVP_PKEY) EVP_PKEY *key = identity_key("client-rsa");
    CLEANUP(X509) X509 *c = certificate_of(key, X509_VERSION_3);
    struct bytes der = der_of(c);
    cr_assert_eq(certificate_read(&facts, der, NULL), ERR_OK);
    const unsigned char *name;
    size_t len;
    cr_assert(X509_NAME_get0_der(X509_get_issuer_name(c), &name, &len));
    certificate_name_hash(hash, bytes_of(name, len));
    cr_expect_str_eq(hash, facts.issuer_sha256);
    certificate_name_hash(hash, bytes_of(name, len - 1));
    cr_expect_str_neq(hash, facts.issuer_sha256);
    certificate_name_hash(hash, (struct bytes){0});
    cr_expect_eq(strlen(hash), 64);
    OPENSSL_free((void *)der.data);
}
