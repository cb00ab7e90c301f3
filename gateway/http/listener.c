/* listener.c: see listener.h. */
#include "http/listener.h"

#include <stdlib.h>

#include "http/listener_parts.h"

#define HEAD_ROOM 1024 /* evhttp's own cap on a head stays behind ours, which knows better answers */

static void replied(struct evhttp_request *request, void *context)
{
    (void)request;
    connection_replied(context);
}

static void give_up(struct evhttp_request *request)
{
    evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
    evhttp_send_reply(request, 503, "Service Unavailable", NULL);
}

/* evhttp has a complete request. */
static void requested(struct evhttp_request *request, void *context)
{
    struct http_listener *l = context;
    struct connection *c = connection_find(&l->connections, evhttp_request_get_connection(request));
    struct exchange *x = c ? exchange_create(request, c) : NULL;
    if (c)
        evhttp_request_set_on_complete_cb(request, replied, c);
    if (!x) {
        if (c)
            connection_reply(c);
        give_up(request);
        return;
    }
    bool unread = exchange_unread_body(request);
    int problem = exchange_framing_problem(request);
    x->listener = l;
    x->close = unread || problem != 0 || exchange_is_chunked(request);
    LIST_INSERT_HEAD(&l->exchanges, x, link);
    l->open++;
    connection_hold(c, x, unread);
    if (problem != 0)
        http_reply_error(&x->x, problem, "the framing of the body is ambiguous or not supported", 0);
    else
        l->handler(l->context, &x->x);
}

void http_listener_limits(struct http_listener *l, const struct limit_settings *limits)
{
    l->connections.limits = *limits;
    evhttp_set_max_headers_size(l->http, (ssize_t)(limits->uri + limits->headers + HEAD_ROOM));
    evhttp_set_max_body_size(l->http, (ssize_t)limits->body);
}

enum error_code http_listener_create(struct http_listener **out, struct event_base *base,
                                     const struct http_listener_options *options, struct error *e)
{
    *out = NULL;
    struct http_listener *l = calloc(1, sizeof *l);
    if (!l)
        return error_set(e, ERR_INTERNAL, "out of memory for a listener");
    STAILQ_INIT(&l->sockets);
    LIST_INIT(&l->exchanges);
    LIST_INIT(&l->connections.all);
    l->handler = options->handler;
    l->context = options->context;
    l->connections.base = base;
    l->connections.metrics = options->metrics;
    l->connections.feed_gauge = options->count_connections;
    l->connections.refused = options->refused;
    l->connections.context = options->context;
    l->connections.peers = options->peers;
    l->connections.peer_count = options->peer_count;
    l->http = evhttp_new(base);
    if (!l->http) {
        free(l);
        return error_set(e, ERR_INTERNAL, "out of memory for a listener");
    }
    evhttp_set_bevcb(l->http, connection_bufferevent, &l->connections);
    evhttp_set_gencb(l->http, requested, l);
    evhttp_set_default_content_type(l->http, NULL);
    evhttp_set_allowed_methods(l->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                            EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH |
                                            EVHTTP_REQ_TRACE);
    http_listener_limits(l, options->limits);
    *out = l;
    return ERR_OK;
}

enum error_code http_listener_bind(struct http_listener *l, const char *address, struct error *e)
{
    return socket_bind_tcp(&l->sockets, l->http, l->connections.base, address, e);
}

enum error_code http_listener_bind_unix(struct http_listener *l, const char *path, struct error *e)
{
    struct socket_file file = {.path = path, .mode = l->connections.peer_count ? 0666 : 0600};
    return socket_bind_unix(&l->sockets, l->http, l->connections.base, &file, e);
}

int http_listener_port(const struct http_listener *l, size_t index)
{
    struct bound_socket *bound;
    STAILQ_FOREACH(bound, &l->sockets, link)
    if (index-- == 0)
        return bound->port;
    return 0;
}

void http_listener_close(struct http_listener *l)
{
    sockets_close(&l->sockets, l->http);
    connections_drain(&l->connections);
}

size_t http_listener_open(const struct http_listener *l)
{
    return l->open;
}

void http_listener_free(struct http_listener *l)
{
    if (!l)
        return;
    struct exchange *x;
    while ((x = LIST_FIRST(&l->exchanges))) {
        LIST_REMOVE(x, link);
        exchange_orphan(x);
    }
    l->connections.freeing = true;
    sockets_close(&l->sockets, l->http);
    evhttp_free(l->http);
    connections_free(&l->connections);
    sockets_free(&l->sockets);
    free(l);
}
