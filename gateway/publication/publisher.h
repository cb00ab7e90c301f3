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

#include "issuing/backends.h"
#include "publication/published.h"
#include "transaction/obligations.h"

struct publisher;

#define PUBLISHER_CAS_MAX 3 /* of one backend: the current CA, the one before and the one to come */

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
void publisher_stop(struct publisher *p);       /* starts nothing more */
bool publisher_idle(const struct publisher *p); /* neither store nor backend is being asked */
/* Accepts NULL; the loop has ended, and the store is closed. */
void publisher_free(struct publisher *p);

/* The present list of a CA of this backend, DER: that of the CA certificate `issuer` (DER), or the one whose Name
 * `issuer` is (DER; of several the current one), or, empty, the current CA's. Borrowed until the loop turns; NULL when
 * there is none. */
const struct bytes *publisher_crl(const struct publisher *p, const struct backend_instance *backend,
                                  struct bytes issuer);
/* By a backend's name (its current CA) or a hex subjectKeyIdentifier, in lower case. Borrowed; NULL when unknown. */
struct published *publisher_find(const struct publisher *p, struct bytes name);
/* The CAs of a backend, the current one first, then the one before; borrowed. */
size_t publisher_list(const struct publisher *p, const struct backend_instance *backend,
                      struct published *out[PUBLISHER_CAS_MAX]);
/* Called on the loop whenever a list of this backend became another one. One listener. */
typedef void publisher_changed(void *context, const char *backend);
void publisher_listen(struct publisher *p, publisher_changed *changed, void *context);
