/* connection.c: see connection.h. */
#include "http/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/exchange.h"

#define LINGER_MS    2000
#define LINGER_BYTES ((size_t)4 << 20)
#define BUFFER_ROOM                                                                                          \
    ((size_t)64                                                                                              \
     << 10) /* in the input beside head and body: chunk lines, the next request                   \
                        */

/* What we answer ourselves. All of them close the connection. */
static const struct refusal {
    const char *reason; /* METRIC_HTTP_REFUSED */
    const char *status;
    const char *headers;
    enum error_code code; /* for our owner */
} refusals[] = {
    [HEAD_BAD] = {"malformed", "400 Bad Request", "", ERR_MESSAGE_MALFORMED},
    [HEAD_METHOD] = {"method", "405 Method Not Allowed", "Allow: GET, HEAD, POST\r\n", ERR_METHOD_REFUSED},
    [HEAD_URI] = {"uri", "414 URI Too Long", "", ERR_URI_TOO_LONG},
    [HEAD_FIELDS] = {"headers", "431 Request Header Fields Too Large", "", ERR_MESSAGE_TOO_LARGE},
    [HEAD_LENGTH] = {"body", "413 Content Too Large", "", ERR_MESSAGE_TOO_LARGE},
};

static void tell_owner(const struct connection *c, enum error_code code)
{
    if (c->set->refused)
        c->set->refused(c->set->context, c->client, code);
}

static void count_refusal(const struct connection *c, const char *reason)
{
    if (c->set->metrics)
        metrics_add(c->set->metrics, METRIC_HTTP_REFUSED, 1, METRIC_LABELS(reason));
}

static void count_open(struct connections *set, int change)
{
    set->open += change;
    if (set->feed_gauge && set->metrics)
        metrics_set(set->metrics, METRIC_HTTP_CONNECTIONS, set->open, NULL);
}

static int compare(const void *a, const void *b)
{
    const struct connection *left = a, *right = b;
    return left->evcon < right->evcon ? -1 : left->evcon > right->evcon;
}

struct connection *connection_find(struct connections *set, struct evhttp_connection *evcon)
{
    struct connection wanted = {.evcon = evcon};
    struct connection **node = tfind(&wanted, &set->by_evcon, compare);
    return node ? *node : NULL;
}

static void arm(struct connection *c, int64_t delay)
{
    if (delay <= 0) {
        event_del(c->timer);
        return;
    }
    struct timeval after = {.tv_sec = delay / 1000, .tv_usec = delay % 1000 * 1000};
    event_add(c->timer, &after);
}

static void release(struct connection *c)
{
    if (c->drain) {
        evutil_socket_t fd = event_get_fd(c->drain);
        event_free(c->drain);
        close(fd);
    }
    if (c->bev)
        bufferevent_decref(c->bev);
    if (c->wake)
        event_free(c->wake);
    if (c->timer)
        event_free(c->timer);
    if (c->admitted) {
        count_open(c->set, -1);
        sources_leave(&c->set->sources, &c->source);
    }
    LIST_REMOVE(c, link);
    free(c);
}

/* ---- the end of a connection --------------------------------------------------------------------------- */

static void drain(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct connection *c = context;
    char waste[16384];
    ssize_t n = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
    if (n > 0)
        c->drained += (size_t)n;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || c->drained > LINGER_BYTES)
        release(c);
}

/* evhttp closes its descriptor at once. With input unread that is a reset, which may overtake our answer: so
 * a second descriptor keeps the socket half open for a moment. false: not needed or not possible. */
static bool linger(struct connection *c)
{
    bool early = c->phase == PHASE_HEAD || c->phase == PHASE_BODY || c->phase == PHASE_REFUSED || c->unread;
    if (c->cut || c->set->freeing || !early)
        return false;
    int fd = fcntl(bufferevent_getfd(c->bev), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    c->drain = event_new(c->set->base, fd, EV_READ | EV_PERSIST, drain, c);
    if (!c->drain) {
        close(fd);
        return false;
    }
    event_add(c->drain, NULL);
    return true;
}

static void arrived(struct evbuffer *input, const struct evbuffer_cb_info *info, void *context);

/* evhttp is about to free it. */
static void closed(struct evhttp_connection *evcon, void *context)
{
    (void)evcon;
    struct connection *c = context;
    evbuffer_remove_cb(bufferevent_get_input(c->bev), arrived, c);
    tdelete(c, &c->set->by_evcon, compare);
    if (c->exchange)
        exchange_lost_connection(c->exchange);
    if (!c->cut && c->phase == PHASE_BODY && c->body > c->limits.body) {
        count_refusal(c, "body"); /* chunks: evhttp has answered 413 by itself */
        tell_owner(c, ERR_MESSAGE_TOO_LARGE);
    } else if (!c->cut && (c->phase == PHASE_HEAD || c->phase == PHASE_BODY)) {
        count_refusal(c, "incomplete");
    }
    bool lingers = linger(c);
    c->evcon = NULL;
    c->bev = NULL;
    c->exchange = NULL;
    if (!lingers) {
        release(c);
        return;
    }
    c->phase = PHASE_LINGER;
    event_del(c->wake);
    arm(c, LINGER_MS);
}

/* Not inside a callback of evhttp's or of its bufferevent's. */
static void cut(struct connection *c, bool reset)
{
    c->cut = true;
    struct linger now = {.l_onoff = 1};
    if (reset) /* what the client does not read must not stay in the kernel either */
        (void)setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    evhttp_connection_free(c->evcon);
}

static void deadline(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct connection *c = context;
    switch (c->phase) {
    case PHASE_IDLE:
        if (c->first)
            count_refusal(c, "silent");
        cut(c, false);
        break;
    case PHASE_HEAD:
    case PHASE_BODY:
        count_refusal(c, "deadline");
        cut(c, false);
        break;
    case PHASE_REPLY:
    case PHASE_REFUSED:
        count_refusal(c, "reply");
        cut(c, true);
        break;
    case PHASE_LINGER:
        release(c);
        break;
    case PHASE_NEW:
    case PHASE_HELD:
        break;
    }
}

/* ---- refusing a request -------------------------------------------------------------------------------- */

static void refusal_written(struct bufferevent *bev, void *context)
{
    (void)bev;
    evhttp_connection_free(((struct connection *)context)->evcon);
}

static void refusal_failed(struct bufferevent *bev, short what, void *context)
{
    bool half_closed = what == (BEV_EVENT_READING | BEV_EVENT_EOF);
    if (half_closed && evbuffer_get_length(bufferevent_get_output(bev)) > 0)
        return; /* it may still listen */
    evhttp_connection_free(((struct connection *)context)->evcon);
}

/* Takes the bufferevent away from evhttp, which has an incomplete request and waits. */
static void answer_refusal(struct connection *c)
{
    const struct refusal *r = &refusals[c->refusal];
    count_refusal(c, r->reason);
    tell_owner(c, r->code);
    arm(c, c->limits.reply_deadline);
    bufferevent_setcb(c->bev, NULL, refusal_written, refusal_failed, c);
    evbuffer_add_printf(
        bufferevent_get_output(c->bev),
        "HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s\n",
        r->status, r->headers, strlen(r->status) + 1, r->status);
    bufferevent_enable(c->bev, EV_WRITE);
}

/* ---- the head of a request ----------------------------------------------------------------------------- */

static size_t skip_blank_lines(struct evbuffer *input)
{
    char c;
    while (evbuffer_copyout(input, &c, 1) == 1 && (c == '\r' || c == '\n'))
        evbuffer_drain(input, 1);
    return evbuffer_get_length(input);
}

static enum head_verdict feed(struct head *head, struct evbuffer *input, size_t from)
{
    enum head_verdict verdict = HEAD_MORE;
    size_t len = evbuffer_get_length(input);
    while (verdict == HEAD_MORE && from < len) {
        struct evbuffer_ptr at;
        struct evbuffer_iovec run;
        if (evbuffer_ptr_set(input, &at, from, EVBUFFER_PTR_SET) != 0 ||
            evbuffer_peek(input, -1, &at, &run, 1) < 1 || run.iov_len == 0)
            return HEAD_BAD;
        verdict = head_feed(head, bytes_of(run.iov_base, run.iov_len));
        from += run.iov_len;
    }
    return verdict;
}

/* Looks at the input from `from` on, before evhttp does. */
static void inspect(struct connection *c, struct evbuffer *input, size_t from)
{
    if (c->phase == PHASE_IDLE) {
        if (skip_blank_lines(input) == 0)
            return;
        from = 0;
        c->phase = PHASE_HEAD;
        head_init(&c->head, c->limits.uri, c->limits.headers, c->limits.body);
        c->body = 0;
        if (!c->first)
            arm(c, c->limits.request_deadline);
    }
    enum head_verdict verdict = feed(&c->head, input, from);
    if (verdict == HEAD_WHOLE) {
        c->phase = PHASE_BODY;
    } else if (verdict != HEAD_MORE) {
        c->phase = PHASE_REFUSED;
        c->refusal = verdict;
        evbuffer_drain(input, evbuffer_get_length(input)); /* nothing is left for evhttp to act upon */
        event_active(c->wake, 0, 0);
    }
}

static void arrived(struct evbuffer *input, const struct evbuffer_cb_info *info, void *context)
{
    struct connection *c = context;
    if (info->n_added == 0)
        return;
    if (c->phase == PHASE_REFUSED)
        evbuffer_drain(input, evbuffer_get_length(input));
    else if (c->phase == PHASE_BODY)
        c->body += info->n_added;
    else if (c->phase == PHASE_IDLE || c->phase == PHASE_HEAD)
        inspect(c, input, evbuffer_get_length(input) - info->n_added);
}

/* ---- the beginning of a connection --------------------------------------------------------------------- */

static void name_peer(struct connection *c, const struct sockaddr *peer)
{
    const struct sockaddr_in *four = (const void *)peer;
    const struct sockaddr_in6 *six = (const void *)peer;
    char text[INET6_ADDRSTRLEN] = "";
    if (peer->sa_family == AF_INET && inet_ntop(AF_INET, &four->sin_addr, text, sizeof text)) {
        snprintf(c->address, sizeof c->address, "%s", text);
        snprintf(c->client, sizeof c->client, "%s:%u", text, (unsigned)ntohs(four->sin_port));
    } else if (peer->sa_family == AF_INET6 && inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text)) {
        snprintf(c->address, sizeof c->address, "%s", text);
        snprintf(c->client, sizeof c->client, "[%s]:%u", text, (unsigned)ntohs(six->sin6_port));
    } else {
        snprintf(c->address, sizeof c->address, "unix");
        snprintf(c->client, sizeof c->client, "unix");
    }
}

static bool is_welcome(const struct connections *set, uid_t who)
{
    bool welcome = who == 0 || who == geteuid();
    for (size_t i = 0; !welcome && i < set->peer_count; i++)
        welcome = set->peers[i] == who;
    return welcome;
}

/* NULL, or why the connection is refused. */
static const char *admit(struct connection *c)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    int fd = bufferevent_getfd(c->bev);
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
        return "gone";
    name_peer(c, (struct sockaddr *)&peer);
    c->source = source_key_of((struct sockaddr *)&peer);
    if (peer.ss_family == AF_UNIX) {
        struct ucred who;
        len = sizeof who;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 || !is_welcome(c->set, who.uid))
            return "peer";
        c->peer_uid = (long)who.uid;
    } else {
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (c->limits.connections > 0 && c->set->open >= c->limits.connections)
        return "connections";
    if (!sources_enter(&c->set->sources, &c->source,
                       peer.ss_family == AF_UNIX ? 0 : c->limits.connections_per_address))
        return "address";
    c->admitted = true;
    count_open(c->set, 1);
    return NULL;
}

/* evhttp has put the descriptor into the bufferevent and begun to read; nothing was read yet. */
static void adopt(struct connection *c)
{
    void *evcon = NULL;
    struct bufferevent *bev = c->bev;
    bufferevent_getcb(bev, NULL, NULL, NULL, &evcon); /* evhttp's callbacks get their connection */
    if (!evcon) {                                     /* evhttp gave it up, out of memory */
        release(c);
        return;
    }
    bufferevent_decref(bev);
    c->evcon = evcon;
    c->phase = PHASE_IDLE;
    evhttp_connection_set_closecb(c->evcon, closed, c);
    const char *refused = admit(c);
    if (!refused && !tsearch(c, &c->set->by_evcon, compare))
        refused = "memory";
    if (!refused && !evbuffer_add_cb(bufferevent_get_input(bev), arrived, c))
        refused = "memory";
    if (refused) {
        count_refusal(c, refused);
        cut(c, false);
        return;
    }
    bufferevent_setwatermark(bev, EV_READ, 0,
                             c->limits.uri + c->limits.headers + c->limits.body + BUFFER_ROOM);
    arm(c, c->limits.request_deadline);
}

static void wake(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct connection *c = context;
    if (c->phase == PHASE_NEW)
        adopt(c);
    else if (c->phase == PHASE_REFUSED)
        answer_refusal(c);
    else if (c->phase == PHASE_IDLE && c->set->draining)
        cut(c, false);
}

struct bufferevent *connection_bufferevent(struct event_base *base, void *context)
{
    struct connections *set = context;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    struct connection *c = calloc(1, sizeof *c);
    if (!bev || !c) {
        if (bev)
            bufferevent_free(bev);
        free(c);
        return NULL; /* evhttp makes one of its own, whose requests are answered 503 */
    }
    *c = (struct connection){.set = set, .bev = bev, .limits = set->limits, .first = true, .peer_uid = -1};
    bufferevent_incref(bev);
    LIST_INSERT_HEAD(&set->all, c, link);
    c->wake = event_new(base, -1, 0, wake, c);
    c->timer = event_new(base, -1, 0, deadline, c);
    if (!c->wake || !c->timer) {
        bufferevent_free(bev);
        release(c);
        return NULL;
    }
    event_active(c->wake, 0, 0);
    return bev;
}

/* ---- requests ------------------------------------------------------------------------------------------ */

void connection_hold(struct connection *c, struct exchange *x, bool unread)
{
    c->phase = PHASE_HELD;
    c->exchange = x;
    c->unread = unread;
    event_del(c->timer);
}

void connection_reply(struct connection *c)
{
    c->phase = PHASE_REPLY;
    c->exchange = NULL;
    arm(c, c->limits.reply_deadline);
}

void connection_replied(struct connection *c)
{
    c->phase = PHASE_IDLE;
    c->first = false;
    arm(c, c->limits.idle_deadline);
    if (c->set->draining)
        event_active(c->wake, 0, 0);
    else
        inspect(c, bufferevent_get_input(c->bev), 0); /* a pipelined request */
}

void connections_drain(struct connections *set)
{
    set->draining = true;
    struct connection *c;
    LIST_FOREACH(c, &set->all, link)
    if (c->phase == PHASE_IDLE)
        event_active(c->wake, 0, 0);
}

void connections_free(struct connections *set)
{
    struct connection *c;
    while ((c = LIST_FIRST(&set->all)))
        release(c);
}
