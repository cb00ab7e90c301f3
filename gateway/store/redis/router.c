/* router.c: see router.h. Takes commands, finds their node, judges replies, answers. */
#include "store/redis/router.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/redis/options.h"
#include "store/redis/router_parts.h"

#define TICK_MS  50
#define QUIET_MS 1000

int64_t router_now(void)
{
    return clock_monotonic(&clock_system);
}

void router_say(struct redis_router *r, bool is_problem, const char *event, const char *format, ...)
{
    char sentence[480];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (r->notice)
        r->notice(r->notice_context, is_problem, event, sentence);
}

void redis_router_base(const struct redis_router *r, const char *tag, char out[REDIS_BASE_SIZE])
{
    snprintf(out, REDIS_BASE_SIZE, "%s{%s}:", r->options.prefix, tag);
}

size_t redis_router_pending(const struct redis_router *r)
{
    return r->pending;
}

bool redis_router_ready(const struct redis_router *r, char *problem, size_t size)
{
    if (r->cluster)
        return cluster_map_ready(r->cluster, problem, size);
    if (r->nodes && redis_node_promises(r->nodes))
        return true;
    if (problem && size)
        snprintf(problem, size, "%s",
                 r->nodes ? redis_node_problem(r->nodes) : sentinel_watch_problem(r->sentinels));
    return false;
}

/* ---- answering ----------------------------------------------------------------------------------------- */

static void finish(struct redis_router *r, struct errand *e)
{
    r->pending--;
    e->done(e->context, e->result, e->reply, e->problem);
    freeReplyObject(e->reply);
    arguments_free(&e->arguments);
    free(e);
}

static void finish_with(struct redis_router *r, struct errand *e, enum redis_result result,
                        const char *problem)
{
    e->result = result;
    snprintf(e->problem, sizeof e->problem, "%s", problem);
    finish(r, e);
}

static void on_deliver(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct redis_router *r = data;
    for (struct errand *e; (e = errand_list_take(&r->finished));)
        finish(r, e);
}

/* In a later turn: the caller may be inside redis_router_send. */
static void finish_later(struct redis_router *r, struct errand *e, const char *problem)
{
    e->result = REDIS_NOT_DONE;
    snprintf(e->problem, sizeof e->problem, "%s", problem);
    errand_list_put(&r->finished, e);
    event_active(r->deliver, EV_TIMEOUT, 1);
}

void router_lost(struct redis_router *r, struct errand *e, const char *problem)
{
    finish_with(r, e, REDIS_LOST, problem);
}

void router_not_done(struct redis_router *r, struct errand *e, const char *problem)
{
    finish_with(r, e, REDIS_NOT_DONE, problem);
}

/* ---- routing ------------------------------------------------------------------------------------------- */

static struct redis_node *serving(const struct redis_router *r, const struct errand *e)
{
    return r->cluster ? r->slots[e->slot] : r->nodes;
}

static void route(struct redis_router *r, struct errand *e)
{
    struct redis_node *n = serving(r, e);
    if (n)
        redis_node_put(n, e);
    else
        errand_list_put(&r->resting, e);
}

void router_again(struct redis_router *r, struct errand *e)
{
    errand_list_put(&r->resting, e);
}

struct redis_node *router_node_at(struct redis_router *r, const struct endpoint *endpoint)
{
    struct redis_node **end = &r->nodes, *last = NULL;
    for (struct redis_node *n = r->nodes; n; n = redis_node_next(n)) {
        if (endpoint_equal(redis_node_endpoint(n), endpoint))
            return n;
        last = n;
    }
    struct redis_node *fresh = redis_node_create(r, endpoint);
    if (fresh && last)
        redis_node_set_next(last, fresh);
    else if (fresh)
        *end = fresh;
    return fresh;
}

void router_set_master(struct redis_router *r, const struct endpoint *endpoint)
{
    struct redis_node *old = r->nodes;
    if (old && endpoint_equal(redis_node_endpoint(old), endpoint))
        return;
    struct redis_node *fresh = redis_node_create(r, endpoint);
    if (!fresh)
        return;
    char place[ENDPOINT_TEXT_SIZE];
    r->nodes = fresh;
    if (old)
        router_say(r, true, "store.failover", "the sentinels name another master of %s: %s",
                   r->options.master, endpoint_text(endpoint, place));
    redis_node_free(old);
}

void redis_router_send(struct redis_router *r, struct redis_command *command)
{
    struct errand *e = calloc(1, sizeof *e);
    if (!e) {
        fputs("store: out of memory; there is none left even to refuse a request\n", stderr);
        abort();
    }
    e->router = r;
    e->script = command->script;
    e->arguments = command->arguments;
    e->durable = command->durable;
    e->done = command->done;
    e->context = command->context;
    e->deadline = router_now() + r->options.command_deadline;
    arguments_init(&command->arguments);
    redis_router_base(r, command->tag, e->base);
    e->slot = cluster_slot(e->base);
    r->pending++;
    if (e->arguments.failed)
        finish_later(r, e, "the command is too large for Redis");
    else if (r->closing)
        finish_later(r, e, "the store is being closed");
    else if (r->pending > (size_t)r->options.queue_length)
        finish_later(r, e, "Redis has too much to do: its queue is full");
    else
        route(r, e);
}

/* ---- replies ------------------------------------------------------------------------------------------- */

enum complaint {
    NONE,       /* an answer, or an error that is the caller's to judge */
    NO_SCRIPT,  /* send the text */
    MOVED,      /* another node serves the slot */
    ASK,        /* another node has this key already */
    LATER,      /* not now: try again */
    NOT_MASTER, /* the master is elsewhere */
};

static enum complaint judge(const redisReply *reply)
{
    static const struct {
        const char *word;
        enum complaint complaint;
    } words[] = {
        {"NOSCRIPT", NO_SCRIPT}, {"MOVED ", MOVED},        {"ASK ", ASK},         {"TRYAGAIN", LATER},
        {"CLUSTERDOWN", LATER},  {"LOADING", LATER},       {"MASTERDOWN", LATER}, {"BUSY ", LATER},
        {"NOREPLICAS", LATER},   {"READONLY", NOT_MASTER},
    };
    if (reply->type != REDIS_REPLY_ERROR)
        return NONE;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(reply->str, words[i].word, strlen(words[i].word)) == 0)
            return words[i].complaint;
    return NONE;
}

/* "MOVED 3999 127.0.0.1:6381"; an empty host means the one that said it. */
static struct redis_node *named_node(struct redis_router *r, const struct errand *e, const char *text)
{
    const char *place = strrchr(text, ' ');
    struct endpoint endpoint;
    if (!place || !place[1])
        return NULL;
    char full[ENDPOINT_TEXT_SIZE];
    if (place[1] == ':')
        snprintf(full, sizeof full, "%s%s", redis_node_endpoint(e->node)->host, place + 1);
    else
        snprintf(full, sizeof full, "%s", place + 1);
    char *colon = strrchr(full, ':'); /* IPv6 comes without brackets here */
    if (!colon)
        return NULL;
    *colon = '\0';
    endpoint = (struct endpoint){.port = (int)strtol(colon + 1, NULL, 10)};
    snprintf(endpoint.host, sizeof endpoint.host, "%.255s", full);
    return router_node_at(r, &endpoint);
}

static void redirect(struct redis_router *r, struct errand *e, const char *text, bool moved)
{
    struct redis_node *n = named_node(r, e, text);
    if (moved && n) {
        redis_node_mark(n, true);
        r->slots[e->slot] = n;
    }
    if (moved)
        cluster_map_refresh(r->cluster);
    e->asking = !moved;
    if (n)
        redis_node_put(n, e);
    else
        router_again(r, e);
}

void router_replied(struct redis_router *r, struct errand *e, redisReply *reply)
{
    enum complaint complaint = judge(reply);
    if (complaint == NONE) {
        e->reply = reply;
        finish_with(r, e, REDIS_REPLIED, "");
        return;
    }
    if (e->deadline <= router_now())
        finish_with(r, e, REDIS_NOT_DONE, reply->str);
    else if (complaint == NO_SCRIPT && !e->whole) {
        e->whole = true;
        redis_node_put(e->node, e);
    } else if ((complaint == MOVED || complaint == ASK) && r->cluster)
        redirect(r, e, reply->str, complaint == MOVED);
    else {
        if (complaint == NOT_MASTER)
            redis_node_doubt(e->node, "it has become a replica");
        router_again(r, e);
    }
    freeReplyObject(reply);
}

/* ---- nodes come and go --------------------------------------------------------------------------------- */

static bool only_begins(const struct redis_router *r, const char *problem)
{
    return router_now() < r->quiet_until &&
           (strcmp(problem, NO_CONNECTION_YET) == 0 || strcmp(problem, NO_SENTINEL_YET) == 0 ||
            strcmp(problem, NO_CLUSTER_YET) == 0);
}

static void note_readiness(struct redis_router *r)
{
    char problem[240] = "";
    bool ready = redis_router_ready(r, problem, sizeof problem);
    if (ready == r->was_ready && (ready || strcmp(problem, r->problem) == 0))
        return;
    if (!ready && only_begins(r, problem))
        return;
    if (ready)
        router_say(r, false, "store.connected", "the store in Redis can be used");
    else if (*problem && !r->closing)
        router_say(r, true, "store.unreachable", "the store cannot be used: %s", problem);
    r->was_ready = ready;
    snprintf(r->problem, sizeof r->problem, "%s", problem);
}

void router_node_opened(struct redis_router *r, struct redis_node *n, bool first)
{
    if (first)
        durability_ask(r, n);
    if (r->cluster)
        cluster_map_refresh(r->cluster);
    note_readiness(r);
}

void router_node_closed(struct redis_router *r)
{
    if (r->cluster)
        cluster_map_refresh(r->cluster);
    note_readiness(r);
}

static void send_rested(struct redis_router *r)
{
    struct errand_list rested;
    errand_list_init(&rested);
    while (r->resting.first)
        errand_list_put(&rested, errand_list_take(&r->resting));
    for (struct errand *e; (e = errand_list_take(&rested));) {
        char problem[240] = "no Redis serves this key";
        if (e->deadline > router_now()) {
            route(r, e);
            continue;
        }
        redis_router_ready(r, problem, sizeof problem);
        router_not_done(r, e, problem);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct redis_router *r = data;
    if (r->cluster)
        cluster_map_tick(r->cluster);
    for (struct redis_node *n = r->nodes; n; n = redis_node_next(n))
        redis_node_tick(n);
    send_rested(r);
    note_readiness(r);
}

/* ---- making -------------------------------------------------------------------------------------------- */

static struct evdns_base *open_names(struct event_base *base)
{
    struct evdns_base *names = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!names)
        return NULL;
    /* Without a resolv.conf numbers and the hosts file still work. */
    evdns_base_resolv_conf_parse(names, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    return names;
}

static void share_link_options(struct redis_router *r)
{
    const struct redis_options *o = &r->options;
    r->links = (struct link_options){.base = r->base,
                                     .names = r->names,
                                     .tls = r->tls,
                                     .tls_server_name = o->tls_server_name,
                                     .user = o->user,
                                     .password = o->password,
                                     .database = o->topology == REDIS_CLUSTER ? 0 : o->database,
                                     .only_masters = o->topology != REDIS_CLUSTER,
                                     .connect_deadline = o->connect_deadline,
                                     .command_deadline = o->command_deadline};
}

static enum error_code open_topology(struct redis_router *r, struct error *e)
{
    struct endpoint endpoint;
    switch (r->options.topology) {
    case REDIS_SENTINEL:
        return sentinel_watch_create(&r->sentinels, r, e);
    case REDIS_CLUSTER:
        return cluster_map_create(&r->cluster, r, e);
    case REDIS_SINGLE:
        break;
    }
    endpoint_parse(&endpoint, r->options.addresses[0], 6379);
    r->nodes = redis_node_create(r, &endpoint);
    return r->nodes ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
}

static enum error_code open_events(struct redis_router *r, struct error *e)
{
    struct timeval period = {.tv_usec = TICK_MS * 1000};
    r->deliver = evtimer_new(r->base, on_deliver, r);
    r->tick = event_new(r->base, -1, EV_PERSIST, on_tick, r);
    r->names = open_names(r->base);
    if (!r->deliver || !r->tick || !r->names || event_add(r->tick, &period) != 0)
        return error_set(e, ERR_INTERNAL, "out of memory");
    return ERR_OK;
}

enum error_code redis_router_create(struct redis_router **out, const struct redis_router_order *order,
                                    struct error *e)
{
    *out = NULL;
    struct redis_router *r = calloc(1, sizeof *r);
    if (!r)
        return error_set(e, ERR_INTERNAL, "out of memory");
    r->base = order->base;
    r->quiet_until = router_now() + QUIET_MS;
    r->notice = order->notice;
    r->notice_context = order->notice_context;
    errand_list_init(&r->resting);
    errand_list_init(&r->finished);
    enum error_code code = redis_options_copy(&r->options, order->options, e);
    if (code == ERR_OK)
        code = redis_options_tls(&r->options, &r->tls, e);
    if (code == ERR_OK)
        code = open_events(r, e);
    if (code == ERR_OK) {
        share_link_options(r);
        code = open_topology(r, e);
    }
    if (code != ERR_OK) {
        redis_router_free(r);
        return code;
    }
    *out = r;
    return ERR_OK;
}

/* Nodes hand back what they have: sent errands are lost, the others rest, and are refused here. */
static void free_nodes(struct redis_router *r)
{
    for (struct redis_node *next, *n = r->nodes; n; n = next) {
        next = redis_node_next(n);
        redis_node_free(n);
    }
    r->nodes = NULL;
    for (struct errand *e; (e = errand_list_take(&r->resting));)
        router_not_done(r, e, "the store is being closed");
    for (struct errand *e; (e = errand_list_take(&r->finished));)
        finish(r, e);
}

void redis_router_free(struct redis_router *r)
{
    if (!r)
        return;
    r->closing = true;
    free_nodes(r);
    sentinel_watch_free(r->sentinels);
    cluster_map_free(r->cluster);
    if (r->tick)
        event_free(r->tick);
    if (r->deliver)
        event_free(r->deliver);
    if (r->names)
        evdns_base_free(r->names, 0);
    SSL_CTX_free(r->tls);
    redis_options_free(&r->options);
    free(r);
}
