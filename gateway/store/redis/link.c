/* link.c: see link.h. */
#include "store/redis/link.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"

#define REPLY_MAX (256 * 1024 * 1024) /* bytes that are read and not understood yet */

enum state { CONNECTING, GREETING, OPEN, ENDING, CLOSED };

/* A command whose reply is to come. */
struct expected {
    struct expected *next;
    int64_t deadline; /* monotonic ms */
    link_reply *done;
    void *context;
};

struct redis_link {
    const struct link_options *options;
    struct endpoint endpoint;
    struct bufferevent *wire;
    redisReader *reader;
    enum state state;
    struct expected *first, **last;
    size_t expected;
    int greetings;        /* replies to come before it is open */
    struct event *timer;  /* the oldest deadline; while connecting, that of the connection */
    struct event *ending; /* tells in a later turn what redis_link_close has decided */
    link_opened *opened;
    link_closed *closed;
    void *context;
    char problem[240];
};

static int64_t now(void)
{
    return clock_monotonic(&clock_system);
}

bool redis_link_is_open(const struct redis_link *l)
{
    return l->state == OPEN;
}

size_t redis_link_expected(const struct redis_link *l)
{
    return l->expected;
}

const char *redis_link_problem(const struct redis_link *l)
{
    return l->problem;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static void end(struct redis_link *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void end(struct redis_link *l, const char *format, ...)
{
    if (l->state >= ENDING)
        return;
    l->state = ENDING;
    char why[160], place[ENDPOINT_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    snprintf(l->problem, sizeof l->problem, "Redis at %.70s: %.150s", endpoint_text(&l->endpoint, place),
             why);
    bufferevent_disable(l->wire, EV_READ | EV_WRITE);
    event_del(l->timer);
    event_active(l->ending, EV_TIMEOUT, 1);
}

static struct expected *take_expected(struct redis_link *l)
{
    struct expected *e = l->first;
    if (!e)
        return NULL;
    l->first = e->next;
    l->expected--;
    if (!l->first)
        l->last = &l->first;
    return e;
}

void redis_link_forget(struct redis_link *l)
{
    for (struct expected *e; (e = take_expected(l));) {
        e->done(e->context, NULL);
        free(e);
    }
}

static void on_ending(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct redis_link *l = data;
    redis_link_forget(l);
    l->state = CLOSED;
    l->closed(l->context, l->problem);
}

void redis_link_close(struct redis_link *l, const char *problem)
{
    end(l, "%s", problem);
}

void redis_link_free(struct redis_link *l)
{
    if (!l)
        return;
    for (struct expected *e; (e = take_expected(l));)
        free(e);
    if (l->wire)
        bufferevent_free(l->wire);
    if (l->reader)
        redisReaderFree(l->reader);
    if (l->timer)
        event_free(l->timer);
    if (l->ending)
        event_free(l->ending);
    free(l);
}

/* ---- deadlines ----------------------------------------------------------------------------------------- */

static void arm(struct redis_link *l, int64_t deadline)
{
    int64_t left = deadline - now();
    left = left < 0 ? 0 : left;
    struct timeval after = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    event_add(l->timer, &after);
}

/* The timer may stand at the deadline of a command that was answered since: then it is set anew. */
static void on_deadline(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct redis_link *l = data;
    if (l->state == CONNECTING || l->state == GREETING)
        end(l, "no connection within %lld ms", (long long)l->options->connect_deadline);
    else if (l->first && l->first->deadline <= now())
        end(l, "no answer within %lld ms", (long long)l->options->command_deadline);
    else if (l->first)
        arm(l, l->first->deadline);
}

/* ---- replies ------------------------------------------------------------------------------------------- */

static void greeted(struct redis_link *l)
{
    if (l->state != GREETING || --l->greetings > 0)
        return;
    l->state = OPEN;
    event_del(l->timer);
    l->opened(l->context);
}

static void deliver(struct redis_link *l, redisReply *reply)
{
    struct expected *e = take_expected(l);
    if (!e) {
        freeReplyObject(reply);
        end(l, "sent a reply that nobody asked for");
        return;
    }
    e->done(e->context, reply);
    free(e);
}

static void on_read(struct bufferevent *wire, void *data)
{
    struct redis_link *l = data;
    struct evbuffer *input = bufferevent_get_input(wire);
    size_t len = evbuffer_get_length(input);
    const char *bytes = len ? (const char *)evbuffer_pullup(input, -1) : NULL;
    if (!bytes || redisReaderFeed(l->reader, bytes, len) != REDIS_OK) {
        if (len)
            end(l, "%s", "out of memory for a reply");
        return;
    }
    evbuffer_drain(input, len);
    while (l->state < ENDING) {
        void *reply = NULL;
        if (redisReaderGetReply(l->reader, &reply) != REDIS_OK) {
            end(l, "does not speak the Redis protocol: %.100s", l->reader->errstr);
            return;
        }
        if (!reply)
            break;
        deliver(l, reply);
    }
    if (l->state < ENDING && l->reader->len - l->reader->pos > REPLY_MAX)
        end(l, "%s", "sent a reply that is too large");
}

/* ---- greeting ------------------------------------------------------------------------------------------ */

static void send_words(struct redis_link *l, link_reply *done, const char *const *words, size_t count)
{
    struct arguments command;
    arguments_init(&command);
    for (size_t i = 0; i < count; i++)
        arguments_text(&command, words[i]);
    redis_link_send(l, NULL, &command, l->options->connect_deadline, done, l);
    arguments_free(&command);
    l->greetings++;
}

/* An error that says nothing about the command, only that this Redis may not be used now. */
static bool refused(struct redis_link *l, redisReply *reply, const char *what)
{
    bool bad = !reply || reply->type == REDIS_REPLY_ERROR;
    if (reply && bad)
        end(l, "%s: %.110s", what, reply->str);
    freeReplyObject(reply);
    return bad;
}

static void authenticated(void *context, redisReply *reply)
{
    if (!refused(context, reply, "user or password are refused"))
        greeted(context);
}

static void selected(void *context, redisReply *reply)
{
    if (!refused(context, reply, "the database cannot be used"))
        greeted(context);
}

/* Who may not ask is not told; then the first write shows it. */
static void role_told(void *context, redisReply *reply)
{
    struct redis_link *l = context;
    bool replica = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                   reply->element[0]->str && strcmp(reply->element[0]->str, "master") != 0;
    if (replica && l->options->only_masters)
        end(l, "%s", "is a replica, not a master");
    else if (reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) != 0 &&
             strncmp(reply->str, "ERR", 3) != 0)
        end(l, "%.110s", reply->str);
    else if (reply)
        greeted(l);
    freeReplyObject(reply);
}

static void greet(struct redis_link *l)
{
    const struct link_options *o = l->options;
    l->state = GREETING;
    if (o->password.len) {
        struct arguments command;
        arguments_init(&command);
        arguments_text(&command, "AUTH");
        if (o->user && *o->user)
            arguments_text(&command, o->user);
        arguments_bytes(&command, o->password);
        redis_link_send(l, NULL, &command, o->connect_deadline, authenticated, l);
        arguments_free(&command);
        l->greetings++;
    }
    if (o->database) {
        char number[16];
        snprintf(number, sizeof number, "%d", o->database);
        send_words(l, selected, (const char *const[]){"SELECT", number}, 2);
    }
    send_words(l, role_told, (const char *const[]){"ROLE"}, 1);
}

/* ---- the wire ------------------------------------------------------------------------------------------ */

static void tune(evutil_socket_t fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a unix socket has none: no matter */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void say_failure(struct redis_link *l, short what)
{
    int resolving = bufferevent_socket_get_dns_error(l->wire);
    unsigned long tls = l->options->tls ? bufferevent_get_openssl_error(l->wire) : 0;
    const char *reason = tls ? ERR_reason_error_string(tls) : NULL;
    SSL *session = l->options->tls ? bufferevent_openssl_get_ssl(l->wire) : NULL;
    long verdict = session ? SSL_get_verify_result(session) : X509_V_OK;
    if (resolving)
        end(l, "the name cannot be resolved: %s", evutil_gai_strerror(resolving));
    else if (verdict != X509_V_OK)
        end(l, "its certificate is refused: %s", X509_verify_cert_error_string(verdict));
    else if (reason)
        end(l, "TLS fails: %s", reason);
    else if (what & BEV_EVENT_EOF)
        end(l, "%s", "the connection was closed from the other side");
    else
        end(l, "%s", errno ? error_errno(errno) : "the connection failed");
}

static void on_event(struct bufferevent *wire, short what, void *data)
{
    struct redis_link *l = data;
    if (l->state >= ENDING)
        return;
    if (what & BEV_EVENT_CONNECTED) {
        tune(bufferevent_getfd(wire));
        greet(l);
    } else if (what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) {
        say_failure(l, what);
    }
}

static SSL *new_session(const struct link_options *o, const struct endpoint *endpoint)
{
    const char *name = o->tls_server_name && *o->tls_server_name ? o->tls_server_name : endpoint->host;
    SSL *session = SSL_new(o->tls);
    struct in6_addr address;
    if (!session)
        return NULL;
    X509_VERIFY_PARAM *check = SSL_get0_param(session);
    bool number =
        evutil_inet_pton(AF_INET, name, &address) == 1 || evutil_inet_pton(AF_INET6, name, &address) == 1;
    bool good = number ? X509_VERIFY_PARAM_set1_ip_asc(check, name) == 1
                       : SSL_set1_host(session, name) == 1 && SSL_set_tlsext_host_name(session, name) == 1;
    if (good)
        return session;
    SSL_free(session);
    return NULL;
}

static struct bufferevent *new_wire(const struct link_options *o, const struct endpoint *endpoint)
{
    const int flags = BEV_OPT_CLOSE_ON_FREE;
    if (!o->tls || endpoint_is_path(endpoint))
        return bufferevent_socket_new(o->base, -1, flags);
    SSL *session = new_session(o, endpoint);
    struct bufferevent *wire =
        session ? bufferevent_openssl_socket_new(o->base, -1, session, BUFFEREVENT_SSL_CONNECTING, flags)
                : NULL;
    if (wire)
        bufferevent_openssl_set_allow_dirty_shutdown(wire, 1);
    return wire;
}

static void connect_wire(struct redis_link *l)
{
    const struct endpoint *e = &l->endpoint;
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    int failed;
    errno = 0;
    if (!endpoint_is_path(e)) {
        failed = bufferevent_socket_connect_hostname(l->wire, l->options->names, AF_UNSPEC, e->host, e->port);
    } else if (strlen(e->host) < sizeof path.sun_path) {
        memcpy(path.sun_path, e->host, strlen(e->host));
        failed = bufferevent_socket_connect(l->wire, (struct sockaddr *)&path, sizeof path);
    } else {
        end(l, "the path of a unix socket has at most %zu characters", sizeof path.sun_path - 1);
        return;
    }
    if (failed && l->state == CONNECTING)
        end(l, "%s", errno ? error_errno(errno) : "the connection failed");
}

struct redis_link *redis_link_open(const struct link_options *options, const struct endpoint *endpoint,
                                   link_opened *opened, link_closed *closed, void *context)
{
    struct redis_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->options = options;
    l->endpoint = *endpoint;
    l->opened = opened;
    l->closed = closed;
    l->context = context;
    l->last = &l->first;
    l->wire = new_wire(options, endpoint);
    l->reader = redisReaderCreate();
    l->timer = evtimer_new(options->base, on_deadline, l);
    l->ending = evtimer_new(options->base, on_ending, l);
    if (!l->wire || !l->reader || !l->timer || !l->ending) {
        redis_link_free(l);
        return NULL;
    }
    bufferevent_setcb(l->wire, on_read, NULL, on_event, l);
    bufferevent_enable(l->wire, EV_READ | EV_WRITE);
    arm(l, now() + options->connect_deadline);
    connect_wire(l);
    return l;
}

/* ---- commands ------------------------------------------------------------------------------------------ */

/* It may have held a password. */
static void free_formatted(const void *data, size_t len, void *extra)
{
    (void)extra;
    secret_wipe((char *)data, len);
    redisFreeCommand((char *)data);
}

static void point_at(const struct arguments *a, const char **words, size_t *lengths)
{
    for (size_t i = 0; i < a->count; i++) {
        struct bytes word = arguments_word(a, i);
        words[i] = word.len ? (const char *)word.data : "";
        lengths[i] = word.len;
    }
}

static bool write_command(struct redis_link *l, const struct arguments *head, const struct arguments *tail)
{
    size_t first = head ? head->count : 0, count = first + tail->count;
    const char **words = malloc(count * sizeof *words);
    size_t *lengths = malloc(count * sizeof *lengths);
    char *formatted = NULL;
    long long len = -1;
    if (words && lengths && !tail->failed && !(head && head->failed)) {
        if (head)
            point_at(head, words, lengths);
        point_at(tail, words + first, lengths + first);
        len = redisFormatCommandArgv(&formatted, (int)count, words, lengths);
    }
    free(words);
    free(lengths);
    if (len < 0)
        return false;
    struct evbuffer *output = bufferevent_get_output(l->wire);
    if (evbuffer_add_reference(output, formatted, (size_t)len, free_formatted, NULL) == 0)
        return true;
    free_formatted(formatted, (size_t)len, NULL);
    return false;
}

void redis_link_send(struct redis_link *l, const struct arguments *head, const struct arguments *tail,
                     int64_t patience, link_reply *done, void *context)
{
    struct expected *e = malloc(sizeof *e);
    if (!e) {
        fputs("store: out of memory; there is none left even to refuse a request\n", stderr);
        abort();
    }
    int64_t deadline = now() + l->options->command_deadline + patience;
    *e = (struct expected){.deadline = deadline, .done = done, .context = context};
    *l->last = e;
    l->last = &e->next;
    l->expected++;
    if (!write_command(l, head, tail))
        end(l, "%s", "out of memory for a command");
    else if (l->state == OPEN && !event_pending(l->timer, EV_TIMEOUT, NULL))
        arm(l, deadline);
}
