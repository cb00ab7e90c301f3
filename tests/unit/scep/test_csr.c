/* test_csr.c: PKCS#10 requests and the facts in them. */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/cleanup.h"
#include "identities.h"
#include "making.h"
#include "scep/csr.h"

#define RSA_MAX 8192

static struct {
    EVP_PKEY *key, *other;
    struct csr_wish wish;
    struct csr *csr;
    struct error e;
} f;

static void setup(void)
{
    making_start();
    f.key = identity_key("client-rsa");
    f.other = identity_key("other-rsa");
    f.wish = (struct csr_wish){.key = f.key};
}

static void teardown(void)
{
    csr_free(f.csr);
    EVP_PKEY_free(f.key);
    EVP_PKEY_free(f.other);
    making_end();
}

TestSuite(csr, .init = setup, .fini = teardown);

static enum error_code parse(struct bytes der)
{
    csr_free(f.csr);
    return csr_parse(&f.csr, der, NULL, (struct bytes){0}, RSA_MAX, &f.e);
}

static void accept(void)
{
    enum error_code code = parse(made_csr(&f.wish));
    cr_assert_eq(code, ERR_OK, "%s", f.e.text);
    cr_assert_not_null(f.csr);
}

static void refuse_der(struct bytes der, const char *cause)
{
    cr_assert_eq(parse(der), ERR_ENVELOPE_UNREADABLE);
    cr_assert_null(f.csr);
    cr_assert(strstr(f.e.text, cause), "'%s' does not say '%s'", f.e.text, cause);
}

static void refuse(const char *cause)
{
    refuse_der(made_csr(&f.wish), cause);
}

static void add(const char *oid, struct bytes value)
{
    f.wish.attributes[f.wish.attribute_count++] = made_attribute(oid, value);
}

static struct bytes field(const char *oid, struct bytes value)
{
    return DER(0x31, DER(0x30, der_oid(oid), value));
}

Test(csr, reads_the_facts)
{
    f.wish.subject =
        DER(0x30, field("2.5.4.10", der_text(0x13, "Example")), field("2.5.4.3", der_text(0x0C, "Gerät 1")),
            field("2.5.4.5", der_text(0x13, "0815")),
            field("1.2.840.113549.1.9.2", der_text(0x16, "router.example")),
            field("1.2.3.4.5", der_text(0x0C, "odd")));
    add(OID_CHALLENGE, der_text(0x13, "let me in"));
    struct bytes der = made_csr(&f.wish);
    cr_assert_eq(parse(der), ERR_OK, "%s", f.e.text);
    struct csr *c = f.csr;
    cr_assert(bytes_equal(c->der, der));
    cr_assert_neq(c->der.data, der.data);
    cr_assert(bytes_equal(c->subject_der, f.wish.subject));
    cr_assert(bytes_equal(c->spki_der, der_spki(f.key)));
    cr_assert_eq(c->key.kind, KEY_RSA);
    cr_assert_eq(c->key.bits, 2048);
    cr_assert_null(c->key.curve);
    cr_assert_eq(c->signature_digest, NID_sha256);
    cr_assert_eq(c->field_count, 5);
    static const struct subject_field fields[] = {{"O", "Example"},
                                                  {"CN", "Gerät 1"},
                                                  {"serialNumber", "0815"},
                                                  {"unstructuredName", "router.example"},
                                                  {"1.2.3.4.5", "odd"}};
    for (size_t i = 0; i < 5; i++) {
        cr_assert_str_eq(c->fields[i].name, fields[i].name);
        cr_assert_str_eq(c->fields[i].value, fields[i].value);
    }
    cr_assert(strstr(c->subject_text, "CN=Ger\\C3\\A4t 1,O=Example"), "%s", c->subject_text);
    cr_assert(c->has_challenge);
    cr_assert_str_eq((char *)c->challenge.data, "let me in");
    cr_assert_eq(c->challenge.len, 9);
    cr_assert_eq(c->extensions_der.len, 0);
}

Test(csr, hashes_are_of_the_info_and_the_key)
{
    struct bytes der = made_csr(&f.wish);
    cr_assert_eq(parse(der), ERR_OK);
    uint8_t expected[32];
    const uint8_t *at = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    uint8_t *info = NULL;
    int len = i2d_re_X509_REQ_tbs(request, &info);
    SHA256(info, (size_t)len, expected);
    cr_assert_arr_eq(f.csr->info_sha256, expected, 32);
    OPENSSL_free(info);
    X509_REQ_free(request);
    struct bytes spki = der_spki(f.key);
    SHA256(spki.data, spki.len, expected);
    cr_assert_arr_eq(f.csr->spki_sha256, expected, 32);
}

Test(csr, info_hash_ignores_the_signature)
{
    uint8_t first[32];
    f.wish.pss = true; /* salted: every signature differs */
    accept();
    memcpy(first, f.csr->info_sha256, 32);
    accept();
    cr_assert_arr_eq(f.csr->info_sha256, first, 32);
    cr_assert_eq(f.csr->signature_digest, NID_sha256);
}

Test(csr, signature_must_verify)
{
    f.wish.bad_signature = true;
    refuse("signature does not verify");
    f.wish.bad_signature = false;
    f.wish.spki = der_spki(f.other);
    refuse("signature does not verify");
}

Test(csr, every_kind_of_key_can_ask)
{
    static const struct {
        const char *type, *curve, *digest;
        enum key_kind kind;
        int bits;
        const char *shown;
    } rows[] = {
        {"EC", "P-256", "SHA256", KEY_EC, 256, "P-256"},
        {"EC", "P-384", "SHA384", KEY_EC, 384, "P-384"},
        {"EC", "P-521", "SHA512", KEY_EC, 521, "P-521"},
        {"EC", "secp256k1", "SHA256", KEY_EC, 256, "secp256k1"},
        {"ED25519", NULL, "", KEY_ED25519, 253, NULL},
        {"ED448", NULL, "", KEY_ED448, 448, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EVP_PKEY *key =
            rows[i].curve ? EVP_EC_gen(rows[i].curve) : EVP_PKEY_Q_keygen(NULL, NULL, rows[i].type);
        f.wish = (struct csr_wish){.key = key, .digest = rows[i].digest};
        accept();
        cr_assert_eq(f.csr->key.kind, rows[i].kind);
        if (rows[i].shown)
            cr_assert_str_eq(f.csr->key.curve, rows[i].shown);
        else
            cr_assert_null(f.csr->key.curve);
        cr_assert(rows[i].kind != KEY_EC || f.csr->key.bits == rows[i].bits);
        cr_assert_eq(f.csr->signature_digest, rows[i].digest[0] ? OBJ_txt2nid(rows[i].digest) : NID_undef);
        EVP_PKEY_free(key);
    }
}

Test(csr, every_digest_verifies_and_is_named)
{
    static const char *const digests[] = {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "MD5"};
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        f.wish.digest = digests[i];
        accept();
        cr_assert_eq(f.csr->signature_digest, OBJ_txt2nid(digests[i]));
    }
}

Test(csr, known_key_is_used_only_when_it_is_the_same)
{
    struct bytes der = made_csr(&f.wish), spki = der_spki(f.key);
    cr_assert_eq(csr_parse(&f.csr, der, f.key, spki, RSA_MAX, &f.e), ERR_OK, "%s", f.e.text);
    csr_free(f.csr);
    /* Under another name the CSR's own key is decoded: */
    cr_assert_eq(csr_parse(&f.csr, der, f.other, der_spki(f.other), RSA_MAX, &f.e), ERR_OK, "%s", f.e.text);
    csr_free(f.csr);
    /* and this shows that a known key does replace the decoding: */
    cr_assert_eq(csr_parse(&f.csr, der, f.other, spki, RSA_MAX, &f.e), ERR_ENVELOPE_UNREADABLE);
    f.csr = NULL;
    f.wish.bad_signature = true;
    cr_assert_eq(csr_parse(&f.csr, made_csr(&f.wish), f.key, spki, RSA_MAX, &f.e), ERR_ENVELOPE_UNREADABLE);
}

static EVP_PKEY *rsa_public(int bits, unsigned exponent_bits)
{
    BIGNUM *n = BN_new(), *e = BN_new();
    cr_assert(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
    cr_assert(BN_rand(e, (int)exponent_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    cr_assert(EVP_PKEY_fromdata_init(context) > 0 &&
              EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) > 0);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return key;
}

Test(csr, expensive_keys_are_refused_before_they_are_used)
{
    EVP_PKEY *huge = rsa_public(16384, 17), *slow = rsa_public(2048, 2000);
    f.wish.spki = der_spki(huge);
    refuse("larger than the limit");
    f.wish.spki = der_spki(slow);
    refuse("huge public exponent");
    EVP_PKEY_free(huge);
    EVP_PKEY_free(slow);
    f.wish.spki = (struct bytes){0};
    cr_assert_eq(csr_parse(&f.csr, made_csr(&f.wish), NULL, (struct bytes){0}, 2047, &f.e),
                 ERR_ENVELOPE_UNREADABLE);
    cr_assert_eq(csr_parse(&f.csr, made_csr(&f.wish), NULL, (struct bytes){0}, 2048, &f.e), ERR_OK);
}

Test(csr, curves_must_be_named)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    cr_assert(
        EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT));
    f.wish.key = key;
    cr_assert_gt(der_spki(key).len, 200);
    refuse("public key cannot be decoded");
    EVP_PKEY_free(key);
}

Test(csr, challenge_of_every_string_type)
{
    static const struct {
        uint8_t tag;
        const char *value;
        size_t len;
        const char *utf8;
    } rows[] = {
        {0x13, "printable", 9, "printable"},
        {0x0C, "\xC3\xBC-utf8", 7, "ü-utf8"},
        {0x16, "ia5_@", 5, "ia5_@"},
        {0x14, "t\xE9l\xE9", 4, "télé"},
        {0x1E, "\0b\0m\0p\x20\xAC", 8, "bmp€"},
        {0x1C, "\0\0\0u\0\0\0v", 8, "uv"},
        {0x13, "", 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f.wish.attribute_count = 0;
        add(OID_CHALLENGE, DER(rows[i].tag, bytes_of(rows[i].value, rows[i].len)));
        accept();
        cr_assert(f.csr->has_challenge);
        cr_assert_str_eq((char *)f.csr->challenge.data, rows[i].utf8);
        cr_assert_eq(f.csr->challenge.len, strlen(rows[i].utf8));
    }
}

Test(csr, challenge_may_be_absent)
{
    accept();
    cr_assert_not(f.csr->has_challenge);
    f.wish.no_attributes = true;
    accept();
    cr_assert_not(f.csr->has_challenge);
}

Test(csr, challenge_bounds)
{
    char text[257];
    memset(text, 'x', sizeof text);
    text[255] = 0;
    add(OID_CHALLENGE, der_text(0x0C, text));
    accept();
    cr_assert_eq(f.csr->challenge.len, 255);
    text[255] = 'x';
    text[256] = 0;
    f.wish.attribute_count = 0;
    add(OID_CHALLENGE, der_text(0x0C, text));
    refuse("challengePassword");
}

Test(csr, challenge_must_be_text)
{
    static const struct {
        uint8_t tag;
        const char *value;
        size_t len;
    } rows[] = {
        {0x0C, "a\0b", 3}, {0x0C, "\xFF\xFE", 2}, {0x04, "octets", 6}, {0x02, "\x05", 1},
        {0x01, "\xFF", 1}, {0x05, "", 0},         {0x1E, "odd", 3},    {0x06, "\x2A", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f.wish.attribute_count = 0;
        add(OID_CHALLENGE, DER(rows[i].tag, bytes_of(rows[i].value, rows[i].len)));
        refuse("challengePassword");
        cr_assert_null(strstr(f.e.text, "octets"), "the challenge must not be in the error");
    }
}

Test(csr, challenge_occurs_once_with_one_value)
{
    struct bytes text = der_text(0x13, "twice");
    add(OID_CHALLENGE, text);
    add(OID_CHALLENGE, text);
    refuse("exactly once");
    f.wish.attribute_count = 1;
    f.wish.attributes[0] = DER(0x30, der_oid(OID_CHALLENGE), DER(0x31, text, text));
    refuse("exactly once");
    f.wish.attributes[0] = DER(0x30, der_oid(OID_CHALLENGE), DER(0x31, (struct bytes){0}));
    refuse("exactly once");
}

Test(csr, subject_values_of_every_string_type)
{
    f.wish.subject = DER(0x30, field("2.5.4.3", DER(0x1E, bytes_of("\0B\x20\xAC", 4))),
                         field("2.5.4.10", DER(0x14, bytes_of("\xFC", 1))),
                         field("2.5.4.11", DER(0x1C, bytes_of("\0\0\0U", 4))));
    accept();
    cr_assert_str_eq(f.csr->fields[0].value, "B€");
    cr_assert_str_eq(f.csr->fields[1].value, "ü");
    cr_assert_str_eq(f.csr->fields[2].value, "U");
}

Test(csr, subject_may_be_empty)
{
    f.wish.subject = DER(0x30, (struct bytes){0});
    accept();
    cr_assert_eq(f.csr->field_count, 0);
    cr_assert_str_eq(f.csr->subject_text, "");
}

Test(csr, subject_with_a_nul_or_no_text_is_malformed)
{
    f.wish.subject = DER(0x30, field("2.5.4.3", DER(0x0C, bytes_of("admin\0.evil", 11))));
    refuse("not readable text");
    f.wish.subject = DER(0x30, field("2.5.4.3", DER(0x1E, bytes_of("\0a\0\0\0b", 6))));
    refuse("not readable text");
    f.wish.subject = DER(0x30, field("2.5.4.3", DER(0x0C, bytes_of("\xC3", 1))));
    cr_assert_eq(parse(made_csr(&f.wish)), ERR_ENVELOPE_UNREADABLE);
}

static struct bytes many_fields(int count)
{
    struct bytes fields[CSR_FIELDS_MAX + 1];
    for (int i = 0; i < count; i++)
        fields[i] = field("2.5.4.11", der_text(0x0C, "unit"));
    return der_join(0x30, fields, (size_t)count);
}

Test(csr, subject_fields_are_capped)
{
    f.wish.subject = many_fields(CSR_FIELDS_MAX);
    accept();
    cr_assert_eq(f.csr->field_count, CSR_FIELDS_MAX);
    f.wish.subject = many_fields(CSR_FIELDS_MAX + 1);
    refuse("33 fields");
}

static const char *const extension_oids[] = {OID_EXTENSIONS, OID_EXTENSIONS_SSCEP, OID_EXTENSIONS_WINDOWS};

Test(csr, sans_of_every_kind_under_every_oid)
{
    struct bytes upn =
        DER(0xA0, der_oid("1.3.6.1.4.1.311.20.2.3"), DER(0xA0, der_text(0x0C, "user@ad.example")));
    struct bytes other = DER(0xA0, der_oid("1.2.3.4"), DER(0xA0, der_text(0x0C, "x")));
    struct bytes names = DER(0x30, der_text(0x82, "a.example"), der_text(0x81, "m@a.example"),
                             DER(0x87, bytes_of("\x0A\0\0\x01", 4)),
                             DER(0x87, bytes_of("\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01", 16)),
                             der_text(0x86, "urn:device:1"), upn, DER(0xA4, der_common_name("dir")), other,
                             DER(0x88, bytes_of("\x2A\x03", 2)));
    struct bytes san = DER(0x30, der_oid("2.5.29.17"), DER(0x04, names));
    static const struct san_entry expected[] = {
        {SAN_DNS, "a.example"},    {SAN_EMAIL, "m@a.example"}, {SAN_IP, "10.0.0.1"},
        {SAN_IP, "2001:db8::1"},   {SAN_URI, "urn:device:1"},  {SAN_UPN, "user@ad.example"},
        {SAN_DIRECTORY, "CN=dir"}, {SAN_OTHER, "1.2.3.4"},     {SAN_OTHER, "1.2.3"},
    };
    for (size_t k = 0; k < 3; k++) {
        f.wish.attribute_count = 0;
        add(extension_oids[k], DER(0x30, san));
        accept();
        cr_assert_eq(f.csr->san_count, 9);
        for (size_t i = 0; i < 9; i++) {
            cr_assert_eq(f.csr->sans[i].kind, expected[i].kind);
            cr_assert_str_eq(f.csr->sans[i].value, expected[i].value);
        }
        cr_assert(bytes_equal(f.csr->extensions_der, DER(0x30, san)));
    }
}

Test(csr, sans_that_are_no_text_are_malformed)
{
    struct bytes names[] = {
        DER(0x82, bytes_of("a\0b", 3)),
        DER(0x82, bytes_of("\xC3\xBC", 2)),
        DER(0x81, bytes_of("a\0@b", 4)),
        DER(0x86, bytes_of("urn:\0", 5)),
        DER(0x87, bytes_of("\x0A\0\0", 3)),
        DER(0x87, bytes_of("\x0A\0\0\x01\xFF\0\0\0", 8)),
        DER(0xA0, der_oid("1.3.6.1.4.1.311.20.2.3"), DER(0xA0, DER(0x0C, bytes_of("u\0", 2)))),
        DER(0xA0, der_oid("1.3.6.1.4.1.311.20.2.3"), DER(0xA0, DER(0x01, bytes_of("\xFF", 1)))),
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        f.wish.attribute_count = 0;
        add(OID_EXTENSIONS, DER(0x30, DER(0x30, der_oid("2.5.29.17"), DER(0x04, DER(0x30, names[i])))));
        refuse("subject alternative name 1");
    }
    f.wish.attribute_count = 0;
    add(OID_EXTENSIONS, DER(0x30, DER(0x30, der_oid("2.5.29.17"), DER(0x04, bytes_of("junk", 4)))));
    refuse("cannot be decoded");
}

static void many_sans(int count)
{
    struct bytes names[CSR_SANS_MAX + 1];
    for (int i = 0; i < count; i++)
        names[i] = der_text(0x82, "a.example");
    f.wish.attribute_count = 0;
    add(OID_EXTENSIONS,
        DER(0x30, DER(0x30, der_oid("2.5.29.17"), DER(0x04, der_join(0x30, names, (size_t)count)))));
}

Test(csr, sans_are_capped)
{
    many_sans(CSR_SANS_MAX);
    accept();
    cr_assert_eq(f.csr->san_count, CSR_SANS_MAX);
    many_sans(CSR_SANS_MAX + 1);
    refuse("65 subject alternative names");
}

Test(csr, extensions_of_several_attributes_are_merged)
{
    struct bytes san = made_extension(NID_subject_alt_name, "DNS:a.example");
    struct bytes usage = made_extension(NID_key_usage, "digitalSignature");
    add(OID_EXTENSIONS, DER(0x30, usage));
    add(OID_EXTENSIONS_WINDOWS, DER(0x30, san));
    accept();
    cr_assert(bytes_equal(f.csr->extensions_der, DER(0x30, usage, san)));
    cr_assert_eq(f.csr->san_count, 1);
}

Test(csr, an_extension_asked_for_twice_is_refused)
{
    struct bytes san = made_extension(NID_subject_alt_name, "DNS:a.example");
    add(OID_EXTENSIONS, DER(0x30, san, san));
    refuse("extension twice");
    f.wish.attribute_count = 0;
    add(OID_EXTENSIONS, DER(0x30, san));
    add(OID_EXTENSIONS_SSCEP, DER(0x30, made_extension(NID_subject_alt_name, "DNS:b.example")));
    refuse("extension twice");
    f.wish.attribute_count = 0;
    add(OID_EXTENSIONS, DER(0x30, san));
    add(OID_EXTENSIONS, DER(0x30, made_extension(NID_key_usage, "digitalSignature")));
    refuse("exactly once");
}

Test(csr, unknown_attributes_are_ignored_up_to_a_limit)
{
    for (int i = 0; i < 64; i++)
        add("1.3.6.1.4.1.311.13.2.3", der_text(0x16, "6.1.7601.2"));
    accept();
    add("1.3.6.1.4.1.311.13.2.3", der_text(0x16, "6.1.7601.2"));
    refuse("too many attributes");
}

Test(csr, form)
{
    struct bytes good = made_csr(&f.wish);
    f.wish.behind = bytes_of("\0", 1);
    refuse("single ASN.1 element");
    f.wish.behind = (struct bytes){0};
    for (size_t len = 0; len < good.len; len += 7)
        cr_assert_eq(parse(bytes_of(good.data, len)), ERR_ENVELOPE_UNREADABLE);
    refuse_der(DER(0x30, der_integer(0)), "RFC 2986");
    refuse_der(DER(0x30, DER(0x30, der_integer(1)), DER(0x30, der_integer(1)), DER(0x03, bytes_of("\0", 1))),
               "RFC 2986");
    f.wish.version = 1;
    refuse("RFC 2986");
    f.wish.version = 0;
    f.wish.attributes[0] = der_integer(1);
    f.wish.attribute_count = 1;
    refuse("RFC 2986");
}

Test(csr, names_of_kinds)
{
    cr_assert_str_eq(key_kind_name(KEY_RSA), "rsa");
    cr_assert_str_eq(key_kind_name(KEY_EC), "ec");
    cr_assert_str_eq(key_kind_name(KEY_ED25519), "ed25519");
    cr_assert_str_eq(key_kind_name(KEY_ED448), "ed448");
    cr_assert_str_eq(key_kind_name(KEY_DSA), "dsa");
    cr_assert_str_eq(key_kind_name(KEY_OTHER), "other");
    static const char *const names[] = {"dns", "email", "ip", "uri", "upn", "directory", "other"};
    for (int i = 0; i < SAN_KIND_COUNT; i++)
        cr_assert_str_eq(san_kind_name(i), names[i]);
}
