/* transactions.c: /v1/transactions. */
#include "admin/endpoints.h"

static json_t *summary(const struct transaction_record *t)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                     admin_text(t->id), "alias", admin_text(t->key.alias), "transaction_id",
                     admin_bytes_text(t->key.transaction_id), "generation", (json_int_t)t->generation,
                     "state", transaction_state_name(t->state), "subject", admin_text(t->subject), "client",
                     admin_text(t->client), "challenge", admin_text(t->challenge_id), "serial",
                     admin_text(t->serial), "error", admin_text(t->error_name), "reason",
                     admin_text(t->reason), "created", admin_time(t->created), "updated",
                     admin_time(t->updated), "finished", admin_time(t->finished), "expires",
                     admin_time(t->expires));
}

static json_t *detail(const struct transaction_record *t)
{
    json_t *json = summary(t), *chain = json_array();
    for (size_t i = 0; i < t->chain_count; i++)
        json_array_append_new(chain, admin_pem(t->chain[i]));
    json_object_set_new(
        json, "signer_spki_sha256",
        admin_hex_text(bytes_of(t->key.signer_spki_sha256, sizeof t->key.signer_spki_sha256)));
    json_object_set_new(json, "csr_info_sha256",
                        admin_hex_text(bytes_of(t->csr_info_sha256, sizeof t->csr_info_sha256)));
    json_object_set_new(json, "renews", admin_text(t->renews));
    json_object_set_new(json, "claim", json_integer((json_int_t)t->claim));
    json_object_set_new(json, "lease_until", admin_time(t->lease_until));
    json_object_set_new(json, "next_poll", admin_time(t->next_poll));
    json_object_set_new(json, "chain", chain);
    return json;
}

static void listed(struct admin_call *c, const struct store_answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->transaction_count; i++)
        json_array_append_new(list, summary(&answer->transactions[i]));
    admin_answer_list(c, "transactions", list, answer);
}

void admin_transactions_list(struct admin_call *c)
{
    store_request_init(&c->ask.request, STORE_TRANSACTION_LIST);
    if (admin_list_filter(c, "alias state text after limit"))
        admin_store(c, listed);
}

static void found(struct admin_call *c, const struct store_answer *answer)
{
    if (answer->outcome == STORE_OK && answer->transaction_count > 0)
        admin_answer(c, 200, detail(&answer->transactions[0]));
    else
        admin_refuse_outcome(c, answer, "transaction");
}

void admin_transactions_find(struct admin_call *c)
{
    const char *alias = admin_query(c, "alias");
    if (!admin_query_only(c, "alias") || !admin_hex(c, c->parameters[0], "transaction's id", 32, 32))
        return;
    if (!alias) {
        admin_refuse(c, 400, "BAD_REQUEST", "the query must name the \"alias\"");
        return;
    }
    if (!admin_alias_name(c, alias))
        return;
    store_request_init(&c->ask.request, STORE_TRANSACTION_FIND);
    c->ask.request.transaction_find.alias = admin_alias_known(c, alias);
    c->ask.request.transaction_find.record_id = c->parameters[0];
    admin_store(c, found);
}
