/* test_limits.c: caps and deadlines of connections and requests. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "flow/http/rig.h"
#include "support/runner.h"

/* "PREFIX" + n times 'x' + "SUFFIX", sent on a connection of its own; the status of the answer. */
static int padded(struct rig *r, const char *prefix, size_t n, const char *suffix, bool *closed)
{
    struct client c;
    struct response got;
    char *pad = malloc(n + 1);
    memset(pad, 'x', n);
    client_connect(&c, r->base, r->port);
    client_send(&c, prefix);
    client_send_bytes(&c, bytes_of(pad, n));
    client_send(&c, suffix);
    client_receive(&c, &got, false);
    if (closed)
        *closed = client_sees_close(&c);
    response_free(&got);
    client_free(&c);
    free(pad);
    return got.status;
}

#define RIG(name)                                                                                            \
    struct rig name;                                                                                         \
    rig_init(&name)

TEST(the_target_has_a_cap_of_its_own)
{
    RIG(r);
    r.limits.headers = 1000;
    rig_listen(&r);
    bool closed = false;
    CHECK_INT(padded(&r, "GET /", r.limits.uri - 1, " HTTP/1.1\r\n\r\n", NULL), 200);
    CHECK_INT(padded(&r, "GET /", r.limits.uri, " HTTP/1.1\r\n\r\n", &closed), 414);
    CHECK(closed);
    CHECK_INT(padded(&r, "GET /", 4 * r.limits.uri, " HTTP/1.1\r\n\r\n", &closed), 414);
    CHECK(closed);
    CHECK_INT(padded(&r, "GET / HTTP/1.1\r\nX: ", 900, "\r\n\r\n", NULL), 200);
    CHECK_INT(padded(&r, "GET / HTTP/1.1\r\nX: ", 1000, "\r\n\r\n", &closed), 431);
    CHECK(closed);
    CHECK(rig_counted(&r, "uri", 2));
    CHECK(rig_counted(&r, "headers", 1));
    rig_free(&r);
}

TEST(a_kept_connection_has_the_same_caps)
{
    RIG(r);
    r.limits.uri = 100;
    rig_listen(&r);
    bool closed;
    CHECK_INT(padded(&r, "GET /", 50, " HTTP/1.1\r\n\r\n", NULL), 200);
    struct client c;
    struct response got;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    client_receive(&c, &got, false);
    CHECK_INT(got.status, 200);
    response_free(&got);
    char target[128];
    memset(target, 'x', sizeof target);
    client_send(&c, "GET /");
    client_send_bytes(&c, bytes_of(target, sizeof target));
    client_receive(&c, &got, false);
    CHECK_INT(got.status, 414);
    response_free(&got);
    CHECK(client_sees_close(&c));
    client_free(&c);
    (void)closed;
    rig_free(&r);
}

TEST(the_body_has_a_cap)
{
    RIG(r);
    r.limits.body = 1000;
    rig_listen(&r);
    bool closed = false;
    CHECK_INT(padded(&r, "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", 1000, "", NULL), 200);
    CHECK_INT(padded(&r, "POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 1001, "", &closed), 413);
    CHECK(closed);
    CHECK_INT(padded(&r, "POST / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n", 1000000, "", &closed), 413);
    CHECK(closed);
    CHECK_INT(
        padded(&r, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 0, "", &closed),
        413);
    CHECK_INT(padded(&r, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n", 1000,
                     "\r\n0\r\n\r\n", NULL),
              200);
    CHECK_INT(padded(&r, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 1001,
                     "\r\n0\r\n\r\n", &closed),
              413);
    CHECK(closed);
    CHECK_INT(padded(&r, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n3e8\r\n", 1000,
                     "\r\n0\r\n\r\n", &closed),
              413);
    CHECK_INT(padded(&r, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 10, "", &closed),
              413);
    CHECK_INT(r.handled, 2);
    rig_free(&r);
}

/* A reset would let many clients lose the answer. */
TEST(an_early_answer_is_not_followed_by_a_reset)
{
    RIG(r);
    r.limits.body = r.limits.uri = 1000;
    rig_listen(&r);
    static const char *const begins[] = {"GET /", "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n",
                                         "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n",
                                         "GET / HTTP/1.1\r\nno colon\r\n"};
    static const int statuses[] = {414, 413, 413, 400};
    char waste[65536];
    memset(waste, 'x', sizeof waste);
    for (size_t i = 0; i < 4; i++) {
        struct client c;
        struct response got;
        client_connect(&c, r.base, r.port);
        client_send(&c, begins[i]);
        client_send_bytes(&c, bytes_of(waste, sizeof waste));
        client_receive(&c, &got, false);
        CHECK_INT(got.status, statuses[i]);
        response_free(&got);
        CHECK(client_sees_close(&c));
        for (int more = 0; more < 3; more++) {
            CHECK(send(c.fd, waste, 100, MSG_NOSIGNAL) == 100);
            client_turn(r.base, 5);
        }
        CHECK(!c.reset);
        client_free(&c);
    }
    CHECK(rig_empty(&r));
    rig_free(&r);
}

TEST(what_is_no_http_is_refused)
{
    RIG(r);
    rig_listen(&r);
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        {"\x16\x03\x01\x02", 400},
        {"GET /\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon here\r\n\r\n", 400},
        {"GET / HTTP/9.1\r\n\r\n", 400},
        {"GET / NONSENSE\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
        {"BREW / HTTP/1.1\r\n\r\n", 405},
        {"CONNECT a:1 HTTP/1.1\r\n\r\n", 405},
        {"POST / HTTP/1.1\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\n", 417},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool closed = false;
        int status = padded(&r, rows[i].request, 0, "", &closed);
        if (status != rows[i].status)
            fprintf(stderr, "row %zu\n", i);
        CHECK_INT(status, rows[i].status);
        CHECK(closed);
    }
    CHECK_INT(r.handled, 0);
    CHECK(rig_empty(&r));
    rig_free(&r);
}

TEST(an_unknown_method_is_told_the_known_ones)
{
    RIG(r);
    rig_listen(&r);
    struct client c;
    struct response got;
    client_connect(&c, r.base, r.port);
    client_send(&c, "BREW / HTTP/1.1\r\n\r\n");
    client_receive(&c, &got, false);
    CHECK_INT(got.status, 405);
    CHECK(response_has(&got, "Allow: GET, HEAD, POST"));
    CHECK(response_has(&got, "Connection: close"));
    response_free(&got);
    client_free(&c);
    rig_free(&r);
}

TEST(connections_are_capped_in_total)
{
    RIG(r);
    r.limits.connections = 3;
    rig_listen(&r);
    struct client c[5];
    for (int i = 0; i < 5; i++)
        client_connect(&c[i], r.base, r.port); /* accepted in one turn of the loop */
    CHECK(rig_counted(&r, "connections", 2));
    CHECK(client_sees_close(&c[3]));
    CHECK(client_sees_close(&c[4]));
    for (int i = 0; i < 3; i++) {
        struct response got;
        client_send(&c[i], "GET / HTTP/1.1\r\n\r\n");
        client_receive(&c[i], &got, false);
        CHECK_INT(got.status, 200);
        response_free(&got);
    }
    client_free(&c[0]);
    client_turn(r.base, 20);
    client_free(&c[3]);
    client_connect(&c[3], r.base, r.port);
    struct response got;
    client_send(&c[3], "GET / HTTP/1.1\r\n\r\n");
    client_receive(&c[3], &got, false);
    CHECK_INT(got.status, 200);
    response_free(&got);
    for (int i = 1; i < 5; i++)
        client_free(&c[i]);
    CHECK(rig_empty(&r));
    rig_free(&r);
}

TEST(connections_are_capped_per_source_address)
{
    RIG(r);
    r.limits.connections_per_address = 2;
    rig_listen(&r);
    struct client c[4];
    for (int i = 0; i < 3; i++)
        client_connect_from(&c[i], r.base, r.port, 1);
    client_connect_from(&c[3], r.base, r.port, 2);
    CHECK(rig_counted(&r, "address", 1));
    CHECK(client_sees_close(&c[2]));
    struct response got;
    client_send(&c[3], "GET / HTTP/1.1\r\n\r\n");
    client_receive(&c[3], &got, false);
    CHECK_INT(got.status, 200);
    response_free(&got);
    for (int i = 0; i < 4; i++)
        client_free(&c[i]);
    CHECK(rig_empty(&r));
    rig_free(&r);
}

TEST(a_silent_connection_is_cut)
{
    RIG(r);
    r.limits.request_deadline = 100;
    rig_listen(&r);
    struct client c;
    client_connect(&c, r.base, r.port);
    CHECK(client_sees_close(&c));
    CHECK_INT(c.in.len, 0);
    CHECK(rig_counted(&r, "silent", 1));
    client_free(&c);
    rig_free(&r);
}

TEST(an_idle_kept_connection_is_cut)
{
    RIG(r);
    r.limits.idle_deadline = 100;
    rig_listen(&r);
    struct client c;
    struct response got;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    client_receive(&c, &got, false);
    CHECK_INT(got.status, 200);
    response_free(&got);
    CHECK(client_sees_close(&c));
    client_free(&c);
    rig_free(&r);
}

/* One byte at a time, never ending; the server must end it. */
static bool drips_until_cut(struct rig *r, const char *begin, const char *drop)
{
    struct client c;
    client_connect(&c, r->base, r->port);
    client_send(&c, begin);
    bool cut = false;
    for (int i = 0; i < 2000 && !cut; i++) {
        cut = send(c.fd, drop, strlen(drop), MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
        char waste[64];
        cut = cut || recv(c.fd, waste, sizeof waste, MSG_DONTWAIT) == 0;
        client_turn(r->base, 5);
    }
    client_free(&c);
    return cut;
}

TEST(bytes_that_trickle_do_not_extend_the_deadline)
{
    RIG(r);
    r.limits.request_deadline = 150;
    rig_listen(&r);
    CHECK(drips_until_cut(&r, "", "G"));
    CHECK(drips_until_cut(&r, "GET /", "x"));
    CHECK(drips_until_cut(&r, "GET / HTTP/1.1\r\n", "A: b\r\n"));
    CHECK(drips_until_cut(&r, "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", "x"));
    CHECK(drips_until_cut(&r, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"));
    CHECK(drips_until_cut(&r, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n", "A: b\r\n"));
    CHECK(drips_until_cut(&r, "", "\r\n"));
    CHECK_INT(r.handled, 1);
    CHECK(rig_empty(&r));
    rig_free(&r);
}

TEST(a_held_request_is_under_no_deadline)
{
    RIG(r);
    r.limits.request_deadline = r.limits.idle_deadline = r.limits.reply_deadline = 50;
    r.hold = true;
    rig_listen(&r);
    struct client c;
    struct response got;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    CHECK(rig_holds(&r, 1));
    client_turn(r.base, 300);
    rig_echo(r.held[0]);
    client_receive(&c, &got, false);
    CHECK_INT(got.status, 200);
    response_free(&got);
    client_free(&c);
    rig_free(&r);
}

TEST(a_client_that_does_not_read_is_cut)
{
    RIG(r);
    r.limits.reply_deadline = 200;
    size_t len = (size_t)32 << 20;
    char *large = calloc(1, len);
    r.answer = bytes_of(large, len);
    rig_listen(&r);
    struct client c;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    CHECK(rig_counted(&r, "reply", 1));
    CHECK(rig_empty(&r));
    client_free(&c);
    free(large);
    rig_free(&r);
}

/* While a reply is being written evhttp reads on: what comes must stay within a bound. */
TEST(a_client_that_sends_without_reading_stays_within_bounds)
{
    RIG(r);
    r.limits.reply_deadline = 1000;
    size_t len = (size_t)32 << 20;
    char *large = calloc(1, len);
    r.answer = bytes_of(large, len);
    rig_listen(&r);
    struct client c;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    size_t taken = 0;
    for (int i = 0; i < 400; i++) {
        ssize_t n = send(c.fd, large, 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL);
        taken += n > 0 ? (size_t)n : 0;
        client_turn(r.base, 1);
    }
    CHECK(taken < (size_t)16 << 20); /* kernel buffers of both sides and ours; not hundreds of MiB */
    client_reset(&c);
    CHECK(rig_empty(&r));
    free(large);
    rig_free(&r);
}

TEST(new_limits_are_for_new_connections)
{
    RIG(r);
    rig_listen(&r);
    bool closed;
    struct limit_settings tighter = r.limits;
    tighter.uri = 100;
    tighter.body = 10;
    http_listener_limits(r.listener, &tighter);
    CHECK_INT(padded(&r, "GET /", 100, " HTTP/1.1\r\n\r\n", &closed), 414);
    CHECK_INT(padded(&r, "POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", 11, "", &closed), 413);
    CHECK_INT(padded(&r, "GET / HTTP/1.1\r\n\r\n", 0, "", NULL), 200);
    rig_free(&r);
}

RUNNER_MAIN()
