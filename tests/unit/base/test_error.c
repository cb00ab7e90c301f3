/* test_error.c: the error table, error sentences and the clock's text. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

Test(error, rows_are_what_the_table_says)
{
    const struct error_info *i = error_info(ERR_CHALLENGE_REUSED);
    cr_assert_str_eq(i->name, "CHALLENGE_REUSED");
    cr_assert_eq(i->fail, FAIL_BAD_REQUEST);
    cr_assert_eq(i->http_status, 400);
    cr_assert_eq(i->log_level, LOG_LEVEL_WARNING);
    cr_assert_eq(error_info(ERR_OVERLOADED)->http_status, 503);
    cr_assert_eq(error_info(ERR_OVERLOADED)->fail, FAIL_NONE);
    for (int code = 0; code < ERR_COUNT; code++)
        cr_assert(strlen(error_info((enum error_code)code)->sentence) > 0);
    cr_assert_eq(error_info((enum error_code)12345), error_info(ERR_INTERNAL));
}

Test(error, every_refused_challenge_reads_the_same)
{
    const char *sentence = error_info(ERR_CHALLENGE_REFUSED)->sentence;
    cr_assert_str_eq(error_info(ERR_CHALLENGE_EXPIRED)->sentence, sentence);
    cr_assert_str_eq(error_info(ERR_CHALLENGE_REUSED)->sentence, sentence);
    cr_assert_str_eq(error_info(ERR_CHALLENGE_BINDING)->sentence, sentence);
}

Test(error, text_is_the_sentence_or_the_tables)
{
    struct error e = {0};
    cr_assert_eq(error_set(&e, ERR_KEY_UNUSABLE, "%s: %d", "ra.pem", 7), ERR_KEY_UNUSABLE);
    cr_assert_str_eq(error_text(&e), "ra.pem: 7");
    error_set(&e, ERR_KEY_UNUSABLE, "in line %d: %s", 3, e.text);
    cr_assert_str_eq(e.text, "in line 3: ra.pem: 7", "the old text may be part of the new");
    struct error bare = {.code = ERR_KEY_UNUSABLE};
    cr_assert_str_eq(error_text(&bare), error_info(ERR_KEY_UNUSABLE)->sentence);
    cr_assert_eq(error_set(NULL, ERR_INTERNAL, "nobody listens"), ERR_INTERNAL);
}

Test(error, long_texts_are_cut)
{
    struct error e;
    char large[2000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    error_set(&e, ERR_INTERNAL, "%s", large);
    cr_assert_eq(strlen(e.text), sizeof e.text - 1);
    ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
    error_set_openssl(&e, ERR_INTERNAL, "%s", large);
    cr_assert_eq(strlen(e.text), sizeof e.text - 1);
}

Test(error, openssl_reason_is_appended_and_the_queue_cleared)
{
    struct error e;
    ERR_raise(ERR_LIB_X509, ERR_R_INTERNAL_ERROR);
    ERR_raise(ERR_LIB_X509, ERR_R_PASSED_NULL_PARAMETER);
    cr_assert_eq(error_set_openssl(&e, ERR_KEY_UNUSABLE, "cannot read %s", "key.pem"), ERR_KEY_UNUSABLE);
    cr_assert_str_eq(e.text, "cannot read key.pem: passed a null parameter");
    cr_assert_eq(ERR_peek_error(), 0);
    error_set_openssl(&e, ERR_KEY_UNUSABLE, "alone");
    cr_assert_str_eq(e.text, "alone");
    ERR_raise(ERR_LIB_X509, ERR_R_INTERNAL_ERROR);
    error_set_openssl(NULL, ERR_KEY_UNUSABLE, "nobody listens");
    cr_assert_eq(ERR_peek_error(), 0);
}

Test(clock, text_is_iso_8601_in_utc)
{
    char out[CLOCK_TEXT_SIZE];
    cr_assert_str_eq(clock_text(0, out), "1970-01-01T00:00:00.000Z");
    cr_assert_str_eq(clock_text(1769862896789, out), "2026-01-31T12:34:56.789Z");
    cr_assert_str_eq(clock_text(-1, out), "1969-12-31T23:59:59.999Z");
    cr_assert_lt(strlen(clock_text(INT64_MAX, out)), CLOCK_TEXT_SIZE);
    cr_assert_gt(clock_realtime(&clock_system), 1700000000000);
    cr_assert_leq(clock_monotonic(&clock_system), clock_monotonic(&clock_system));
}
