/* client.c: see client.h. */
#include "flow/http/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static void start(struct client *c, struct event_base *base, int fd, const struct sockaddr *address,
                  socklen_t len)
{
    *c = (struct client){.base = base, .fd = fd};
    buffer_init(&c->in, (size_t)64 << 20);
    if (fd >= 0 && connect(fd, address, len) != 0) {
        close(fd);
        c->fd = -1;
        c->closed = true;
    }
}

void client_connect_from(struct client *c, struct event_base *base, int port, int n)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u + (unsigned)n)};
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)!bind(fd, (struct sockaddr *)&own, sizeof own);
    start(c, base, fd, (struct sockaddr *)&peer, sizeof peer);
}

void client_connect(struct client *c, struct event_base *base, int port)
{
    client_connect_from(c, base, port, 1);
}

void client_connect_unix(struct client *c, struct event_base *base, const char *path)
{
    struct sockaddr_un peer = {.sun_family = AF_UNIX};
    snprintf(peer.sun_path, sizeof peer.sun_path, "%s", path);
    start(c, base, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&peer, sizeof peer);
}

void client_free(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buffer_free(&c->in);
}

void client_reset(struct client *c)
{
    struct linger now = {.l_onoff = 1};
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client_free(c);
}

/* One turn of the loop; sleeps a little when there was nothing to do. */
static void turn(struct event_base *base)
{
    struct timeval shortly = {.tv_usec = 1000};
    event_base_loopexit(base, &shortly);
    event_base_loop(base, 0);
}

void client_turn(struct event_base *base, int milliseconds)
{
    int64_t end = clock_monotonic(&clock_system) + milliseconds;
    do
        turn(base);
    while (clock_monotonic(&clock_system) < end);
}

bool client_wait(struct event_base *base, bool (*done)(void *), void *context)
{
    int64_t end = clock_monotonic(&clock_system) + CLIENT_PATIENCE;
    while (!done(context)) {
        if (clock_monotonic(&clock_system) > end)
            return false;
        turn(base);
    }
    return true;
}

void client_send_bytes(struct client *c, struct bytes data)
{
    int64_t end = clock_monotonic(&clock_system) + CLIENT_PATIENCE;
    while (data.len > 0 && !c->closed && clock_monotonic(&clock_system) < end) {
        ssize_t n = send(c->fd, data.data, data.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            data = bytes_of(data.data + n, data.len - (size_t)n);
        else if (errno != EAGAIN)
            return;
        turn(c->base);
    }
}

void client_send(struct client *c, const char *text)
{
    client_send_bytes(c, bytes_of_text(text));
}

static void pull(struct client *c)
{
    char data[65536];
    ssize_t n;
    while (!c->closed && (n = recv(c->fd, data, sizeof data, MSG_DONTWAIT)) >= 0) {
        if (n == 0)
            c->closed = true;
        else
            buffer_append(&c->in, data, (size_t)n);
    }
    if (!c->closed && errno != EAGAIN && errno != EINTR)
        c->closed = c->reset = true;
}

static size_t content_length(const char *head)
{
    const char *line = strcasestr(head, "\r\ncontent-length: ");
    return line ? strtoul(line + 18, NULL, 10) : 0;
}

static void take(struct client *c, size_t len)
{
    size_t rest = c->in.len - len;
    uint8_t *copy = malloc(rest + 1);
    memcpy(copy, c->in.data + len, rest);
    buffer_reset(&c->in);
    buffer_append(&c->in, copy, rest);
    free(copy);
}

/* A whole response out of what was received. */
static bool parse(struct client *c, struct response *r, bool head)
{
    const char *end = c->in.len > 0 ? memmem(c->in.data, c->in.len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return false;
    size_t head_len = (size_t)(end - (const char *)c->in.data) + 4;
    snprintf(r->head, sizeof r->head, "%.*s", (int)head_len, (const char *)c->in.data);
    r->status = (int)strtol(r->head + 9, NULL, 10);
    size_t len = head || r->status == 100 ? 0 : content_length(r->head);
    if (c->in.len < head_len + len)
        return false;
    buffer_append(&r->body, c->in.data + head_len, len);
    take(c, head_len + len);
    return true;
}

void client_receive(struct client *c, struct response *r, bool head)
{
    *r = (struct response){0};
    buffer_init(&r->body, (size_t)64 << 20);
    int64_t end = clock_monotonic(&clock_system) + CLIENT_PATIENCE;
    while (!parse(c, r, head)) {
        if (c->closed || clock_monotonic(&clock_system) > end) {
            r->status = 0;
            return;
        }
        turn(c->base);
        pull(c);
    }
}

void response_free(struct response *r)
{
    buffer_free(&r->body);
}

const char *response_text(struct response *r)
{
    return r->body.data ? (const char *)r->body.data : "";
}

bool response_has(const struct response *r, const char *line)
{
    const char *at = strstr(r->head, line);
    return at && at[-1] == '\n' && at[strlen(line)] == '\r';
}

static bool is_closed(void *context)
{
    struct client *c = context;
    pull(c);
    return c->closed;
}

bool client_sees_close(struct client *c)
{
    return client_wait(c->base, is_closed, c);
}
