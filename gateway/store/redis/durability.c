/* durability.c: what a Redis' own settings make of our promises, in one sentence each for its administrator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/router_parts.h"

struct inquiry {
    struct redis_router *router;
    char place[ENDPOINT_TEXT_SIZE];
    bool refused;
};

static const char *const questions[] = {"appendonly", "appendfsync", "maxmemory-policy"};
#define QUESTIONS (sizeof questions / sizeof *questions)

static void judge(const struct inquiry *q, const char *name, const char *value)
{
    if (strcmp(name, "appendonly") == 0 && strcmp(value, "no") == 0)
        router_say(
            q->router, true, "store.weak",
            "Redis at %s keeps no append-only file (appendonly no): a crash makes it forget challenges that "
            "were used and requests that were accepted since its last snapshot; set appendonly yes and "
            "appendfsync always",
            q->place);
    else if (strcmp(name, "appendfsync") == 0 && strcmp(value, "always") != 0)
        router_say(
            q->router, true, "store.weak",
            "Redis at %s does not flush its append-only file before it answers (appendfsync %s): a crash can "
            "make it forget challenges that were used and requests that were accepted in the last moments; "
            "set appendfsync always",
            q->place, value);
    else if (strcmp(name, "maxmemory-policy") == 0 && strcmp(value, "noeviction") != 0)
        router_say(
            q->router, true, "store.weak",
            "Redis at %s throws keys away when its memory is full (maxmemory-policy %s): it can forget "
            "challenges that were used and requests that were accepted; set maxmemory-policy noeviction",
            q->place, value);
}

/* [name, value] */
static void answered(void *context, redisReply *reply)
{
    struct inquiry *q = context;
    bool told = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->str &&
                reply->element[1]->str;
    if (told)
        judge(q, reply->element[0]->str, reply->element[1]->str);
    else if (reply)
        q->refused = true;
    freeReplyObject(reply);
}

/* The last reply ends the inquiry. */
static void concluded(void *context, redisReply *reply)
{
    struct inquiry *q = context;
    answered(q, reply);
    if (q->refused)
        router_say(q->router, true, "store.weak",
                   "Redis at %s does not tell whether it keeps what it promised over a crash (CONFIG GET is "
                   "refused): "
                   "make sure of appendonly yes, appendfsync always and maxmemory-policy noeviction",
                   q->place);
    free(q);
}

/* appendfsync says nothing without an append-only file, but both are worth setting. */
void durability_ask(struct redis_router *r, struct redis_node *n)
{
    struct inquiry *q = calloc(1, sizeof *q);
    if (!q)
        return;
    q->router = r;
    endpoint_text(redis_node_endpoint(n), q->place);
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct arguments command;
        arguments_init(&command);
        arguments_text(&command, "CONFIG");
        arguments_text(&command, "GET");
        arguments_text(&command, questions[i]);
        redis_link_send(redis_node_link(n), NULL, &command, 0, i + 1 < QUESTIONS ? answered : concluded, q);
        arguments_free(&command);
    }
    if (r->options.topology == REDIS_SENTINEL && r->options.wait_replicas == 0)
        router_say(
            r, true, "store.weak",
            "a failover can make Redis forget what its master had not yet sent to a replica: challenges that "
            "were used, requests that were accepted; set store.wait_replicas: 1");
}
