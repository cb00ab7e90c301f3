/* authorities.h: the CAs of one backend: the one of its settings, and the successor that is staged behind it.
 *
 * Who is in charge is a question of the time alone, so that nothing has to happen at the moment of the switch, and
 * every replica answers alike. Immutable once loaded.
 */
#pragma once

#include "backends/local_ca/ca.h"
#include "backends/local_ca/profile.h"

#define AUTHORITY_ID_SIZE 32 /* SHA-256 of the CA certificate */

struct authority {
    struct ca *ca;
    struct profile profile; /* with what the CA itself adds to certificates */
    uint8_t id[AUTHORITY_ID_SIZE];
};

struct authorities {
    struct authority first, successor; /* `successor.ca` is NULL when none is staged */
    int64_t from;                      /* ms since 1970: when the successor takes over */
};

struct authorities_source {
    struct ca_source first, successor; /* `successor.certificate` NULL: none */
    const char *from;                  /* RFC 3339 */
    struct backend_host *host;         /* of the profile's rows */
    const struct backend_services *services;
};

/* Loads and checks them for the time `now` (ms). What was loaded is freed by authorities_free, also on failure. */
bool authorities_load(struct authorities *out, const struct authorities_source *source, int64_t now,
                      struct problem *p);
void authorities_free(struct authorities *a);

/* NULL when there is none such at `now` (ms). Borrowed, like those below. */
const struct authority *authorities_find(const struct authorities *a, enum backend_authority which,
                                         int64_t now);
/* By its certificate, in DER. */
const struct authority *authorities_by_certificate(const struct authorities *a, struct backend_bytes der);
const struct authority *authorities_by_id(const struct authorities *a, const uint8_t id[AUTHORITY_ID_SIZE]);

/* ms since 1970 of "2030-01-31T12:00:00Z" or "…+01:00" (RFC 3339 section 5.6); false when it is none. */
bool moment_read(int64_t *out, const char *text);
