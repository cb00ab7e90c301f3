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

/* Redis 7.0 reads its append-only file back with the rights of its default user, and drops every transaction
 * that this user may not carry out: all that our scripts wrote, when somebody has switched him off with nothing
 * but "user default off". Older ones, which have no DRYRUN, do not. */
static void judge_default_user(struct inquiry *q, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING)
        router_say(q->router, true, "store.weak",
                   "Redis at %s forgets what it promised when it starts again: it reads its append-only file "
                   "back with the rights of its default user, who may not write (%.120s); set user default "
                   "off ~* &* +@all",
                   q->place, reply->str);
    else if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) == 0)
        q->refused = true;
}

/* The last reply ends the inquiry. */
static void concluded(void *context, redisReply *reply)
{
    struct inquiry *q = context;
    if (reply)
        judge_default_user(q, reply);
    if (q->refused)
        router_say(q->router, true, "store.weak",
                   "Redis at %s does not tell whether it keeps what it promised over a crash (CONFIG GET or "
                   "ACL DRYRUN is refused): make sure of appendonly yes, appendfsync always, "
                   "maxmemory-policy noeviction and a default user with ~* &* +@all",
                   q->place);
    freeReplyObject(reply);
    free(q);
}

static void ask(struct inquiry *q, struct redis_node *n, const char *const words[], link_reply *done)
{
    struct arguments command;
    arguments_init(&command);
    for (size_t i = 0; words[i]; i++)
        arguments_text(&command, words[i]);
    redis_link_send(redis_node_link(n), NULL, &command, 0, done, q);
    arguments_free(&command);
}

/* appendfsync says nothing without an append-only file, but both are worth setting. */
void durability_ask(struct redis_router *r, struct redis_node *n)
{
    struct inquiry *q = calloc(1, sizeof *q);
    if (!q)
        return;
    q->router = r;
    endpoint_text(redis_node_endpoint(n), q->place);
    for (size_t i = 0; i < QUESTIONS; i++)
        ask(q, n, (const char *const[]){"CONFIG", "GET", questions[i], NULL}, answered);
    char key[REDIS_BASE_SIZE];
    redis_router_base(r, "i:store", key);
    ask(q, n, (const char *const[]){"ACL", "DRYRUN", "default", "SET", key, "1", NULL}, concluded);
    if (r->options.topology == REDIS_SENTINEL && r->options.wait_replicas == 0)
        router_say(
            r, true, "store.weak",
            "a failover can make Redis forget what its master had not yet sent to a replica: challenges that "
            "were used, requests that were accepted; set store.wait_replicas: 1");
}
