/* exchange.h: a request between evhttp and its handler: the public part, and what the reply needs.
 * Room-internal, loop thread. */
#pragma once

#include "http/connection.h"
#include "http/listener.h"

struct exchange {
    struct http_exchange x;         /* first, so that a public pointer leads back here */
    struct http_listener *listener; /* NULL after http_listener_free */
    struct evhttp_request *request;
    struct connection *connection; /* NULL when it is gone */
    bool close;                    /* after the reply */
    char *target;                  /* own copies of what `x` points to */
    char *path;
    char *host;
    char client[64], address[64]; /* taken over from a connection that is gone */
    LIST_ENTRY(exchange) link;
};

LIST_HEAD(exchanges, exchange);

/* NULL when out of memory. */
struct exchange *exchange_create(struct evhttp_request *request, struct connection *c);
void exchange_lost_connection(struct exchange *x);
/* Keeps the request for its handler although evhttp goes; its reply will go nowhere. */
void exchange_orphan(struct exchange *x);
void exchange_free(struct exchange *x); /* not the request */
/* 0, or the status with which a request is refused whose framing two parties could read differently. */
int exchange_framing_problem(struct evhttp_request *request);
/* evhttp reads chunk sizes that others refuse ("+5", "0x5"): what came in chunks is the last request of its
 * connection, so that nothing behind it can be taken for one. */
bool exchange_is_chunked(struct evhttp_request *request);
/* A method without a body was sent with one: evhttp did not read it. */
bool exchange_unread_body(struct evhttp_request *request);
