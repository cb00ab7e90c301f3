/* trail.c: /v1/audit. */
#include "admin/endpoints.h"

static json_t *event_json(const struct audit_event *e)
{
    json_t *details = json_loads(e->details && e->details[0] ? e->details : "{}", 0, NULL);
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sequence", (json_int_t)e->sequence,
                     "at", admin_time(e->at), "event", admin_text(e->event), "alias", admin_text(e->alias),
                     "tenant", admin_text(e->tenant), "transaction", admin_text(e->transaction), "client",
                     admin_text(e->client), "details", details ? details : admin_text(e->details), "hash",
                     admin_text(e->hash));
}

static void listed(struct admin_call *c, const struct store_answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->event_count; i++)
        json_array_append_new(list, event_json(&answer->events[i]));
    admin_answer_list(c, "events", list, answer);
}

void admin_audit_list(struct admin_call *c)
{
    store_request_init(&c->ask.request, STORE_AUDIT_LIST);
    if (admin_list_filter(c, "alias tenant text after limit"))
        admin_store(c, listed);
}

static void verified(struct admin_call *c, const struct store_answer *answer)
{
    if (answer->outcome == STORE_OK)
        admin_answer(c, 200, json_pack("{s:b}", "intact", 1));
    else if (answer->outcome == STORE_CONFLICT)
        admin_answer(c, 200, json_pack("{s:b, s:I}", "intact", 0, "first_bad", (json_int_t)answer->total));
    else
        admin_refuse_outcome(c, answer, "audit trail");
}

void admin_audit_verify(struct admin_call *c)
{
    store_request_init(&c->ask.request, STORE_AUDIT_VERIFY);
    if (admin_query_only(c, "") && admin_members(c, NULL, 0))
        admin_store(c, verified);
}
