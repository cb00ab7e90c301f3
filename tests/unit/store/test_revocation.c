/* test_revocation.c: the reasons of RFC 5280 by name and number. */
#include <criterion/criterion.h>

#include "store/revocation.h"

Test(revocation, names_and_numbers_are_those_of_rfc_5280)
{
    static const char *const names[] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", NULL,
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
    for (int i = 0; i <= 10; i++) {
        enum revocation_reason found = (enum revocation_reason)99;
        cr_assert_str_eq(revocation_reason_name(i), names[i] ? names[i] : "?");
        cr_assert(!names[i] || (revocation_reason_of(names[i], &found) && (int)found == i));
    }
    cr_assert_str_eq(revocation_reason_name(11), "?");
    cr_assert_str_eq(revocation_reason_name(-1), "?");
}

Test(revocation, letters_do_not_matter_and_parts_are_no_names)
{
    enum revocation_reason found;
    cr_assert(revocation_reason_of("KEYCOMPROMISE", &found) && found == REASON_KEY_COMPROMISE);
    cr_assert_not(revocation_reason_of("key", &found));
    cr_assert_not(revocation_reason_of("", &found));
    cr_assert_not(revocation_reason_of("?", &found));
}
