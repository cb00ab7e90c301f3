/* call.c: see call.h. */
#include "admin/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/codec.h"

#define ERROR_MAX 1024

static const struct http_header no_store = {"Cache-Control", "no-store"};

void admin_count(struct admin *a, const char *operation, int status)
{
    char text[12];
    snprintf(text, sizeof text, "%d", status);
    if (a->parts.metrics)
        metrics_add(a->parts.metrics, METRIC_HTTP_REQUESTS, 1, METRIC_LABELS(operation, text));
}

static void log_call(const struct admin_call *c, int status)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OTHER"};
    struct log_scope scope = {.client = c->x->client};
    bool reads = c->route->method == HTTP_GET;
    log_line(reads ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, &scope, "admin.request", "%s %s by %s: %d",
             methods[c->x->method], c->x->path, c->by, status);
}

static void release(struct admin_call *c)
{
    for (size_t i = 0; i < c->query_count; i++) {
        free(c->query[i].name);
        free(c->query[i].value);
    }
    json_decref(c->body);
    audit_details_free(&c->details);
    alias_unref(c->alias);
    free(c->names);
    c->admin->calls--;
    free(c);
}

void admin_answer_bytes(struct admin_call *c, int status, const char *content_type, struct bytes body)
{
    log_call(c, status);
    admin_count(c->admin, c->route->operation, status);
    http_reply(c->x, status, content_type, body, &no_store, 1);
    release(c);
}

void admin_answer(struct admin_call *c, int status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text)
        admin_answer_bytes(c, status, "application/json", bytes_of_text(text));
    else
        admin_answer_bytes(
            c, 500, "application/json",
            bytes_of_text("{\"error\":\"the gateway is out of memory\",\"code\":\"INTERNAL\"}"));
    free(text);
}

static void write_error(struct buffer *out, const char *code, const char *sentence)
{
    buffer_init(out, 8 * ERROR_MAX);
    buffer_text(out, "{\"error\":");
    codec_json_string(out, bytes_of_text(sentence));
    buffer_text(out, ",\"code\":");
    codec_json_string(out, bytes_of_text(code));
    buffer_text(out, "}");
}

void admin_refuse(struct admin_call *c, int status, const char *code, const char *format, ...)
{
    char sentence[ERROR_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    CLEANUP(buffer) struct buffer json;
    write_error(&json, code, sentence);
    admin_answer_bytes(c, status, "application/json", buffer_bytes(&json));
}

void admin_error(struct admin *a, struct http_exchange *x, int status, const char *code, const char *sentence)
{
    CLEANUP(buffer) struct buffer json;
    write_error(&json, code, sentence);
    admin_count(a, "admin", status);
    http_reply(x, status, "application/json", buffer_bytes(&json), &no_store, 1);
}

void admin_refuse_outcome(struct admin_call *c, const struct store_answer *answer, const char *what)
{
    if (answer->outcome == STORE_NOT_FOUND)
        admin_refuse(c, 404, "NOT_FOUND", "there is no such %s", what);
    else
        admin_refuse(c, 500, "INTERNAL", "the store answered %s, which fits no %s",
                     store_outcome_name(answer->outcome), what);
}

static void answered(void *context, const struct store_answer *answer)
{
    struct admin_call *c = context;
    if (answer->outcome != STORE_UNAVAILABLE && answer->outcome != STORE_UNKNOWN) {
        c->stored(c, answer);
        return;
    }
    struct log_scope scope = {.client = c->x->client};
    log_line(LOG_LEVEL_ERROR, &scope, "admin.store", "the store answered %s: %s",
             store_outcome_name(answer->outcome), answer->reason);
    bool unknown = answer->outcome == STORE_UNKNOWN;
    admin_refuse(c, 503, unknown ? "STORE_UNKNOWN" : "STORE_UNAVAILABLE",
                 unknown ? "the store did not say whether it was done; look before you repeat it"
                         : "the store cannot be reached and nothing was done; try again shortly");
}

void admin_store(struct admin_call *c,
                 void (*stored)(struct admin_call *c, const struct store_answer *answer))
{
    c->stored = stored;
    ask_start(&c->ask, c->admin->parts.base, c->admin->parts.store, answered, c);
}

/* ---- reading a request --------------------------------------------------------------------------------- */

static char *unescaped(const char *text, size_t len)
{
    CLEANUP(buffer) struct buffer plain;
    buffer_init(&plain, 3 * len + 1);
    codec_unescape(&plain, bytes_of(text, len));
    if (plain.len > 0 && memchr(plain.data, 0, plain.len))
        return NULL;
    return plain.failed ? NULL : buffer_take(&plain, NULL);
}

/* NULL, or what is wrong. */
static const char *read_query(struct admin_call *c)
{
    for (const char *at = c->x->query; *at;) {
        size_t len = strcspn(at, "&"), name_len = strcspn(at, "=&");
        if (len > 0) {
            if (c->query_count == ADMIN_QUERY_MAX)
                return "the query has too many parameters";
            size_t value_at = name_len < len ? name_len + 1 : len;
            char *name = unescaped(at, name_len), *value = unescaped(at + value_at, len - value_at);
            c->query[c->query_count].name = name;
            c->query[c->query_count++].value = value;
            if (!name || !value)
                return "a parameter of the query is not text";
        }
        at += len + (at[len] == '&');
    }
    return NULL;
}

static const char *read_body(struct admin_call *c, char *problem, size_t size)
{
    struct bytes body = c->x->body;
    json_error_t error;
    if (body.len == 0) {
        c->body = json_object();
        return c->body ? NULL : "the gateway is out of memory";
    }
    if (c->route->body_cap == 0)
        return "this request takes no body";
    c->body = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, &error);
    if (!c->body) {
        snprintf(problem, size, "the body is not JSON: %s (line %d, column %d)", error.text, error.line,
                 error.column);
        return problem;
    }
    return json_is_object(c->body) ? NULL : "the body is not a JSON object";
}

struct admin_call *admin_call_create(struct admin *a, struct http_exchange *x,
                                     const struct admin_route *route)
{
    struct admin_call *c = calloc(1, sizeof *c);
    if (!c) {
        admin_error(a, x, 500, "INTERNAL", "the gateway is out of memory");
        return NULL;
    }
    c->admin = a;
    c->x = x;
    c->route = route;
    a->calls++;
    audit_details_init(&c->details);
    if (x->peer_uid >= 0)
        snprintf(c->by, sizeof c->by, "uid:%ld", x->peer_uid);
    else
        snprintf(c->by, sizeof c->by, "tcp");
    admin_route_parameters(route, x->path, c->parameters);
    if (x->body.len > route->body_cap && route->body_cap > 0) {
        admin_refuse(c, 413, "TOO_LARGE", "the body is longer than %zu bytes", route->body_cap);
        return NULL;
    }
    char text[256];
    const char *problem = read_query(c);
    if (!problem)
        problem = read_body(c, text, sizeof text);
    if (problem) {
        admin_refuse(c, 400, "BAD_REQUEST", "%s", problem);
        return NULL;
    }
    return c;
}
