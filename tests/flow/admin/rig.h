/* rig.h: the API over both its listeners, in front of a real store that can be made to lose its answers. */
#pragma once

#include <jansson.h>

#include "admin/admin.h"
#include "flow/http/client.h"
#include "store/store.h"

struct flaky { /* passes everything on to `inner` */
    struct store store;
    struct store *inner;
    int unknown; /* so many answers are lost after the work was done */
    bool down;   /* nothing is done */
    size_t submitted;
};

struct rig {
    struct event_base *base;
    struct metrics *metrics;
    struct pool *pool;
    struct alias_directory *directory;
    struct keys *keys;
    struct gateway_settings *settings;
    struct flaky flaky;
    struct admin *admin;
    struct http_listener *socket, *public;
    char folder[64], path[96];
    int port;
    bool draining;
    int reloads;
    int level;
};

/* Aliases: "demo" and "Camel.Case" with one-time challenges (ttl 1 h, at most 2 h), "fixed" with a static
 * one. */
void rig_init(struct rig *r);
void rig_free(struct rig *r);
void rig_give_ra(struct rig *r, const char *alias); /* makes it look ready */

struct reply {
    int status;
    char head[4096];
    char *text;
    json_t *json; /* NULL when the body is none */
};

/* Over the unix socket; `body` NULL: none. */
void rig_ask(struct rig *r, struct reply *out, const char *method, const char *target, const char *body);
void rig_ask_public(struct rig *r, struct reply *out, const char *method, const char *target);
void reply_free(struct reply *r);
/* A member of the reply by path: "challenges.0.id"; "" when it is no text. */
const char *reply_text(const struct reply *r, const char *path);
int64_t reply_number(const struct reply *r, const char *path); /* -1 when it is none */
/* Carries out an operation; the caller frees the answer. */
struct store_answer *rig_store(struct rig *r, const struct store_request *request);
