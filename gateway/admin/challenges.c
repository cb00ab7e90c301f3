/* challenges.c: /v1/challenges: list and revoke. Making them is in orders.c. */
#include "admin/endpoints.h"

static json_t *labels_of(const struct challenge_record *r)
{
    json_t *labels = json_loads(r->labels && r->labels[0] ? r->labels : "{}", 0, NULL);
    return labels ? labels : json_object();
}

static json_t *summary(const struct challenge_record *r)
{
    json_t *bindings =
        json_pack("{s:o, s:o, s:o, s:o}", "cn", admin_text(r->bind_cn), "san", admin_text(r->bind_san),
                  "device", admin_text(r->bind_device), "spki_sha256", admin_text(r->bind_spki_sha256));
    return json_pack("{s:o, s:o, s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "id", admin_text(r->id),
                     "alias", admin_text(r->alias), "state", challenge_state_name(r->state), "uses", r->uses,
                     "uses_left", r->uses_left, "created", admin_time(r->created), "expires",
                     admin_time(r->expires), "bindings", bindings, "labels", labels_of(r), "created_by",
                     admin_text(r->created_by), "first_transaction", admin_text(r->first_transaction));
}

static void listed(struct admin_call *c, const struct store_answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->challenge_count; i++)
        json_array_append_new(list, summary(&answer->challenges[i]));
    admin_answer_list(c, "challenges", list, answer);
}

void admin_challenges_list(struct admin_call *c)
{
    store_request_init(&c->ask.request, STORE_CHALLENGE_LIST);
    if (admin_list_filter(c, "alias state text after limit"))
        admin_store(c, listed);
}

static void revoked(struct admin_call *c, const struct store_answer *answer)
{
    if (answer->outcome == STORE_OK)
        admin_answer(c, 200, json_pack("{s:s, s:s}", "id", c->parameters[1], "state", "revoked"));
    else
        admin_refuse_outcome(c, answer, "challenge");
}

void admin_challenges_revoke(struct admin_call *c)
{
    const char *id = c->parameters[1];
    if (!admin_query_only(c, "") || !admin_alias_name(c, c->parameters[0]) ||
        !admin_hex(c, id, "challenge's id", 32, 32))
        return;
    const char *alias = admin_alias_known(c, c->parameters[0]);
    struct store_request *request = &c->ask.request;
    store_request_init(request, STORE_CHALLENGE_REVOKE);
    request->challenge_revoke.alias = alias;
    request->challenge_revoke.challenge_id = id;
    audit_detail(&c->details, "challenge", id);
    audit_detail(&c->details, "by", c->by);
    request->events[request->event_count++] =
        audit_event(c->route->audit, alias, c->alias ? c->alias->settings->tenant : "", "", c->x->client,
                    audit_details_text(&c->details));
    admin_store(c, revoked);
}
