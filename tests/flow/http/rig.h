/* rig.h: a listener with a handler that echoes or holds, for the flow tests of http. */
#pragma once

#include "flow/http/client.h"
#include "http/listener.h"

#define RIG_HELD_MAX 8

struct rig {
    struct event_base *base;
    struct metrics *metrics;
    struct limit_settings limits;
    struct http_listener *listener;
    int port;
    bool hold; /* the handler keeps what it gets */
    struct http_exchange *held[RIG_HELD_MAX];
    size_t held_count;
    size_t handled;
    struct bytes answer; /* instead of the echo, when it has data */
};

/* Generous limits; change rig->limits before rig_listen. */
void rig_init(struct rig *r);
void rig_listen(struct rig *r); /* on a free port of 127.0.0.1 */
void rig_free(struct rig *r);
void rig_handle(void *rig, struct http_exchange *x);
/* "METHOD path?query host [body]" as the handler saw it. */
void rig_echo(struct http_exchange *x);
bool rig_holds(struct rig *r, size_t count);                    /* turns the loop until it does */
bool rig_counted(struct rig *r, const char *reason, int times); /* of METRIC_HTTP_REFUSED */
bool rig_empty(struct rig *r); /* turns the loop until no connection is open */
