/* client.h: a raw HTTP client for flow tests. It shares the thread with the server: each wait turns the
 * server's loop. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct event_base;

struct client {
    struct event_base *base;
    int fd;      /* -1 when it could not connect */
    bool closed; /* the server closed (or reset) */
    bool reset;
    struct buffer in; /* what was received and not taken yet */
};

struct response {
    int status; /* 0: none came */
    char head[4096];
    struct buffer body;
};

#define CLIENT_PATIENCE 20000 /* ms; a bound on hangs */

void client_connect(struct client *c, struct event_base *base, int port);
/* From 127.0.0.N: another source address. */
void client_connect_from(struct client *c, struct event_base *base, int port, int n);
void client_connect_unix(struct client *c, struct event_base *base, const char *path);
void client_free(struct client *c);  /* closes */
void client_reset(struct client *c); /* closes with a reset */

void client_send(struct client *c, const char *text);
void client_send_bytes(struct client *c, struct bytes data); /* turns the loop while the socket is full */
/* Turns the loop until a whole response (of a HEAD request when `head`) is there, the server closes, or
 * patience ends. */
void client_receive(struct client *c, struct response *r, bool head);
void response_free(struct response *r);
const char *response_text(struct response *r);                 /* body, NUL-terminated */
bool response_has(const struct response *r, const char *line); /* "Name: value", exactly */

bool client_sees_close(struct client *c);                    /* turns the loop until the server closes */
void client_turn(struct event_base *base, int milliseconds); /* lets the server run */
/* Turns the loop until `done` holds. */
bool client_wait(struct event_base *base, bool (*done)(void *context), void *context);
