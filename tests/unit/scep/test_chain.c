/* test_chain.c: certificates-only SignedData, byte for byte and back. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/cleanup.h"
#include "identities.h"
#include "scep/chain.h"
#include "walk.h"

static struct bytes encode(X509 *certificate)
{
    uint8_t *der = NULL;
    int size = i2d_X509(certificate, &der);
    cr_assert_gt(size, 0);
    return bytes_of(der, (size_t)size);
}

static struct {
    X509 *certificates[3];
    struct bytes der[3];
    struct buffer out;
    struct error e;
} f;

static void setup(void)
{
    EVP_PKEY *key = identity_key("ra-rsa");
    /* Names of falling length, so that a sorting encoder would turn the order round. */
    static const char *const names[] = {"the issued certificate has the longest name", "an issuing authority",
                                        "root"};
    for (int i = 0; i < 3; i++) {
        f.certificates[i] =
            identity_certificate(key, &(struct identity_wish){.common_name = names[i], .ca = i > 0});
        f.der[i] = encode(f.certificates[i]);
    }
    EVP_PKEY_free(key);
    buffer_init(&f.out, 100000);
}

static void teardown(void)
{
    for (int i = 0; i < 3; i++) {
        X509_free(f.certificates[i]);
        OPENSSL_free((void *)f.der[i].data);
    }
    buffer_free(&f.out);
}

TestSuite(chain, .init = setup, .fini = teardown);

Test(chain, is_degenerate_to_the_byte)
{
    cr_assert_eq(scep_chain_write(&f.out, f.der, 3, &f.e), ERR_OK, "%s", error_text(&f.e));
    struct node top = walk_parse(buffer_bytes(&f.out));
    cr_assert_eq(top.tag, 0x30);
    cr_assert(walk_is_oid(walk_child(top, 0), "1.2.840.113549.1.7.2"));
    cr_assert_eq(walk_child(top, 1).tag, 0xa0);
    struct node data = WALK(top, 1, 0);
    cr_assert_eq(walk_count(data), 5);
    static const uint8_t head[] = {0x02, 0x01, 0x01, /* version 1 */
                                   0x31, 0x00,       /* no digest algorithms */
                                   0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48,
                                   0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
    cr_assert_geq(data.inside.len, sizeof head);
    cr_assert_arr_eq(data.inside.data, head, sizeof head);
    struct node certificates = walk_child(data, 3);
    cr_assert_eq(certificates.tag, 0xa0);
    cr_assert_eq(walk_count(certificates), 3);
    for (unsigned i = 0; i < 3; i++)
        cr_assert(bytes_equal(walk_child(certificates, i).whole, f.der[i]),
                  "certificate %u has lost its place", i);
    struct node signers = walk_child(data, 4);
    cr_assert_eq(signers.tag, 0x31);
    cr_assert_eq(signers.inside.len, 0);
}

Test(chain, other_readers_agree)
{
    cr_assert_eq(scep_chain_write(&f.out, f.der, 2, &f.e), ERR_OK);
    const uint8_t *at = f.out.data;
    CLEANUP(PKCS7) PKCS7 *p7 = d2i_PKCS7(NULL, &at, (long)f.out.len);
    cr_assert_not_null(p7);
    cr_assert(PKCS7_type_is_signed(p7));
    cr_assert_eq(sk_X509_num(p7->d.sign->cert), 2);
    cr_assert_eq(X509_cmp(sk_X509_value(p7->d.sign->cert, 0), f.certificates[0]), 0);
    cr_assert_null(p7->d.sign->contents->d.ptr);
}

Test(chain, refuses_what_is_not_one_sequence)
{
    uint8_t longer[4096];
    memcpy(longer, f.der[0].data, f.der[0].len);
    longer[f.der[0].len] = 0;
    const struct bytes bad[] = {bytes_of(longer, f.der[0].len + 1), bytes_of(longer, f.der[0].len - 1),
                                bytes_of("\x31\x00", 2), bytes_of("\x30\x80\x00\x00", 4), bytes_of(NULL, 0)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_neq(scep_chain_write(&f.out, &bad[i], 1, &f.e), ERR_OK, "case %zu", i);
        cr_assert_eq(f.out.len, 0);
    }
}

Test(chain, reports_a_full_buffer)
{
    struct buffer small;
    buffer_init(&small, 100);
    cr_assert_neq(scep_chain_write(&small, f.der, 1, &f.e), ERR_OK);
    buffer_free(&small);
}

Test(chain, reads_in_order)
{
    cr_assert_eq(scep_chain_write(&f.out, f.der, 3, &f.e), ERR_OK);
    STACK_OF(X509) *stack = NULL;
    cr_assert_eq(scep_chain_read(&stack, buffer_bytes(&f.out), &f.e), ERR_OK, "%s", error_text(&f.e));
    cr_assert_eq(sk_X509_num(stack), 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(X509_cmp(sk_X509_value(stack, i), f.certificates[i]), 0);
    sk_X509_pop_free(stack, X509_free);
}

Test(chain, reads_one_certificate)
{
    STACK_OF(X509) *stack = NULL;
    cr_assert_eq(scep_chain_read(&stack, f.der[1], &f.e), ERR_OK, "%s", error_text(&f.e));
    cr_assert_eq(sk_X509_num(stack), 1);
    cr_assert_eq(X509_cmp(sk_X509_value(stack, 0), f.certificates[1]), 0);
    sk_X509_pop_free(stack, X509_free);
}

Test(chain, refuses_trailing_bytes_truncation_and_other_things)
{
    cr_assert_eq(scep_chain_write(&f.out, f.der, 1, &f.e), ERR_OK);
    uint8_t copy[8192] = {0};
    memcpy(copy, f.out.data, f.out.len);
    const struct bytes bad[] = {bytes_of(copy, f.out.len + 1),
                                bytes_of(copy, f.out.len - 1),
                                bytes_of(copy, 3),
                                bytes_of(f.der[0].data, f.der[0].len - 1),
                                bytes_of_text("<html>not here</html>"),
                                bytes_of_text("-----BEGIN CERTIFICATE-----"),
                                bytes_of(NULL, 0)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        STACK_OF(X509) *stack = (STACK_OF(X509) *)&f;
        cr_assert_eq(scep_chain_read(&stack, bad[i], &f.e), ERR_MESSAGE_MALFORMED, "case %zu", i);
        cr_assert_null(stack);
    }
}

Test(chain, refuses_a_bag_without_certificates_or_with_a_signer)
{
    cr_assert_eq(scep_chain_write(&f.out, f.der, 0, &f.e), ERR_OK);
    STACK_OF(X509) *stack = NULL;
    cr_assert_eq(scep_chain_read(&stack, buffer_bytes(&f.out), &f.e), ERR_MESSAGE_MALFORMED);

    EVP_PKEY *key = identity_key("ra-rsa");
    CLEANUP(BIO) BIO *content = BIO_new_mem_buf("hello", 5);
    CLEANUP(CMS) CMS_ContentInfo *cms = CMS_sign(f.certificates[0], key, NULL, content, CMS_BINARY);
    EVP_PKEY_free(key);
    uint8_t *der = NULL;
    int size = i2d_CMS_ContentInfo(cms, &der);
    cr_assert_gt(size, 0);
    cr_assert_eq(scep_chain_read(&stack, bytes_of(der, (size_t)size), &f.e), ERR_MESSAGE_MALFORMED);
    OPENSSL_free(der);
}

Test(chain, a_bag_with_a_revocation_list)
{
    static const uint8_t list[] = {0x30, 0x03, 0x02, 0x01, 0x05}; /* it is passed on as it is */
    cr_assert_eq(scep_chain_write_crl(&f.out, bytes_of(list, sizeof list), &f.e), ERR_OK);
    struct node data = WALK(walk_parse(buffer_bytes(&f.out)), 1, 0);
    cr_assert_eq(walk_count(data), 5);
    cr_assert_eq(walk_child(data, 3).tag, 0xa1);
    cr_assert_eq(walk_count(walk_child(data, 3)), 1);
    cr_assert(bytes_equal(WALK(data, 3, 0).whole, bytes_of(list, sizeof list)));
    cr_assert_eq(walk_child(data, 4).inside.len, 0);

    buffer_reset(&f.out);
    cr_assert_neq(scep_chain_write_crl(&f.out, bytes_of(list, 4), &f.e), ERR_OK);
    cr_assert_neq(scep_chain_write_crl(&f.out, (struct bytes){0}, &f.e), ERR_OK);
    cr_assert_eq(f.out.len, 0);
}
