/* test_client.c: requests as a server would read them, and replies that must be believed or refused. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/cleanup.h"
#include "identities.h"
#include "scep/chain.h"
#include "scep/client.h"
#include "scep/seal.h"
#include "scep/signing.h"
#include "walk.h"

static struct {
    EVP_PKEY *ra_key, *client_key, *other_key, *ec_key;
    X509 *ca, *ra, *client, *issued, *other, *ec;
    STACK_OF(X509) *authorities;
    struct bytes issued_der, ca_der;
    struct buffer csr, out;
    struct scep_client_request request;
    struct scep_reply reply;
    struct scep_client_reply opened;
    struct error e;
} f;

static struct bytes encode(X509 *certificate)
{
    uint8_t *der = NULL;
    int size = i2d_X509(certificate, &der);
    cr_assert_gt(size, 0);
    return bytes_of(der, (size_t)size);
}

static void make_certificates(void)
{
    f.ra_key = identity_key("ra-rsa");
    f.client_key = identity_key("client-rsa");
    f.other_key = identity_key("other-rsa");
    f.ec_key = identity_key("client-ec");
    f.ca = identity_certificate(
        f.other_key, &(struct identity_wish){.common_name = "CA", .usage = "keyCertSign", .ca = true});
    f.ra = identity_certificate(f.ra_key, &(struct identity_wish){.common_name = "RA",
                                                                  .usage = "digitalSignature,keyEncipherment",
                                                                  .issuer = f.ca,
                                                                  .issuer_key = f.other_key});
    f.issued = identity_certificate(
        f.client_key,
        &(struct identity_wish){.common_name = "device", .issuer = f.ca, .issuer_key = f.other_key});
    f.other = identity_certificate(f.other_key, &(struct identity_wish){.common_name = "stranger"});
    f.ec = identity_certificate(f.ec_key, &(struct identity_wish){.common_name = "ec device"});
    f.authorities = sk_X509_new_null();
    sk_X509_push(f.authorities, f.ca);
    sk_X509_push(f.authorities, f.ra);
    f.issued_der = encode(f.issued);
    f.ca_der = encode(f.ca);
}

static void setup(void)
{
    make_certificates();
    buffer_init(&f.csr, 100000);
    buffer_init(&f.out, 100000);
    X509_NAME *subject = X509_get_subject_name(f.issued);
    cr_assert_eq(scep_client_self_signed(&f.client, f.client_key, subject, &f.e), ERR_OK, "%s",
                 error_text(&f.e));
    cr_assert_eq(scep_client_csr(&f.csr, f.client_key, subject, bytes_of_text("secret"),
                                 "DNS:a.example,IP:10.0.0.1", &f.e),
                 ERR_OK, "%s", error_text(&f.e));
    f.request = (struct scep_client_request){
        .type = SCEP_PKCS_REQ,
        .transaction_id = bytes_of_text("transaction"),
        .sender_nonce = "0123456789abcde",
        .digest = SCEP_DIGEST_SHA256,
        .cipher = SCEP_CIPHER_AES128,
        .recipient = f.ra,
        .signer = f.client,
        .signer_key = f.client_key,
        .csr = buffer_bytes(&f.csr),
    };
    f.reply = (struct scep_reply){
        .status = SCEP_SUCCESS,
        .transaction_id = f.request.transaction_id,
        .recipient_nonce = bytes_of(f.request.sender_nonce, 16),
        .digest = SCEP_DIGEST_SHA256,
        .cipher = SCEP_CIPHER_AES128,
        .recipient = f.client,
        .certificates = {f.issued_der, f.ca_der},
        .certificate_count = 2,
        .signer = f.ra,
        .signer_key = f.ra_key,
    };
}

static void teardown(void)
{
    scep_client_reply_clear(&f.opened);
    X509 *certificates[] = {f.ca, f.ra, f.client, f.issued, f.other, f.ec};
    for (size_t i = 0; i < sizeof certificates / sizeof *certificates; i++)
        X509_free(certificates[i]);
    EVP_PKEY *keys[] = {f.ra_key, f.client_key, f.other_key, f.ec_key};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        EVP_PKEY_free(keys[i]);
    sk_X509_free(f.authorities);
    OPENSSL_free((void *)f.issued_der.data);
    OPENSSL_free((void *)f.ca_der.data);
    buffer_free(&f.csr);
    buffer_free(&f.out);
}

TestSuite(client, .init = setup, .fini = teardown);

/* --- requests --- */

static CMS_ContentInfo *parse(struct bytes der)
{
    const uint8_t *at = der.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    cr_assert_not_null(cms);
    cr_assert_eq(at, der.data + der.len);
    return cms;
}

/* What the RA finds inside a request that verifies. */
static struct bytes unwrap(BIO **keep)
{
    buffer_reset(&f.out);
    cr_assert_eq(scep_client_seal(&f.out, &f.request, &f.e), ERR_OK, "%s", error_text(&f.e));
    CLEANUP(CMS) CMS_ContentInfo *outer = parse(buffer_bytes(&f.out));
    CLEANUP(BIO) BIO *content = BIO_new(BIO_s_mem());
    cr_assert_eq(CMS_verify(outer, NULL, NULL, NULL, content, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY), 1);
    char *data = NULL;
    long length = BIO_get_mem_data(content, &data);
    CLEANUP(CMS) CMS_ContentInfo *inner = parse(bytes_of(data, (size_t)length));
    *keep = BIO_new(BIO_s_mem());
    cr_assert_eq(CMS_decrypt(inner, f.ra_key, f.ra, NULL, *keep, CMS_BINARY), 1);
    length = BIO_get_mem_data(*keep, &data);
    return bytes_of(data, (size_t)length);
}

static void expect_text(const char *oid, unsigned tag, struct bytes value)
{
    struct node found = walk_signed_attribute(buffer_bytes(&f.out), oid);
    cr_assert_eq(found.tag, tag);
    cr_assert(bytes_equal(found.inside, value), "%s", oid);
}

Test(client, pkcs_req)
{
    CLEANUP(BIO) BIO *keep = NULL;
    cr_assert(bytes_equal(unwrap(&keep), buffer_bytes(&f.csr)));
    expect_text("2.16.840.1.113733.1.9.2", 0x13, bytes_of_text("19"));
    expect_text("2.16.840.1.113733.1.9.7", 0x13, bytes_of_text("transaction"));
    expect_text("2.16.840.1.113733.1.9.5", 0x04, bytes_of(f.request.sender_nonce, 16));
    cr_assert_eq(walk_signed_attribute(buffer_bytes(&f.out), "2.16.840.1.113733.1.9.3").tag, 0,
                 "no pkiStatus");
}

Test(client, renewal_req_by_an_ec_signer)
{
    f.request.type = SCEP_RENEWAL_REQ;
    f.request.signer = f.ec;
    f.request.signer_key = f.ec_key;
    CLEANUP(BIO) BIO *keep = NULL;
    cr_assert(bytes_equal(unwrap(&keep), buffer_bytes(&f.csr)));
    expect_text("2.16.840.1.113733.1.9.2", 0x13, bytes_of_text("17"));
}

Test(client, cert_poll_names_issuer_and_subject)
{
    f.request.type = SCEP_CERT_POLL;
    cr_assert_neq(scep_client_seal(&f.out, &f.request, &f.e), ERR_OK, "names are missing");
    f.request.issuer = X509_get_subject_name(f.ca);
    f.request.subject = X509_get_subject_name(f.issued);
    CLEANUP(BIO) BIO *keep = NULL;
    struct node names = walk_parse(unwrap(&keep));
    expect_text("2.16.840.1.113733.1.9.2", 0x13, bytes_of_text("20"));
    cr_assert_eq(names.tag, 0x30);
    cr_assert_eq(walk_count(names), 2);
    const uint8_t *der = NULL;
    size_t size = 0;
    cr_assert_eq(X509_NAME_get0_der(f.request.issuer, &der, &size), 1);
    cr_assert(bytes_equal(walk_child(names, 0).whole, bytes_of(der, size)));
    cr_assert_eq(X509_NAME_get0_der(f.request.subject, &der, &size), 1);
    cr_assert(bytes_equal(walk_child(names, 1).whole, bytes_of(der, size)));
}

Test(client, sends_nothing_that_is_no_request)
{
    static const enum scep_message_type types[] = {SCEP_CERT_REP, SCEP_GET_CERT, SCEP_GET_CRL,
                                                   SCEP_UPDATE_REQ};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        f.request.type = types[i];
        cr_assert_neq(scep_client_seal(&f.out, &f.request, &f.e), ERR_OK);
    }
    f.request.type = SCEP_PKCS_REQ;
    f.request.csr = (struct bytes){0};
    cr_assert_neq(scep_client_seal(&f.out, &f.request, &f.e), ERR_OK);
    f.request.csr = buffer_bytes(&f.csr);
    f.request.recipient = f.ec;
    cr_assert_eq(scep_client_seal(&f.out, &f.request, &f.e), ERR_ALGORITHM_REFUSED);
}

/* --- what a client brings along --- */

Test(client, csr_holds_challenge_and_names)
{
    const uint8_t *at = f.csr.data;
    CLEANUP(X509_REQ) X509_REQ *csr = d2i_X509_REQ(NULL, &at, (long)f.csr.len);
    cr_assert_not_null(csr);
    cr_assert_eq(X509_REQ_verify(csr, f.client_key), 1);
    int index = X509_REQ_get_attr_by_NID(csr, NID_pkcs9_challengePassword, -1);
    cr_assert_geq(index, 0);
    ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(X509_REQ_get_attr(csr, index), 0);
    cr_assert_eq(value->type, V_ASN1_PRINTABLESTRING);
    cr_assert_eq(memcmp(ASN1_STRING_get0_data(value->value.asn1_string), "secret", 6), 0);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(csr);
    cr_assert_eq(sk_X509_EXTENSION_num(extensions), 1);
    CLEANUP(GENERAL_NAMES) GENERAL_NAMES *sans = X509V3_EXT_d2i(sk_X509_EXTENSION_value(extensions, 0));
    cr_assert_eq(sk_GENERAL_NAME_num(sans), 2);
    cr_assert_eq(sk_GENERAL_NAME_value(sans, 0)->type, GEN_DNS);
    cr_assert_eq(sk_GENERAL_NAME_value(sans, 1)->type, GEN_IPADD);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

Test(client, csr_string_type_follows_the_challenge)
{
    buffer_reset(&f.csr);
    cr_assert_eq(scep_client_csr(&f.csr, f.ec_key, X509_get_subject_name(f.ec), bytes_of_text("a_b@\xc3\xa9"),
                                 NULL, &f.e),
                 ERR_OK);
    const uint8_t *at = f.csr.data;
    CLEANUP(X509_REQ) X509_REQ *csr = d2i_X509_REQ(NULL, &at, (long)f.csr.len);
    cr_assert_eq(X509_REQ_verify(csr, f.ec_key), 1);
    int index = X509_REQ_get_attr_by_NID(csr, NID_pkcs9_challengePassword, -1);
    cr_assert_eq(X509_ATTRIBUTE_get0_type(X509_REQ_get_attr(csr, index), 0)->type, V_ASN1_UTF8STRING);

    buffer_reset(&f.csr);
    cr_assert_eq(scep_client_csr(&f.csr, f.ec_key, X509_get_subject_name(f.ec), (struct bytes){0}, "", &f.e),
                 ERR_OK);
    CLEANUP(X509_REQ) X509_REQ *bare = NULL;
    at = f.csr.data;
    bare = d2i_X509_REQ(NULL, &at, (long)f.csr.len);
    cr_assert_eq(X509_REQ_get_attr_count(bare), 0);
}

Test(client, csr_refuses_senseless_names)
{
    static const char *const bad[] = {"nonsense", "IP:999.1.1.1", "dirName:section", "@section", "DNS:"};
    buffer_reset(&f.csr);
    for (size_t i = 0; i < sizeof bad / sizeof *bad - 1; i++)
        cr_assert_eq(scep_client_csr(&f.csr, f.client_key, X509_get_subject_name(f.issued), (struct bytes){0},
                                     bad[i], &f.e),
                     ERR_SETTINGS_INVALID, "%s", bad[i]);
}

Test(client, self_signed_signer)
{
    cr_assert_eq(X509_verify(f.client, f.client_key), 1);
    cr_assert_eq(X509_NAME_cmp(X509_get_subject_name(f.client), X509_get_issuer_name(f.client)), 0);
    cr_assert_eq(X509_NAME_cmp(X509_get_subject_name(f.client), X509_get_subject_name(f.issued)), 0);
    cr_assert_eq(X509_get_key_usage(f.client), KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
    cr_assert_lt(X509_cmp_current_time(X509_get0_notBefore(f.client)), 0);
    cr_assert_gt(X509_cmp_current_time(X509_get0_notAfter(f.client)), 0);
    CLEANUP(X509) X509 *ec = NULL;
    cr_assert_eq(scep_client_self_signed(&ec, f.ec_key, X509_get_subject_name(f.ec), &f.e), ERR_OK);
    cr_assert_eq(X509_get_key_usage(ec), KU_DIGITAL_SIGNATURE);
    cr_assert_neq(ASN1_INTEGER_cmp(X509_get0_serialNumber(ec), X509_get0_serialNumber(f.client)), 0);
}

static X509 *pick_of(const struct identity_wish *wishes, size_t count, bool signing, size_t *at)
{
    STACK_OF(X509) *bag = sk_X509_new_null();
    for (size_t i = 0; i < count; i++)
        sk_X509_push(bag, identity_certificate(f.ra_key, &wishes[i]));
    X509 *found = scep_client_pick(bag, signing);
    for (*at = 0; *at < count && sk_X509_value(bag, (int)*at) != found; (*at)++)
        ;
    sk_X509_pop_free(bag, X509_free);
    return found;
}

Test(client, picks_by_key_usage)
{
    static const struct {
        struct identity_wish bag[3];
        size_t count, encryption, signing;
    } cases[] = {
        /* NDES: one bit each, CA first */
        {{{"CA", "keyCertSign", true}, {"enc", "keyEncipherment"}, {"sig", "digitalSignature"}}, 3, 1, 2},
        {{{"sig", "digitalSignature"}, {"enc", "keyEncipherment"}, {"CA", "keyCertSign", true}}, 3, 1, 0},
        {{{"RA", "digitalSignature,keyEncipherment"},
          {"CA", "keyCertSign,digitalSignature,keyEncipherment", true}},
         2,
         0,
         0},
        {{{"CA", "keyCertSign,digitalSignature,keyEncipherment", true},
          {"RA", "digitalSignature,keyEncipherment"}},
         2,
         1,
         1},
        {{{"data", "dataEncipherment"}, {"key", "keyEncipherment"}, {"CA", "keyCertSign", true}}, 3, 1, 2},
        {{{"CA", "keyCertSign", true}, {"data", "dataEncipherment"}}, 2, 1, 0},
        {{{"CA", "keyCertSign", true}}, 1, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at = 0;
        cr_assert_not_null(pick_of(cases[i].bag, cases[i].count, false, &at));
        cr_assert_eq(at, cases[i].encryption, "case %zu, encryption: %zu", i, at);
        cr_assert_not_null(pick_of(cases[i].bag, cases[i].count, true, &at));
        cr_assert_eq(at, cases[i].signing, "case %zu, signing: %zu", i, at);
    }
    STACK_OF(X509) *ec = sk_X509_new_null();
    sk_X509_push(ec, f.ec);
    cr_assert_null(scep_client_pick(ec, false), "an EC key cannot encrypt");
    sk_X509_free(ec);
}

/* --- replies --- */

static enum error_code open_bytes(struct bytes message)
{
    scep_client_reply_clear(&f.opened);
    return scep_client_open(&f.opened, message, &f.request, f.authorities, (struct bytes){0}, &f.e);
}

static enum error_code open_reply(void)
{
    buffer_reset(&f.out);
    cr_assert_eq(scep_seal(&f.out, &f.reply, &f.e), ERR_OK, "%s", error_text(&f.e));
    return open_bytes(buffer_bytes(&f.out));
}

Test(client, opens_success)
{
    cr_assert_eq(open_reply(), ERR_OK, "%s", error_text(&f.e));
    cr_assert_eq(f.opened.status, SCEP_SUCCESS);
    cr_assert_eq(sk_X509_num(f.opened.certificates), 2);
    cr_assert_eq(X509_cmp(sk_X509_value(f.opened.certificates, 0), f.issued), 0);
}

Test(client, finds_its_certificate_in_a_shuffled_bag)
{
    f.reply.certificates[0] = f.ca_der;
    f.reply.certificates[1] = f.issued_der;
    cr_assert_eq(open_reply(), ERR_OK);
    cr_assert_eq(X509_cmp(scep_client_find(f.opened.certificates, f.client_key), f.issued), 0);
    cr_assert_null(scep_client_find(f.opened.certificates, f.ra_key));
}

Test(client, opens_pending_and_failure)
{
    f.reply.status = SCEP_PENDING;
    cr_assert_eq(open_reply(), ERR_OK, "%s", error_text(&f.e));
    cr_assert_eq(f.opened.status, SCEP_PENDING);
    cr_assert_null(f.opened.certificates);
    f.reply.status = SCEP_FAILURE;
    f.reply.fail = FAIL_BAD_TIME;
    f.reply.fail_text = "too late";
    cr_assert_eq(open_reply(), ERR_OK, "%s", error_text(&f.e));
    cr_assert_eq(f.opened.status, SCEP_FAILURE);
    cr_assert_eq(f.opened.fail, FAIL_BAD_TIME);
    cr_assert_str_eq(f.opened.fail_text, "too late");
}

Test(client, refuses_another_transaction_or_nonce)
{
    f.reply.transaction_id = bytes_of_text("transactiom");
    cr_assert_eq(open_reply(), ERR_MESSAGE_MALFORMED);
    f.reply.transaction_id = f.request.transaction_id;
    f.reply.recipient_nonce = bytes_of_text("0123456789abcdeX");
    cr_assert_eq(open_reply(), ERR_MESSAGE_MALFORMED);
    f.reply.recipient_nonce = bytes_of(f.request.sender_nonce, 15);
    cr_assert_eq(open_reply(), ERR_MESSAGE_MALFORMED);
    cr_assert_null(f.opened.certificates);
}

Test(client, refuses_signers_outside_the_bag)
{
    f.reply.signer = f.other;
    f.reply.signer_key = f.other_key;
    cr_assert_eq(open_reply(), ERR_SIGNATURE_BAD, "its certificate is in the message, and must not count");
    f.reply.signer = f.client; /* our own request's signer */
    f.reply.signer_key = f.client_key;
    cr_assert_eq(open_reply(), ERR_SIGNATURE_BAD);
}

Test(client, refuses_its_own_request)
{
    buffer_reset(&f.out);
    cr_assert_eq(scep_client_seal(&f.out, &f.request, &f.e), ERR_OK);
    sk_X509_push(f.authorities, f.client);
    cr_assert_neq(open_bytes(buffer_bytes(&f.out)), ERR_OK);
}

Test(client, refuses_a_changed_byte_anywhere_in_content_or_signature)
{
    cr_assert_eq(open_reply(), ERR_OK);
    struct bytes content = WALK(walk_parse(buffer_bytes(&f.out)), 1, 0, 2, 1, 0).inside;
    struct bytes signature = walk_child(walk_signer_info(buffer_bytes(&f.out)), 5).inside;
    uint8_t *places[] = {(uint8_t *)content.data + 30, (uint8_t *)content.data + content.len - 1,
                         (uint8_t *)signature.data + 5};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        *places[i] ^= 1;
        cr_assert_eq(open_bytes(buffer_bytes(&f.out)), ERR_SIGNATURE_BAD, "place %zu", i);
        *places[i] ^= 1;
    }
    cr_assert_eq(open_bytes(buffer_bytes(&f.out)), ERR_OK);
    buffer_append(&f.out, "", 1);
    cr_assert_eq(open_bytes(buffer_bytes(&f.out)), ERR_NOT_CMS, "a trailing byte");
    cr_assert_eq(open_bytes(bytes_of(f.out.data, f.out.len - 20)), ERR_NOT_CMS, "cut off");
    cr_assert_eq(open_bytes(bytes_of_text("<html>")), ERR_NOT_CMS);
    cr_assert_eq(open_bytes((struct bytes){0}), ERR_NOT_CMS);
}

/* A reply with exactly these attributes, signed by the RA. */
static enum error_code open_made(struct bytes content, const struct scep_attribute_value *attributes,
                                 size_t count)
{
    const struct scep_signing signing = {.signer = f.ra,
                                         .key = f.ra_key,
                                         .digest = SCEP_DIGEST_SHA256,
                                         .content = content,
                                         .attributes = attributes,
                                         .attribute_count = count};
    buffer_reset(&f.out);
    cr_assert_eq(scep_sign(&f.out, &signing, &f.e), ERR_OK);
    return open_bytes(buffer_bytes(&f.out));
}

#define ATTRIBUTE(which, text)                                                                               \
    {                                                                                                        \
        SCEP_ATTRIBUTE_##which,                                                                              \
        {                                                                                                    \
            (const uint8_t *)(text), sizeof(text) - 1                                                        \
        }                                                                                                    \
    }
#define GOOD_IDENTITY                                                                                        \
    ATTRIBUTE(MESSAGE_TYPE, "3"), ATTRIBUTE(TRANSACTION_ID, "transaction"),                                  \
        ATTRIBUTE(RECIPIENT_NONCE, "0123456789abcde\0")

Test(client, junk_content_of_a_failure_is_ignored)
{
    /* The shape of NDES: one byte of content and no senderNonce that we would ask for. */
    const struct scep_attribute_value failure[] = {GOOD_IDENTITY, ATTRIBUTE(PKI_STATUS, "2"),
                                                   ATTRIBUTE(FAIL_INFO, "2")};
    cr_assert_eq(open_made(bytes_of("", 1), failure, 5), ERR_OK, "%s", error_text(&f.e));
    cr_assert_eq(f.opened.status, SCEP_FAILURE);
    cr_assert_eq(f.opened.fail, FAIL_BAD_REQUEST);
    cr_assert_null(f.opened.fail_text);
    const struct scep_attribute_value pending[] = {GOOD_IDENTITY, ATTRIBUTE(PKI_STATUS, "3")};
    cr_assert_eq(open_made(bytes_of_text("junk"), pending, 4), ERR_OK);
    cr_assert_eq(f.opened.status, SCEP_PENDING);
}

Test(client, undefined_values_are_errors)
{
    static const struct scep_attribute_value statuses[] = {
        ATTRIBUTE(PKI_STATUS, "1"), ATTRIBUTE(PKI_STATUS, "4"), ATTRIBUTE(PKI_STATUS, ""),
        ATTRIBUTE(PKI_STATUS, "02"), ATTRIBUTE(PKI_STATUS, "\0")};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        const struct scep_attribute_value attributes[] = {GOOD_IDENTITY, statuses[i]};
        cr_assert_eq(open_made((struct bytes){0}, attributes, 4), ERR_MESSAGE_MALFORMED, "status %zu", i);
    }
    const struct scep_attribute_value fail[] = {GOOD_IDENTITY, ATTRIBUTE(PKI_STATUS, "2"),
                                                ATTRIBUTE(FAIL_INFO, "5")};
    cr_assert_eq(open_made((struct bytes){0}, fail, 5), ERR_MESSAGE_MALFORMED);
    cr_assert_eq(open_made((struct bytes){0}, fail, 4), ERR_OK,
                 "a missing failInfo does not hide the refusal");
    cr_assert_eq(f.opened.fail, FAIL_NONE);
}

Test(client, each_attribute_is_needed_once)
{
    const struct scep_attribute_value whole[] = {GOOD_IDENTITY, ATTRIBUTE(PKI_STATUS, "3")};
    cr_assert_eq(open_made((struct bytes){0}, whole, 4), ERR_OK);
    for (size_t left_out = 0; left_out < 4; left_out++) {
        struct scep_attribute_value some[4];
        size_t count = 0;
        for (size_t i = 0; i < 4; i++)
            if (i != left_out)
                some[count++] = whole[i];
        cr_assert_eq(open_made((struct bytes){0}, some, count), ERR_NOT_SCEP, "without %zu", left_out);
    }
    const struct scep_attribute_value twice[] = {GOOD_IDENTITY, ATTRIBUTE(PKI_STATUS, "3"),
                                                 ATTRIBUTE(PKI_STATUS, "0")};
    cr_assert_eq(open_made((struct bytes){0}, twice, 5), ERR_MESSAGE_MALFORMED);
    const struct scep_attribute_value type[] = {ATTRIBUTE(MESSAGE_TYPE, "19"), whole[1], whole[2], whole[3]};
    cr_assert_eq(open_made((struct bytes){0}, type, 4), ERR_MESSAGE_MALFORMED, "not a CertRep");
}

Test(client, success_needs_a_readable_envelope)
{
    const struct scep_attribute_value success[] = {GOOD_IDENTITY, ATTRIBUTE(PKI_STATUS, "0")};
    cr_assert_eq(open_made((struct bytes){0}, success, 4), ERR_MESSAGE_MALFORMED, "no content");
    cr_assert_eq(open_made(bytes_of_text("junk"), success, 4), ERR_MESSAGE_MALFORMED);
    CLEANUP(buffer) struct buffer bag;
    buffer_init(&bag, 100000);
    cr_assert_eq(scep_chain_write(&bag, &f.issued_der, 1, &f.e), ERR_OK);
    cr_assert_eq(open_made(buffer_bytes(&bag), success, 4), ERR_MESSAGE_MALFORMED,
                 "certificates in the clear");
    f.reply.recipient = f.other;
    cr_assert_eq(open_reply(), ERR_ENVELOPE_UNREADABLE, "encrypted to somebody else");
}

Test(client, refuses_md5_and_single_des)
{
    f.reply.cipher = SCEP_CIPHER_DES;
    cr_assert_eq(open_reply(), ERR_ALGORITHM_REFUSED, "%s", error_text(&f.e));
    f.reply.cipher = SCEP_CIPHER_AES128;
    f.reply.digest = SCEP_DIGEST_MD5;
    cr_assert_eq(open_reply(), ERR_ALGORITHM_REFUSED);
}

/* --- replies to EC keys: PasswordRecipientInfo --- */

static void password_envelope(struct buffer *out, const char *password, int iterations)
{
    CLEANUP(buffer) struct buffer bag;
    buffer_init(&bag, 100000);
    cr_assert_eq(scep_chain_write(&bag, &f.issued_der, 1, &f.e), ERR_OK);
    CLEANUP(BIO) BIO *content = BIO_new_mem_buf(bag.data, (int)bag.len);
    CLEANUP(CMS) CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_128_cbc(), CMS_BINARY | CMS_PARTIAL);
    /* OpenSSL keeps the pointer until CMS_final. */
    cr_assert_not_null(CMS_add0_recipient_password(cms, iterations, -1, -1,
                                                   (unsigned char *)OPENSSL_strdup(password),
                                                   (ossl_ssize_t)strlen(password), NULL));
    cr_assert_eq(CMS_final(cms, content, NULL, CMS_BINARY), 1);
    uint8_t *der = NULL;
    int size = i2d_CMS_ContentInfo(cms, &der);
    cr_assert_gt(size, 0);
    buffer_append(out, der, (size_t)size);
    OPENSSL_free(der);
}

static enum error_code open_password_reply(int iterations, const char *password)
{
    CLEANUP(buffer) struct buffer envelope;
    buffer_init(&envelope, 100000);
    password_envelope(&envelope, "challenge", iterations);
    const struct scep_attribute_value success[] = {GOOD_IDENTITY, ATTRIBUTE(PKI_STATUS, "0")};
    const struct scep_signing signing = {.signer = f.ra,
                                         .key = f.ra_key,
                                         .digest = SCEP_DIGEST_SHA256,
                                         .content = buffer_bytes(&envelope),
                                         .attributes = success,
                                         .attribute_count = 4};
    buffer_reset(&f.out);
    cr_assert_eq(scep_sign(&f.out, &signing, &f.e), ERR_OK);
    scep_client_reply_clear(&f.opened);
    f.request.signer = f.ec;
    f.request.signer_key = f.ec_key;
    return scep_client_open(&f.opened, buffer_bytes(&f.out), &f.request, f.authorities,
                            bytes_of_text(password), &f.e);
}

Test(client, opens_a_reply_with_the_challenge_password)
{
    cr_assert_eq(open_password_reply(2048, "challenge"), ERR_OK, "%s", error_text(&f.e));
    cr_assert_eq(X509_cmp(sk_X509_value(f.opened.certificates, 0), f.issued), 0);
    cr_assert_eq(open_password_reply(2048, "wrong"), ERR_ENVELOPE_UNREADABLE);
    cr_assert_eq(open_password_reply(2048, ""), ERR_ENVELOPE_UNREADABLE);
}

Test(client, does_not_count_to_five_million)
{
    cr_assert_eq(open_password_reply(1000001, "challenge"), ERR_ALGORITHM_REFUSED);
}
