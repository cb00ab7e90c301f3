/* sentinel.c: asks the sentinels, again and again, who the master is.
 *
 * All of them are asked, and the answer with the newest configuration epoch counts: one that was cut off from
 * the others does not lead us back to a master that they have replaced. That the named Redis is a master is
 * checked when its link opens (link.h).
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/router_parts.h"

#define PERIOD_MS    500
#define DEFAULT_PORT 26379

struct sentinel {
    struct sentinel_watch *watch;
    struct endpoint endpoint;
    struct redis_link *link;
    bool asked;
    bool knows;
    long long epoch;
    struct endpoint master;
};

struct sentinel_watch {
    struct redis_router *router;
    struct link_options links;
    struct event *timer;
    struct arguments question;
    struct sentinel *sentinels;
    size_t count;
    char problem[240];
};

const char *sentinel_watch_problem(const struct sentinel_watch *w)
{
    return w->problem;
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static void choose(struct sentinel_watch *w)
{
    const struct sentinel *best = NULL;
    for (size_t i = 0; i < w->count; i++)
        if (w->sentinels[i].knows && (!best || w->sentinels[i].epoch > best->epoch))
            best = &w->sentinels[i];
    if (best)
        router_set_master(w->router, &best->master);
}

/* Names and values in turn. */
static const char *member(const redisReply *reply, const char *name)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *key = reply->element[i], *value = reply->element[i + 1];
        if (key->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
            strcmp(key->str, name) == 0)
            return value->str;
    }
    return "";
}

static void read_answer(struct sentinel *s, const redisReply *reply)
{
    struct sentinel_watch *w = s->watch;
    s->knows = false;
    if (reply->type != REDIS_REPLY_ARRAY) {
        snprintf(w->problem, sizeof w->problem, "a sentinel knows no master %.80s: %.100s",
                 w->router->options.master, reply->str ? reply->str : "odd reply");
        return;
    }
    long port = strtol(member(reply, "port"), NULL, 10);
    if (port < 1 || port > 65535 || !*member(reply, "ip"))
        return;
    s->knows = true;
    s->epoch = strtoll(member(reply, "config-epoch"), NULL, 10);
    s->master = (struct endpoint){.port = (int)port};
    snprintf(s->master.host, sizeof s->master.host, "%.255s", member(reply, "ip"));
}

static void answered(void *context, redisReply *reply)
{
    struct sentinel *s = context;
    s->asked = false;
    if (!reply)
        return;
    read_answer(s, reply);
    freeReplyObject(reply);
    choose(s->watch);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

static void ask(struct sentinel *s)
{
    if (s->asked)
        return;
    s->asked = true;
    redis_link_send(s->link, NULL, &s->watch->question, 0, answered, s);
}

static void opened(void *context)
{
    ask(context);
}

static void closed(void *context, const char *problem)
{
    struct sentinel *s = context;
    snprintf(s->watch->problem, sizeof s->watch->problem, "no sentinel answers: %.200s", problem);
    redis_link_free(s->link);
    s->link = NULL;
    s->knows = false;
}

static void on_period(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct sentinel_watch *w = data;
    for (size_t i = 0; i < w->count; i++) {
        struct sentinel *s = &w->sentinels[i];
        if (!s->link)
            s->link = redis_link_open(&w->links, &s->endpoint, opened, closed, s);
        else if (redis_link_is_open(s->link))
            ask(s);
    }
}

/* ---- making -------------------------------------------------------------------------------------------- */

static bool prepare(struct sentinel_watch *w)
{
    const struct redis_options *o = &w->router->options;
    arguments_init(&w->question);
    arguments_text(&w->question, "SENTINEL");
    arguments_text(&w->question, "MASTER");
    arguments_text(&w->question, o->master);
    w->sentinels = calloc(o->address_count, sizeof *w->sentinels);
    w->timer = event_new(w->router->base, -1, EV_PERSIST, on_period, w);
    if (!w->sentinels || !w->timer || w->question.failed)
        return false;
    w->count = o->address_count;
    for (size_t i = 0; i < w->count; i++) {
        w->sentinels[i].watch = w;
        endpoint_parse(&w->sentinels[i].endpoint, o->addresses[i], DEFAULT_PORT);
    }
    struct timeval period = {.tv_usec = PERIOD_MS * 1000};
    return event_add(w->timer, &period) == 0;
}

enum error_code sentinel_watch_create(struct sentinel_watch **out, struct redis_router *r, struct error *e)
{
    struct sentinel_watch *w = calloc(1, sizeof *w);
    if (!w)
        return error_set(e, ERR_INTERNAL, "out of memory");
    *out = w;
    w->router = r;
    w->links = r->links;
    w->links.user = r->options.sentinel_user;
    w->links.password = r->options.sentinel_password;
    w->links.database = 0;
    w->links.only_masters = false;
    snprintf(w->problem, sizeof w->problem, NO_SENTINEL_YET);
    if (!prepare(w))
        return error_set(e, ERR_INTERNAL, "out of memory");
    event_active(w->timer, EV_TIMEOUT, 1);
    return ERR_OK;
}

void sentinel_watch_free(struct sentinel_watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->count; i++)
        redis_link_free(w->sentinels[i].link);
    if (w->timer)
        event_free(w->timer);
    arguments_free(&w->question);
    free(w->sentinels);
    free(w);
}
