/* test_capabilities.c: the GetCACaps answer, written and read. */
#include <criterion/criterion.h>
#include <string.h>

#include "scep/capabilities.h"

static char *write(struct scep_capabilities c)
{
    struct buffer out;
    buffer_init(&out, 4096);
    scep_capabilities_write(&out, &c);
    size_t length = 0;
    char *text = buffer_take(&out, &length);
    cr_assert_not_null(text);
    cr_assert_eq(strlen(text), length);
    return text;
}

static void expect(struct scep_capabilities c, const char *expected)
{
    char *text = write(c);
    cr_assert_str_eq(text, expected);
    free(text);
}

static struct scep_capabilities read_text(const char *text)
{
    struct scep_capabilities c;
    memset(&c, 0xff, sizeof c);
    scep_capabilities_read(&c, bytes_of_text(text));
    return c;
}

Test(capabilities, default_alias_lists_implied_keywords_too)
{
    expect((struct scep_capabilities){.ciphers = SCEP_CIPHERS_DEFAULT,
                                      .digests = SCEP_DIGESTS_DEFAULT,
                                      .post = true},
           "AES\nDES3\nPOSTPKIOperation\nSHA-1\nSHA-256\nSHA-384\nSHA-512\nSCEPStandard\n");
}

Test(capabilities, optional_operations)
{
    expect(
        (struct scep_capabilities){.ciphers = SCEP_CIPHERS_MODERN,
                                   .digests = SCEP_DIGESTS_MODERN,
                                   .post = true,
                                   .renewal = true,
                                   .next_ca = true,
                                   .update = true},
        "AES\nGetNextCACert\nPOSTPKIOperation\nRenewal\nSHA-256\nSHA-384\nSHA-512\nUpdate\nSCEPStandard\n");
}

Test(capabilities, standard_needs_aes_sha256_and_post)
{
    const struct scep_capabilities whole = {
        .ciphers = SCEP_CIPHER_AES128, .digests = SCEP_DIGEST_SHA256, .post = true};
    expect(whole, "AES\nPOSTPKIOperation\nSHA-256\nSCEPStandard\n");
    struct scep_capabilities less = whole;
    less.ciphers = SCEP_CIPHER_DES3;
    expect(less, "DES3\nPOSTPKIOperation\nSHA-256\n");
    less = whole;
    less.digests = SCEP_DIGEST_SHA512;
    expect(less, "AES\nPOSTPKIOperation\nSHA-512\n");
    less = whole;
    less.post = false;
    expect(less, "AES\nSHA-256\n");
}

Test(capabilities, obsolete_algorithms_take_the_standard_away_and_are_not_listed)
{
    expect((struct scep_capabilities){.ciphers = SCEP_CIPHER_AES128 | SCEP_CIPHER_DES,
                                      .digests = SCEP_DIGEST_SHA256,
                                      .post = true},
           "AES\nPOSTPKIOperation\nSHA-256\n");
    expect((struct scep_capabilities){.ciphers = SCEP_CIPHER_AES128,
                                      .digests = SCEP_DIGEST_SHA256 | SCEP_DIGEST_MD5,
                                      .post = true},
           "AES\nPOSTPKIOperation\nSHA-256\n");
}

Test(capabilities, nothing_is_an_empty_body)
{
    expect((struct scep_capabilities){0}, "");
}

Test(capabilities, reads_what_it_writes)
{
    const struct scep_capabilities c = {.ciphers = SCEP_CIPHER_AES128 | SCEP_CIPHER_DES3,
                                        .digests = SCEP_DIGEST_SHA1 | SCEP_DIGEST_SHA256 | SCEP_DIGEST_SHA384,
                                        .post = true,
                                        .renewal = true};
    char *text = write(c);
    struct scep_capabilities found = read_text(text);
    free(text);
    cr_assert_eq(found.ciphers, c.ciphers);
    cr_assert_eq(found.digests, c.digests);
    cr_assert(found.post && found.renewal && found.standard && !found.next_ca);
}

Test(capabilities, reads_any_case_any_line_end_and_skips_unknown_words)
{
    struct scep_capabilities c =
        read_text("aes\r\nsha-512\r\n\r\nExample.com-Thing\npostPKIoperation \r\nDES\nMD5\nAESX\nSHA-25");
    cr_assert_eq(c.ciphers, SCEP_CIPHER_AES128);
    cr_assert_eq(c.digests, SCEP_DIGEST_SHA512);
    cr_assert(c.post && !c.renewal && !c.next_ca && !c.standard);
    c = read_text("SHA-224");
    cr_assert_eq(c.digests, SCEP_DIGEST_SHA224);
}

Test(capabilities, standard_implies_three)
{
    struct scep_capabilities c = read_text("SCEPStandard");
    cr_assert_eq(c.ciphers, SCEP_CIPHER_AES128);
    cr_assert_eq(c.digests, SCEP_DIGEST_SHA256);
    cr_assert(c.standard && c.post && !c.renewal && !c.next_ca);
}

Test(capabilities, empty_text_is_none)
{
    struct scep_capabilities c = read_text("");
    cr_assert(!c.ciphers && !c.digests && !c.post && !c.renewal && !c.next_ca && !c.standard);
}
