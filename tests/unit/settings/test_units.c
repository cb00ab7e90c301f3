/* test_units.c: numbers, durations, sizes; texts made fit to show; near words. */
#include <criterion/criterion.h>
#include <string.h>

#include "settings/shown.h"
#include "settings/units.h"

Test(units, durations)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},          {"500ms", 500},     {"30s", 30000},          {"5m", 300000},
                {"24h", 86400000}, {"2w", 1209600000}, {"1h30m", 90 * 60000LL}, {"365d", 365 * 86400000LL}};
    static const char *const bad[] = {
        "", "5", "h", "-5s", "5 s", "5S", "1.5h", "5sx", "99999999999999999999s", "999999999999999d", "0x5s"};
    int64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_expect(duration_parse(good[i].text, &ms), "%s", good[i].text);
        cr_expect_eq(ms, good[i].ms, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(duration_parse(bad[i], &ms), "%s", bad[i]);
}

Test(units, sizes)
{
    int64_t n;
    cr_expect(size_parse("256KiB", &n) && n == 262144);
    cr_expect(size_parse("17", &n) && n == 17);
    cr_expect(size_parse("2MiB", &n) && n == 2097152);
    cr_expect_not(size_parse("2MB", &n));
    cr_expect_not(size_parse("KiB", &n));
    cr_expect_not(size_parse("9999999999999GiB", &n));
}

Test(units, integers)
{
    int64_t n;
    cr_expect(integer_parse("-17", &n) && n == -17);
    cr_expect_not(integer_parse("", &n));
    cr_expect_not(integer_parse("-", &n));
    cr_expect_not(integer_parse("1e3", &n));
    cr_expect_not(integer_parse(" 1", &n));
    cr_expect_not(integer_parse("99999999999999999999", &n));
}

Test(units, print_in_the_largest_exact_unit)
{
    char text[UNIT_TEXT_SIZE];
    cr_expect_str_eq(duration_text(text, 90000), "90s");
    cr_expect_str_eq(duration_text(text, 86400000), "1d");
    cr_expect_str_eq(duration_text(text, 1500), "1500ms");
    cr_expect_str_eq(size_text(text, 262144), "256KiB");
    cr_expect_str_eq(size_text(text, 1000), "1000B");
    cr_expect_str_eq(duration_text(text, 0), "0");
}

Test(shown, escapes_what_could_forge_a_line)
{
    char out[SHOWN_SIZE];
    cr_expect_str_eq(shown(out, "a\nb\"c\\"), "a\\x0ab\\x22c\\x5c");
    cr_expect_str_eq(shown(out, "M\xC3\xBCller"), "M\xC3\xBCller");
    cr_expect_str_eq(shown(out, "\xE2\x80\xAE!"), "\\xe2\\x80\\xae!", "a mark that turns the line");
    cr_expect_str_eq(shown(out, "\xC2\x9B"), "\\xc2\\x9b");
    cr_expect_str_eq(shown(out, "\xFF\xC3"), "\\xff\\xc3");
    cr_expect_str_eq(shown(out, NULL), "");
}

Test(shown, shortens_between_characters)
{
    char out[SHOWN_SIZE], text[400];
    for (size_t i = 0; i < sizeof text - 1; i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 3);
    text[sizeof text - 1] = '\0';
    shown(out, text);
    size_t len = strlen(out);
    cr_assert_lt(len, SHOWN_SIZE);
    cr_expect_eq(len % 3, 0);
    cr_expect_str_eq(out + len - 3, "…");
}

Test(closest, word)
{
    static const char *const words[] = {"aliases", "backends", "listen", "log"};
    cr_expect_str_eq(closest_word("aliasses", words, 4), "aliases");
    cr_expect_str_eq(closest_word("lsiten", words, 4), "listen");
    cr_expect_str_eq(closest_word("Log", words, 4), "log");
    cr_expect_null(closest_word("wombat", words, 4));
    cr_expect_null(closest_word("a very long word that no table of any room would ever hold", words, 4));
}
