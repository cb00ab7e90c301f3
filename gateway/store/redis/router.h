/* router.h: takes commands to the Redis that serves their hash tag, and brings each reply back exactly once.
 *
 * One router serves a single Redis, a master that sentinels name, or a cluster. It connects, authenticates,
 * follows failovers and moved slots, reloads scripts, keeps deadlines, and bounds its queue. A command that
 * was surely not carried out is tried again within its deadline; one whose answer is lost is reported as
 * LOST and left to the caller, because only he can repeat it under the same operation id.
 *
 * With `wait_replicas` a durable command is answered only when that many replicas have what it wrote, and
 * also what it read: each batch ends with a write and WAIT. A WAIT that falls short makes its batch LOST.
 *
 * Loop thread only. `done` is never called inside router_send.
 */
#pragma once

#include "base/error.h"
#include "store/redis/arguments.h"
#include "store/redis/redis.h"
#include "store/redis/script.h"

struct event_base;
struct redis_router;
struct redisReply; /* hiredis */

enum redis_result {
    REDIS_REPLIED,  /* `reply` is the answer; never an error reply of the kinds that the router handles */
    REDIS_NOT_DONE, /* nothing was done: no connection, queue full, deadline passed unsent */
    REDIS_LOST,     /* it may have been done */
};

/* `reply` is borrowed for the call and NULL unless REPLIED; `problem` is a sentence unless REPLIED. */
typedef void redis_done(void *context, enum redis_result result, const struct redisReply *reply,
                        const char *problem);

struct redis_command {
    const struct redis_script *script; /* NULL: `arguments` are a whole command, its first key is words[1] */
    const char *tag;                   /* what is in braces; borrowed until router_send returns */
    struct arguments arguments;        /* taken over, also when the command fails */
    bool durable;                      /* a promise stands on it: it waits for replicas */
    redis_done *done;
    void *context;
};

struct redis_router_order {
    const struct redis_options *options; /* copied */
    struct event_base *base;
    redis_notice *notice;
    void *notice_context;
};

/* Does not connect before the loop runs. */
enum error_code redis_router_create(struct redis_router **out, const struct redis_router_order *order,
                                    struct error *e);
/* Answers everything that is under way first, at once: sent commands are LOST. Accepts NULL. */
void redis_router_free(struct redis_router *r);
void redis_router_send(struct redis_router *r, struct redis_command *command);
/* "PREFIX{TAG}:", what scripts get as their key. `out` has room for REDIS_BASE_SIZE. */
#define REDIS_BASE_SIZE 256
void redis_router_base(const struct redis_router *r, const char *tag, char out[REDIS_BASE_SIZE]);
/* Is every part of the key space served? Otherwise a sentence that says what is wrong. */
bool redis_router_ready(const struct redis_router *r, char *problem, size_t size);
size_t redis_router_pending(const struct redis_router *r); /* commands not answered yet */
