/* connection.h: one accepted connection under its caps and deadlines, and the set of them. Room-internal,
 * loop thread.
 *
 * evhttp makes the connection (evhttp_set_bevcb) around a bufferevent of ours; a callback on its input looks
 * at every request head before evhttp parses it. Not a filter bufferevent: evhttp takes what a filter passed
 * on for sent, and cuts the reply short. What must not happen inside a callback of libevent's is done one
 * step later, by `wake`.
 */
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sys/queue.h>

#include "http/head.h"
#include "http/sources.h"
#include "metrics/metrics.h"
#include "settings/snapshot.h"

enum connection_phase {
    PHASE_NEW,  /* evhttp is still busy making it */
    PHASE_IDLE, /* no byte of the next request */
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_HELD, /* a handler has the request: no deadline of ours, reading is off and stays off */
    PHASE_REPLY,
    PHASE_REFUSED, /* answered here, taken away from evhttp */
    PHASE_LINGER,  /* evhttp is done with it; what the client still sends is thrown away, so that it reads our
                      answer */
};

struct exchange;

struct connection {
    struct connections *set;
    struct bufferevent *bev;         /* evhttp's; a reference of ours while PHASE_NEW */
    struct evhttp_connection *evcon; /* NULL while PHASE_NEW and PHASE_LINGER */
    struct event *wake, *timer, *drain;
    enum connection_phase phase;
    struct head head;
    enum head_verdict refusal;
    struct limit_settings limits;
    struct exchange *exchange; /* PHASE_HELD */
    struct source_key source;
    bool admitted; /* counted */
    bool first;    /* nothing was answered on it yet: the deadline runs since the accept */
    bool unread;   /* more of the request may come than was read */
    bool cut;      /* by us */
    size_t drained;
    size_t body;   /* bytes that came behind the head, chunk lines included */
    long peer_uid; /* of a unix socket's client; -1 otherwise */
    char client[64], address[64];
    LIST_ENTRY(connection) link;
};

struct connections {
    struct event_base *base;
    struct limit_settings limits;
    struct metrics *metrics;
    bool feed_gauge;
    void (*refused)(void *context, const char *client, enum error_code code); /* NULL: nobody asks */
    void *context;
    const uid_t *peers; /* who may use unix sockets, beside root and our own user */
    size_t peer_count;
    bool draining;
    bool freeing;
    int open;
    void *by_evcon;
    struct sources sources;
    LIST_HEAD(, connection) all;
};

struct bufferevent *connection_bufferevent(struct event_base *base, void *set); /* for evhttp_set_bevcb */
struct connection *connection_find(struct connections *set, struct evhttp_connection *evcon);
void connection_hold(struct connection *c, struct exchange *x, bool unread);
void connection_reply(struct connection *c);     /* the reply is about to be given to evhttp */
void connection_replied(struct connection *c);   /* evhttp has written all of it */
void connections_drain(struct connections *set); /* idle ones close now, others after their reply */
/* After evhttp_free: lingering ones, and those that evhttp never got. */
void connections_free(struct connections *set);
