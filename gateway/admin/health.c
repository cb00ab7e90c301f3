/* health.c: /healthz, /readyz and /metrics. */
#include "admin/endpoints.h"
#include "base/cleanup.h"

#define PROBLEM_SIZE  256
#define METRICS_BYTES ((size_t)256 << 20)

void admin_health(struct admin_call *c)
{
    admin_answer_bytes(c, 200, "text/plain; charset=utf-8", bytes_of_text("ok\n"));
}

/* ---- ready --------------------------------------------------------------------------------------------- */

struct readiness {
    struct buffer problems; /* a line each */
    size_t aliases, ready;
    const struct backend_instance *told; /* the last one that is in the list */
};

static void look_at_backend(struct readiness *r, const struct backend_instance *backend)
{
    char problem[PROBLEM_SIZE] = "";
    if (!backend || backend == r->told || backend_instance_healthy(backend, problem, sizeof problem))
        return;
    CLEANUP(buffer) struct buffer line;
    buffer_init(&line, 4 * PROBLEM_SIZE);
    buffer_format(&line, "backend %s: %s\n", backend_instance_name(backend),
                  problem[0] ? problem : "not healthy");
    r->told = backend;
    if (line.failed || (r->problems.data && strstr((char *)r->problems.data, (char *)line.data)))
        return; /* another alias has it as well */
    buffer_append(&r->problems, line.data, line.len);
}

static void look_at_alias(struct alias *alias, void *context)
{
    struct readiness *r = context;
    r->aliases++;
    if (alias->ra)
        r->ready++;
    look_at_backend(r, alias->backend);
    look_at_backend(r, alias->ra_backend);
}

void admin_ready(struct admin_call *c)
{
    const struct admin_parts *parts = &c->admin->parts;
    struct readiness r = {0};
    char problem[PROBLEM_SIZE] = "";
    buffer_init(&r.problems, 1 << 16);
    if (parts->draining && parts->draining(parts->context))
        buffer_text(&r.problems, "the gateway is shutting down\n");
    if (!store_ready(parts->store, problem, sizeof problem))
        buffer_format(&r.problems, "store: %s\n", problem[0] ? problem : "not ready");
    alias_directory_each(parts->directory, look_at_alias, &r);
    if (r.aliases > 0 && r.ready == 0)
        buffer_text(&r.problems, "no alias has an RA certificate yet\n");
    bool ready = r.problems.len == 0 && !r.problems.failed;
    struct bytes text =
        r.problems.failed ? bytes_of_text("too many problems to list\n") : buffer_bytes(&r.problems);
    admin_answer_bytes(c, ready ? 200 : 503, "text/plain; charset=utf-8",
                       ready ? bytes_of_text("ready\n") : text);
    buffer_free(&r.problems);
}

/* ---- metrics ------------------------------------------------------------------------------------------- */

static void count_ra(struct alias *alias, void *metrics)
{
    if (alias->ra)
        metrics_set(metrics, METRIC_RA_EXPIRY, (double)alias->ra->not_after / 1000,
                    METRIC_LABELS(alias->settings->name));
}

/* Gauges of other rooms' states are set when somebody looks. */
static void take_gauges(const struct admin_parts *parts)
{
    struct metrics *m = parts->metrics;
    char problem[PROBLEM_SIZE];
    metrics_set(m, METRIC_WORKER_WAITING, (double)pool_waiting(parts->pool), NULL);
    metrics_set(m, METRIC_WORKER_RUNNING, (double)pool_running(parts->pool), NULL);
    metrics_set(m, METRIC_STORE_READY, store_ready(parts->store, problem, sizeof problem), NULL);
    metrics_set(m, METRIC_ALIASES, (double)alias_directory_count(parts->directory), NULL);
    alias_directory_each(parts->directory, count_ra, m);
}

void admin_metrics(struct admin_call *c)
{
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, METRICS_BYTES);
    take_gauges(&c->admin->parts);
    metrics_write(c->admin->parts.metrics, &text);
    if (text.failed)
        admin_refuse(c, 500, "INTERNAL", "the gateway is out of memory");
    else
        admin_answer_bytes(c, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_bytes(&text));
}
