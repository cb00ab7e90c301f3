/* trust_keeper.h: keeps what aliases know of the CAs whose certificates they renew: reads revocation lists
 * and asks backends for their CA in the background, on a timer, never inside a request.
 *
 * Lists that the gateway publishes itself come from the publisher, whenever they change.
 * Others are read on a thread of its own, because a distribution point may be slow. One that cannot be read
 * leaves the one before in force. Loop thread.
 */
#pragma once

#include "alias/alias.h"

struct event_base;
struct publisher;
struct trust_keeper;

struct trust_keeper *trust_keeper_create(
    struct event_base *base, const struct alias_directory *directory,
    struct publisher *publisher); /* NULL when out of memory; `publisher` may be NULL */
/* From now on, as long as the directory has this alias. An alias that needs nothing of the kind is left
 * alone. */
void trust_keeper_watch(struct trust_keeper *k, struct alias *alias);
/* Starts nothing more; what is being fetched is given up. */
void trust_keeper_stop(struct trust_keeper *k);
bool trust_keeper_idle(const struct trust_keeper *k); /* no backend is being asked and no list read */
void trust_keeper_free(struct trust_keeper *k);       /* accepts NULL; idle, or the loop has ended */
