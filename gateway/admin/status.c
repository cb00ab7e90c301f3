/* status.c: /v1/status and /v1/aliases. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/endpoints.h"
#include "base/clock.h"

static json_t *texts(const struct text_list *list)
{
    json_t *out = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(out, admin_text(list->items[i]));
    return out;
}

static json_t *paths_of(const struct alias_settings *s)
{
    json_t *out = json_array();
    json_array_append_new(out, json_sprintf("/scep/%s", s->name));
    json_array_append_new(out, json_sprintf("/ejbca/publicweb/apply/scep/%s/pkiclient.exe", s->name));
    for (size_t i = 0; i < s->paths.count; i++)
        json_array_append_new(out, admin_text(s->paths.items[i]));
    return out;
}

static json_t *ra_of(const struct alias *a)
{
    const struct ra_set *ra = a->ra;
    if (!ra)
        return json_pack("{s:b}", "ready", 0);
    return json_pack("{s:b, s:o, s:o, s:i}", "ready", 1, "not_after", admin_time(ra->not_after), "sha256",
                     admin_hex_text(bytes_of(ra->current_sha256, sizeof ra->current_sha256)), "identities",
                     (int)ra->count);
}

static const char *challenge_name(enum challenge_type type)
{
    static const char *const names[] = {
        [CHALLENGE_ONE_TIME] = "one_time", [CHALLENGE_STATIC] = "static", [CHALLENGE_NONE] = "none"};
    return names[type];
}

static void add_alias(struct alias *a, void *list)
{
    const struct alias_settings *s = a->settings;
    json_array_append_new(
        list, json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "name", admin_text(s->name), "tenant",
                        admin_text(s->tenant), "backend", admin_text(s->backend), "challenge",
                        challenge_name(s->challenge.type), "paths", paths_of(s), "hosts", texts(&s->hosts),
                        "ca_sha256", a->ra ? admin_text(a->ra->ca.pin_sha256) : json_null(), "ra", ra_of(a)));
}

static json_t *aliases(struct admin *a)
{
    json_t *list = json_array();
    alias_directory_each(a->parts.directory, add_alias, list);
    return list;
}

void admin_aliases(struct admin_call *c)
{
    if (admin_query_only(c, ""))
        admin_answer(c, 200, json_pack("{s:o}", "aliases", aliases(c->admin)));
}

static void add_replica(void *list, const struct admin_replica *r)
{
    json_array_append_new(list, json_pack("{s:o, s:o, s:i, s:o, s:o, s:o, s:I}", "id", admin_text(r->id),
                                          "host", admin_text(r->host), "pid", r->pid, "version",
                                          admin_text(r->version), "since", admin_time(r->since), "seen",
                                          admin_time(r->seen), "differences", (json_int_t)r->differences));
}

static json_t *replicas(const struct admin_parts *parts)
{
    json_t *list = json_array();
    if (parts->replicas)
        parts->replicas(parts->context, add_replica, list);
    return list;
}

void admin_status(struct admin_call *c)
{
    if (!admin_query_only(c, ""))
        return;
    const struct admin_parts *parts = &c->admin->parts;
    char problem[256] = "";
    bool ready = store_ready(parts->store, problem, sizeof problem);
    bool draining = parts->draining && parts->draining(parts->context);
    int64_t uptime = (clock_monotonic(parts->clock) - c->admin->started) / 1000;
    json_t *store =
        json_pack("{s:o, s:b, s:o}", "type", admin_text(parts->store_type ? parts->store_type : ""), "ready",
                  ready, "problem", ready ? json_null() : admin_text(problem));
    json_t *queues = json_pack("{s:I, s:I, s:I}", "worker_waiting", (json_int_t)pool_waiting(parts->pool),
                               "worker_running", (json_int_t)pool_running(parts->pool), "backend_calls",
                               (json_int_t)(parts->backends ? backends_running(parts->backends) : 0));
    admin_answer(c, 200,
                 json_pack("{s:s, s:i, s:I, s:b, s:o, s:o, s:o, s:o, s:o}", "version", SCEPGATE_VERSION,
                           "pid", (int)getpid(), "uptime", (json_int_t)uptime, "draining", draining, "store",
                           store, "replica", parts->replica ? admin_text(parts->replica) : json_null(),
                           "replicas", replicas(parts), "queues", queues, "aliases", aliases(c->admin)));
}
