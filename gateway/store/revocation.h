/* revocation.h: why a certificate is revoked (RFC 5280, 5.3.1). Pure. */
#pragma once

#include <stdbool.h>

enum revocation_reason {
    REASON_UNSPECIFIED = 0,
    REASON_KEY_COMPROMISE = 1,
    REASON_CA_COMPROMISE = 2,
    REASON_AFFILIATION_CHANGED = 3,
    REASON_SUPERSEDED = 4,
    REASON_CESSATION_OF_OPERATION = 5,
    REASON_CERTIFICATE_HOLD = 6, /* the one that can be taken back */
    /* 7 is not used */
    REASON_REMOVE_FROM_CRL = 8, /* of delta CRLs alone */
    REASON_PRIVILEGE_WITHDRAWN = 9,
    REASON_AA_COMPROMISE = 10,
};

const char *revocation_reason_name(int reason); /* "keyCompromise"; "?" for one that is none */
/* By the name; without regard to case. */
bool revocation_reason_of(const char *name, enum revocation_reason *out);
