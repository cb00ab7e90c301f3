/* ra_look.h: looks whether another replica has made an RA identity that this one does not know yet, and
 * installs it.
 *
 * One look a second and alias at most, shared by all who ask meanwhile: whoever sends messages to strangers'
 * certificates costs one read of the store a second. Loop thread.
 */
#pragma once

#include "issuing/ra_attempt.h"

struct ra_looks;

struct ra_looks *ra_looks_create(struct event_base *base, const struct ra_attempt_parts *parts);
/* `done` is called when a look that began after this call has ended, never inside the call; `looked` is false
 * when the store could not be read. false: nobody else could have made an identity, and `done` is not called. */
bool ra_looks_ask(struct ra_looks *l, struct alias *alias, void (*done)(void *context, bool looked),
                  void *context);
bool ra_looks_idle(const struct ra_looks *l); /* nobody waits */
/* Begins nothing more and tells those who wait. `freed` is called when the last running look has ended, perhaps
 * inside the call. */
void ra_looks_free(struct ra_looks *l, void (*freed)(void *context), void *context);
