/* test_open_fixtures.c: requests that Python's asn1crypto and cryptography made (tests/data/scep/make.py). */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "identities.h"
#include "scep/open.h"

static struct {
    struct scep_recipient recipient;
    struct scep_rules rules;
    struct scep_message *opened;
    uint8_t data[8192];
} f;

static FILE *data_file(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("TEST_DATA"), name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    return file;
}

static void setup(void)
{
    FILE *file = data_file("scep/ra.pem");
    f.recipient = (struct scep_recipient){PEM_read_X509(file, NULL, NULL, NULL), identity_key("ra-rsa")};
    fclose(file);
    f.rules =
        (struct scep_rules){SCEP_CIPHERS_DEFAULT,  SCEP_DIGESTS_DEFAULT, 2048, 4096, &f.recipient, 1, false,
                            SCEP_TYPES_OF_REQUESTS};
}

static void teardown(void)
{
    scep_message_free(f.opened);
    X509_free(f.recipient.certificate);
    EVP_PKEY_free(f.recipient.key);
}

TestSuite(fixtures, .init = setup, .fini = teardown);

static void open_fixture(const char *name)
{
    char path[256];
    struct error e;
    snprintf(path, sizeof path, "../fuzz/corpus/open/%s.der", name);
    FILE *file = data_file(path);
    size_t len = fread(f.data, 1, sizeof f.data, file);
    fclose(file);
    scep_message_free(f.opened);
    enum error_code code = scep_open(&f.opened, bytes_of(f.data, len), &f.rules, &e);
    cr_assert_eq(code, ERR_OK, "%s: %s", name, e.text);
}

static bool is_text(struct bytes b, const char *text)
{
    return bytes_equal(b, bytes_of_text(text));
}

Test(fixtures, requests_for_a_certificate)
{
    static const struct {
        const char *name;
        int type;
        enum scep_cipher cipher;
        enum scep_digest digest;
        int oaep; /* NID */
        const char *transaction, *nonce;
        enum key_kind key;
    } rows[] = {
        {"aes128-sha256", 19, SCEP_CIPHER_AES128, SCEP_DIGEST_SHA256, 0, "fixture", "0123456789abcdef",
         KEY_RSA},
        {"aes256-sha512", 19, SCEP_CIPHER_AES256, SCEP_DIGEST_SHA512, 0, "fixture", "0123456789abcdef",
         KEY_RSA},
        {"des3-sha1", 19, SCEP_CIPHER_DES3, SCEP_DIGEST_SHA1, 0, "fixture", "8 octets", KEY_RSA},
        {"oaep", 19, SCEP_CIPHER_AES128, SCEP_DIGEST_SHA256, NID_sha1, "fixture", "0123456789abcdef",
         KEY_RSA},
        {"oaep256", 19, SCEP_CIPHER_AES256, SCEP_DIGEST_SHA256, NID_sha256, "fixture", "0123456789abcdef",
         KEY_RSA},
        {"pss", 19, SCEP_CIPHER_AES128, SCEP_DIGEST_SHA256, 0, "fixture", "0123456789abcdef", KEY_RSA},
        {"ec-csr", 19, SCEP_CIPHER_AES128, SCEP_DIGEST_SHA256, 0, NULL, "0123456789abcdef", KEY_EC},
        {"key-id", 19, SCEP_CIPHER_AES128, SCEP_DIGEST_SHA256, 0, "fixture", "0123456789abcdef", KEY_RSA},
        {"wrapped-key-id", 19, SCEP_CIPHER_AES128, SCEP_DIGEST_SHA256, 0,
         "GAPiVnDq7vBtDQ+KZ/0vTV9LX2c=", "0123456789abcdef", KEY_RSA},
        {"renewal", 17, SCEP_CIPHER_AES128, SCEP_DIGEST_SHA256, 0, "fixture", "0123456789abcdef", KEY_RSA},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_fixture(rows[i].name);
        const struct scep_message *m = f.opened;
        cr_assert_eq(m->type, rows[i].type);
        cr_assert_eq(m->cipher, rows[i].cipher);
        cr_assert_eq(m->digest, rows[i].digest);
        cr_assert_eq(m->transport.oaep, rows[i].oaep != 0);
        cr_assert_eq(m->transport.oaep_digest, rows[i].oaep);
        cr_assert_eq(m->transport.mgf1_digest, rows[i].oaep);
        cr_assert(rows[i].transaction ? is_text(m->transaction_id, rows[i].transaction)
                                      : m->transaction_id.len == 77);
        cr_assert(is_text(m->sender_nonce, rows[i].nonce));
        cr_assert(m->signer_self_signed);
        cr_assert_eq(m->csr->key.kind, rows[i].key);
        cr_assert_str_eq((char *)m->csr->challenge.data, "fixture-challenge");
        cr_assert_str_eq(m->csr->subject_text, "CN=device-17,O=Example,C=AT");
    }
}

Test(fixtures, names_in_the_request)
{
    static const struct san_entry expected[] = {
        {SAN_DNS, "device-17.example"}, {SAN_EMAIL, "device@example"},  {SAN_IP, "192.0.2.17"},
        {SAN_URI, "urn:example:17"},    {SAN_UPN, "device@ad.example"},
    };
    open_fixture("aes128-sha256");
    cr_assert_eq(f.opened->csr->san_count, 5);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(f.opened->csr->sans[i].kind, expected[i].kind);
        cr_assert_str_eq(f.opened->csr->sans[i].value, expected[i].value);
    }
}

Test(fixtures, queries)
{
    open_fixture("poll");
    cr_assert_eq(f.opened->type, SCEP_CERT_POLL);
    static const uint8_t serial[] = {0x12, 0x34, 0x56, 0x78, 0x90};
    open_fixture("get-cert");
    cr_assert_eq(f.opened->type, SCEP_GET_CERT);
    cr_assert_gt(f.opened->issuer_der.len, 0);
    cr_assert(bytes_equal(f.opened->serial, bytes_of(serial, sizeof serial)));
    open_fixture("get-crl");
    cr_assert_eq(f.opened->type, SCEP_GET_CRL);
    cr_assert(bytes_equal(f.opened->serial, bytes_of(serial, sizeof serial)));
}
