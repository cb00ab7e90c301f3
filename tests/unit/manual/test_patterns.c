/* test_patterns.c: whole texts against lists of regular expressions. */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/manual/patterns.h"

static struct patterns *compiled(const char *const *texts, size_t count)
{
    char problem[320] = "";
    struct patterns *p;
    cr_assert(patterns_create(&p, texts, count, problem, sizeof problem), "%s", problem);
    return p;
}

Test(patterns, match_whole_texts_only)
{
    static const char *const texts[] = {"dns:.*\\.core\\.example", "CN=root[0-9]*"};
    struct patterns *p = compiled(texts, 2);
    cr_assert(patterns_match(p, "dns:a.core.example"));
    cr_assert(patterns_match(p, "CN=root17"));
    cr_assert_not(patterns_match(p, "dns:a.core.example.net"));
    cr_assert_not(patterns_match(p, "x,CN=root17"));
    cr_assert_not(patterns_match(p, ""));
    patterns_free(p);
}

Test(patterns, of_none_match_nothing)
{
    struct patterns *p = compiled(NULL, 0);
    cr_assert_not(patterns_match(p, ""));
    patterns_free(p);
    patterns_free(NULL);
}

Test(patterns, that_are_wrong_are_named)
{
    static const char *const texts[] = {"good", "(bad"};
    char problem[320] = "";
    struct patterns *p = (struct patterns *)1;
    cr_assert_not(patterns_create(&p, texts, 2, problem, sizeof problem));
    cr_assert_null(p);
    cr_assert(strstr(problem, "\"(bad\""), "%s", problem);
}

/* A match holds the request, so that what cannot be decided is held. */
Test(patterns, hold_what_they_cannot_decide)
{
    static const char *const texts[] = {"(a+)+[bc]"};
    struct patterns *p = compiled(texts, 1);
    char name[4096];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    cr_assert(patterns_match(p, name), "beyond the match limit");
    cr_assert(patterns_match(p, "\xff\xfe"), "no UTF-8");
    patterns_free(p);
}
