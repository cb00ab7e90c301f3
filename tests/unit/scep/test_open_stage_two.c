/* test_open_stage_two.c: from the first private-key operation on there is one verdict, and the same work for
 * every cause. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "requests.h"
#include "scep/content_key.h"

TestSuite(stage_two, .init = requests_start, .fini = requests_end);

static const struct bytes nothing = {0};

static void unreadable(const char *cause)
{
    request_refused(ERR_ENVELOPE_UNREADABLE, cause);
    cr_assert_eq(f.opened->type, f.message.type ? (int)strtol(f.message.type, NULL, 10) : SCEP_PKCS_REQ);
    cr_assert_eq(f.opened->cipher, f.opened->cipher & SCEP_CIPHERS_DEFAULT);
    cr_assert_not_null(f.opened->signer);
    cr_assert_str_eq(error_info(f.e.code)->sentence, "the message could not be read");
}

/* A PKCS #1 block of 256 bytes around the first `len` bytes of MADE_KEY. */
static struct bytes block(uint8_t first, uint8_t second, size_t len)
{
    uint8_t bytes[256];
    memset(bytes, 0xAA, sizeof bytes);
    bytes[0] = first;
    bytes[1] = second;
    bytes[sizeof bytes - len - 1] = 0;
    memcpy(bytes + sizeof bytes - len, MADE_KEY, len);
    return der_raw(bytes, sizeof bytes);
}

Test(stage_two, a_good_block_made_by_hand_is_good)
{
    f.envelope.key_block = block(0, 2, 16);
    request_accepted();
    f.envelope.cipher = "AES-256-CBC";
    f.envelope.key_block = block(0, 2, 32);
    request_accepted();
}

Test(stage_two, wrong_key_transport_padding)
{
    f.envelope.key_block = block(0, 1, 16);
    unreadable("content key");
    f.envelope.key_block = block(1, 2, 16);
    unreadable("content key");
    struct bytes zero_inside = block(0, 2, 16);
    ((uint8_t *)zero_inside.data)[100] = 0;
    f.envelope.key_block = zero_inside;
    unreadable("content key");
    struct bytes early = block(0, 2, 16);
    ((uint8_t *)early.data)[2] = 0;
    f.envelope.key_block = early;
    unreadable("content key");
    struct bytes endless = block(0, 2, 16);
    ((uint8_t *)endless.data)[256 - 17] = 1;
    f.envelope.key_block = endless;
    unreadable("content key");
}

static struct bytes decrypted(struct bytes envelope, bool *sound)
{
    struct enveloped v;
    struct decrypted d;
    size_t which;
    cr_assert_eq(enveloped_read(&v, envelope, SCEP_CIPHERS_DEFAULT, NULL), ERR_OK);
    cr_assert_eq(enveloped_find(&v, f.recipients, 2, &which, NULL), ERR_OK);
    cr_assert_eq(enveloped_decrypt(&d, &v, f.ra_key, NULL), ERR_OK);
    struct bytes copy = der_raw(d.content.data, d.content.len);
    *sound = d.key_sound;
    secret_free(&d.content);
    enveloped_clear(&v);
    return copy;
}

/* The right key in a wrong block must not be used: what comes out is random, and of the same length. */
Test(stage_two, a_failed_key_transport_goes_on_with_a_random_key)
{
    bool sound;
    f.envelope.payload = made_csr(&f.csr);
    struct bytes good = decrypted(made_envelope(&f.envelope), &sound);
    cr_assert(sound);
    cr_assert(bytes_equal(bytes_of(good.data, f.envelope.payload.len), f.envelope.payload));
    f.envelope.key_block = block(0, 1, 16);
    struct bytes envelope = made_envelope(&f.envelope);
    struct bytes first = decrypted(envelope, &sound), second = decrypted(envelope, &sound);
    cr_assert_not(sound);
    cr_assert_eq(first.len, good.len);
    cr_assert_not(bytes_equal(first, good));
    cr_assert_not(bytes_equal(first, second));
}

Test(stage_two, content_keys_of_the_wrong_length)
{
    f.envelope.key_block = block(0, 2, 15);
    unreadable("content key");
    f.envelope.key_block = block(0, 2, 17);
    unreadable("content key");
    f.envelope.key_block = block(0, 2, 32);
    unreadable("content key");
}

Test(stage_two, encrypted_keys_that_are_none)
{
    uint8_t bytes[300];
    memset(bytes, 0xFF, sizeof bytes); /* larger than the modulus, too long, too short, zero */
    f.envelope.encrypted_key = bytes_of(bytes, 256);
    unreadable("content key");
    f.envelope.encrypted_key = bytes_of(bytes, 257);
    unreadable("content key");
    f.envelope.encrypted_key = bytes_of(bytes, 1);
    unreadable("content key");
    memset(bytes, 0, sizeof bytes);
    f.envelope.encrypted_key = bytes_of(bytes, 256);
    unreadable("content key");
}

Test(stage_two, oaep_that_does_not_decrypt)
{
    f.envelope.key_algorithm = der_algorithm(OID_RSA_OAEP, nothing);
    unreadable("content key"); /* it was PKCS #1 */
    f.envelope.oaep_digest = f.envelope.mgf1_digest = "SHA256";
    unreadable("content key"); /* it was another digest */
    f.envelope.oaep_digest = f.envelope.mgf1_digest = "SHA1";
    request_accepted();
    f.envelope.cipher = "AES-256-CBC"; /* a key of the wrong length: 32 bytes announced as a 16-byte cipher */
    f.envelope.cipher_algorithm =
        der_algorithm("2.16.840.1.101.3.4.1.2", DER(0x04, bytes_of("an IV of 16 byte", 16)));
    unreadable("content key");
}

Test(stage_two, encrypted_to_another_key)
{
    f.recipients[0].key = f.other_key; /* the certificate is named, its key is another */
    unreadable("content key");
}

Test(stage_two, every_changed_byte_of_the_ciphertext)
{
    size_t len = made_csr(&f.csr).len / 16 * 16 + 16;
    for (size_t i = 1; i <= len; i += 37) {
        f.envelope.flip = i;
        unreadable("");
    }
    for (size_t i = len - 31; i <= len; i++) {
        f.envelope.flip = i;
        unreadable("");
    }
}

/* The request, filled up to a whole block, and more blocks, with one byte. */
static struct bytes csr_padded_with(uint8_t last, size_t blocks_more)
{
    struct bytes csr = made_csr(&f.csr);
    size_t fill = 16 - csr.len % 16 + 16 * blocks_more;
    return CONCAT(csr, der_repeat(bytes_of(&last, 1), fill));
}

Test(stage_two, content_padding)
{
    size_t pad = 16 - made_csr(&f.csr).len % 16;
    f.envelope.padded = csr_padded_with((uint8_t)pad, 0);
    request_accepted();
    static const uint8_t wrong[] = {0, 17, 0x80, 0xFF};
    for (size_t i = 0; i < sizeof wrong; i++) {
        f.envelope.padded = csr_padded_with(wrong[i], 0);
        unreadable("padding");
    }
    /* good padding, but not where the request ends */
    f.envelope.padded = csr_padded_with(16, 1);
    if (pad != 16)
        unreadable("bytes behind");
    /* the last byte is right, one before is not */
    struct bytes almost = csr_padded_with((uint8_t)pad, 0);
    if (pad > 1) {
        ((uint8_t *)almost.data)[almost.len - pad] ^= 1;
        f.envelope.padded = almost;
        unreadable("padding");
    }
}

Test(stage_two, padding_longer_than_a_block)
{
    f.csr.subject = der_common_name("d");
    for (size_t len = 1; made_csr(&f.csr).len % 16 != 15;
         len++) /* 17 bytes of 17 would end where the request does */
        f.csr.subject =
            DER(0x30, DER(0x31, DER(0x30, der_oid("2.5.4.3"), DER(0x0C, bytes_of(MADE_KEY, len)))));
    f.envelope.padded = csr_padded_with(17, 1);
    unreadable("padding");
    f.envelope.padded = csr_padded_with(1, 0);
    request_accepted();
}

Test(stage_two, a_byte_behind_the_last_block)
{
    f.envelope.payload = made_csr(&f.csr);
    struct bytes envelope = made_envelope(&f.envelope);
    size_t len = f.envelope.payload.len / 16 * 16 + 16; /* the ciphertext ends the envelope */
    struct bytes ciphertext = bytes_of(envelope.data + envelope.len - len, len);
    f.envelope.ciphertext = DER(0x80, ciphertext);
    request_accepted();
    f.envelope.ciphertext = DER(0x80, ciphertext, bytes_of("x", 1));
    unreadable("padding");
}

Test(stage_two, ciphertext_sizes)
{
    uint8_t bytes[33] = {0};
    static const size_t sizes[] = {0, 1, 15, 16, 17, 32, 33};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        f.envelope.ciphertext = DER(0x80, bytes_of(bytes, sizes[i]));
        unreadable("");
    }
}

Test(stage_two, broken_requests_inside)
{
    f.csr.bad_signature = true;
    unreadable("signature does not verify");
    f.csr.bad_signature = false;
    f.envelope.payload = DER(0x30, der_common_name("CA"), der_common_name("device"));
    unreadable("RFC 2986"); /* PKCSReq with an IssuerAndSubject */
    f.envelope.payload = bytes_of("just text", 9);
    unreadable("");
    f.envelope.payload = nothing;
    f.csr.behind = bytes_of("\0", 1);
    unreadable("bytes behind");
    f.csr.behind = nothing;
    f.csr.attributes[f.csr.attribute_count++] = made_attribute(OID_CHALLENGE, der_integer(1));
    unreadable("challengePassword");
}

Test(stage_two, a_request_whose_certificate_would_fit_no_reply)
{
    struct bytes value = DER(0x0C, der_repeat(bytes_of("a", 1), 120 * 1024));
    f.csr.subject = DER(0x30, DER(0x31, DER(0x30, der_oid("2.5.4.3"), value)));
    request_accepted();
    value = DER(0x0C, der_repeat(bytes_of("a", 1), 128 * 1024));
    f.csr.subject = DER(0x30, DER(0x31, DER(0x30, der_oid("2.5.4.3"), value)));
    unreadable("larger than 128 KiB");
}

Test(stage_two, digest_of_the_request_inside)
{
    f.csr.digest = "MD5";
    unreadable("digest that is not allowed");
    f.csr.digest = "SHA1";
    request_accepted();
    f.rules.digests = SCEP_DIGESTS_MODERN;
    unreadable("digest that is not allowed");
}

Test(stage_two, payloads_that_do_not_fit_the_type)
{
    struct bytes names = DER(0x30, der_common_name("CA"), der_common_name("device"));
    struct bytes serial = DER(0x30, der_common_name("CA"), der_integer(5));
    const struct {
        const char *type;
        struct bytes payload;
    } rows[] = {
        {"21", names},
        {"22", names},
        {"17", serial},
        {"18", names},
        {"21", made_csr(&f.csr)},
        {"21", DER(0x30, der_common_name("CA"))},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f.message.type = rows[i].type;
        f.envelope.payload = rows[i].payload;
        unreadable("");
    }
}

Test(stage_two, all_causes_look_alike)
{
    /* The error's code is all that a reply is made of; here it is compared across causes together with what
     * was read in clear. */
    struct error_info first = *error_info(ERR_ENVELOPE_UNREADABLE);
    cr_assert_eq(first.fail, FAIL_BAD_MESSAGE_CHECK);
    f.envelope.flip = 20;
    unreadable("");
    f.envelope.flip = 0;
    f.envelope.key_block = block(0, 1, 16);
    unreadable("");
    f.envelope.key_block = nothing;
    f.csr.bad_signature = true;
    unreadable("");
}

Test(stage_two, the_challenge_is_in_no_error)
{
    f.csr.attributes[f.csr.attribute_count++] = made_attribute(OID_CHALLENGE, der_text(0x13, "canary-8472"));
    f.csr.bad_signature = true;
    unreadable("signature");
    cr_assert_null(strstr(f.e.text, "canary"));
    f.csr.bad_signature = false;
    f.csr.attributes[f.csr.attribute_count++] = made_attribute(OID_CHALLENGE, der_text(0x13, "canary-8472"));
    unreadable("once");
    cr_assert_null(strstr(f.e.text, "canary"));
}
