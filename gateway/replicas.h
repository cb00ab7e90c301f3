/* replicas.h: the other gateways on the same store: says that this one is alive, hears who else is, and says in
 * which settings they differ.
 *
 * Announces itself every few seconds with digests of all that replicas must have in common (replica_facts.h), and
 * leaves when it stops. Each difference is one line of the log, when the other one is first heard of and when
 * either has new settings. An embedded store has no others: nothing is said. Loop thread.
 */
#pragma once

#include "issuing/backends.h"
#include "settings/snapshot.h"
#include "store/keys.h"
#include "store/store.h"

struct replicas;

struct replicas_parts { /* borrowed; all outlive the replicas */
    struct event_base *base;
    struct store *store;
    const struct keys *keys;
    struct backends *backends;
    struct lane *lane;
    const struct clock *clock;
    int64_t period; /* ms between two announcements; one that missed three of them is gone */
};

struct replica_seen {
    const char *id, *host, *version;
    int pid;
    int64_t since; /* its settings took effect */
    int64_t seen;  /* by the store's clock */
    size_t differences;
};

struct replicas *replicas_create(const struct replicas_parts *parts); /* NULL when out of memory */
/* At the start, and when new settings took effect. */
void replicas_announce(struct replicas *r, struct gateway_settings *settings);
const char *replicas_own_id(const struct replicas *r);
/* Those that are alive besides this one. */
void replicas_each(const struct replicas *r, void (*visit)(void *context, const struct replica_seen *other),
                   void *context);
void replicas_leave(struct replicas *r); /* tells the others; begins nothing more */
bool replicas_idle(const struct replicas *r);
void replicas_free(struct replicas *r); /* idle; accepts NULL */
