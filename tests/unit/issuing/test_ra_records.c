/* test_ra_records.c: which stored identities are the present CA's, which its successor's, and which nobody's here. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "issuing/ra_records.h"

static const struct bytes old_ca = {(const uint8_t *)"old", 3}, new_ca = {(const uint8_t *)"new", 3},
                          strange_ca = {(const uint8_t *)"odd", 3}, ra = {(const uint8_t *)"ra", 2};

static struct ra_record record(int64_t generation, struct bytes ca)
{
    return (struct ra_record){
        .generation = generation, .chain = {ra, ca}, .chain_count = 2, .not_after = 1000};
}

/* "3 1 | 2": generations in order, behind the bar those that are not the CA's own. */
static const char *shown(const struct ra_pick *p)
{
    static char text[128];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i <= p->count; i++) {
        if (i == p->own)
            len += (size_t)snprintf(text + len, sizeof text - len, "|");
        if (i < p->count)
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "%lld ", (long long)p->usable[i].generation);
    }
    return text;
}

#define PICK(name, text)                                                                                     \
    do {                                                                                                     \
        struct ra_pick p;                                                                                    \
        ra_pick_##name(&p, &r);                                                                              \
        cr_assert_str_eq(shown(&p), text);                                                                   \
    } while (0)

Test(ra_records, before_and_after_the_switch)
{
    struct ra_record records[] = {record(3, new_ca), record(2, old_ca), record(1, old_ca)};
    struct ra_records r = {.records = records, .count = 3, .now = 500, .present = old_ca, .next = new_ca};
    PICK(present, "2 1 |");
    PICK(next, "3 |");
    r.present = new_ca;
    r.next = (struct bytes){0};
    PICK(present, "3 |2 1 ");
    PICK(next, "|");
}

Test(ra_records, renewed_before_the_switch)
{
    struct ra_record records[] = {record(4, old_ca), record(3, new_ca), record(1, old_ca)};
    struct ra_records r = {.records = records, .count = 3, .now = 500, .present = old_ca, .next = new_ca};
    PICK(present, "4 1 |");
    r.present = new_ca;
    r.next = (struct bytes){0};
    r.previous = old_ca;
    PICK(present, "3 |4 1 ");
}

Test(ra_records, what_others_staged_is_left_alone)
{
    struct ra_record records[] = {record(3, strange_ca), record(2, old_ca), record(1, strange_ca)};
    struct ra_records r = {.records = records, .count = 3, .now = 500, .present = old_ca};
    PICK(present, "2 |1 ");
    PICK(next, "|");
}

Test(ra_records, another_ca_without_a_rollover)
{
    struct ra_record records[] = {record(2, old_ca), record(1, old_ca)};
    struct ra_records r = {.records = records, .count = 2, .now = 500, .present = new_ca};
    PICK(present, "|2 1 "); /* they serve until a new one is made, which is at once */
    struct ra_pick p;
    ra_pick_present(&p, &r);
    cr_assert_eq(ra_pick_missing(&p, false, 500), RA_BOTH);
}

Test(ra_records, a_ca_that_was_not_told)
{
    struct ra_record records[] = {record(2, new_ca), record(1, old_ca)};
    struct ra_records r = {.records = records, .count = 2, .now = 500};
    PICK(present, "2 1 |");
}

Test(ra_records, dead_unfinished_and_unusable_ones)
{
    struct ra_record records[] = {record(4, old_ca), record(3, old_ca), record(2, old_ca), record(1, old_ca)};
    records[0].chain_count = 0;
    records[1].not_after = 500;
    struct ra_records r = {
        .records = records, .count = 4, .now = 500, .present = old_ca, .unusable_until = {1}};
    PICK(present, "2 |");
}
