/* replica_facts.h: what a gateway announces about itself to the others on its store: who it is, since when, and a
 * short keyed digest of everything that they must have in common. And what follows from comparing two of them.
 *
 * The text: a line "1 CHECK HOST PID SINCE VERSION", then a line "DIGEST NAME" per piece, sorted by name. CHECK is
 * the check value of the master key that keyed the digests, SINCE is ms since 1970. Pure, but replica_facts_make
 * reads files: call it on a worker.
 */
#pragma once

#include "settings/agreement.h"
#include "store/keys.h"

struct replica_facts;

struct replica_ca {
    char *backend;
    char sha256[65]; /* of the CA certificate, hex; empty while it is not known */
};

/* NULL when out of memory. */
struct replica_facts *replica_facts_make(const struct gateway_settings *s, const struct keys *keys,
                                         const struct replica_ca *cas, size_t ca_count, int64_t since);
void replica_facts_free(struct replica_facts *f); /* accepts NULL */
const char *replica_facts_text(const struct replica_facts *f);

struct replica_identity { /* of an announced text */
    char host[256];
    char version[32];
    int pid;
    int64_t since;
};

/* false: not of this form, as of another version of the program. */
bool replica_identity_read(struct replica_identity *out, const char *text);

enum replica_difference {
    REPLICA_OTHER_VALUE,
    REPLICA_LACKS,    /* it has no such piece, we do */
    REPLICA_HAS,      /* it has one, we do not */
    REPLICA_OTHER_KEY /* its master key is not in our ring, so that nothing can be compared; `name` is "" */
};
typedef void replica_differs(void *context, enum replica_difference kind, const char *name);

/* Calls `differs` for each difference, in the order of names. */
void replica_facts_compare(const struct replica_facts *ours, const char *theirs, replica_differs *differs,
                           void *context);
