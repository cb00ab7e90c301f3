/* test_requests.c: requests and replies over real sockets: forms, keeping and closing, bodies, pipelining,
 * clients that leave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "flow/http/rig.h"
#include "support/runner.h"

/* Sends, receives one response and checks status and body. */
static bool answers(struct client *c, const char *request, int status, const char *body)
{
    struct response r;
    client_send(c, request);
    client_receive(c, &r, false);
    bool right = r.status == status && (!body || strcmp(response_text(&r), body) == 0);
    if (!right)
        fprintf(stderr, "have %d \"%s\"\n", r.status, response_text(&r));
    response_free(&r);
    return right;
}

/* One request on a connection of its own, which the server closes or not. */
static bool one(struct rig *r, const char *request, int status, const char *body, bool closes)
{
    struct client c;
    client_connect(&c, r->base, r->port);
    bool right = answers(&c, request, status, body);
    if (closes)
        right = client_sees_close(&c) && right;
    else
        right = answers(&c, "GET /again HTTP/1.1\r\n\r\n", 200, "GET /again?  []") && right;
    client_free(&c);
    return right;
}

#define RIG(name)                                                                                            \
    struct rig name;                                                                                         \
    rig_init(&name);                                                                                         \
    rig_listen(&name)

TEST(a_kept_connection_answers_again)
{
    RIG(r);
    struct client c;
    client_connect(&c, r.base, r.port);
    for (int i = 0; i < 3; i++)
        CHECK(answers(&c, "GET /scep/a?operation=GetCACaps&x=a+b%2B HTTP/1.1\r\nHost: Example.org:80\r\n\r\n",
                      200, "GET /scep/a?operation=GetCACaps&x=a+b%2B example.org []"));
    CHECK(answers(&c, "POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 200, "POST /p?  [abc]"));
    client_free(&c);
    CHECK(rig_empty(&r));
    rig_free(&r);
}

TEST(a_reply_has_its_headers)
{
    RIG(r);
    struct client c;
    struct response got;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    client_receive(&c, &got, false);
    CHECK(response_has(&got, "Content-Length: 10"));
    CHECK(response_has(&got, "Content-Type: text/plain"));
    CHECK(response_has(&got, "Cache-Control: no-store"));
    CHECK(strncmp(got.head, "HTTP/1.1 200 OK\r\n", 17) == 0);
    response_free(&got);
    client_free(&c);
    rig_free(&r);
}

TEST(head_has_no_body)
{
    RIG(r);
    struct client c;
    struct response got;
    client_connect(&c, r.base, r.port);
    client_send(&c, "HEAD /h HTTP/1.1\r\n\r\n");
    client_receive(&c, &got, true);
    CHECK_INT(got.status, 200);
    CHECK(response_has(&got, "Content-Length: 12"));
    response_free(&got);
    CHECK(answers(&c, "GET / HTTP/1.1\r\n\r\n", 200, "GET /?  []"));
    client_free(&c);
    rig_free(&r);
}

TEST(every_method_gets_through)
{
    RIG(r);
    CHECK(one(&r, "PUT /p HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 200, "PUT /p?  [x]", false));
    CHECK(one(&r, "DELETE /p HTTP/1.1\r\n\r\n", 200, "DELETE /p?  []", false));
    CHECK(one(&r, "OPTIONS * HTTP/1.1\r\n\r\n", 200, "OTHER *?  []", false));
    CHECK(one(&r, "PATCH /p HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 200, "OTHER /p?  [x]", false));
    CHECK(one(&r, "TRACE /p HTTP/1.1\r\n\r\n", 200, "OTHER /p?  []", false));
    rig_free(&r);
}

TEST(old_clients_are_closed_after_their_reply)
{
    RIG(r);
    CHECK(one(&r, "GET /scep/a HTTP/1.0\r\n\r\n", 200, "GET /scep/a?  []", true));
    CHECK(one(&r, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 200, "GET /?  []", true));
    CHECK(one(&r, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200, "GET /?  []", false));
    CHECK(one(&r, "GET / HTTP/1.0\n\n", 200, "GET /?  []", true));
    rig_free(&r);
}

TEST(targets_take_any_form)
{
    RIG(r);
    CHECK(one(&r, "GET //scep/a?x HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET //scep/a?x h []", false));
    CHECK(one(&r, "GET http://Other:81/scep/a?x HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET /scep/a?x other []",
              true));
    CHECK(one(&r, "GET http://other HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET /? other []", true));
    CHECK(one(&r, "GET /a?message=MII B+C HTTP/1.1\r\n\r\n", 200, "GET /a?message=MII B+C  []", false));
    CHECK(one(&r, "\r\n\r\nGET /a HTTP/1.1\r\n\r\n", 200, "GET /a?  []", false));
    rig_free(&r);
}

TEST(bodies_come_chunked_and_after_a_continue)
{
    RIG(r);
    CHECK(one(&r, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
              200, "POST /?  [abcde]", true));
    struct client c;
    client_connect(&c, r.base, r.port);
    CHECK(answers(&c, "POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", 100, NULL));
    CHECK(answers(&c, "abcde", 200, "POST /?  [abcde]"));
    CHECK(answers(&c, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", 100,
                  NULL));
    CHECK(answers(&c, "3\r\nabc\r\n0\r\n\r\n", 200, "POST /?  [abc]"));
    client_free(&c);
    rig_free(&r);
}

TEST(ambiguous_framing_is_refused)
{
    RIG(r);
    CHECK(one(&r, "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 400, NULL, true));
    CHECK(one(&r, "POST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
              NULL, true));
    CHECK(one(&r, "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, NULL, true));
    static const char *const headers[] = {"Content-Length : 1",
                                          "Content-Length: +1",
                                          "Content-Length: 1_",
                                          "Transfer-Encoding : chunked\r\nContent-Length: 1",
                                          ": x",
                                          "X Y: z"};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\n%s\r\n\r\nx", headers[i]);
        CHECK(one(&r, text, 400, NULL, true));
    }
    CHECK_INT(r.handled, 0);
    /* A body that nobody reads must not become the next request. */
    CHECK(one(&r, "TRACE /a HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET /b HTTP/1.1\r\n\r\n ", 200,
              "OTHER /a?  []", true));
    CHECK_INT(r.handled, 1);
    rig_free(&r);
}

TEST(a_client_may_pipeline_while_it_is_held)
{
    RIG(r);
    struct client c;
    r.hold = true;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    CHECK(rig_holds(&r, 1));
    client_send(&c, "POST /3 HTTP/1.1\r\nContent-Length: 3\r\n\r\nab");
    client_turn(r.base, 50);
    CHECK_INT(r.held_count, 1);
    CHECK_TEXT(r.held[0]->path, "/1");
    rig_echo(r.held[0]);
    CHECK(rig_holds(&r, 2));
    CHECK_TEXT(r.held[1]->path, "/2");
    client_send(&c, "c");
    rig_echo(r.held[1]);
    CHECK(rig_holds(&r, 3));
    rig_echo(r.held[2]);
    CHECK(answers(&c, "", 200, "GET /1?  []"));
    CHECK(answers(&c, "", 200, "GET /2?  []"));
    CHECK(answers(&c, "", 200, "POST /3?  [abc]"));
    CHECK_INT(http_listener_open(r.listener), 0);
    client_free(&c);
    rig_free(&r);
}

TEST(a_pipelined_request_keeps_its_limits)
{
    RIG(r);
    struct client c;
    client_connect(&c, r.base, r.port);
    CHECK(answers(&c, "GET /1 HTTP/1.1\r\n\r\nBREW /2 HTTP/1.1\r\n\r\n", 200, "GET /1?  []"));
    CHECK(answers(&c, "", 405, NULL));
    CHECK(client_sees_close(&c));
    client_free(&c);
    rig_free(&r);
}

static void leave_and_reply(struct rig *r, void (*leave)(struct client *))
{
    struct client c;
    size_t before = r->held_count;
    client_connect(&c, r->base, r->port);
    client_send(&c, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    CHECK(rig_holds(r, before + 1));
    leave(&c);
    client_turn(r->base, 20);
    rig_echo(r->held[before]);
    r->held[before] = NULL;
    client_turn(r->base, 20);
}

TEST(a_client_that_left_is_harmless)
{
    RIG(r);
    r.hold = true;
    leave_and_reply(&r, client_free);
    leave_and_reply(&r, client_reset);
    for (size_t i = 0; i < r.held_count; i++) /* what they had pipelined */
        if (r.held[i])
            rig_echo(r.held[i]);
    r.hold = false;
    CHECK(one(&r, "GET / HTTP/1.1\r\n\r\n", 200, "GET /?  []", false));
    rig_free(&r);
}

TEST(a_client_that_only_listens_gets_its_reply)
{
    RIG(r);
    struct client c;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    shutdown(c.fd, SHUT_WR);
    CHECK(answers(&c, "", 200, "GET /?  []"));
    CHECK(client_sees_close(&c));
    client_free(&c);
    rig_free(&r);
}

TEST(a_large_reply_arrives_whole_before_the_close)
{
    RIG(r);
    struct client c;
    struct response got;
    size_t len = (size_t)12 << 20;
    char *large = malloc(len);
    memset(large, 'x', len);
    r.answer = bytes_of(large, len);
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    client_receive(&c, &got, false);
    CHECK_INT(got.status, 200);
    CHECK(bytes_equal(buffer_bytes(&got.body), r.answer));
    CHECK(client_sees_close(&c));
    response_free(&got);
    client_free(&c);
    free(large);
    rig_free(&r);
}

TEST(an_error_says_when_to_come_again)
{
    RIG(r);
    struct client c;
    struct response got;
    r.hold = true;
    client_connect(&c, r.base, r.port);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    CHECK(rig_holds(&r, 1));
    http_reply_error(r.held[0], 503, "later, please", 1500);
    client_receive(&c, &got, false);
    CHECK_INT(got.status, 503);
    CHECK(response_has(&got, "Retry-After: 2"));
    CHECK_TEXT(response_text(&got), "later, please\n");
    response_free(&got);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    CHECK(rig_holds(&r, 2));
    http_reply_error(r.held[1], 405, "no", 0);
    client_receive(&c, &got, false);
    CHECK(response_has(&got, "Allow: GET, HEAD, POST"));
    response_free(&got);
    client_free(&c);
    rig_free(&r);
}

TEST(a_draining_listener_closes_behind_its_replies)
{
    RIG(r);
    struct client idle, busy, late;
    r.hold = true;
    client_connect(&idle, r.base, r.port);
    client_connect(&busy, r.base, r.port);
    client_send(&busy, "GET / HTTP/1.1\r\n\r\n");
    CHECK(rig_holds(&r, 1));
    CHECK_INT(http_listener_open(r.listener), 1);
    http_listener_close(r.listener);
    CHECK(client_sees_close(&idle));
    client_connect(&late, r.base, r.port);
    CHECK(late.closed);
    rig_echo(r.held[0]);
    CHECK(answers(&busy, "", 200, "GET /?  []"));
    CHECK(client_sees_close(&busy));
    CHECK_INT(http_listener_open(r.listener), 0);
    CHECK(rig_empty(&r));
    client_free(&idle);
    client_free(&busy);
    client_free(&late);
    rig_free(&r);
}

TEST(a_request_outlives_its_listener)
{
    RIG(r);
    struct client c;
    r.hold = true;
    client_connect(&c, r.base, r.port);
    client_send(&c, "POST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nab");
    CHECK(rig_holds(&r, 1));
    http_listener_free(r.listener);
    r.listener = NULL;
    CHECK(client_sees_close(&c));
    CHECK_TEXT(r.held[0]->path, "/1");
    CHECK_INT(r.held[0]->body.len, 2);
    CHECK(strncmp(r.held[0]->client, "127.0.0.1:", 10) == 0);
    rig_echo(r.held[0]);
    client_free(&c);
    rig_free(&r);
}

RUNNER_MAIN()
