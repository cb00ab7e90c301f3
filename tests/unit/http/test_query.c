/* test_query.c: the query of a SCEP URL as real clients write it. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/query.h"

/* 0x30 0x82 … with bytes whose base64 has '+', '/' and padding. */
static const uint8_t message[] = {0x30, 0x82, 0x01, 0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0x00, 0x10};
#define MESSAGE_TEXT "MIIB++++////ABA="

static struct scep_query parse(const char *query)
{
    struct scep_query q;
    scep_query_parse(&q, query);
    return q;
}

static bool decodes(const char *raw, bool escaped)
{
    CLEANUP(buffer) struct buffer out;
    buffer_init(&out, 4096);
    return scep_query_message(&out, bytes_of_text(raw), escaped) &&
           bytes_equal(buffer_bytes(&out), bytes_of(message, sizeof message));
}

static bool refused(const char *raw, bool escaped)
{
    CLEANUP(buffer) struct buffer out;
    buffer_init(&out, 4096);
    return !scep_query_message(&out, bytes_of_text(raw), escaped);
}

static bool text_is(struct bytes have, const char *want)
{
    return bytes_equal(have, bytes_of_text(want));
}

Test(query, names_every_operation)
{
    cr_assert_eq(parse("operation=GetCACaps").operation, SCEP_GET_CA_CAPS);
    cr_assert_eq(parse("operation=GetCACert").operation, SCEP_GET_CA_CERT);
    cr_assert_eq(parse("operation=GetNextCACert").operation, SCEP_GET_NEXT_CA_CERT);
    cr_assert_eq(parse("operation=GetCACertChain").operation, SCEP_GET_CA_CERT_CHAIN);
    cr_assert_eq(parse("operation=PKIOperation").operation, SCEP_PKI_OPERATION);
}

Test(query, compares_names_without_regard_to_case)
{
    cr_assert_eq(parse("operation=getcacert").operation, SCEP_GET_CA_CERT);
    cr_assert_eq(parse("OPERATION=PKIOPERATION").operation, SCEP_PKI_OPERATION);
    cr_assert(parse("Message=x").has_message);
}

Test(query, tells_missing_from_unknown)
{
    cr_assert_eq(parse("").operation, SCEP_OPERATION_NONE);
    cr_assert_eq(parse("operation=").operation, SCEP_OPERATION_NONE);
    cr_assert_eq(parse("operation").operation, SCEP_OPERATION_NONE);
    cr_assert_eq(parse("message=abc").operation, SCEP_OPERATION_NONE);
    cr_assert_eq(parse("operation=GetCACer").operation, SCEP_OPERATION_UNKNOWN);
    cr_assert_eq(parse("operation=GetCACertX").operation, SCEP_OPERATION_UNKNOWN);
    cr_assert_eq(parse("xoperation=GetCACert").operation, SCEP_OPERATION_NONE);
}

/* jscep appends "&message=" always, sscep may append anything, scepclient puts the message first. */
Test(query, takes_parameters_in_any_order_and_ignores_others)
{
    struct scep_query q = parse("message=MIIB&operation=PKIOperation");
    cr_assert_eq(q.operation, SCEP_PKI_OPERATION);
    cr_assert(text_is(q.message, "MIIB"));
    q = parse("a=b&&operation=GetCACaps&message=&c");
    cr_assert_eq(q.operation, SCEP_GET_CA_CAPS);
    cr_assert(q.has_message);
    cr_assert_eq(q.message.len, 0u);
    cr_assert_not(parse("operation=GetCACaps").has_message);
}

Test(query, lets_the_first_of_a_repeated_parameter_count)
{
    struct scep_query q = parse("operation=GetCACaps&operation=PKIOperation&message=1&message=2");
    cr_assert_eq(q.operation, SCEP_GET_CA_CAPS);
    cr_assert(text_is(q.message, "1"));
}

Test(query, unescapes_names_and_operations_once)
{
    cr_assert_eq(parse("operation=%47etCACaps").operation, SCEP_GET_CA_CAPS);
    cr_assert_eq(parse("oper%61tion=GetCACaps").operation, SCEP_GET_CA_CAPS);
    cr_assert_eq(parse("operation=%2547etCACaps").operation, SCEP_OPERATION_UNKNOWN);
}

/* certmonger counts CA-IDENTs. */
Test(query, keeps_the_message_raw)
{
    cr_assert(text_is(parse("operation=GetCACert&message=0").message, "0"));
    cr_assert(text_is(parse("operation=PKIOperation&message=a+b%2Bc=d==").message, "a+b%2Bc=d=="));
}

Test(message, is_base64_with_raw_plus_slash_and_equals)
{
    cr_assert(decodes(MESSAGE_TEXT, true));
}

Test(message, is_percent_escaped)
{
    cr_assert(decodes("MIIB%2B%2B%2b%2B%2F%2F%2f%2FABA%3D", true));
}

/* macOS escapes the padding alone. */
Test(message, is_escaped_in_part)
{
    cr_assert(decodes("MIIB++++////ABA%3D", true));
}

Test(message, had_its_plus_eaten_by_a_form_decoder)
{
    cr_assert(decodes("MIIB    ////ABA=", true));
    cr_assert(decodes("MIIB%20%20%20%20////ABA=", true));
}

/* sscep, strongSwan and old IOS break lines, the last one also at the end. */
Test(message, has_escaped_line_breaks)
{
    cr_assert(decodes("MIIB%0A++++%0A////%0D%0AABA=%0A", true));
}

Test(message, is_base64url_without_padding)
{
    cr_assert(decodes("MIIB----____ABA", true));
    cr_assert(decodes("MIIB----____ABA%3D", true));
}

Test(message, was_escaped_twice)
{
    cr_assert(decodes("MIIB%252B%252B%252B%252B%252F%252F%252F%252FABA%253D", true));
}

Test(message, is_refused_when_it_is_no_base64)
{
    cr_assert(refused("", true));
    cr_assert(refused("%0A", true));
    cr_assert(refused("MII!", true));
    cr_assert(refused("MIIBA", true));
    cr_assert(refused("%252525", true));
    cr_assert(refused("not a message at all?", false));
    cr_assert(refused("", false));
}

/* PAN-OS 9.1 posts base64 text. */
Test(message, of_a_post_may_be_base64_text)
{
    cr_assert(decodes(MESSAGE_TEXT, false));
    cr_assert(decodes("MIIB++++\r\n////\r\nABA=\r\n", false));
    cr_assert(decodes("\n MIIB----____ABA \n", false));
}

Test(message, of_a_post_that_is_der_stays_as_it_is)
{
    CLEANUP(buffer) struct buffer out;
    buffer_init(&out, 4096);
    cr_assert(scep_query_message(&out, bytes_of(message, sizeof message), false));
    cr_assert(bytes_equal(buffer_bytes(&out), bytes_of(message, sizeof message)));
}

Test(message, does_not_pass_the_cap_of_its_buffer)
{
    struct buffer out;
    buffer_init(&out, 4);
    cr_assert_not(scep_query_message(&out, bytes_of_text(MESSAGE_TEXT), true));
    buffer_free(&out);
}
