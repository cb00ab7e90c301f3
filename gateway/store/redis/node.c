/* node.c: see node.h. */
#include "store/redis/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/redis/router_parts.h"

#define BACKOFF_FIRST 100 /* ms */
#define BACKOFF_MAX   5000
#define SIGN_OF_LIFE  1000 /* ms of silence before a PING */
#define BATCH_MAX     256
#define FENCE_LIFE    "60000" /* ms */

struct batch {
    struct errand_list held; /* durable, replied */
    bool open;
    bool fenced;
};

struct redis_node {
    struct redis_router *router;
    struct redis_node *next;
    struct endpoint endpoint;
    struct redis_link *link; /* NULL while it rests */
    struct event *again;
    int64_t backoff;
    struct errand_list waiting;
    struct batch batch;
    char fence_base[REDIS_BASE_SIZE]; /* of the newest fence */
    bool unconfirmed;                 /* by too few replicas, as far as the newest WAIT knows */
    int64_t last_sent, last_fenced;
    bool opened_before;
    bool marked;
    char problem[240];
};

bool redis_node_ready(const struct redis_node *n)
{
    return n->link && redis_link_is_open(n->link);
}

bool redis_node_promises(const struct redis_node *n)
{
    return redis_node_ready(n) && !n->unconfirmed;
}

const char *redis_node_problem(const struct redis_node *n)
{
    return n->problem;
}

const struct endpoint *redis_node_endpoint(const struct redis_node *n)
{
    return &n->endpoint;
}

struct redis_link *redis_node_link(const struct redis_node *n)
{
    return n->link;
}

struct redis_node *redis_node_next(const struct redis_node *n)
{
    return n->next;
}

void redis_node_set_next(struct redis_node *n, struct redis_node *next)
{
    n->next = next;
}

bool redis_node_marked(const struct redis_node *n)
{
    return n->marked;
}

void redis_node_mark(struct redis_node *n, bool marked)
{
    n->marked = marked;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

static void flush(struct redis_node *n);

static void settle_held(struct redis_node *n, const char *problem)
{
    struct errand_list held = n->batch.held;
    if (!held.first)
        held.last = &held.first;
    errand_list_init(&n->batch.held);
    n->batch.open = false;
    for (struct errand *e; (e = errand_list_take(&held));) {
        redisReply *reply = e->reply;
        e->reply = NULL;
        if (problem) {
            freeReplyObject(reply);
            router_lost(n->router, e, problem);
        } else {
            router_replied(n->router, e, reply);
        }
    }
}

static void fence_set(void *context, redisReply *reply)
{
    struct redis_node *n = context;
    n->batch.fenced = reply && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
}

static void replicas_told(void *context, redisReply *reply)
{
    struct redis_node *n = context;
    const struct redis_options *o = &n->router->options;
    char problem[160] = "";
    if (!reply)
        snprintf(problem, sizeof problem, "%.150s", redis_link_problem(n->link));
    else if (reply->type != REDIS_REPLY_INTEGER)
        snprintf(problem, sizeof problem, "WAIT failed: %.120s", reply->str ? reply->str : "odd reply");
    else if (reply->integer < o->wait_replicas)
        snprintf(problem, sizeof problem, "only %lld of %d replicas confirmed within %lld ms", reply->integer,
                 o->wait_replicas, (long long)o->wait_deadline);
    else if (!n->batch.fenced)
        snprintf(problem, sizeof problem, "Redis did not take the write that replicas were to confirm");
    freeReplyObject(reply);
    n->unconfirmed = *problem;
    if (n->unconfirmed)
        snprintf(n->problem, sizeof n->problem, "%s", problem);
    settle_held(n, *problem ? problem : NULL);
    flush(n);
}

static void send_fence(struct redis_node *n, const char *base)
{
    const struct redis_options *o = &n->router->options;
    char key[REDIS_BASE_SIZE + 8];
    struct arguments fence, wait;
    snprintf(key, sizeof key, "%sfence", base);
    arguments_init(&fence);
    arguments_text(&fence, "SET");
    arguments_text(&fence, key);
    arguments_text(&fence, "1");
    arguments_text(&fence, "PX");
    arguments_text(&fence, FENCE_LIFE);
    arguments_init(&wait);
    arguments_text(&wait, "WAIT");
    arguments_number(&wait, o->wait_replicas);
    arguments_number(&wait, o->wait_deadline);
    n->batch.open = true;
    n->batch.fenced = false;
    if (base != n->fence_base)
        snprintf(n->fence_base, sizeof n->fence_base, "%s", base);
    n->last_sent = n->last_fenced = router_now();
    redis_link_send(n->link, NULL, &fence, 0, fence_set, n);
    redis_link_send(n->link, NULL, &wait, o->wait_deadline, replicas_told, n);
    arguments_free(&fence);
    arguments_free(&wait);
}

/* ---- sending ------------------------------------------------------------------------------------------- */

static void answered(void *context, redisReply *reply)
{
    struct errand *e = context;
    struct redis_node *n = e->node;
    if (!reply) {
        router_lost(n->router, e, redis_link_problem(n->link));
    } else if (n->batch.open && e->durable) {
        e->reply = reply;
        errand_list_put(&n->batch.held, e);
    } else {
        router_replied(n->router, e, reply);
    }
}

static void ignored(void *context, redisReply *reply)
{
    (void)context;
    freeReplyObject(reply);
}

static void send_words(struct redis_node *n, const char *word)
{
    struct arguments command;
    arguments_init(&command);
    arguments_text(&command, word);
    redis_link_send(n->link, NULL, &command, 0, ignored, NULL);
    arguments_free(&command);
    n->last_sent = router_now();
}

static void send_errand(struct redis_node *n, struct errand *e)
{
    struct arguments head;
    arguments_init(&head);
    if (e->asking)
        send_words(n, "ASKING");
    if (e->script) {
        arguments_text(&head, e->whole ? "EVAL" : "EVALSHA");
        if (e->whole)
            arguments_bytes(&head, bytes_of(e->script->text, e->script->len));
        else
            arguments_text(&head, e->script->sha1);
        arguments_text(&head, "1");
        arguments_text(&head, e->base);
    }
    e->asking = false;
    redis_link_send(n->link, &head, &e->arguments, 0, answered, e);
    arguments_free(&head);
    n->last_sent = router_now();
}

static void flush(struct redis_node *n)
{
    bool waits = n->router->options.wait_replicas > 0;
    char base[REDIS_BASE_SIZE] = "";
    for (size_t sent = 0; n->waiting.first && redis_node_ready(n) && !n->batch.open; sent++) {
        if (waits && sent == BATCH_MAX)
            break;
        struct errand *e = errand_list_take(&n->waiting);
        if (e->durable)
            memcpy(base, e->base, sizeof base);
        send_errand(n, e);
    }
    if (waits && *base && redis_node_ready(n))
        send_fence(n, base);
}

void redis_node_put(struct redis_node *n, struct errand *e)
{
    e->node = n;
    errand_list_put(&n->waiting, e);
    flush(n);
}

/* ---- its life ------------------------------------------------------------------------------------------ */

static void connect_link(struct redis_node *n);

static int64_t jittered(int64_t delay)
{
    uint32_t chance = 0;
    (void)secret_random(&chance, sizeof chance); /* without it, just no jitter */
    return delay - (int64_t)(chance % (uint32_t)(delay / 2));
}

static void rest(struct redis_node *n)
{
    int64_t delay = jittered(n->backoff);
    struct timeval wait = {.tv_sec = delay / 1000, .tv_usec = delay % 1000 * 1000};
    n->backoff = n->backoff * 2 > BACKOFF_MAX ? BACKOFF_MAX : n->backoff * 2;
    evtimer_add(n->again, &wait);
}

static void opened(void *context)
{
    struct redis_node *n = context;
    n->backoff = BACKOFF_FIRST;
    n->problem[0] = '\0';
    n->unconfirmed = false;
    router_node_opened(n->router, n, !n->opened_before);
    n->opened_before = true;
    flush(n);
}

static void closed(void *context, const char *problem)
{
    struct redis_node *n = context;
    snprintf(n->problem, sizeof n->problem, "%s", problem);
    settle_held(n, n->problem);
    redis_link_free(n->link);
    n->link = NULL;
    rest(n);
    router_node_closed(n->router);
}

static void on_again(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    connect_link(data);
}

static void connect_link(struct redis_node *n)
{
    n->link = redis_link_open(&n->router->links, &n->endpoint, opened, closed, n);
    if (!n->link)
        rest(n);
}

struct redis_node *redis_node_create(struct redis_router *router, const struct endpoint *endpoint)
{
    struct redis_node *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->router = router;
    n->endpoint = *endpoint;
    n->backoff = BACKOFF_FIRST;
    errand_list_init(&n->waiting);
    errand_list_init(&n->batch.held);
    snprintf(n->problem, sizeof n->problem, NO_CONNECTION_YET);
    n->again = evtimer_new(router->base, on_again, n);
    if (!n->again) {
        free(n);
        return NULL;
    }
    connect_link(n);
    return n;
}

void redis_node_doubt(struct redis_node *n, const char *problem)
{
    if (n->link)
        redis_link_close(n->link, problem);
}

void redis_node_free(struct redis_node *n)
{
    if (!n)
        return;
    if (n->link) {
        redis_link_close(n->link, "the gateway uses another one now");
        redis_link_forget(n->link);
    }
    settle_held(n, "the gateway uses another Redis now");
    for (struct errand *e; (e = errand_list_take(&n->waiting));)
        router_again(n->router, e);
    redis_link_free(n->link);
    event_free(n->again);
    free(n);
}

/* ---- time ---------------------------------------------------------------------------------------------- */

static void drop_overdue(struct redis_node *n)
{
    int64_t now = router_now();
    struct errand_list kept;
    errand_list_init(&kept);
    for (struct errand *e; (e = errand_list_take(&n->waiting));) {
        if (e->deadline > now)
            errand_list_put(&kept, e);
        else
            router_not_done(n->router, e, *n->problem ? n->problem : "Redis has too much to do");
    }
    while (kept.first)
        errand_list_put(&n->waiting, errand_list_take(&kept));
}

void redis_node_tick(struct redis_node *n)
{
    if (n->waiting.first)
        drop_overdue(n);
    if (!redis_node_ready(n))
        return;
    /* Do the replicas confirm again? What promises nothing goes on meanwhile, and does not ask them. */
    if (n->unconfirmed && !n->batch.open && router_now() - n->last_fenced >= SIGN_OF_LIFE)
        send_fence(n, n->fence_base);
    else if (redis_link_expected(n->link) == 0 && router_now() - n->last_sent >= SIGN_OF_LIFE)
        send_words(n, "PING");
}
