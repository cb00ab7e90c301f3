/* rig.c: see rig.h. */
#include "flow/http/rig.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void rig_init(struct rig *r)
{
    *r = (struct rig){
        .base = event_base_new(),
        .metrics = metrics_create(),
        .limits =
            {
                .connections = 100,
                .connections_per_address = 100,
                .request_deadline = 10000,
                .reply_deadline = 10000,
                .idle_deadline = 10000,
                .body = 256 << 10,
                .headers = 16 << 10,
                .uri = 64 << 10,
            },
    };
}

void rig_listen(struct rig *r)
{
    struct error e = {0};
    struct http_listener_options options = {.limits = &r->limits,
                                            .handler = rig_handle,
                                            .context = r,
                                            .metrics = r->metrics,
                                            .count_connections = true};
    if (http_listener_create(&r->listener, r->base, &options, &e) != ERR_OK ||
        http_listener_bind(r->listener, "127.0.0.1:0", &e) != ERR_OK) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    r->port = http_listener_port(r->listener, 0);
}

void rig_free(struct rig *r)
{
    http_listener_free(r->listener);
    metrics_free(r->metrics);
    event_base_free(r->base);
}

static const char *const method_names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OTHER"};

void rig_echo(struct http_exchange *x)
{
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, (size_t)4 << 20);
    buffer_format(&text, "%s %s?%s %s [", method_names[x->method], x->path, x->query, x->host);
    buffer_append(&text, x->body.data, x->body.len);
    buffer_text(&text, "]");
    struct http_header header = {"Cache-Control", "no-store"};
    http_reply(x, 200, "text/plain", buffer_bytes(&text), &header, 1);
}

void rig_handle(void *rig, struct http_exchange *x)
{
    struct rig *r = rig;
    r->handled++;
    if (r->hold && r->held_count < RIG_HELD_MAX)
        r->held[r->held_count++] = x;
    else if (r->answer.data)
        http_reply(x, 200, "application/octet-stream", r->answer, NULL, 0);
    else
        rig_echo(x);
}

struct expectation {
    struct rig *rig;
    const char *text;
    size_t count;
};

static bool holds(void *context)
{
    struct expectation *e = context;
    return e->rig->held_count >= e->count;
}

bool rig_holds(struct rig *r, size_t count)
{
    struct expectation e = {.rig = r, .count = count};
    return client_wait(r->base, holds, &e);
}

static bool metric_says(void *context)
{
    struct expectation *e = context;
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, (size_t)1 << 20);
    metrics_write(e->rig->metrics, &text);
    return text.len > 0 && strstr((char *)text.data, e->text) != NULL;
}

bool rig_counted(struct rig *r, const char *reason, int times)
{
    char line[160];
    snprintf(line, sizeof line, "scepgate_http_refused_connections_total{reason=\"%s\"} %d\n", reason, times);
    struct expectation e = {.rig = r, .text = line};
    return client_wait(r->base, metric_says, &e);
}

bool rig_empty(struct rig *r)
{
    struct expectation e = {.rig = r, .text = "scepgate_http_connections 0\n"};
    return client_wait(r->base, metric_says, &e);
}
