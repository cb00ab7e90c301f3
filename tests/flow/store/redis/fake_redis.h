/* fake_redis.h: a Redis, sentinel or cluster node in the same loop that answers as the test says, and can cut
 * a connection in mid-reply. Speaks RESP to any number of links on a free loopback port.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#define FAKE_RULES 16

/* What answers a command whose words, with spaces between them, contain `part`: the bytes of `reply`; NULL:
 * nothing, ever. */
struct fake_rule {
    const char *part;
    const char *reply;
    int times; /* < 0: always */
    bool cut;  /* the connection ends after it */
};

struct fake_redis {
    struct event_base *base;
    struct evconnlistener *listener;
    struct fake_connection *connections;
    int port;
    char address[32];                   /* "127.0.0.1:PORT" */
    struct fake_rule rules[FAKE_RULES]; /* the first that fits; then what a healthy master says */
    size_t rule_count;
    char *heard; /* all commands, a line each */
    size_t heard_len;
    int accepted;
};

void fake_redis_open(struct fake_redis *f, struct event_base *base);
void fake_redis_close(struct fake_redis *f);
void fake_redis_rule(struct fake_redis *f, const char *part, const char *reply, int times);
void fake_redis_cut(struct fake_redis *f, const char *part, const char *reply);
int fake_redis_heard(const struct fake_redis *f, const char *part); /* how often, in all that it heard */
/* Where in what it heard; -1 when nowhere. */
long fake_redis_position(const struct fake_redis *f, const char *part);
