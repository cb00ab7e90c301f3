/* ra_maker.h: makes and renews automatic RA identities: a leased, resumable job, one at a time per alias,
 * bounded in total.
 *
 * Replicas share what one of them made: the lease decides who makes it, and the others look again until it is
 * there. Files and CA-as-RA identities are loaded by the same call. The old identity keeps opening messages
 * until it expires. Loop thread.
 */
#pragma once

#include "alias/alias.h"
#include "issuing/backends.h"
#include "store/store.h"
#include "transaction/obligations.h"

struct ra_maker;

struct ra_maker *ra_maker_create(struct event_base *base, struct store *store, const struct keys *keys,
                                 struct pool *pool, const struct clock *clock, struct metrics *metrics);
/* Refuses, at load, an alias whose RA could never be made; the sentence names the choices. */
enum error_code ra_maker_check(const struct alias_settings *settings, struct backends *backends,
                               struct error *e);

/* Sees to it that `alias` has an identity: loads it, or makes one; also when two thirds of its life are over.
 * `done` (may be NULL) is called once, on the loop thread, when it has one or when this attempt failed (an
 * attempt is repeated with back-off). */
void ra_maker_ensure(struct ra_maker *m, struct alias *alias, void (*done)(void *context, bool ready),
                     void *context);
/* Installs what another replica may have made (ra_looks_ask). */
bool ra_maker_look(struct ra_maker *m, struct alias *alias, void (*done)(void *context, bool looked),
                   void *context);
bool ra_maker_idle(const struct ra_maker *m);
/* Begins nothing more; a running attempt ends with the answer that it waits for. To be called before the
 * store is closed. */
void ra_maker_stop(struct ra_maker *m);
void ra_maker_free(struct ra_maker *m); /* stops, cancels timers; accepts NULL */
/* Handles "ra.renew": the alias' identity is looked at, and renewed when it is time. Every `period` (ms, with
 * jitter) all identities that are due are ensured as well: one replica renews, the others take over. */
void ra_maker_serve(struct ra_maker *m, struct obligations *obligations, struct alias_directory *directory,
                    int64_t period);
