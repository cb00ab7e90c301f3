/* ra_attempt.h: one attempt to give an alias its RA identity: a chain of steps, each started by the end of
 * the one before.
 *
 * Loop thread. Reads top to bottom in ra_attempt.c.
 */
#pragma once

#include "alias/alias.h"
#include "issuing/backends.h"
#include "store/store.h"

struct ra_attempt;

struct ra_attempt_parts { /* borrowed; outlive the attempt */
    struct store *store;
    const struct keys *keys;
    struct lane *lane;
    const struct clock *clock;
    struct metrics *metrics; /* may be NULL */
    const bool
        *stopped; /* once true, an attempt ends with the answer that it waits for, and asks nothing more */
};

struct ra_outcome {
    bool done;     /* nothing more to do until two thirds of the identity's life are over */
    bool quiet;    /* pending, or somebody else's work: no failure, ask again after `again` */
    int64_t again; /* ms; 0: the maker's back-off */
};

typedef void ra_installed(void *context); /* the alias has an identity; the attempt may go on to renew it */
typedef void ra_ended(void *context, const struct ra_outcome *outcome);

/* `installed` may be called or not, `ended` once; neither inside the call. NULL when out of memory. */
struct ra_attempt *ra_attempt_start(const struct ra_attempt_parts *parts, struct alias *alias,
                                    ra_installed *installed, ra_ended *ended, void *context);
/* Only installs what somebody else has made since. */
struct ra_attempt *ra_attempt_look(const struct ra_attempt_parts *parts, struct alias *alias, ra_ended *ended,
                                   void *context);
