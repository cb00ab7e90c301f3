/* link.h: one connection to one Redis: connect, TLS, AUTH, SELECT; then commands in order, pipelined.
 *
 * libevent carries the bytes (plain, unix and TLS alike), hiredis formats and reads RESP. Every command has a
 * deadline; one that passes ends the link, because what comes later on it cannot be told apart from what was
 * given up. A link is used once: after `closed` its owner frees it and makes another.
 *
 * Loop thread only. No callback is called inside redis_link_open, redis_link_send or redis_link_close. A link may be freed in its
 * own `closed`, and outside of its callbacks.
 */
#pragma once

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <openssl/ssl.h>

#include "base/bytes.h"
#include "store/redis/arguments.h"
#include "store/redis/endpoint.h"

struct evdns_base;
struct redis_link;

/* What all links of a store share; borrowed for as long as there are links. */
struct link_options {
    struct event_base *base;
    struct evdns_base *names;
    SSL_CTX *tls;                /* NULL: plain */
    const char *tls_server_name; /* NULL: the endpoint's host */
    const char *user;            /* NULL: the default one */
    struct bytes password;       /* empty: no AUTH */
    int database;
    bool only_masters;                          /* a Redis that says it is a replica is refused */
    int64_t connect_deadline, command_deadline; /* ms */
};

/* `reply` is given away (freeReplyObject). NULL: the link ended before it came; it may have been carried out. */
typedef void link_reply(void *context, redisReply *reply);
typedef void link_opened(void *context);
typedef void link_closed(void *context, const char *problem);

/* NULL when out of memory. */
struct redis_link *redis_link_open(const struct link_options *options, const struct endpoint *endpoint,
                                   link_opened *opened, link_closed *closed, void *context);
bool redis_link_is_open(const struct redis_link *l);
/* Only while it is open. The words of `head` (may be NULL) and `tail` make one command. `patience` is added to
 * the deadline: for commands that Redis itself holds back. */
void redis_link_send(struct redis_link *l, const struct arguments *head, const struct arguments *tail,
                     int64_t patience, link_reply *done, void *context);
size_t redis_link_expected(const struct redis_link *l);     /* replies that are out */
const char *redis_link_problem(const struct redis_link *l); /* why it ended; "" before */
/* Ends it: replies that are out are answered with NULL, then `closed` is called, both in a later turn. */
void redis_link_close(struct redis_link *l, const char *problem);
/* Answers every reply that is out with NULL, at once. After redis_link_close, before redis_link_free. */
void redis_link_forget(struct redis_link *l);
void redis_link_free(struct redis_link *l); /* no callback any more; accepts NULL */
