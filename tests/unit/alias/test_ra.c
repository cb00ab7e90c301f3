/* test_ra.c: what an RA identity must be, and what GetCACert says about it, read with OpenSSL. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alias/ra.h"
#include "base/cleanup.h"
#include "store/keys.h"
#include "unit/alias/made.h"

#define BOTH "critical,digitalSignature,keyEncipherment"

static struct made root, issuing, ra;
static struct bytes chain[2]; /* issuing, root */

static void set_up(void)
{
    root = make((struct made_order){.name = "Root", .ca = true, .usage = "keyCertSign"});
    issuing =
        make((struct made_order){.name = "Issuing", .ca = true, .usage = "keyCertSign", .issuer = &root});
    ra = make((struct made_order){.name = "RA", .usage = BOTH, .issuer = &issuing});
    chain[0] = made_der(&issuing);
    chain[1] = made_der(&root);
}

static void tear_down(void)
{
    for (int i = 0; i < 2; i++)
        free((void *)(uintptr_t)chain[i].data);
    made_free(&root);
    made_free(&issuing);
    made_free(&ra);
}

TestSuite(ra, .init = set_up, .fini = tear_down);

static struct scep_recipient identity(const struct made *m)
{
    return (struct scep_recipient){.certificate = m->certificate, .key = m->key};
}

static enum error_code create_of(struct ra_set **s, const struct scep_recipient *one,
                                 const struct bytes *with, size_t count, bool root_in_body, struct error *e)
{
    const struct ra_parts parts = {
        .identities = one, .count = 1, .chain = with, .chain_count = count, .root_in_body = root_in_body};
    return ra_set_create(s, &parts, e);
}

static enum error_code create(struct ra_set **s, const struct made *m, size_t chain_count, bool with_root,
                              struct error *e)
{
    struct scep_recipient one = identity(m);
    return create_of(s, &one, chain, chain_count, with_root, e);
}

/* Common names in the bag, in the order of the bytes. */
static const char *names_of(struct bytes body)
{
    static char text[256];
    const unsigned char *at = body.data;
    text[0] = '\0';
    PKCS7 *bag = d2i_PKCS7(NULL, &at, (long)body.len);
    cr_assert(bag && PKCS7_type_is_signed(bag) && at == body.data + body.len);
    for (int i = 0; i < sk_X509_num(bag->d.sign->cert); i++) {
        char name[64];
        X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(bag->d.sign->cert, i)), NID_commonName,
                                  name, sizeof name);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", name);
    }
    PKCS7_free(bag);
    return text;
}

static const char *names(const struct ra_set *s)
{
    return names_of(s->ca.body);
}

static const char *fingerprint(const struct made *m)
{
    static char text[65];
    uint8_t hash[32];
    X509_digest(m->certificate, EVP_sha256(), hash, NULL);
    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}

Test(ra, bag_begins_with_the_ra_and_ends_with_the_root)
{
    struct ra_set *s;
    struct error e = {0};
    cr_assert_eq(create(&s, &ra, 2, true, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(names(s), "RA Issuing Root");
    cr_assert_str_eq(s->ca.content_type, "application/x-x509-ca-ra-cert");
    cr_assert_str_eq(s->ca.pin_sha256, fingerprint(&issuing));
    cr_assert(s->not_after > 0 && s->count == 1);
    ra_set_unref(s);
}

Test(ra, root_can_be_left_out_but_not_the_ras_issuer)
{
    struct ra_set *s;
    struct error e = {0};
    cr_assert_eq(create(&s, &ra, 2, false, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(names(s), "RA Issuing");
    ra_set_unref(s);
    struct made direct = make((struct made_order){.name = "RA", .usage = BOTH, .issuer = &root});
    struct scep_recipient one = identity(&direct);
    cr_assert_eq(create_of(&s, &one, &chain[1], 1, false, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(names(s), "RA Root");
    cr_assert_str_eq(s->ca.pin_sha256, fingerprint(&root));
    ra_set_unref(s);
    made_free(&direct);
}

Test(ra, repeated_certificates_are_sent_once)
{
    struct ra_set *s;
    struct scep_recipient one = identity(&ra);
    struct bytes ra_der = made_der(&ra);
    struct bytes twice[] = {chain[0], chain[1], chain[0], ra_der};
    cr_assert_eq(create_of(&s, &one, twice, 4, true, NULL), ERR_OK);
    cr_assert_str_eq(names(s), "RA Issuing Root");
    ra_set_unref(s);
    free((void *)(uintptr_t)ra_der.data);
}

Test(ra, ca_that_answers_itself_is_a_single_certificate)
{
    struct made both = make((struct made_order){.name = "All", .ca = true, .usage = BOTH ",keyCertSign"});
    struct ra_set *s;
    struct error e = {0};
    cr_assert_eq(create(&s, &both, 0, true, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(s->ca.content_type, "application/x-x509-ca-cert");
    struct bytes der = made_der(&both);
    cr_assert(bytes_equal(der, s->ca.body));
    cr_assert_str_eq(s->ca.pin_sha256, fingerprint(&both));
    free((void *)(uintptr_t)der.data);
    ra_set_unref(s);
    made_free(&both);
}

Test(ra, subordinate_ca_that_answers_itself_is_what_clients_pin)
{
    struct made both =
        make((struct made_order){.name = "Sub", .ca = true, .usage = BOTH ",keyCertSign", .issuer = &root});
    struct scep_recipient one = identity(&both);
    struct ra_set *s;
    cr_assert_eq(create_of(&s, &one, &chain[1], 1, true, NULL), ERR_OK);
    cr_assert_str_eq(names(s), "Sub Root");
    cr_assert_str_eq(s->ca.pin_sha256, fingerprint(&both));
    ra_set_unref(s);
    cr_assert_eq(create_of(&s, &one, &chain[1], 1, false, NULL), ERR_OK);
    cr_assert_str_eq(s->ca.content_type, "application/x-x509-ca-cert");
    ra_set_unref(s);
    made_free(&both);
}

Test(ra, unusable_identities_are_refused_with_a_sentence)
{
    const struct {
        const char *usage;
        bool ec, mixed;
        const char *sentence;
    } rows[] = {
        {BOTH, false, false, NULL},
        {NULL, false, false, NULL}, /* without keyUsage everything is allowed */
        {"digitalSignature", false, false, "keyEncipherment"},
        {"keyEncipherment", false, false, "digitalSignature"},
        {BOTH, true, false, "RSA key"},
        {BOTH, false, true, "do not belong together"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made m = make(
            (struct made_order){.name = "RA", .usage = rows[i].usage, .ec = rows[i].ec, .issuer = &issuing});
        struct scep_recipient one = identity(&m);
        if (rows[i].mixed)
            one.key = ra.key;
        struct ra_set *s;
        struct error e = {0};
        enum error_code code = create_of(&s, &one, chain, 2, true, &e);
        cr_assert_eq(code, rows[i].sentence ? ERR_KEY_UNUSABLE : ERR_OK, "row %zu: %s", i, e.text);
        cr_assert(!rows[i].sentence || strstr(e.text, rows[i].sentence), "row %zu: %s", i, e.text);
        cr_assert((s == NULL) == (rows[i].sentence != NULL));
        ra_set_unref(s);
        made_free(&m);
    }
}

/* ---- one certificate that opens, one that signs -------------------------------------------------------- */

static enum error_code create_apart(struct ra_set **s, const struct made *opens, const struct made *signs,
                                    struct error *e)
{
    struct scep_recipient opener = identity(opens), signer = identity(signs);
    const struct ra_parts parts = {.identities = &opener,
                                   .signers = &signer,
                                   .count = 1,
                                   .chain = chain,
                                   .chain_count = 2,
                                   .root_in_body = true};
    return ra_set_create(s, &parts, e);
}

Test(ra, one_opens_and_one_signs)
{
    struct made opens = make((struct made_order){
        .name = "Opener", .usage = "keyEncipherment", .issuer = &issuing, .from = -60, .to = 9000});
    struct made signs = make((struct made_order){
        .name = "Signer", .usage = "digitalSignature", .issuer = &issuing, .from = -60, .to = 3000});
    struct ra_set *s;
    struct error e = {0};
    cr_assert_eq(create_apart(&s, &opens, &signs, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(names(s), "Opener Signer Issuing Root");
    cr_assert_str_eq(s->ca.pin_sha256, fingerprint(&issuing));
    cr_assert_eq(X509_cmp(s->identities[0].certificate, opens.certificate), 0);
    cr_assert_eq(X509_cmp(s->signers[0].certificate, signs.certificate), 0);
    int64_t left = s->not_after - (int64_t)time(NULL) * 1000;
    cr_assert(left > 2000 * 1000 && left <= 3000 * 1000, "the one that ends first counts");
    ra_set_unref(s);
    cr_assert_eq(create_apart(&s, &signs, &opens, &e), ERR_KEY_UNUSABLE);
    cr_assert(strstr(e.text, "keyEncipherment"), "%s", e.text);
    cr_assert_eq(create_apart(&s, &opens, &opens, &e), ERR_KEY_UNUSABLE);
    cr_assert(strstr(e.text, "digitalSignature"), "%s", e.text);
    made_free(&opens);
    made_free(&signs);
}

Test(ra, signer_of_strangers_or_without_its_key_is_refused)
{
    struct made other = make((struct made_order){.name = "Other", .ca = true, .usage = "keyCertSign"});
    struct made signs =
        make((struct made_order){.name = "Signer", .usage = "digitalSignature", .issuer = &other});
    struct ra_set *s;
    struct error e = {0};
    cr_assert_eq(create_apart(&s, &ra, &signs, &e), ERR_KEY_UNUSABLE);
    cr_assert(strstr(e.text, "that signs was issued by no CA of its chain"), "%s", e.text);
    struct made mixed = {.certificate = ra.certificate, .key = other.key};
    cr_assert_eq(create_apart(&s, &ra, &mixed, &e), ERR_KEY_UNUSABLE);
    cr_assert(strstr(e.text, "do not belong together"), "%s", e.text);
    made_free(&signs);
    made_free(&other);
}

Test(ra, chain_body_is_a_bag_with_the_root)
{
    struct ra_set *s;
    cr_assert_eq(create(&s, &ra, 2, false, NULL), ERR_OK);
    cr_assert_str_eq(names_of(s->ca.body), "RA Issuing");
    cr_assert_str_eq(names_of(s->ca.chain_body), "RA Issuing Root");
    ra_set_unref(s);
    struct made both = make((struct made_order){.name = "CA", .ca = true, .usage = BOTH ",keyCertSign"});
    cr_assert_eq(create(&s, &both, 0, true, NULL), ERR_OK);
    cr_assert_str_eq(names_of(s->ca.chain_body), "CA");
    ra_set_unref(s);
    made_free(&both);
}

Test(ra, chain_of_strangers_is_refused)
{
    struct ra_set *s;
    struct error e = {0};
    struct scep_recipient one = identity(&ra);
    cr_assert_eq(create_of(&s, &one, &chain[1], 1, true, &e), ERR_KEY_UNUSABLE); /* Root did not issue it */
    cr_assert(strstr(e.text, "issuer"), "%s", e.text);
    struct bytes junk = bytes_of("junk", 4);
    cr_assert_eq(create_of(&s, &one, &junk, 1, true, &e), ERR_KEY_UNUSABLE);
}

Test(ra, references_are_counted)
{
    struct ra_set *s;
    cr_assert_eq(create(&s, &ra, 2, true, NULL), ERR_OK);
    cr_assert_eq(ra_set_ref(s), s);
    ra_set_unref(s);
    cr_assert_str_eq(names(s), "RA Issuing Root");
    ra_set_unref(s);
}

Test(ra, files_bring_their_own_chain)
{
    char certificate[] = "/tmp/ra.XXXXXX", key[] = "/tmp/ra.XXXXXX";
    close(mkstemp(certificate));
    close(mkstemp(key));
    made_write(certificate, &ra, false);
    made_write(certificate, &issuing, false);
    made_write(key, &ra, true);
    struct ra_set *s;
    struct error e = {0};
    struct ra_files files = {.certificate = certificate, .key = key}, missing = {"/nowhere", "/nowhere"};
    const struct ra_given given = {.chain = &chain[1], .chain_count = 1, .root_in_body = true}, nothing = {0};
    cr_assert_eq(ra_from_files(&s, &files, NULL, &given, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(names(s), "RA Issuing Root");
    ra_set_unref(s);
    cr_assert_eq(ra_from_files(&s, &files, &files, &given, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(names(s), "RA Issuing Root");
    ra_set_unref(s);
    cr_assert_eq(ra_from_files(&s, &files, &missing, &given, &e), ERR_FILE_UNREADABLE);
    files.key = "/nowhere/key";
    cr_assert_eq(ra_from_files(&s, &files, NULL, &nothing, &e), ERR_FILE_UNREADABLE);
    files.certificate = files.key = key;
    cr_assert_eq(ra_from_files(&s, &files, NULL, &nothing, &e), ERR_KEY_UNUSABLE);
    cr_assert(strstr(e.text, key), "%s", e.text);
    unlink(certificate);
    unlink(key);
}

static struct keys *make_keys(void)
{
    static const char ring[] = "k1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
    struct keys *k;
    cr_assert_eq(keys_create(&k, bytes_of(ring, sizeof ring - 1), NULL), ERR_OK);
    return k;
}

static void seal(const struct keys *k, const struct made *m, int64_t generation, struct buffer *out)
{
    unsigned char *plain = NULL;
    char id[RA_RECORD_ID_SIZE];
    int len = i2d_PrivateKey(m->key, &plain);
    buffer_init(out, 65536);
    cr_assert_eq(keys_seal(k, SEAL_RA_KEY, "demo", ra_record_id(id, generation), bytes_of(plain, (size_t)len),
                           out, NULL),
                 ERR_OK);
    OPENSSL_free(plain);
}

Test(ra, stored_generations_newest_with_a_certificate_first)
{
    struct keys *k = make_keys();
    struct made old = make((struct made_order){.name = "Old RA", .usage = BOTH, .issuer = &root});
    CLEANUP(buffer) struct buffer key2 = {0}, key3 = {0}, key1 = {0};
    seal(k, &ra, 3, &key3);
    seal(k, &old, 2, &key2);
    seal(k, &old, 9, &key1); /* sealed for another record: does not open */
    struct bytes ra_der = made_der(&ra), old_der = made_der(&old);
    struct ra_record records[] = {
        {.alias = "demo", .generation = 4, .sealed_key = buffer_bytes(&key3)}, /* being made */
        {.alias = "demo",
         .generation = 3,
         .sealed_key = buffer_bytes(&key3),
         .chain = {ra_der, chain[0], chain[1]},
         .chain_count = 3},
        {.alias = "demo",
         .generation = 2,
         .sealed_key = buffer_bytes(&key2),
         .chain = {old_der, chain[1]},
         .chain_count = 2},
        {.alias = "demo",
         .generation = 1,
         .sealed_key = buffer_bytes(&key1),
         .chain = {old_der, chain[1]},
         .chain_count = 2},
    };
    struct ra_set *s;
    struct error e = {0};
    cr_assert_eq(ra_from_records(&s, records, 4, k, true, &e), ERR_OK, "%s", e.text);
    cr_assert_eq(s->count, 2);
    cr_assert_str_eq(names(s), "RA Issuing Root");
    cr_assert_eq(X509_cmp(s->identities[1].certificate, old.certificate), 0);
    ra_set_unref(s);
    cr_assert_eq(ra_from_records(&s, records, 1, k, true, &e), ERR_OK);
    cr_assert_null(s); /* none has a certificate yet */
    cr_assert_eq(ra_from_records(&s, records + 3, 1, k, true, &e), ERR_KEY_UNUSABLE);
    cr_assert_null(s);
    free((void *)(uintptr_t)ra_der.data);
    free((void *)(uintptr_t)old_der.data);
    made_free(&old);
    keys_free(k);
}
