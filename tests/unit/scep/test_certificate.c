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
