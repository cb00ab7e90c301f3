/* call.h: one request to the API, from its route to its reply, and what the endpoint files share.
 * Room-internal, loop thread. */
#pragma once

#include <event2/event.h>
#include <jansson.h>
#include <sys/queue.h>

#include "admin/admin.h"
#include "admin/routes.h"
#include "audit/audit.h"
#include "storage/rekey.h"
#include "store/ask.h"

#define ADMIN_PARAMETERS_MAX 2
#define ADMIN_QUERY_MAX      8

struct reindex {
    struct ask ask;
    bool running, done;
    int64_t aliases;
    char problem[320];
};

struct admin {
    struct admin_parts parts;
    int64_t started; /* monotonic */
    size_t calls;
    struct rekey *rekey; /* the last one; NULL: never begun */
    struct reindex reindex;
};

struct admin_call;

/* The certificate that the path names; `now` is the store's. */
typedef void admin_found(struct admin_call *c, const struct certificate_record *r, int64_t now);

struct admin_call {
    struct admin *admin;
    struct http_exchange *x;
    const struct admin_route *route;
    char parameters[ADMIN_PARAMETERS_MAX][ADMIN_PARAMETER_SIZE]; /* of the path, in its order */
    struct {
        char *name, *value;
    } query[ADMIN_QUERY_MAX];
    size_t query_count;
    json_t *body; /* an object, empty when there was none */
    struct ask ask;
    struct audit_details details;
    struct alias *alias; /* a reference */
    const char **names;  /* owned; the texts are others' */
    char by[32];         /* who asks: "uid:0" */
    void (*stored)(struct admin_call *c, const struct store_answer *answer);
    admin_found *found;
    char issuer_sha256[65], transaction[ID_TEXT_SIZE]; /* of what was found */
    enum revocation_reason reason;
    const char *warning; /* static text; NULL: none */
};

/* NULL after it has answered by itself. */
struct admin_call *admin_call_create(struct admin *a, struct http_exchange *x,
                                     const struct admin_route *route);

/* Each of these ends the call. */
void admin_answer(struct admin_call *c, int status, json_t *json); /* takes `json` */
void admin_answer_bytes(struct admin_call *c, int status, const char *content_type, struct bytes body);
void admin_refuse(struct admin_call *c, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* For the outcomes that every operation may have. */
void admin_refuse_outcome(struct admin_call *c, const struct store_answer *answer, const char *what);

/* Carries out c->ask.request; `stored` gets every outcome but UNAVAILABLE and UNKNOWN, which are answered
 * 503. */
void admin_store(struct admin_call *c,
                 void (*stored)(struct admin_call *c, const struct store_answer *answer));

/* Before a call exists. */
void admin_error(struct admin *a, struct http_exchange *x, int status, const char *code,
                 const char *sentence);
void admin_count(struct admin *a, const char *operation, int status);
