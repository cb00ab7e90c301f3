/* test_limiter.c: windows, the factor between address and alias, bounded memory. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "challenge/limiter.h"

#define LIMIT  3
#define WINDOW 60000

static struct limiter *l;
static struct alias_settings demo, other;
static char demo_name[] = "demo", other_name[] = "other";

static void setup(void)
{
    l = limiter_create();
    demo = (struct alias_settings){.name = demo_name,
                                   .challenge = {.failure_limit = LIMIT, .failure_window = WINDOW}};
    other = demo;
    other.name = other_name;
}

static void teardown(void)
{
    limiter_free(l);
}

TestSuite(limiter, .init = setup, .fini = teardown);

static void fail(const char *address, int times, int64_t now)
{
    for (int i = 0; i < times; i++)
        limiter_count(l, &demo, address, now);
}

Test(limiter, an_address_is_limited_at_the_limit_and_alone)
{
    cr_assert(limiter_allows(l, &demo, "192.0.2.1", 0));
    fail("192.0.2.1", LIMIT - 1, 0);
    cr_assert(limiter_allows(l, &demo, "192.0.2.1", 0));
    fail("192.0.2.1", 1, 0);
    cr_assert_not(limiter_allows(l, &demo, "192.0.2.1", 0));
    cr_assert(limiter_allows(l, &demo, "192.0.2.2", 0));
    cr_assert(limiter_allows(l, &other, "192.0.2.1", 0), "another alias is another matter");
}

Test(limiter, the_window_slides)
{
    fail("192.0.2.1", LIMIT, 0);
    cr_assert_not(limiter_allows(l, &demo, "192.0.2.1", WINDOW - 1));
    cr_assert(limiter_allows(l, &demo, "192.0.2.1", WINDOW + WINDOW / 2));
    fail("192.0.2.1", LIMIT - 1, WINDOW + WINDOW / 2);
    cr_assert_not(limiter_allows(l, &demo, "192.0.2.1", WINDOW + WINDOW / 2),
                  "the old ones still count a half");
    cr_assert(limiter_allows(l, &demo, "192.0.2.1", 4 * WINDOW));
}

Test(limiter, a_burst_at_the_border_of_windows_is_no_double_allowance)
{
    fail("192.0.2.1", 1, 0);
    fail("192.0.2.1", LIMIT - 1, WINDOW - 1);
    cr_assert_not(limiter_allows(l, &demo, "192.0.2.1", WINDOW - 1));
    cr_assert_not(limiter_allows(l, &demo, "192.0.2.1", WINDOW));
}

Test(limiter, an_alias_is_limited_only_by_many_addresses)
{
    fail("192.0.2.1", LIMIT * LIMITER_ALIAS_FACTOR - 1, 0);
    cr_assert(limiter_allows(l, &demo, "198.51.100.1", 0));
    fail("192.0.2.2", 1, 0);
    cr_assert_not(limiter_allows(l, &demo, "198.51.100.1", 0));
    cr_assert(limiter_allows(l, &other, "198.51.100.1", 0));
    cr_assert(limiter_allows(l, &demo, "198.51.100.1", 3 * WINDOW));
}

Test(limiter, an_ipv6_network_is_one_source)
{
    fail("2001:db8:1:2::1", LIMIT, 0);
    cr_assert_not(limiter_allows(l, &demo, "2001:db8:1:2:ffff::9", 0));
    cr_assert(limiter_allows(l, &demo, "2001:db8:1:3::1", 0));
    fail("::ffff:192.0.2.7", LIMIT, 0);
    cr_assert_not(limiter_allows(l, &demo, "192.0.2.7", 0));
    cr_assert(limiter_allows(l, &demo, "192.0.2.8", 0));
}

Test(limiter, zero_means_no_limit)
{
    demo.challenge.failure_limit = 0;
    fail("192.0.2.1", 1000, 0);
    cr_assert(limiter_allows(l, &demo, "192.0.2.1", 0));
}

Test(limiter, odd_addresses_are_counted_as_they_are)
{
    fail(NULL, LIMIT, 0);
    cr_assert_not(limiter_allows(l, &demo, "", 0));
    fail("unix", LIMIT, 0);
    cr_assert_not(limiter_allows(l, &demo, "unix", 0));
    cr_assert(limiter_allows(l, &demo, "unix2", 0));
}

static void fail_from_many(const struct alias_settings *alias, int count)
{
    for (int i = 0; i < count; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        limiter_count(l, alias, address, 0);
    }
}

Test(limiter, a_full_table_forgets_who_failed_longest_ago)
{
    fail("192.0.2.1", LIMIT, 0);
    fail("192.0.2.2", LIMIT, 0);
    fail_from_many(&other, 16384 - 2); /* the table of addresses is full now */
    cr_assert_not(limiter_allows(l, &demo, "192.0.2.1", 0));
    fail("192.0.2.1", 1, 0); /* the newest again */
    fail("192.0.2.3", LIMIT, 0);
    cr_assert_not(limiter_allows(l, &demo, "192.0.2.1", 0));
    cr_assert(limiter_allows(l, &demo, "192.0.2.2", 0));
    fail_from_many(&other, 50000);
    cr_assert(limiter_allows(l, &demo, "192.0.2.1", 0));
}
