/* test_sources.c: connections per source address. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "http/sources.h"

static struct source_key six(const char *text)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    cr_assert_eq(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return source_key_of((struct sockaddr *)&address);
}

static struct source_key four(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    cr_assert_eq(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return source_key_of((struct sockaddr *)&address);
}

static bool same(struct source_key a, struct source_key b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

Test(sources, share_a_64)
{
    cr_assert(same(six("2001:db8:1:2::1"), six("2001:db8:1:2:ffff::9")));
    cr_assert_not(same(six("2001:db8:1:2::1"), six("2001:db8:1:3::1")));
    cr_assert(same(six("::ffff:192.0.2.1"), four("192.0.2.1")));
    cr_assert_not(same(four("192.0.2.1"), four("192.0.2.2")));
}

Test(sources, count_up_to_the_cap_and_back)
{
    struct sources s = {0};
    struct source_key a = four("192.0.2.1"), b = four("192.0.2.2");
    cr_assert(sources_enter(&s, &a, 2));
    cr_assert(sources_enter(&s, &a, 2));
    cr_assert_not(sources_enter(&s, &a, 2));
    cr_assert(sources_enter(&s, &b, 2));
    sources_leave(&s, &a);
    cr_assert(sources_enter(&s, &a, 2));
    cr_assert(sources_enter(&s, &a, 0));
    for (int i = 0; i < 3; i++)
        sources_leave(&s, &a);
    sources_leave(&s, &b);
    sources_leave(&s, &b);
    cr_assert_null(s.tree);
}
