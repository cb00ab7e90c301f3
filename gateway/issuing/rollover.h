/* rollover.h: what happens when an alias' CA is followed by its successor (backends/backend.h): at that time, and
 * without anybody's doing, the successor's RA takes over. Loop thread.
 *
 * The backend's clock alone says who is in charge; this is told afterwards, within a second. Between the two a message
 * is opened by either RA, and each of them means what it meant before.
 */
#pragma once

#include "issuing/ra_maker.h"

struct rollover;

/* Looks at all aliases every second; NULL when out of memory. */
struct rollover *rollover_create(struct event_base *base, struct alias_directory *directory,
                                 struct ra_maker *maker, const struct clock *clock);
bool rollover_idle(const struct rollover *r); /* no backend is being asked */
void rollover_stop(struct rollover *r);       /* asks nobody any more */
void rollover_free(struct rollover *r);       /* idle, or the loop has ended; accepts NULL */
