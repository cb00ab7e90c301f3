/* test_codec.c: hex, base64 as clients send it, percent escapes, JSON strings. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/codec.h"

static struct buffer out;

static void setup(void)
{
    buffer_init(&out, 4096);
}

static void teardown(void)
{
    buffer_free(&out);
}

TestSuite(codec, .init = setup, .fini = teardown);

static const char *text(void)
{
    return out.data ? (const char *)out.data : "";
}

static bool unbase64(const char *in, bool space_is_plus)
{
    buffer_reset(&out);
    return codec_unbase64(&out, bytes_of_text(in), space_is_plus);
}

Test(codec, hex_both_ways)
{
    codec_hex(&out, bytes_of("\x00\xab\xff", 3));
    cr_assert_str_eq(text(), "00abff");
    buffer_reset(&out);
    cr_assert(codec_unhex(&out, "00:aB ff"));
    cr_assert(bytes_equal(buffer_bytes(&out), bytes_of("\x00\xab\xff", 3)));
}

Test(codec, unhex_refuses_what_is_no_hex)
{
    static const char *const bad[] = {"0", "0g", "00a", "a:b", "0x00", "00-11"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(codec_unhex(&out, bad[i]), "%s", bad[i]);
}

Test(codec, base64_knows_the_vectors_of_rfc_4648)
{
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        buffer_reset(&out);
        codec_base64(&out, bytes_of_text(vectors[i][0]));
        cr_assert_str_eq(text(), vectors[i][1]);
        cr_assert(unbase64(vectors[i][1], false));
        cr_assert_str_eq(text(), vectors[i][0]);
    }
}

Test(codec, both_alphabets_decode_also_mixed)
{
    const struct bytes want = bytes_of("\xfb\xff\xbf\xfb\xff\xbf", 6);
    cr_assert(unbase64("+/+/-_-_", false));
    cr_assert(bytes_equal(buffer_bytes(&out), want));
    buffer_reset(&out);
    codec_base64url(&out, bytes_of("\xfb\xff\xbf\xfb", 4));
    cr_assert_str_eq(text(), "-_-_-w");
}

Test(codec, white_space_and_missing_padding_are_forgiven)
{
    cr_assert(unbase64("Zm9v\r\nYg", false));
    cr_assert_str_eq(text(), "foob");
    cr_assert(unbase64(" Z m9v\tYg=\n= \n", false));
    cr_assert_str_eq(text(), "foob");
}

Test(codec, a_space_is_a_plus_only_on_request)
{
    cr_assert(unbase64("  + ", true));
    cr_assert(bytes_equal(buffer_bytes(&out), bytes_of("\xfb\xef\xbe", 3)));
    cr_assert(unbase64("    ", false));
    cr_assert_eq(out.len, 0);
    cr_assert(unbase64("Zg== ", true), "a space after the padding stays white space");
}

Test(codec, unbase64_refuses_what_is_no_base64)
{
    static const char *const bad[] = {"Z", "Zm9vY", "Zg==Zg==", "Zm9v!", "Zg===", "Zm%2B"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(unbase64(bad[i], false), "%s", bad[i]);
}

Test(codec, unbase64_obeys_the_buffers_cap)
{
    struct buffer small;
    buffer_init(&small, 2);
    cr_assert_not(codec_unbase64(&small, bytes_of_text("Zm9v"), false));
    buffer_free(&small);
}

Test(codec, every_length_survives_a_round_trip)
{
    uint8_t data[70];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 89 + 3);
    for (size_t len = 0; len <= sizeof data; len++) {
        struct buffer encoded;
        buffer_init(&encoded, 4096);
        if (len % 2)
            codec_base64(&encoded, bytes_of(data, len));
        else
            codec_base64url(&encoded, bytes_of(data, len));
        buffer_reset(&out);
        cr_assert(codec_unbase64(&out, buffer_bytes(&encoded), false));
        cr_assert(bytes_equal(buffer_bytes(&out), bytes_of(data, len)));
        buffer_free(&encoded);
    }
}

Test(codec, unescape_keeps_plus_and_stray_percents)
{
    codec_unescape(&out, bytes_of_text("a%20b+c%2Bd%2fe%%4%zz%41%4"));
    cr_assert_str_eq(text(), "a b+c+d/e%%4%zzA%4");
    buffer_reset(&out);
    codec_unescape(&out, bytes_of_text("%00x"));
    cr_assert(bytes_equal(buffer_bytes(&out), bytes_of("\0x", 2)));
}

Test(codec, escape_leaves_unreserved_alone)
{
    codec_escape(&out, bytes_of_text("aZ09-._~ +/=%\xff"));
    cr_assert_str_eq(text(), "aZ09-._~%20%2B%2F%3D%25%FF");
}

Test(codec, json_strings_are_quoted_and_escaped)
{
    codec_json_string(&out, bytes_of("a\"b\\c\n\x01\x7f", 8));
    cr_assert_str_eq(text(), "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\"");
    buffer_reset(&out);
    codec_json_string(&out, bytes_of("\0", 1));
    cr_assert_str_eq(text(), "\"\\u0000\"");
}

Test(codec, json_keeps_good_utf8_and_escapes_bad)
{
    codec_json_string(&out, bytes_of_text("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91"));
    cr_assert_str_eq(text(), "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91\"");
    static const char *const bad[][2] = {
        {"\xff", "\"\\u00ff\""},                                  /* never in UTF-8 */
        {"\xc3", "\"\\u00c3\""},                                  /* cut off */
        {"\xc0\xaf", "\"\\u00c0\\u00af\""},                       /* overlong */
        {"\xe0\x80\xaf", "\"\\u00e0\\u0080\\u00af\""},            /* overlong, in three */
        {"\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\""}, /* beyond the last code point */
        {"\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""},            /* surrogate */
        {"\xc2\x9b", "\"\\u009b\""},                              /* a C1 control: CSI */
        {"\xe2\x80\xae", "\"\\u202e\""},                          /* turns the reading direction */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        buffer_reset(&out);
        codec_json_string(&out, bytes_of_text(bad[i][0]));
        cr_assert_str_eq(text(), bad[i][1]);
    }
}

Test(codec, printable_text_has_no_raw_escape)
{
    codec_printable(&out, bytes_of_text("say \"hi\"\033[2J\n"));
    cr_assert_str_eq(text(), "say \"hi\"\\u001b[2J\\u000a");
}
