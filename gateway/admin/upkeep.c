/* upkeep.c: /v1/store/rekey and /v1/store/reindex: work on the whole store, one of each at a time. POST begins,
 * GET tells how far it is. */
#include "admin/upkeep.h"

#include <stdio.h>

#include "admin/endpoints.h"

/* ---- rekey --------------------------------------------------------------------------------------------- */

static json_t *dependants_json(const struct rekey_report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->dependant_count; i++) {
        const struct rekey_dependants *d = &report->dependants[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:o}", "key", d->key, "challenges",
                                              (json_int_t)d->challenges, "last_expires",
                                              admin_time(d->last_expires)));
    }
    return list;
}

json_t *rekey_json(const struct rekey_report *r, const char *key)
{
    return json_pack("{s:b, s:b, s:s, s:I, s:I, s:I, s:o, s:o}", "running", r->running, "moved", r->moved,
                     "key", key, "looked_at", (json_int_t)r->looked_at, "resealed", (json_int_t)r->resealed,
                     "unreadable", (json_int_t)r->unreadable, "older_keys", dependants_json(r), "problem",
                     r->problem[0] ? admin_text(r->problem) : json_null());
}

static void answer_rekey(struct admin_call *c, int status)
{
    static const struct rekey_report never = {0};
    const struct rekey *r = c->admin->rekey;
    admin_answer(c, status, rekey_json(r ? rekey_report(r) : &never, keys_id(c->admin->parts.keys, 0)));
}

void admin_rekey_look(struct admin_call *c)
{
    if (admin_query_only(c, ""))
        answer_rekey(c, 200);
}

void admin_rekey_begin(struct admin_call *c)
{
    struct admin *a = c->admin;
    if (!admin_query_only(c, "") || !admin_members(c, NULL, 0))
        return;
    if (a->rekey && rekey_report(a->rekey)->running) {
        admin_refuse(c, 409, "CONFLICT", "it is running already");
        return;
    }
    const struct rekey_options options = {.base = a->parts.base,
                                          .store = a->parts.store,
                                          .keys = a->parts.keys,
                                          .by = c->by,
                                          .stop = a->parts.draining,
                                          .context = a->parts.context};
    rekey_free(a->rekey);
    a->rekey = rekey_start(&options);
    if (a->rekey)
        answer_rekey(c, 202);
    else
        admin_refuse(c, 500, "INTERNAL", "the gateway is out of memory");
}

/* ---- reindex ------------------------------------------------------------------------------------------- */

static void answer_reindex(struct admin_call *c, int status)
{
    const struct reindex *r = &c->admin->reindex;
    admin_answer(c, status,
                 json_pack("{s:b, s:b, s:I, s:o}", "running", r->running, "done", r->done, "aliases",
                           (json_int_t)r->aliases, "problem",
                           r->problem[0] ? admin_text(r->problem) : json_null()));
}

void admin_reindex_look(struct admin_call *c)
{
    if (admin_query_only(c, ""))
        answer_reindex(c, 200);
}

static void reindexed(void *context, const struct store_answer *answer)
{
    struct reindex *r = context;
    r->running = false;
    r->done = answer->outcome == STORE_OK;
    r->aliases = answer->total;
    if (!r->done)
        snprintf(r->problem, sizeof r->problem, "the store answered %s (%s); start it again",
                 store_outcome_name(answer->outcome), answer->reason);
}

void admin_reindex_begin(struct admin_call *c)
{
    struct reindex *r = &c->admin->reindex;
    if (!admin_query_only(c, "") || !admin_members(c, NULL, 0))
        return;
    if (r->running) {
        admin_refuse(c, 409, "CONFLICT", "it is running already");
        return;
    }
    *r = (struct reindex){.running = true};
    store_request_init(&r->ask.request, STORE_REINDEX);
    ask_start(&r->ask, c->admin->parts.base, c->admin->parts.store, reindexed, r);
    answer_reindex(c, 202);
}
