/* test_target.c: request targets and Host headers. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "http/target.h"

static bool splits(const char *target, const char *authority, const char *path, const char *query)
{
    struct target_parts parts;
    target_split(&parts, target);
    return bytes_equal(parts.authority, bytes_of_text(authority)) &&
           bytes_equal(parts.path, bytes_of_text(path)) && bytes_equal(parts.query, bytes_of_text(query));
}

static bool names(const char *authority, const char *host)
{
    char *have = host_of(bytes_of_text(authority));
    bool same = have && strcmp(have, host) == 0;
    free(have);
    return same;
}

Test(target, is_a_path_with_a_query)
{
    cr_assert(splits("/scep/a?operation=GetCACaps", "", "/scep/a", "operation=GetCACaps"));
    cr_assert(splits("/scep/a", "", "/scep/a", ""));
    cr_assert(splits("/scep/a?", "", "/scep/a", ""));
    cr_assert(splits("/a?b?c", "", "/a", "b?c"));
    cr_assert(splits("/a%3Fb?c", "", "/a%3Fb", "c"));
}

Test(target, keeps_double_slashes_in_the_path)
{
    cr_assert(splits("//scep/a?x", "", "//scep/a", "x"));
}

Test(target, may_be_absolute)
{
    cr_assert(splits("http://Host:80/scep/a?x", "Host:80", "/scep/a", "x"));
    cr_assert(splits("HTTPS://h?x", "h", "/", "x"));
    cr_assert(splits("http://h", "h", "/", ""));
}

Test(target, has_no_use_for_a_fragment)
{
    cr_assert(splits("/a?b#c", "", "/a", "b"));
    cr_assert(splits("/a#c?b", "", "/a", ""));
}

Test(target, may_be_an_asterisk)
{
    cr_assert(splits("*", "", "*", ""));
}

Test(host, loses_port_user_and_capitals)
{
    cr_assert(names("Example.ORG:8080", "example.org"));
    cr_assert(names("example.org", "example.org"));
    cr_assert(names("u:p@example.org:1", "example.org"));
    cr_assert(names("[::1]:80", "[::1]"));
    cr_assert(names("[::1]", "[::1]"));
    cr_assert(names("", ""));
    cr_assert(names("[", "["));
}
