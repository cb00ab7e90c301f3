/* revocation.c: see revocation.h. */
#include "store/revocation.h"

#include <stddef.h>
#include <strings.h>

static const char *const names[] = {
    [REASON_UNSPECIFIED] = "unspecified",
    [REASON_KEY_COMPROMISE] = "keyCompromise",
    [REASON_CA_COMPROMISE] = "cACompromise",
    [REASON_AFFILIATION_CHANGED] = "affiliationChanged",
    [REASON_SUPERSEDED] = "superseded",
    [REASON_CESSATION_OF_OPERATION] = "cessationOfOperation",
    [REASON_CERTIFICATE_HOLD] = "certificateHold",
    [REASON_REMOVE_FROM_CRL] = "removeFromCRL",
    [REASON_PRIVILEGE_WITHDRAWN] = "privilegeWithdrawn",
    [REASON_AA_COMPROMISE] = "aACompromise",
};

#define NAMES (sizeof names / sizeof *names)

const char *revocation_reason_name(int reason)
{
    return reason >= 0 && (size_t)reason < NAMES && names[reason] ? names[reason] : "?";
}

bool revocation_reason_of(const char *name, enum revocation_reason *out)
{
    for (size_t i = 0; i < NAMES; i++)
        if (names[i] && strcasecmp(names[i], name) == 0) {
            *out = (enum revocation_reason)i;
            return true;
        }
    return false;
}
