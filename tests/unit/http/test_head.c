/* test_head.c: the look at a request head before it is parsed. */
#include <criterion/criterion.h>
#include <string.h>

#include "http/head.h"

#define URI_MAX    20
#define FIELDS_MAX 30
#define BODY_MAX   99

static enum head_verdict whole(const char *text)
{
    struct head h;
    head_init(&h, URI_MAX, FIELDS_MAX, BODY_MAX);
    return head_feed(&h, bytes_of_text(text));
}

/* The same byte by byte must end the same way. */
static enum head_verdict drip(const char *text)
{
    struct head h;
    head_init(&h, URI_MAX, FIELDS_MAX, BODY_MAX);
    enum head_verdict verdict = HEAD_MORE;
    for (; *text && verdict == HEAD_MORE; text++)
        verdict = head_feed(&h, bytes_of(text, 1));
    return verdict;
}

static enum head_verdict look(const char *text)
{
    enum head_verdict verdict = whole(text);
    cr_assert_eq(verdict, drip(text));
    return verdict;
}

Test(head, is_whole_at_the_empty_line)
{
    cr_assert_eq(look("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), HEAD_WHOLE);
    cr_assert_eq(look("GET / HTTP/1.0\n\n"), HEAD_WHOLE);
    cr_assert_eq(look("POST / HTTP/1.1\r\nHost: a\n\r\nbody"), HEAD_WHOLE);
    cr_assert_eq(look("GET / HTTP/1.1\r\nHost: a\r\n"), HEAD_MORE);
    cr_assert_eq(look("GET / HTTP/1.1\r\n\r"), HEAD_MORE);
}

Test(head, caps_the_target_to_the_byte)
{
    cr_assert_eq(look("GET /2345678901234567890 HTTP/1.1\r\n"), HEAD_MORE);
    cr_assert_eq(look("GET /23456789012345678901 HTTP/1.1\r\n"), HEAD_URI);
    cr_assert_eq(look("OPTIONS /2345678901234567890 HTTP/1.1\r\n"), HEAD_MORE);
    cr_assert_eq(look("GET /234567890123456789012345678901234567890"), HEAD_URI);
}

Test(head, counts_spaces_of_the_target)
{
    cr_assert_eq(look("GET /23 5 78 012345678901 HTTP/1.1\r\n"), HEAD_URI);
    cr_assert_eq(look("GET /a b c HTTP/1.1\r\n\r\n"), HEAD_WHOLE);
}

Test(head, caps_the_header_lines_apart_from_the_target)
{
    cr_assert_eq(look("GET / HTTP/1.1\r\nA: 345678901234567890123456\r\n\r\n"), HEAD_WHOLE);
    cr_assert_eq(look("GET / HTTP/1.1\r\nA: 34567890123456789012345678901\r\n\r\n"), HEAD_FIELDS);
    cr_assert_eq(look("GET / HTTP/1.1\r\nA: 34567890\r\nB: 34567890\r\nC: 34567890\r\n"), HEAD_FIELDS);
}

Test(head, refuses_methods_that_no_handler_serves)
{
    cr_assert_eq(look("BREW / HTTP/1.1\r\n"), HEAD_METHOD);
    cr_assert_eq(look("CONNECT a:1 HTTP/1.1\r\n"), HEAD_METHOD);
    cr_assert_eq(look("get / HTTP/1.1\r\n"), HEAD_METHOD);
    cr_assert_eq(look("AVERYLONGMETHOD"), HEAD_METHOD);
    cr_assert_eq(look("DELETE / HTTP/1.1\r\n"), HEAD_MORE);
}

Test(head, refuses_what_is_no_http)
{
    cr_assert_eq(look("\x16\x03\x01"), HEAD_BAD);
    cr_assert_eq(look("GET\r\n"), HEAD_BAD);
    cr_assert_eq(look("GET /\r\n"), HEAD_BAD);
    cr_assert_eq(look(" / HTTP/1.1\r\n"), HEAD_BAD);
    struct head h;
    head_init(&h, URI_MAX, FIELDS_MAX, BODY_MAX);
    cr_assert_eq(head_feed(&h, bytes_of("GET /\0 HTTP/1.1\r\n", 17)), HEAD_BAD);
    head_init(&h, URI_MAX, FIELDS_MAX, BODY_MAX);
    cr_assert_eq(head_feed(&h, bytes_of("GET / HTTP/1.1\r\nA: \0\r\n", 22)), HEAD_BAD);
}

Test(head, refuses_a_body_that_is_announced_too_long)
{
    cr_assert_eq(look("POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n"), HEAD_WHOLE);
    cr_assert_eq(look("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n"), HEAD_LENGTH);
    cr_assert_eq(look("POST / HTTP/1.1\r\ncontent-LENGTH:100\n\n"), HEAD_LENGTH);
    cr_assert_eq(look("POST / HTTP/1.1\r\nX-Content-Length: 100\r\n\r\n"), HEAD_WHOLE);
    cr_assert_eq(look("POST / HTTP/1.1\r\nA: content-length:100\r\n\r\n"), HEAD_WHOLE);
}
