/* listener.h: HTTP in: sockets, caps and deadlines over evhttp, and one exchange per request.
 *
 * Loop thread. Each accepted connection is counted, has one total deadline for headers and body (bytes that
 * trickle in do not extend it), and is answered here when its request line or headers are too long (414,
 * 431), are no HTTP (400) or name a method that no handler serves (405). A handler gets a complete request
 * and answers it once with http_reply, now or later; the client may be gone by then, which is harmless.
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"
#include "base/error.h"
#include "metrics/metrics.h"
#include "settings/snapshot.h"

struct event_base;
struct http_listener;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OTHER };

/* All borrowed, valid until http_reply. */
struct http_exchange {
    enum http_method method;
    const char *uri;                               /* the raw request target */
    const char *path;                              /* raw, without query */
    const char *query;                             /* raw, without '?'; "" when there is none */
    const char *host;                              /* Host header without port, lower case; "" when absent */
    const char *client;                            /* address:port, or "unix" */
    const char *client_address;                    /* without port */
    long peer_uid;                                 /* of the process behind a unix socket; -1 otherwise */
    const char *authorization;                     /* header, "" when absent */
    const char *if_none_match, *if_modified_since; /* the same */
    struct bytes body;
    int64_t started; /* monotonic ms */
    void *owner;
};

typedef void http_handler(void *context, struct http_exchange *x);

struct http_listener_options {
    const struct limit_settings *limits; /* copied */
    http_handler *handler;
    void *context;
    struct metrics *metrics; /* may be NULL */
    /* A request that the listener refused itself (malformed, 405, 413, 414, 431), for the owner's audit; may
     * be NULL. */
    void (*refused)(void *context, const char *client, enum error_code code);
    bool count_connections; /* feeds METRIC_HTTP_CONNECTIONS */
    /* Users beside root and our own who may use unix sockets; borrowed as long as the listener. */
    const uid_t *peers;
    size_t peer_count;
};

enum error_code http_listener_create(struct http_listener **out, struct event_base *base,
                                     const struct http_listener_options *options, struct error *e);
/* "127.0.0.1:8080", "[::1]:0", "localhost:80". Errors say which address and why. */
enum error_code http_listener_bind(struct http_listener *l, const char *address, struct error *e);
/* A unix socket, replacing a stale one; peers other than root, our own uid and `peers` are cut. Mode 0600, or 0666 with
 * `peers`. */
enum error_code http_listener_bind_unix(struct http_listener *l, const char *path, struct error *e);
int http_listener_port(const struct http_listener *l, size_t index); /* of the n-th bound address */
void http_listener_limits(struct http_listener *l,
                          const struct limit_settings *limits); /* for new connections */
void http_listener_close(
    struct http_listener *l); /* accepts no more; kept connections close after their reply */
size_t http_listener_open(const struct http_listener *l); /* requests not answered yet */
/* Accepts NULL. Requests not answered yet keep their memory; their replies go nowhere. */
void http_listener_free(struct http_listener *l);

struct http_header {
    const char *name, *value;
};

/* Answers and frees the exchange. HEAD gets the headers alone. `body` is copied. */
void http_reply(struct http_exchange *x, int status, const char *content_type, struct bytes body,
                const struct http_header *headers, size_t header_count);
/* Memory that is somebody else's until `release`, which is called once, on the loop, however the reply ends. */
struct http_loan {
    void (*release)(void *owner);
    void *owner;
};

/* Status 200 with a body that is not copied: for large ones that many clients get. */
void http_reply_lent(struct http_exchange *x, const char *content_type, struct bytes body,
                     const struct http_header *headers, size_t header_count, struct http_loan loan);
/* A bare error: status, one sentence as text/plain, Retry-After when retry_after > 0 (ms), Allow for 405,
 * WWW-Authenticate for 401. */
void http_reply_error(struct http_exchange *x, int status, const char *sentence, int64_t retry_after);
