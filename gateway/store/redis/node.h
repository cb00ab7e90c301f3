/* node.h: one Redis that a router speaks to: its link, made again with back-off; its queue; its batches.
 *
 * Without wait_replicas commands are sent as they come, pipelined. With it, what waits is sent as one batch,
 * which ends with a write (the fence) and WAIT; durable replies are held until WAIT has answered, and the next
 * batch follows then. The fence makes WAIT cover what the batch only read: a promise that another gateway's
 * unconfirmed write seemed to allow.
 *
 * Loop thread. A node calls its router (router_parts.h), never inside redis_node_put.
 */
#pragma once

#include "store/redis/errand.h"
#include "store/redis/link.h"

struct redis_node;

/* Connects at once. NULL when out of memory. */
struct redis_node *redis_node_create(struct redis_router *router, const struct endpoint *endpoint);
void redis_node_free(
    struct redis_node *n); /* hands what it has to router_lost and router_again; accepts NULL */
void redis_node_put(struct redis_node *n, struct errand *e);
void redis_node_tick(struct redis_node *n); /* some times a second: deadlines of what waits, a sign of life */
void redis_node_doubt(struct redis_node *n, const char *problem); /* ends its link; it connects again */
bool redis_node_ready(const struct redis_node *n);                /* takes commands */
bool redis_node_promises(const struct redis_node *n);       /* and its replicas confirm as they should */
const char *redis_node_problem(const struct redis_node *n); /* why it is not ready */
const struct endpoint *redis_node_endpoint(const struct redis_node *n);
struct redis_link *redis_node_link(
    const struct redis_node *n); /* only when ready; for questions of the router itself */

/* For whoever keeps a list of them. */
struct redis_node *redis_node_next(const struct redis_node *n);
void redis_node_set_next(struct redis_node *n, struct redis_node *next);
bool redis_node_marked(const struct redis_node *n);
void redis_node_mark(struct redis_node *n, bool marked);
