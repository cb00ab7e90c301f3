/* ra_draft.h: an RA identity in the making: its key, its request, and the check of what came back. Pure: for
 * workers. */
#pragma once

#include "alias/ra.h"
#include "settings/snapshot.h"

struct ra_draft {
    /* in */
    const struct keys *keys;
    const struct alias_settings *settings;
    int64_t generation;
    unsigned roles;          /* enum ra_role: what the pair is for */
    struct bytes stored_key; /* sealed; empty: make a new one */
    /* out */
    EVP_PKEY *key;
    struct buffer sealed_key;
    struct buffer csr, subject, spki; /* DER */
};

/* Makes or unseals the key, and makes the request from it: the same request for the same key. */
enum error_code ra_draft_make(struct ra_draft *d, struct error *e);
void ra_draft_clear(struct ra_draft *d);

/* That the certificate belongs to the key, is good for `roles` (of a pair that is for one use alone: for one of the
 * two), and was issued by a CA of the chain. `chain` begins with it. */
enum error_code ra_draft_check(const struct ra_draft *d, const struct bytes *chain, size_t count,
                               struct error *e);
