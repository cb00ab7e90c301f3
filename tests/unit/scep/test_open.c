/* test_open.c: requests that must be opened, in all the shapes that clients give them. */
#include <criterion/criterion.h>
#include <openssl/cms.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "requests.h"

TestSuite(open, .init = requests_start, .fini = requests_end);

static bool is_text(struct bytes b, const char *text)
{
    return bytes_equal(b, bytes_of_text(text));
}

Test(open, reads_everything)
{
    f.csr.attributes[f.csr.attribute_count++] = made_attribute(OID_CHALLENGE, der_text(0x13, "open sesame"));
    request_accepted();
    struct scep_message *m = f.opened;
    cr_assert_eq(m->type, SCEP_PKCS_REQ);
    cr_assert(is_text(m->transaction_id, "transaction-1"));
    cr_assert(is_text(m->sender_nonce, "sixteen byte non"));
    cr_assert_eq(m->digest, SCEP_DIGEST_SHA256);
    cr_assert_eq(m->cipher, SCEP_CIPHER_AES128);
    cr_assert_not(m->transport.oaep);
    cr_assert_eq(X509_cmp(m->signer, f.device), 0);
    cr_assert_eq(EVP_PKEY_eq(m->signer_key, f.device_key), 1);
    cr_assert(bytes_equal(m->signer_spki, der_spki(f.device_key)));
    uint8_t hash[32];
    SHA256(m->signer_spki.data, m->signer_spki.len, hash);
    cr_assert_arr_eq(m->signer_spki_sha256, hash, 32);
    cr_assert(m->signer_self_signed);
    cr_assert_eq(m->recipient, 0);
    cr_assert_not_null(m->csr);
    cr_assert(is_text(bytes_of(m->csr->challenge.data, m->csr->challenge.len), "open sesame"));
    cr_assert_arr_eq(m->csr->spki_sha256, hash, 32);
}

Test(open, every_cipher)
{
    static const struct {
        const char *name;
        enum scep_cipher cipher;
        bool legacy;
    } rows[] = {
        {"AES-128-CBC", SCEP_CIPHER_AES128, false}, {"AES-192-CBC", SCEP_CIPHER_AES192, false},
        {"AES-256-CBC", SCEP_CIPHER_AES256, false}, {"DES-EDE3-CBC", SCEP_CIPHER_DES3, false},
        {"DES-CBC", SCEP_CIPHER_DES, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f.envelope.cipher = rows[i].name;
        f.envelope.legacy = rows[i].legacy;
        f.rules.ciphers = rows[i].cipher;
        request_accepted();
        cr_assert_eq(f.opened->cipher, rows[i].cipher);
        f.rules.ciphers = (SCEP_CIPHERS_DEFAULT | SCEP_CIPHER_DES) & ~rows[i].cipher;
        request_refused(ERR_ALGORITHM_REFUSED, "content cipher");
    }
}

Test(open, every_digest)
{
    static const struct {
        const char *name;
        enum scep_digest digest;
    } rows[] = {
        {"SHA1", SCEP_DIGEST_SHA1},     {"SHA224", SCEP_DIGEST_SHA224}, {"SHA256", SCEP_DIGEST_SHA256},
        {"SHA384", SCEP_DIGEST_SHA384}, {"SHA512", SCEP_DIGEST_SHA512}, {"MD5", SCEP_DIGEST_MD5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f.message.digest = f.csr.digest = rows[i].name;
        f.rules.digests = rows[i].digest;
        request_accepted();
        cr_assert_eq(f.opened->digest, rows[i].digest);
        f.rules.digests = (SCEP_DIGESTS_DEFAULT | SCEP_DIGEST_MD5) & ~rows[i].digest;
        request_refused(ERR_ALGORITHM_REFUSED, "digest");
        cr_assert_eq(f.opened->digest, SCEP_DIGEST_SHA256);
        cr_assert_not_null(f.opened->signer);
    }
}

Test(open, every_request_type)
{
    for (int type = SCEP_RENEWAL_REQ; type <= SCEP_PKCS_REQ; type++) {
        char text[8];
        snprintf(text, sizeof text, "%d", type);
        f.message.type = text;
        request_accepted();
        cr_assert_eq(f.opened->type, type);
        cr_assert_not_null(f.opened->csr);
    }
    struct bytes issuer = der_common_name("CA"), subject = der_common_name("device");
    f.message.type = "20";
    f.envelope.payload = DER(0x30, issuer, subject);
    request_accepted();
    cr_assert_null(f.opened->csr);
    f.envelope.payload = DER(0x30, issuer, DER(0x02, bytes_of("\0\xFF\x01", 3)));
    for (int type = SCEP_GET_CERT; type <= SCEP_GET_CRL; type++) {
        f.message.type = type == SCEP_GET_CERT ? "21" : "22";
        request_accepted();
        cr_assert_eq(f.opened->type, type);
        cr_assert(bytes_equal(f.opened->issuer_der, issuer));
        cr_assert(bytes_equal(f.opened->serial, bytes_of("\0\xFF\x01", 3)));
    }
}

Test(open, update_req_of_old_drafts)
{
    f.message.type = "18";
    f.rules.types = SCEP_TYPE(SCEP_RENEWAL_REQ);
    request_refused(ERR_MESSAGE_TYPE, "UpdateReq (18) is not served here");
    f.rules.update_is_renewal = true;
    request_accepted();
    cr_assert_eq(f.opened->type, SCEP_RENEWAL_REQ);
    f.rules.types = SCEP_TYPE(SCEP_PKCS_REQ);
    request_refused(ERR_MESSAGE_TYPE, "RenewalReq (17) is not served here");
}

Test(open, string_types_of_transaction_ids)
{
    static const uint8_t good[] = {0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1B};
    for (size_t i = 0; i < sizeof good; i++) {
        f.message.transaction_id = der_text(good[i], "1234567");
        f.message.type_value = der_text(good[i], "19");
        request_accepted();
        cr_assert(bytes_equal(f.opened->transaction_id, bytes_of_text("1234567")), "tag %02x", good[i]);
    }
    static const uint8_t bad[] = {0x02, 0x04, 0x1C, 0x1E};
    f.message.type_value = (struct bytes){0};
    for (size_t i = 0; i < sizeof bad; i++) {
        f.message.transaction_id = der_text(bad[i], "12345678");
        request_refused_der(request_made(), ERR_MESSAGE_MALFORMED, "transactionID", false);
    }
}

/* Whatever a poll carries, it is the same poll: telling a readable envelope from another would make of every
 * recorded request a padding oracle's victim. */
Test(open, a_poll_is_not_decrypted)
{
    f.message.type = "20";
    f.recipients[0].key = NULL; /* using it would end the process */
    request_accepted();
    f.envelope.payload = bytes_of("no IssuerAndSubject", 19);
    request_accepted();
    f.envelope.flip = 1;
    request_accepted();
    f.envelope.flip = 0;
    uint8_t garbage[33];
    memset(garbage, 0xA5, sizeof garbage);
    f.envelope.ciphertext = DER(0x80, bytes_of(garbage, sizeof garbage));
    request_accepted();
    f.envelope.encrypted_key = bytes_of(garbage, sizeof garbage);
    request_accepted();
}

/* The same before the private key for what is not served at all. */
Test(open, types_that_are_not_served_are_not_decrypted)
{
    static const char *const types[] = {"17", "18", "21", "22"};
    f.rules.types = SCEP_TYPE(SCEP_PKCS_REQ) | SCEP_TYPE(SCEP_CERT_POLL);
    request_accepted();
    f.recipients[0].key = NULL;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        f.message.type = types[i];
        request_refused(ERR_MESSAGE_TYPE, "not served here");
    }
}

Test(open, signature_algorithms)
{
    static const char *const names[] = {"1.2.840.113549.1.1.1", "1.2.840.113549.1.1.11",
                                        "1.2.840.113549.1.1.5", "1.3.14.3.2.29", "1.3.14.3.2.3"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        f.message.signature_algorithm = der_algorithm(names[i], DER_NULL);
        request_accepted();
    }
    f.message.signature_algorithm = (struct bytes){0};
    f.message.pss = true;
    request_accepted();
    f.message.pss = false;
    f.message.signer = f.ec_device;
    f.message.signer_key = f.csr.key = f.ec_key;
    f.rules.ec_signers = true;
    request_accepted();
    cr_assert_eq(f.opened->csr->key.kind, KEY_EC);
}

Test(open, ec_csr_key_with_an_rsa_signer)
{
    f.csr.key = f.ec_key;
    request_accepted();
    cr_assert_eq(f.opened->csr->key.kind, KEY_EC);
}

Test(open, renewal_signer_is_not_self_signed)
{
    X509 *issued = identity_certificate(
        f.device_key,
        &(struct identity_wish){.common_name = "issued", .issuer = f.other, .issuer_key = f.other_key});
    f.message.signer = issued;
    request_accepted();
    cr_assert_not(f.opened->signer_self_signed);
    X509_free(issued);
}

Test(open, indefinite_lengths_and_constructed_strings)
{
    f.envelope.ber = true;
    request_accepted();
    f.message.ber = true;
    request_accepted();
    cr_assert_not_null(f.opened->csr);
    f.envelope.ber = false;
    request_accepted();
}

static struct bytes key_id(bool wrapped)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(f.ra);
    cr_assert_not_null(id);
    struct bytes value = bytes_of(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
    return DER(0x80, wrapped ? DER(0x04, value) : value);
}

Test(open, recipient_by_key_id_also_when_wrapped_twice)
{
    f.envelope.identifier = key_id(false);
    request_accepted();
    f.envelope.identifier = key_id(true);
    request_accepted();
    f.envelope.identifier = DER(0x80, bytes_of("another key id, 20by", 20));
    request_refused(ERR_RECIPIENT_UNKNOWN, "no recipient");
}

Test(open, oaep_with_its_parameters)
{
    struct bytes sha256 = der_algorithm("2.16.840.1.101.3.4.2.1", DER_NULL);
    struct bytes mgf256 = der_algorithm("1.2.840.113549.1.1.8", sha256);
    struct bytes empty = DER(0xA2, der_algorithm("1.2.840.113549.1.1.9", DER(0x04, (struct bytes){0})));
    const struct {
        struct bytes parameters;
        const char *digest, *mgf1;
        int digest_nid, mgf1_nid;
    } rows[] = {
        {DER(0x30, (struct bytes){0}), "SHA1", "SHA1", NID_sha1, NID_sha1},
        {(struct bytes){0}, "SHA1", "SHA1", NID_sha1, NID_sha1},
        {DER(0x30, DER(0xA0, sha256), DER(0xA1, mgf256)), "SHA256", "SHA256", NID_sha256, NID_sha256},
        {DER(0x30, DER(0xA0, sha256)), "SHA256", "SHA1", NID_sha256, NID_sha1},
        {DER(0x30, DER(0xA1, mgf256), empty), "SHA1", "SHA256", NID_sha1, NID_sha256},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f.envelope.key_algorithm = der_algorithm(OID_RSA_OAEP, rows[i].parameters);
        f.envelope.oaep_digest = rows[i].digest;
        f.envelope.mgf1_digest = rows[i].mgf1;
        request_accepted();
        cr_assert(f.opened->transport.oaep);
        cr_assert_eq(f.opened->transport.oaep_digest, rows[i].digest_nid);
        cr_assert_eq(f.opened->transport.mgf1_digest, rows[i].mgf1_nid);
    }
}

static struct bytes foreign_recipient(void)
{
    return DER(0x30, der_integer(0), made_issuer_and_serial(f.other), der_algorithm(OID_RSA, DER_NULL),
               DER(0x04, bytes_of("not for us", 10)));
}

Test(open, finds_its_recipient_among_several)
{
    f.envelope.before = foreign_recipient();
    f.envelope.after = DER(0xA1, der_integer(3));
    request_accepted();
    f.envelope.before = DER(0xA3, der_integer(0));
    request_accepted();
    f.envelope.recipient = f.old_ra;
    request_accepted();
    cr_assert_eq(f.opened->recipient, 1);
}

Test(open, picks_the_signer_by_its_id_wherever_it_stands)
{
    f.message.certificates = der_raw(
        DER(0x30, der_certificate(f.other), der_certificate(f.ra), der_certificate(f.device)).data + 4,
        der_certificate(f.other).len + der_certificate(f.ra).len + der_certificate(f.device).len);
    request_accepted();
    cr_assert_eq(X509_cmp(f.opened->signer, f.device), 0);
}

Test(open, signer_named_by_its_key_id)
{
    f.message.signer = f.ra;
    f.message.signer_key = f.ra_key;
    f.message.signer_id = key_id(false);
    request_accepted();
    cr_assert_eq(X509_cmp(f.opened->signer, f.ra), 0);
}

Test(open, text_attributes_of_other_string_types)
{
    static const uint8_t tags[] = {0x13, 0x0C, 0x16};
    for (size_t i = 0; i < 3; i++) {
        f.message.type_value = der_text(tags[i], "19");
        f.message.transaction_id = der_text(tags[i], "SSCEP transactionId");
        request_accepted();
        cr_assert(is_text(f.opened->transaction_id, "SSCEP transactionId"));
    }
}

Test(open, transaction_ids_as_clients_make_them)
{
    static const char *const ids[] = {
        "12345678901234567890123456789012345678901234567890123456789012345678901234567",
        "GAPiVnDq7vBtDQ+KZ/0vTV9LX2c=",
        "../../etc/passwd'\";--",
        "1",
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        f.message.transaction_id = der_text(0x13, ids[i]);
        request_accepted();
        cr_assert(is_text(f.opened->transaction_id, ids[i]));
    }
    char longest[256] = {0};
    memset(longest, 'a', 255);
    f.message.transaction_id = der_text(0x13, longest);
    request_accepted();
    f.message.transaction_id = DER(0x13, bytes_of("a\0b", 3));
    request_accepted();
    cr_assert(bytes_equal(f.opened->transaction_id, bytes_of("a\0b", 3)));
}

Test(open, nonces_of_any_length_are_kept)
{
    uint8_t nonce[SCEP_NONCE_MAX];
    memset(nonce, 7, sizeof nonce);
    for (size_t len = 1; len <= SCEP_NONCE_MAX; len += 7) {
        f.message.nonce = DER(0x04, bytes_of(nonce, len));
        request_accepted();
        cr_assert(bytes_equal(f.opened->sender_nonce, bytes_of(nonce, len)));
    }
}

Test(open, unknown_attributes_are_ignored)
{
    struct bytes challenge = made_attribute(OID_CHALLENGE, der_text(0x13, "in clear"));
    struct bytes nonce = made_attribute("1.2.840.113549.1.9.25.3", DER(0x04, bytes_of("random", 6)));
    f.message.extra_attributes = CONCAT(challenge, nonce);
    request_accepted();
}

Test(open, content_type_of_some_clients)
{
    f.envelope.content_type = der_oid(OID_ENCRYPTED_DATA);
    request_accepted();
}

static CMS_ContentInfo *cms_envelope(struct bytes payload, const EVP_CIPHER *cipher)
{
    STACK_OF(X509) *recipients = sk_X509_new_null();
    sk_X509_push(recipients, f.other);
    sk_X509_push(recipients, f.ra);
    BIO *in = BIO_new_mem_buf(payload.data, (int)payload.len);
    CMS_ContentInfo *cms = CMS_encrypt(recipients, in, cipher, CMS_BINARY);
    cr_assert_not_null(cms);
    sk_X509_free(recipients);
    BIO_free(in);
    return cms;
}

static void cms_attribute(CMS_SignerInfo *info, const char *oid, int type, const char *value)
{
    cr_assert(CMS_signed_add1_attr_by_txt(info, oid, type, value, (int)strlen(value)));
}

/* What CMS_sign and CMS_encrypt make. */
static struct bytes cms_message(struct bytes payload, const EVP_CIPHER *cipher)
{
    CMS_ContentInfo *envelope = cms_envelope(payload, cipher);
    BIO *content = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    cr_assert(i2d_CMS_bio(content, envelope));
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
    CMS_SignerInfo *info =
        CMS_add1_signer(cms, f.device, f.device_key, EVP_sha512(), CMS_PARTIAL | CMS_BINARY | CMS_NOSMIMECAP);
    cms_attribute(info, OID_MESSAGE_TYPE, V_ASN1_PRINTABLESTRING, "19");
    cms_attribute(info, OID_TRANSACTION_ID, V_ASN1_PRINTABLESTRING, "through the API");
    cms_attribute(info, OID_SENDER_NONCE, V_ASN1_OCTET_STRING, "0123456789abcdef");
    cr_assert(CMS_final(cms, content, NULL, CMS_BINARY));
    cr_assert(i2d_CMS_bio(out, cms));
    char *data = NULL;
    long len = BIO_get_mem_data(out, &data);
    struct bytes copy = der_raw(data, (size_t)len);
    CMS_ContentInfo_free(envelope);
    CMS_ContentInfo_free(cms);
    BIO_free(content);
    BIO_free(out);
    return copy;
}

Test(open, what_the_cms_api_makes)
{
    struct bytes csr = made_csr(&f.csr);
    const EVP_CIPHER *ciphers[] = {EVP_aes_128_cbc(), EVP_aes_192_cbc(), EVP_aes_256_cbc(),
                                   EVP_des_ede3_cbc()};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(request_open(cms_message(csr, ciphers[i])), ERR_OK, "%s", f.e.text);
        cr_assert(bytes_equal(f.opened->csr->der, csr));
        cr_assert_eq(f.opened->digest, SCEP_DIGEST_SHA512);
    }
}

Test(open, free_accepts_null)
{
    scep_message_free(NULL);
}
