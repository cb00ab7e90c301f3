/* ra_records.h: which of an alias' stored RA identities are the present CA's, and which are its successor's. Pure.
 *
 * A record says it by its chain, which holds the certificate of the alias' own CA: so nothing has to be rewritten
 * when the successor takes over.
 */
#pragma once

#include "alias/ra.h"

struct ra_pick { /* newest first, the CA's own ones before older ones of other CAs */
    struct ra_record usable[RA_RECORDS_MAX]; /* borrowed from the list */
    unsigned roles[RA_RECORDS_MAX];          /* enum ra_role */
    size_t count;
    size_t own; /* so many are the CA's own */
};

struct ra_records {
    const struct ra_record *records; /* newest first */
    size_t count;
    int64_t now;
    struct bytes present, next, previous; /* certificates of the CAs, DER; `next`, `previous` empty: none */
    int64_t unusable_until[2]; /* generations up to these did not load: of the present, of the next */
};

/* Certified and unexpired ones. The previous CA's still open messages. An unknown CA's, made after the newest of the present one's, are somebody's who knows
 * more than we do (another replica with newer settings, or a successor that was withdrawn): they are left out. With
 * `present` empty (not told yet) all are taken for the present CA's. */
void ra_pick_present(struct ra_pick *out, const struct ra_records *r);
void ra_pick_next(struct ra_pick *out, const struct ra_records *r);

/* The newest that is for all of `roles`, and, when `alone`, for nothing else; NULL when there is none. */
const struct ra_record *ra_pick_newest(const struct ra_pick *p, unsigned roles, bool alone);
/* Is there one that opens, and one that signs? */
bool ra_pick_is_whole(const struct ra_pick *p);
/* What of the CA's own is missing or beyond two thirds of its life (enum ra_role); 0: nothing. */
unsigned ra_pick_missing(const struct ra_pick *p, bool separate, int64_t now);
