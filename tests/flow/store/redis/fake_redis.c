/* fake_redis.c: see fake_redis.h. */
#include "flow/store/redis/fake_redis.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_connection {
    struct fake_connection *next;
    struct fake_redis *owner;
    struct bufferevent *wire;
    redisReader *reader;
};

static void drop(struct fake_connection *c)
{
    struct fake_connection **at = &c->owner->connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    redisReaderFree(c->reader);
    bufferevent_free(c->wire);
    free(c);
}

static void hear(struct fake_redis *f, const redisReply *command)
{
    for (size_t i = 0; i < command->elements; i++) {
        const redisReply *word = command->element[i];
        f->heard = realloc(f->heard, f->heard_len + word->len + 2);
        memcpy(f->heard + f->heard_len, word->str, word->len);
        f->heard_len += word->len;
        f->heard[f->heard_len++] = i + 1 < command->elements ? ' ' : '\n';
    }
    f->heard[f->heard_len] = '\0';
}

static const char *healthy(const char *line)
{
    static const struct {
        const char *word, *reply;
    } replies[] = {
        {"ROLE", "*1\r\n$6\r\nmaster\r\n"},
        {"AUTH", "+OK\r\n"},
        {"SELECT", "+OK\r\n"},
        {"ASKING", "+OK\r\n"},
        {"PING", "+PONG\r\n"},
        {"SET", "+OK\r\n"},
        {"WAIT", ":1\r\n"},
        {"CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n"},
        {"CONFIG GET appendfsync", "*2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n"},
        {"CONFIG GET maxmemory-policy", "*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n"},
        {"EVAL", ":7\r\n"},
        {"ECHO", ":1\r\n"},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        if (strncmp(line, replies[i].word, strlen(replies[i].word)) == 0)
            return replies[i].reply;
    return "-ERR unknown command\r\n";
}

/* False when the connection is gone. */
static bool answer(struct fake_connection *c, const char *line)
{
    struct fake_redis *f = c->owner;
    for (size_t i = 0; i < f->rule_count; i++) {
        struct fake_rule *rule = &f->rules[i];
        if (rule->times == 0 || !strstr(line, rule->part))
            continue;
        rule->times -= rule->times > 0;
        int fd = bufferevent_getfd(c->wire);
        if (!rule->cut && rule->reply)
            bufferevent_write(c->wire, rule->reply, strlen(rule->reply));
        if (!rule->cut)
            return true;
        evbuffer_write(bufferevent_get_output(c->wire), fd); /* what was answered before */
        if (send(fd, rule->reply, strlen(rule->reply), MSG_NOSIGNAL) < 0)
            perror("fake_redis");
        drop(c);
        return false;
    }
    const char *reply = healthy(line);
    bufferevent_write(c->wire, reply, strlen(reply));
    return true;
}

static void on_read(struct bufferevent *wire, void *context)
{
    struct fake_connection *c = context;
    struct evbuffer *input = bufferevent_get_input(wire);
    size_t len = evbuffer_get_length(input);
    redisReaderFeed(c->reader, (const char *)evbuffer_pullup(input, -1), len);
    evbuffer_drain(input, len);
    for (void *command = NULL; redisReaderGetReply(c->reader, &command) == REDIS_OK && command;) {
        size_t start = c->owner->heard_len;
        hear(c->owner, command);
        freeReplyObject(command);
        char *line = strdup(c->owner->heard + start);
        bool there = answer(c, line);
        free(line);
        if (!there)
            return;
    }
}

static void on_event(struct bufferevent *wire, short what, void *context)
{
    (void)wire;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        drop(context);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *context)
{
    (void)listener;
    (void)from;
    (void)len;
    struct fake_redis *f = context;
    struct fake_connection *c = calloc(1, sizeof *c);
    *c = (struct fake_connection){.next = f->connections, .owner = f, .reader = redisReaderCreate()};
    f->connections = c;
    f->accepted++;
    c->wire = bufferevent_socket_new(f->base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(c->wire, on_read, NULL, on_event, c);
    bufferevent_enable(c->wire, EV_READ | EV_WRITE);
}

void fake_redis_open(struct fake_redis *f, struct event_base *base)
{
    memset(f, 0, sizeof *f);
    f->base = base;
    f->heard = calloc(1, 1);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof own;
    f->listener = evconnlistener_new_bind(base, on_accept, f, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
                                          (struct sockaddr *)&own, sizeof own);
    getsockname(evconnlistener_get_fd(f->listener), (struct sockaddr *)&own, &len);
    f->port = ntohs(own.sin_port);
    snprintf(f->address, sizeof f->address, "127.0.0.1:%d", f->port);
}

void fake_redis_close(struct fake_redis *f)
{
    while (f->connections)
        drop(f->connections);
    if (f->listener)
        evconnlistener_free(f->listener);
    free(f->heard);
    memset(f, 0, sizeof *f);
}

void fake_redis_rule(struct fake_redis *f, const char *part, const char *reply, int times)
{
    f->rules[f->rule_count++] = (struct fake_rule){.part = part, .reply = reply, .times = times};
}

void fake_redis_cut(struct fake_redis *f, const char *part, const char *reply)
{
    f->rules[f->rule_count++] = (struct fake_rule){.part = part, .reply = reply, .times = 1, .cut = true};
}

long fake_redis_position(const struct fake_redis *f, const char *part)
{
    const char *found = strstr(f->heard, part);
    return found ? (long)(found - f->heard) : -1;
}

int fake_redis_heard(const struct fake_redis *f, const char *part)
{
    int count = 0;
    for (const char *at = f->heard; (at = strstr(at, part)); at++)
        count++;
    return count;
}
