/* router_parts.h: what the files of the router share. router.c routes and answers; node.c speaks to one Redis;
 * sentinel.c and cluster.c know which Redis serves what; durability.c asks what it promises. Loop thread.
 */
#pragma once

#include <event2/dns.h>

#include "store/redis/node.h"
#include "store/redis/router.h"

#define CLUSTER_SLOTS 16384

struct sentinel_watch;

/* Problems of what has just begun. */
#define NO_CONNECTION_YET "Redis is not connected yet"
#define NO_SENTINEL_YET   "no sentinel has answered yet"
#define NO_CLUSTER_YET    "no node of the cluster has answered yet"

struct redis_router {
    struct event_base *base;
    struct redis_options options; /* owned */
    struct link_options links;
    SSL_CTX *tls;
    struct evdns_base *names;
    redis_notice *notice;
    void *notice_context;

    struct redis_node *nodes; /* one without cluster; none before a sentinel has spoken */
    struct sentinel_watch *sentinels;
    struct redis_node *slots[CLUSTER_SLOTS]; /* with CLUSTER; NULL: nobody serves it */
    struct cluster_map *cluster;

    struct errand_list resting, finished;
    struct event *deliver; /* answers `finished` in a later turn */
    struct event *tick;
    size_t pending;
    bool was_ready;
    int64_t quiet_until; /* what only has not happened yet is no news before */
    bool closing;
    char problem[240]; /* of the whole; "" */
};

int64_t router_now(void);
void router_say(struct redis_router *r, bool is_problem, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- what nodes report --------------------------------------------------------------------------------- */

/* A reply: answers the errand, or tries it elsewhere or again. Takes the reply. */
void router_replied(struct redis_router *r, struct errand *e, redisReply *reply);
void router_lost(struct redis_router *r, struct errand *e, const char *problem); /* it may have been done */
void router_not_done(struct redis_router *r, struct errand *e,
                     const char *problem);                   /* its deadline is over */
void router_again(struct redis_router *r, struct errand *e); /* it was never sent */
void router_node_opened(struct redis_router *r, struct redis_node *n, bool first);
void router_node_closed(struct redis_router *r);

/* ---- who serves what ----------------------------------------------------------------------------------- */

/* The node at an endpoint, made when there is none. NULL when out of memory. */
struct redis_node *router_node_at(struct redis_router *r, const struct endpoint *endpoint);
/* Sentinels say who is the master. */
void router_set_master(struct redis_router *r, const struct endpoint *endpoint);

enum error_code sentinel_watch_create(struct sentinel_watch **out, struct redis_router *r, struct error *e);
void sentinel_watch_free(struct sentinel_watch *w);
const char *sentinel_watch_problem(const struct sentinel_watch *w);

int cluster_slot(const char *base); /* of a key with a hash tag */
enum error_code cluster_map_create(struct cluster_map **out, struct redis_router *r, struct error *e);
void cluster_map_free(struct cluster_map *m);
void cluster_map_refresh(struct cluster_map *m); /* soon */
void cluster_map_tick(struct cluster_map *m);
/* Is every slot served by a node that is ready? */
bool cluster_map_ready(const struct cluster_map *m, char *problem, size_t size);

/* Says where the settings of this Redis may forget what was promised. */
void durability_ask(struct redis_router *r, struct redis_node *n);
