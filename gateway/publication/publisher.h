/* publisher.h: keeps a current revocation list of every CA that the backends have, and holds it for whoever asks.
 *
 * Per CA it takes over what the store holds, has the backend make a list when there is none, when something was
 * revoked or released (obligation "crl.publish", whose reference is the SHA-256 of the issuer's Name), and on
 * schedule; all replicas share one list per CA in the store, numbered there. Nothing here is waited for by a
 * request. A CA is known by its Name and key, so a renewed certificate of it goes on with its numbers.
 *
 * Loop thread; lists are signed by the backends, which use workers.
 */
#pragma once

#include "audit/audit.h"
#include "issuing/backends.h"
#include "metrics/metrics.h"
#include "store/store.h"
#include "transaction/obligations.h"

struct publisher;

#define PUBLISHED_NAME_SIZE 129 /* a subjectKeyIdentifier in hex */

/* What is published about a CA; immutable, counted. */
struct published {
    char name[PUBLISHED_NAME_SIZE]; /* hex of the CA's subjectKeyIdentifier; "" when it has none */
    struct bytes certificate;       /* DER */
    int64_t not_before;             /* of the certificate; ms */
    struct bytes crl;               /* DER; empty while there is none */
    int64_t number, this_update, next_update;
    int64_t due; /* when the next list comes on schedule; ms */
    size_t entries;
    int references;
};

struct published *published_ref(struct published *p);
void published_unref(struct published *p); /* accepts NULL */

/* Borrowed; all outlive the publisher. */
struct publisher_parts {
    struct event_base *base;
    struct backends *backends;
    struct store *store;
    struct obligations *obligations;
    struct metrics *metrics; /* may be NULL */
    const struct clock *clock;
};

struct publisher *publisher_create(const struct publisher_parts *parts); /* NULL when out of memory */
/* From now on the CAs of these backends; after each reload again. Takes a reference. */
void publisher_settings(struct publisher *p, const struct gateway_settings *settings);
/* Starts nothing more. */
void publisher_stop(struct publisher *p);
bool publisher_idle(const struct publisher *p); /* neither store nor backend is being asked */
void publisher_free(struct publisher *p);       /* accepts NULL; stopped and idle, or the loop has ended */

/* The present list of a CA of this backend, DER: that of the CA certificate `issuer` (DER), or the one whose Name `issuer`
 * is (DER; of several the current one), or, empty, the current CA's. Borrowed until the loop turns; NULL when there is none. */
const struct bytes *publisher_crl(const struct publisher *p, const struct backend_instance *backend,
                                  struct bytes issuer);
/* By a backend's name (its current CA) or a hex subjectKeyIdentifier, in lower case. Borrowed; NULL when unknown. */
struct published *publisher_find(const struct publisher *p, struct bytes name);
/* The CAs of a backend, the current one first, at most `max`; borrowed. */
size_t publisher_list(const struct publisher *p, const struct backend_instance *backend,
                      struct published **out, size_t max);
/* Called on the loop whenever a list of this backend became another one. One listener. */
typedef void publisher_changed(void *context, const struct backend_instance *backend);
void publisher_listen(struct publisher *p, publisher_changed *changed, void *context);
