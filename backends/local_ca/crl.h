/* crl.h: makes a CA's certificate revocation list, v2 of RFC 5280 section 5. */
#pragma once

#include "backends/local_ca/ca.h"

#define CRL_ENTRIES_MAX 1000000

struct crl_order {
    int64_t number;                         /* CRLNumber, from 1 on */
    int64_t this_update, next_update;       /* seconds since 1970 */
    struct backend_revocation *revocations; /* sorted in place by serial */
    size_t count;
};

/* NULL, or why this CA signs no lists. */
const char *crl_refusal(const struct ca *ca);
/* The same entries give the same list, whatever their order; of a serial that comes twice the one that counts for good, else
 * the earlier, is listed. Thread-safe. */
bool crl_make(struct der *out, const struct ca *ca, const struct crl_order *order, struct problem *p);
