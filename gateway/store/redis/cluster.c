/* cluster.c: which node of a cluster serves which hash slot.
 *
 * The map is asked of any node that answers, or of the addresses in the settings: at the start, when a slot
 * has moved, when a link opens or ends, and now and then. A new map is applied from the router's tick, never
 * inside a reply, because nodes that serve nothing any more are freed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/router_parts.h"

#define REFRESH_MS 10000 /* when nothing happens */
#define PAUSE_MS   200   /* between two questions */

struct cluster_map {
    struct redis_router *router;
    struct arguments question;
    bool wanted, asked;
    bool complete; /* every slot is served */
    int64_t last_asked;
    redisReply *fresh; /* CLUSTER SLOTS, to be applied */
    struct endpoint told_by;
    size_t next_seed;
    char problem[240];
};

/* CRC-16/XMODEM over what is between the first braces: the cluster specification's key hash. */
int cluster_slot(const char *base)
{
    const char *from = strchr(base, '{');
    const char *to = from ? strchr(from, '}') : NULL;
    unsigned crc = 0;
    for (const char *c = from + 1; to && c < to; c++) {
        crc ^= (unsigned)(unsigned char)*c << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
    }
    return (int)(crc % CLUSTER_SLOTS);
}

bool cluster_map_ready(const struct cluster_map *m, char *problem, size_t size)
{
    const char *why = m->complete   ? NULL
                      : *m->problem ? m->problem
                                    : "no node of the cluster serves every slot";
    for (struct redis_node *n = m->router->nodes; !why && n; n = redis_node_next(n))
        if (redis_node_marked(n) && !redis_node_promises(n))
            why = redis_node_problem(n);
    if (why && problem && size)
        snprintf(problem, size, "%s", why);
    return !why;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

void cluster_map_refresh(struct cluster_map *m)
{
    m->wanted = true;
}

static void answered(void *context, redisReply *reply)
{
    struct redis_router *r = context;
    struct cluster_map *m = r->cluster;
    m->asked = false;
    if (reply && reply->type == REDIS_REPLY_ARRAY) {
        freeReplyObject(m->fresh);
        m->fresh = reply;
        m->problem[0] = '\0';
        return;
    }
    if (reply)
        snprintf(m->problem, sizeof m->problem, "the slots of the cluster are not told: %.150s",
                 reply->str ? reply->str : "odd reply");
    m->wanted = true;
    freeReplyObject(reply);
}

/* Any that is ready, each in its turn. */
static struct redis_node *someone(struct redis_router *r, size_t turn)
{
    size_t count = 0;
    for (struct redis_node *n = r->nodes; n; n = redis_node_next(n))
        count += redis_node_ready(n);
    if (count == 0)
        return NULL;
    size_t chosen = turn % count;
    for (struct redis_node *n = r->nodes; n; n = redis_node_next(n))
        if (redis_node_ready(n) && chosen-- == 0)
            return n;
    return NULL;
}

static void ask(struct cluster_map *m)
{
    struct redis_router *r = m->router;
    struct redis_node *n = someone(r, m->next_seed++);
    if (!n) {
        struct endpoint seed;
        endpoint_parse(&seed, r->options.addresses[m->next_seed % r->options.address_count], 6379);
        router_node_at(r, &seed); /* it will be asked when its link is open */
        return;
    }
    m->wanted = false;
    m->asked = true;
    m->told_by = *redis_node_endpoint(n);
    redis_link_send(redis_node_link(n), NULL, &m->question, 0, answered, r);
}

/* ---- applying ------------------------------------------------------------------------------------------ */

/* [first, last, [host, port, id, …], replicas…]; false when it is none of that form. */
static bool read_range(const struct cluster_map *m, const redisReply *range, long long *first,
                       long long *last, struct endpoint *endpoint)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
        range->element[0]->type != REDIS_REPLY_INTEGER || range->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    const redisReply *master = range->element[2];
    if (master->type != REDIS_REPLY_ARRAY || master->elements < 2 ||
        master->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    const redisReply *host = master->element[0];
    bool unknown = host->type != REDIS_REPLY_STRING || !*host->str || strcmp(host->str, "?") == 0;
    *first = range->element[0]->integer;
    *last = range->element[1]->integer;
    *endpoint = (struct endpoint){.port = (int)master->element[1]->integer};
    snprintf(endpoint->host, sizeof endpoint->host, "%.255s", unknown ? m->told_by.host : host->str);
    return *first >= 0 && *first <= *last && *last < CLUSTER_SLOTS;
}

/* A map that names nobody frees nobody: they are asked again. */
static void free_unmarked(struct redis_router *r)
{
    struct redis_node *kept = NULL, *gone = NULL, *next;
    for (struct redis_node *n = r->nodes; n; n = next) {
        next = redis_node_next(n);
        redis_node_set_next(n, redis_node_marked(n) ? kept : gone);
        *(redis_node_marked(n) ? &kept : &gone) = n;
    }
    r->nodes = kept ? kept : gone;
    for (struct redis_node *n = kept ? gone : NULL; n; n = next) {
        next = redis_node_next(n);
        redis_node_free(n);
    }
}

static void apply(struct cluster_map *m)
{
    struct redis_router *r = m->router;
    redisReply *fresh = m->fresh;
    m->fresh = NULL;
    memset(r->slots, 0, sizeof r->slots);
    for (struct redis_node *n = r->nodes; n; n = redis_node_next(n))
        redis_node_mark(n, false);
    for (size_t i = 0; i < fresh->elements; i++) {
        long long first, last;
        struct endpoint endpoint;
        struct redis_node *n = NULL;
        if (read_range(m, fresh->element[i], &first, &last, &endpoint))
            n = router_node_at(r, &endpoint);
        if (!n)
            continue;
        redis_node_mark(n, true);
        for (long long slot = first; slot <= last; slot++)
            r->slots[slot] = n;
    }
    freeReplyObject(fresh);
    m->complete = true;
    for (size_t slot = 0; slot < CLUSTER_SLOTS; slot++)
        m->complete = m->complete && r->slots[slot];
    free_unmarked(r);
}

void cluster_map_tick(struct cluster_map *m)
{
    if (m->fresh)
        apply(m);
    int64_t now = router_now();
    bool due = m->wanted ? now - m->last_asked >= PAUSE_MS : now - m->last_asked >= REFRESH_MS;
    if (!due || m->asked)
        return;
    m->last_asked = now;
    ask(m);
}

enum error_code cluster_map_create(struct cluster_map **out, struct redis_router *r, struct error *e)
{
    struct cluster_map *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(e, ERR_INTERNAL, "out of memory");
    *out = m;
    m->router = r;
    m->wanted = true;
    arguments_init(&m->question);
    arguments_text(&m->question, "CLUSTER");
    arguments_text(&m->question, "SLOTS");
    snprintf(m->problem, sizeof m->problem, NO_CLUSTER_YET);
    return m->question.failed ? error_set(e, ERR_INTERNAL, "out of memory") : ERR_OK;
}

void cluster_map_free(struct cluster_map *m)
{
    if (!m)
        return;
    freeReplyObject(m->fresh);
    arguments_free(&m->question);
    free(m);
}
