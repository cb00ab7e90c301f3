/* test_seal.c: CertReps in their exact forms, checked by a DER walker and by OpenSSL's CMS, never by the
 * room's own reading code. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/cleanup.h"
#include "identities.h"
#include "scep/envelope.h"
#include "scep/seal.h"
#include "walk.h"

#define OID_MESSAGE_TYPE    "2.16.840.1.113733.1.9.2"
#define OID_PKI_STATUS      "2.16.840.1.113733.1.9.3"
#define OID_FAIL_INFO       "2.16.840.1.113733.1.9.4"
#define OID_SENDER_NONCE    "2.16.840.1.113733.1.9.5"
#define OID_RECIPIENT_NONCE "2.16.840.1.113733.1.9.6"
#define OID_TRANSACTION_ID  "2.16.840.1.113733.1.9.7"
#define OID_FAIL_INFO_TEXT  "1.3.6.1.5.5.7.24.1"
#define OID_CONTENT_TYPE    "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST  "1.2.840.113549.1.9.4"
#define OID_SIGNING_TIME    "1.2.840.113549.1.9.5"

static struct {
    EVP_PKEY *ra_key, *client_key;
    X509 *ra, *client, *issued, *issuer;
    struct bytes issued_der, issuer_der, ra_der;
    struct scep_reply reply;
    struct buffer out;
    struct error e;
} f;

static struct bytes encode(X509 *certificate)
{
    uint8_t *der = NULL;
    int size = i2d_X509(certificate, &der);
    cr_assert_gt(size, 0);
    return bytes_of(der, (size_t)size);
}

static void setup(void)
{
    f.ra_key = identity_key("ra-rsa");
    f.client_key = identity_key("client-rsa");
    f.issuer =
        identity_certificate(f.ra_key, &(struct identity_wish){.common_name = "Issuing CA", .ca = true});
    f.ra = identity_certificate(f.ra_key, &(struct identity_wish){.common_name = "RA",
                                                                  .usage = "digitalSignature,keyEncipherment",
                                                                  .issuer = f.issuer,
                                                                  .issuer_key = f.ra_key});
    f.client = identity_certificate(
        f.client_key, &(struct identity_wish){.common_name = "device", .usage = "digitalSignature"});
    f.issued = identity_certificate(
        f.client_key, &(struct identity_wish){.common_name = "a rather long name for an issued certificate",
                                              .issuer = f.issuer,
                                              .issuer_key = f.ra_key});
    f.issued_der = encode(f.issued);
    f.issuer_der = encode(f.issuer);
    f.ra_der = encode(f.ra);
    f.reply = (struct scep_reply){
        .status = SCEP_SUCCESS,
        .transaction_id = bytes_of_text("0123-TRANSACTION"),
        .recipient_nonce = bytes_of_text("0123456789abcdef"),
        .digest = SCEP_DIGEST_SHA256,
        .cipher = SCEP_CIPHER_AES128,
        .recipient = f.client,
        .certificates = {f.issued_der, f.issuer_der},
        .certificate_count = 2,
        .signer = f.ra,
        .signer_key = f.ra_key,
    };
    buffer_init(&f.out, 100000);
}

static void teardown(void)
{
    OPENSSL_free((void *)f.issued_der.data);
    OPENSSL_free((void *)f.issuer_der.data);
    OPENSSL_free((void *)f.ra_der.data);
    X509_free(f.ra);
    X509_free(f.client);
    X509_free(f.issued);
    X509_free(f.issuer);
    EVP_PKEY_free(f.ra_key);
    EVP_PKEY_free(f.client_key);
    buffer_free(&f.out);
}

TestSuite(seal, .init = setup, .fini = teardown);

static struct bytes seal(void)
{
    buffer_reset(&f.out);
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_OK, "%s", error_text(&f.e));
    return buffer_bytes(&f.out);
}

static void fail_with(enum fail_info fail, const char *text)
{
    f.reply.status = SCEP_FAILURE;
    f.reply.fail = fail;
    f.reply.fail_text = text;
}

static void expect_attribute(struct bytes message, const char *oid, unsigned tag, struct bytes value)
{
    struct node found = walk_signed_attribute(message, oid);
    cr_assert_eq(found.tag, tag, "%s has tag %02x", oid, found.tag);
    cr_assert(bytes_equal(found.inside, value), "%s has another value", oid);
}

static bool verifies(struct bytes message, BIO *out)
{
    const uint8_t *at = message.data;
    CLEANUP(CMS) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)message.len);
    cr_assert_not_null(cms);
    CLEANUP(BIO) BIO *empty = *CMS_get0_content(cms) ? NULL : BIO_new_mem_buf("", 0);
    return CMS_verify(cms, NULL, NULL, empty, out, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1;
}

static void expect_digest(struct bytes message, const char *name, struct bytes content)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t size = 0;
    cr_assert_eq(EVP_Q_digest(NULL, name, NULL, content.data, content.len, digest, &size), 1);
    expect_attribute(message, OID_MESSAGE_DIGEST, 0x04, bytes_of(digest, size));
}

/* What all three forms have in common. */
static void expect_outer_form(struct bytes message, unsigned attributes)
{
    struct node top = walk_parse(message);
    cr_assert(walk_is_oid(walk_child(top, 0), "1.2.840.113549.1.7.2"));
    struct node data = WALK(top, 1, 0);
    cr_assert_eq(walk_count(data), 5, "no crls, no more");
    cr_assert(bytes_equal(walk_child(data, 0).inside, bytes_of("\1", 1)), "SignedData is version 1");
    cr_assert_eq(walk_count(walk_child(data, 1)), 1, "one digest algorithm");
    cr_assert(walk_is_oid(WALK(data, 2, 0), "1.2.840.113549.1.7.1"));
    struct node certificates = walk_child(data, 3);
    cr_assert_eq(certificates.tag, 0xa0);
    cr_assert(bytes_equal(certificates.inside, f.ra_der), "the RA certificate alone");

    struct node signer = walk_signer_info(message);
    cr_assert_eq(walk_count(signer), 6, "no unsigned attributes");
    cr_assert(bytes_equal(walk_child(signer, 0).inside, bytes_of("\1", 1)), "SignerInfo is version 1");
    cr_assert_eq(walk_child(signer, 1).tag, 0x30, "issuerAndSerialNumber");
    cr_assert_eq(walk_count(walk_child(signer, 1)), 2);
    cr_assert(walk_is_oid(WALK(signer, 4, 0), "1.2.840.113549.1.1.1"), "rsaEncryption, not shaNWithRSA");
    cr_assert_eq(WALK(signer, 4, 1).tag, 0x05);
    cr_assert_eq(walk_count(walk_child(signer, 3)), attributes);

    expect_attribute(message, OID_MESSAGE_TYPE, 0x13, bytes_of_text("3"));
    expect_attribute(message, OID_TRANSACTION_ID, 0x13, f.reply.transaction_id);
    expect_attribute(message, OID_RECIPIENT_NONCE, 0x04, f.reply.recipient_nonce);
    cr_assert_eq(walk_signed_attribute(message, OID_SENDER_NONCE).tag, 0x04);
    cr_assert_eq(walk_signed_attribute(message, OID_SENDER_NONCE).inside.len, 16);
    cr_assert(walk_is_oid(walk_signed_attribute(message, OID_CONTENT_TYPE), "1.2.840.113549.1.7.1"));
    cr_assert_eq(walk_signed_attribute(message, OID_SIGNING_TIME).tag, 0x17);
}

static void expect_no_content(struct bytes message)
{
    struct node content = WALK(walk_parse(message), 1, 0, 2);
    static const uint8_t data_alone[] = {0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48,
                                         0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
    cr_assert(bytes_equal(content.whole, bytes_of(data_alone, sizeof data_alone)), "eContent must be absent");
    expect_digest(message, "SHA256", bytes_of("", 0));
}

Test(seal, pending)
{
    f.reply.status = SCEP_PENDING;
    struct bytes message = seal();
    expect_outer_form(message, 8);
    expect_no_content(message);
    expect_attribute(message, OID_PKI_STATUS, 0x13, bytes_of_text("3"));
    cr_assert_eq(walk_signed_attribute(message, OID_FAIL_INFO).tag, 0);
    cr_assert_eq(walk_signed_attribute(message, OID_FAIL_INFO_TEXT).tag, 0);
    cr_assert(verifies(message, NULL));
}

Test(seal, failure_with_text)
{
    fail_with(FAIL_BAD_REQUEST, "Prüfung nicht bestanden");
    struct bytes message = seal();
    expect_outer_form(message, 10);
    expect_no_content(message);
    expect_attribute(message, OID_PKI_STATUS, 0x13, bytes_of_text("2"));
    expect_attribute(message, OID_FAIL_INFO, 0x13, bytes_of_text("2"));
    expect_attribute(message, OID_FAIL_INFO_TEXT, 0x0c, bytes_of_text("Prüfung nicht bestanden"));
    cr_assert(verifies(message, NULL));
}

Test(seal, each_fail_info_without_text)
{
    static const char *const digits[] = {"0", "1", "2", "3", "4"};
    for (int fail = FAIL_BAD_ALG; fail <= FAIL_BAD_CERT_ID; fail++) {
        fail_with((enum fail_info)fail, NULL);
        struct bytes message = seal();
        expect_outer_form(message, 9);
        expect_attribute(message, OID_FAIL_INFO, 0x13, bytes_of_text(digits[fail]));
    }
}

Test(seal, fail_text_stays_out_of_other_forms)
{
    f.reply.status = SCEP_PENDING;
    f.reply.fail = FAIL_BAD_ALG;
    f.reply.fail_text = "left over";
    expect_outer_form(seal(), 8);
}

static struct bytes outer_content(struct bytes message)
{
    struct node content = WALK(walk_parse(message), 1, 0, 2, 1, 0);
    cr_assert_eq(content.tag, 0x04, "eContent is an OCTET STRING");
    return content.inside;
}

static BIO *decrypt(struct bytes message)
{
    struct bytes content = outer_content(message);
    const uint8_t *at = content.data;
    CLEANUP(CMS) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)content.len);
    cr_assert_not_null(cms);
    BIO *out = BIO_new(BIO_s_mem());
    cr_assert_eq(CMS_decrypt(cms, f.client_key, f.client, NULL, out, CMS_BINARY), 1,
                 "the client can decrypt");
    return out;
}

static struct node recipient_info(struct bytes message)
{
    struct node enveloped = WALK(walk_parse(outer_content(message)), 1, 0);
    cr_assert(bytes_equal(walk_child(enveloped, 0).inside, bytes_of("\0", 1)), "EnvelopedData is version 0");
    cr_assert_eq(walk_count(walk_child(enveloped, 1)), 1, "one recipient");
    return WALK(enveloped, 1, 0);
}

Test(seal, success)
{
    struct bytes message = seal();
    expect_outer_form(message, 8);
    expect_attribute(message, OID_PKI_STATUS, 0x13, bytes_of_text("0"));
    expect_digest(message, "SHA256", outer_content(message));
    cr_assert(verifies(message, NULL));

    struct node enveloped = walk_parse(outer_content(message));
    cr_assert(walk_is_oid(walk_child(enveloped, 0), "1.2.840.113549.1.7.3"));
    struct node content = WALK(enveloped, 1, 0, 2);
    cr_assert(walk_is_oid(walk_child(content, 0), "1.2.840.113549.1.7.1"));
    cr_assert(walk_is_oid(WALK(content, 1, 0), "2.16.840.1.101.3.4.1.2"), "AES-128-CBC");
    struct node recipient = recipient_info(message);
    cr_assert_eq(recipient.tag, 0x30, "KeyTransRecipientInfo");
    cr_assert(bytes_equal(walk_child(recipient, 0).inside, bytes_of("\0", 1)), "version 0");
    cr_assert_eq(walk_child(recipient, 1).tag, 0x30, "issuerAndSerialNumber");
    cr_assert(walk_is_oid(WALK(recipient, 2, 0), "1.2.840.113549.1.1.1"), "PKCS#1 v1.5");
}

Test(seal, success_holds_the_issued_certificate_first)
{
    CLEANUP(BIO) BIO *clear = decrypt(seal());
    char *data = NULL;
    long length = BIO_get_mem_data(clear, &data);
    struct node bag = WALK(walk_parse(bytes_of(data, (size_t)length)), 1, 0);
    cr_assert_eq(walk_count(bag), 5);
    cr_assert_eq(walk_child(bag, 1).inside.len, 0);
    cr_assert_eq(walk_count(walk_child(bag, 2)), 1, "no eContent inside");
    cr_assert_eq(walk_count(walk_child(bag, 3)), 2);
    cr_assert(bytes_equal(WALK(bag, 3, 0).whole, f.issued_der));
    cr_assert(bytes_equal(WALK(bag, 3, 1).whole, f.issuer_der));
    cr_assert_eq(walk_child(bag, 4).inside.len, 0);
}

Test(seal, mirrors_every_digest)
{
    static const struct {
        enum scep_digest digest;
        const char *name, *oid;
    } cases[] = {{SCEP_DIGEST_SHA1, "SHA1", "1.3.14.3.2.26"},
                 {SCEP_DIGEST_SHA224, "SHA224", "2.16.840.1.101.3.4.2.4"},
                 {SCEP_DIGEST_SHA256, "SHA256", "2.16.840.1.101.3.4.2.1"},
                 {SCEP_DIGEST_SHA384, "SHA384", "2.16.840.1.101.3.4.2.2"},
                 {SCEP_DIGEST_SHA512, "SHA512", "2.16.840.1.101.3.4.2.3"},
                 {SCEP_DIGEST_MD5, "MD5", "1.2.840.113549.2.5"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f.reply.digest = cases[i].digest;
        struct bytes message = seal();
        cr_assert(walk_is_oid(WALK(walk_signer_info(message), 2, 0), cases[i].oid), "%s", cases[i].name);
        cr_assert(walk_is_oid(WALK(walk_signer_info(message), 4, 0), "1.2.840.113549.1.1.1"));
        expect_digest(message, cases[i].name, outer_content(message));
        cr_assert(verifies(message, NULL), "%s", cases[i].name);
    }
}

Test(seal, mirrors_every_cipher)
{
    static const struct {
        enum scep_cipher cipher;
        const char *oid;
    } cases[] = {{SCEP_CIPHER_AES128, "2.16.840.1.101.3.4.1.2"},
                 {SCEP_CIPHER_AES192, "2.16.840.1.101.3.4.1.22"},
                 {SCEP_CIPHER_AES256, "2.16.840.1.101.3.4.1.42"},
                 {SCEP_CIPHER_DES3, "1.2.840.113549.3.7"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f.reply.cipher = cases[i].cipher;
        struct bytes message = seal();
        cr_assert(walk_is_oid(WALK(walk_parse(outer_content(message)), 1, 0, 2, 1, 0), cases[i].oid));
        BIO_free(decrypt(message));
    }
}

Test(seal, single_des_for_those_who_opted_in)
{
    f.reply.cipher = SCEP_CIPHER_DES;
    f.reply.digest = SCEP_DIGEST_MD5;
    struct bytes message = seal();
    cr_assert(walk_is_oid(WALK(walk_parse(outer_content(message)), 1, 0, 2, 1, 0), "1.3.14.3.2.7"));
    cr_assert(verifies(message, NULL));
}

Test(seal, mirrors_oaep_with_its_digests)
{
    f.reply.transport =
        (struct scep_key_transport){.oaep = true, .oaep_digest = NID_sha256, .mgf1_digest = NID_sha1};
    struct bytes message = seal();
    struct node algorithm = walk_child(recipient_info(message), 2);
    cr_assert(walk_is_oid(walk_child(algorithm, 0), "1.2.840.113549.1.1.7"));
    struct node parameters = walk_child(algorithm, 1);
    cr_assert_eq(walk_count(parameters), 1, "hash alone: MGF1 with SHA-1 is the default");
    cr_assert(walk_is_oid(WALK(parameters, 0, 0, 0), "2.16.840.1.101.3.4.2.1"));
    BIO_free(decrypt(message));

    f.reply.transport.mgf1_digest = NID_sha384;
    message = seal();
    parameters = WALK(recipient_info(message), 2, 1);
    cr_assert_eq(walk_count(parameters), 2);
    cr_assert(walk_is_oid(WALK(parameters, 1, 0, 1, 0), "2.16.840.1.101.3.4.2.2"));
    BIO_free(decrypt(message));
}

Test(seal, transaction_id_is_echoed_byte_for_byte)
{
    static const struct bytes ids[] = {
        {(const uint8_t *)"a_b@c*\xc3\xa9\xff", 9},
        {(const uint8_t *)"with\0nul", 8},
        {(const uint8_t *)"+/= &SSCEP transactionId", 24},
        {(const uint8_t *)"", 0},
    };
    f.reply.status = SCEP_PENDING;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        f.reply.transaction_id = ids[i];
        expect_outer_form(seal(), 8);
    }
}

Test(seal, nonce_of_any_length_is_echoed)
{
    f.reply.status = SCEP_PENDING;
    static const size_t sizes[] = {0, 8, 16, 20, SCEP_NONCE_MAX};
    uint8_t nonce[SCEP_NONCE_MAX];
    memset(nonce, 0x80, sizeof nonce);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        f.reply.recipient_nonce = bytes_of(nonce, sizes[i]);
        expect_outer_form(seal(), 8);
    }
}

Test(seal, sender_nonce_is_fresh)
{
    f.reply.status = SCEP_PENDING;
    uint8_t seen[20][16];
    for (size_t i = 0; i < 20; i++) {
        memcpy(seen[i], walk_signed_attribute(seal(), OID_SENDER_NONCE).inside.data, 16);
        for (size_t j = 0; j < i; j++)
            cr_assert(memcmp(seen[i], seen[j], 16) != 0);
    }
}

Test(seal, appends)
{
    f.reply.status = SCEP_PENDING;
    buffer_text(&f.out, "head");
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_OK);
    cr_assert_eq(memcmp(f.out.data, "head", 4), 0);
    cr_assert(verifies(bytes_of(f.out.data + 4, f.out.len - 4), NULL));
}

static X509 *ec_client(EVP_PKEY **key)
{
    *key = identity_key("client-ec");
    return identity_certificate(*key, &(struct identity_wish){.common_name = "ec"});
}

Test(seal, refuses_an_ec_recipient)
{
    EVP_PKEY *key;
    CLEANUP(X509) X509 *recipient = ec_client(&key);
    EVP_PKEY_free(key);
    f.reply.recipient = recipient;
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_ALGORITHM_REFUSED);
    cr_assert_eq(f.out.len, 0);
    /* The other forms have no envelope, so an EC signer can be told what is wrong. */
    fail_with(FAIL_BAD_ALG, NULL);
    expect_outer_form(seal(), 9);
}

Test(seal, key_that_only_signs_gets_a_password_recipient)
{
    static const struct {
        enum scep_cipher cipher;
        size_t wrapped;
    } cases[] = {
        {SCEP_CIPHER_AES128, 32}, {SCEP_CIPHER_AES192, 32}, {SCEP_CIPHER_AES256, 48}, {SCEP_CIPHER_DES3, 32}};
    f.reply.delivery = SCEP_DELIVERY_PASSWORD;
    f.reply.password = bytes_of_text("the challenge");
    f.reply.iterations = 4711;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f.reply.cipher = cases[i].cipher;
        struct bytes content = outer_content(seal());
        struct node enveloped = WALK(walk_parse(content), 1, 0);
        cr_assert(bytes_equal(walk_child(enveloped, 0).inside, bytes_of("\3", 1)), "version 3");
        struct node recipient = WALK(enveloped, 1, 0);
        cr_assert_eq(recipient.tag, 0xa3, "PasswordRecipientInfo alone");
        cr_assert_eq(walk_count(walk_child(enveloped, 1)), 1);
        cr_assert(bytes_equal(walk_child(recipient, 0).inside, bytes_of("\0", 1)));
        cr_assert(walk_is_oid(WALK(recipient, 1, 0), "1.2.840.113549.1.5.12"), "PBKDF2");
        cr_assert(bytes_equal(WALK(recipient, 1, 1, 1).inside, bytes_of("\x12\x67", 2)), "4711 rounds");
        cr_assert(walk_is_oid(WALK(recipient, 2, 0), "1.2.840.113549.1.9.16.3.9"), "PWRI-KEK");
        cr_assert_eq(walk_child(recipient, 3).inside.len, cases[i].wrapped);

        const uint8_t *at = content.data;
        CLEANUP(CMS) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)content.len);
        CLEANUP(BIO) BIO *out = BIO_new(BIO_s_mem());
        uint8_t wrong[] = "another challenge", right[] = "the challenge";
        cr_assert_neq(CMS_decrypt_set1_password(cms, wrong, -1), 1);
        cr_assert_eq(CMS_decrypt_set1_password(cms, right, -1), 1);
        cr_assert_eq(CMS_decrypt(cms, NULL, NULL, NULL, out, CMS_BINARY), 1);
    }
}

Test(seal, key_agreement_with_an_ec_key)
{
    EVP_PKEY *key;
    CLEANUP(X509) X509 *recipient = ec_client(&key);
    f.reply.recipient = recipient;
    f.reply.delivery = SCEP_DELIVERY_AGREEMENT;
    struct bytes content = outer_content(seal());
    cr_assert_eq(WALK(walk_parse(content), 1, 0, 1, 0).tag, 0xa1, "KeyAgreeRecipientInfo");
    const uint8_t *at = content.data;
    CLEANUP(CMS) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)content.len);
    CLEANUP(BIO) BIO *out = BIO_new(BIO_s_mem());
    cr_assert_eq(CMS_decrypt(cms, key, recipient, NULL, out, CMS_BINARY), 1);
    EVP_PKEY_free(key);
    f.reply.recipient = f.client;
    buffer_reset(&f.out);
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_ALGORITHM_REFUSED, "not with an RSA key");
}

Test(seal, password_recipient_needs_a_password)
{
    f.reply.delivery = SCEP_DELIVERY_PASSWORD;
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_ALGORITHM_REFUSED);
    f.reply.delivery = SCEP_DELIVERY_NONE;
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_ALGORITHM_REFUSED);
    cr_assert_eq(f.out.len, 0);
}

Test(seal, delivery_follows_the_key_and_what_is_allowed)
{
    const uint32_t none = 0, password = SCEP_EC_REPLY_PASSWORD, agreement = SCEP_EC_REPLY_AGREEMENT;
    EVP_PKEY *ec = EVP_EC_gen("P-256"), *pss = EVP_PKEY_Q_keygen(NULL, NULL, "RSA-PSS", (size_t)2048);
    const struct {
        EVP_PKEY *key;
        bool known;
        uint32_t allowed;
        enum scep_delivery expected;
    } cases[] = {
        {f.client_key, false, none, SCEP_DELIVERY_TRANSPORT},
        {f.client_key, true, password | agreement, SCEP_DELIVERY_TRANSPORT},
        {ec, true, password, SCEP_DELIVERY_PASSWORD},
        {ec, false, password, SCEP_DELIVERY_NONE},
        {ec, true, agreement, SCEP_DELIVERY_AGREEMENT},
        {ec, false, password | agreement, SCEP_DELIVERY_AGREEMENT},
        {ec, true, password | agreement, SCEP_DELIVERY_PASSWORD},
        {ec, true, none, SCEP_DELIVERY_NONE},
        {pss, true, password, SCEP_DELIVERY_PASSWORD},
        {pss, true, agreement, SCEP_DELIVERY_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(scep_delivery_for(cases[i].key, cases[i].known, cases[i].allowed), cases[i].expected,
                     "case %zu", i);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(pss);
}

Test(seal, success_with_a_revocation_list_holds_nothing_else)
{
    static const uint8_t list[] = {0x30, 0x03, 0x02, 0x01, 0x05};
    f.reply.certificate_count = 0;
    f.reply.crl = bytes_of(list, sizeof list);
    CLEANUP(BIO) BIO *clear = decrypt(seal());
    const uint8_t *der;
    long len = BIO_get_mem_data(clear, (char **)&der);
    struct node data = WALK(walk_parse(bytes_of(der, (size_t)len)), 1, 0);
    cr_assert_eq(walk_count(data), 5);
    cr_assert_eq(walk_child(data, 3).tag, 0xa1);
    cr_assert(bytes_equal(walk_child(data, 3).inside, f.reply.crl));
}

Test(seal, a_long_revocation_list)
{
    uint8_t *list = calloc(1, 3000004);
    memcpy(list, "\x30\x83\x2d\xc6\xbf", 5); /* 2999999 octets */
    f.reply.certificate_count = 0;
    f.reply.crl = bytes_of(list, 3000004);
    buffer_free(&f.out);
    buffer_init(&f.out, 4000000);
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_OK, "%s", error_text(&f.e));
    cr_assert_not(f.out.failed);
    free(list);
}

Test(seal, refuses_impossible_replies)
{
    struct scep_reply whole = f.reply;
    f.reply.crl = bytes_of_text("\x30"); /* beside certificates */
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_INTERNAL);
    f.reply = whole;
    f.reply.certificate_count = 0;
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_INTERNAL);
    f.reply = whole;
    f.reply.signer = NULL;
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_INTERNAL);
    f.reply = whole;
    f.reply.status = (enum scep_pki_status)1;
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_INTERNAL);
    f.reply = whole;
    fail_with(FAIL_NONE, NULL);
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_INTERNAL);
    f.reply = whole;
    f.reply.signer_key = f.client_key; /* not the signer's */
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_INTERNAL);
    f.reply = whole;
    f.reply.cipher = 0;
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_ALGORITHM_REFUSED);
    cr_assert_eq(f.out.len, 0);
}
