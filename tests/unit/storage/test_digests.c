/* test_digests.c: sums in whatever order, bags. */
#include <criterion/criterion.h>
#include <string.h>

#include "storage/digests.h"

static struct digest numbered(unsigned n)
{
    struct obligation o = {.alias = "alpha", .kind = "ra.renew", .reference = "", .due = n};
    struct digest d;
    cr_assert(digest_of(&d, STORE_KIND_OBLIGATION, &o));
    return d;
}

Test(digests, a_record_has_one_digest_and_another_record_another)
{
    struct digest a = numbered(1), same = numbered(1), b = numbered(2);
    cr_assert_arr_eq(a.bytes, same.bytes, DIGEST_SIZE);
    cr_assert_neq(memcmp(a.bytes, b.bytes, DIGEST_SIZE), 0);
}

Test(digests, a_sum_knows_no_order_but_every_record)
{
    struct digest_sum up = {0}, down = {0};
    char text[2 * DIGEST_SIZE + 1], other[2 * DIGEST_SIZE + 1];
    for (unsigned i = 0; i < 1000; i++) {
        struct digest one = numbered(i), mirrored = numbered(999 - i);
        digest_sum_add(&up, &one);
        digest_sum_add(&down, &mirrored);
    }
    cr_assert(digest_sum_same(&up, &down));
    digest_sum_text(&up, text);
    digest_sum_text(&down, other);
    cr_assert_str_eq(text, other);
    cr_assert_eq(strlen(text), 2 * DIGEST_SIZE);
    struct digest_sum twice = {0}, once = {0};
    struct digest one = numbered(1), two = numbered(2);
    digest_sum_add(&twice, &one); /* two of the same are not nothing, and not two others */
    digest_sum_add(&twice, &one);
    digest_sum_add(&once, &one);
    digest_sum_add(&once, &two);
    cr_assert_not(digest_sum_same(&twice, &once));
}

Test(digests, a_sum_carries)
{
    struct digest most, one = {{0}};
    struct digest_sum s = {0};
    memset(&most, 0xff, sizeof most);
    one.bytes[DIGEST_SIZE - 1] = 1;
    digest_sum_add(&s, &most);
    digest_sum_add(&s, &one);
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        cr_assert_eq(s.sum[i], 0);
}

Test(digests, a_bag_gives_back_what_it_was_given)
{
    struct digest_bag bag = {0};
    struct digest d = numbered(0);
    cr_assert_not(digest_bag_take(&bag, &d));
    for (unsigned i = 0; i < 5000; i++) {
        d = numbered(i % 4000);
        cr_assert(digest_bag_put(&bag, &d));
    }
    for (unsigned i = 0; i < 4000; i++) {
        d = numbered(i);
        cr_assert(digest_bag_take(&bag, &d));
        cr_assert_eq(digest_bag_take(&bag, &d), i < 1000, "it was given twice");
        cr_assert_not(digest_bag_take(&bag, &d));
    }
    d = numbered(4000);
    cr_assert_not(digest_bag_take(&bag, &d));
    digest_bag_free(&bag);
}
