/* transactions.c: /v1/transactions. */
#include <stdlib.h>
#include <string.h>

#include "admin/endpoints.h"
#include "base/clock.h"

static json_t *summary(const struct transaction_record *t)
{
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                  admin_text(t->id), "alias", admin_text(t->key.alias), "transaction_id",
                  admin_bytes_text(t->key.transaction_id), "generation", (json_int_t)t->generation, "state",
                  transaction_state_name(t->state), "subject", admin_text(t->subject), "client",
                  admin_text(t->client), "challenge", admin_text(t->challenge_id), "serial",
                  admin_text(t->serial), "error", admin_text(t->error_name), "reason", admin_text(t->reason),
                  "created", admin_time(t->created), "updated", admin_time(t->updated), "finished",
                  admin_time(t->finished), "expires", admin_time(t->expires));
    json_object_set_new(json, "decision", json_string(transaction_decision_name(t->decision)));
    json_object_set_new(json, "approvals_needed", json_integer(t->approvals_needed));
    return json;
}

json_t *admin_transaction_detail(const struct transaction_record *t)
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
    json_object_set_new(json, "approved_by", admin_text(t->approved_by));
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

/* ---- filters that only this list has ------------------------------------------------------------------- */

struct tenants {
    const char *name;
    const char **aliases;
    size_t count;
};

static void take_if_its(struct alias *a, void *context)
{
    struct tenants *t = context;
    if (strcmp(a->settings->tenant, t->name) == 0)
        t->aliases[t->count++] = a->settings->name;
}

/* A transaction knows its alias, and the settings whose that is. False: answered. */
static bool filter_tenant(struct admin_call *c)
{
    static const char *const nobodys[] = {""};
    struct store_list_filter *f = &c->ask.request.list;
    struct alias_directory *directory = c->admin->parts.directory;
    struct tenants t = {.name = f->tenant};
    if (!t.name)
        return true;
    t.aliases = c->names = calloc(alias_directory_count(directory) + 1, sizeof *t.aliases);
    if (!t.aliases) {
        admin_refuse(c, 500, "INTERNAL", "the gateway is out of memory");
        return false;
    }
    alias_directory_each(directory, take_if_its, &t);
    f->aliases = t.count ? t.aliases : nobodys;
    f->alias_count = t.count ? t.count : 1;
    return true;
}

/* Whole seconds of age, as a time. False: answered. */
static bool read_age(struct admin_call *c, const char *name, int64_t *time)
{
    const char *text = admin_query(c, name);
    size_t len = text ? strlen(text) : 0;
    if (!text)
        return true;
    if (len == 0 || len > 10 || strspn(text, "0123456789") != len) {
        admin_refuse(c, 400, "BAD_REQUEST", "\"%s\" must be an age in whole seconds", name);
        return false;
    }
    *time = clock_realtime(c->admin->parts.clock) - strtoll(text, NULL, 10) * 1000;
    if (*time < 1)
        *time = 1;
    return true;
}

void admin_transactions_list(struct admin_call *c)
{
    struct store_list_filter *f = &c->ask.request.list;
    store_request_init(&c->ask.request, STORE_TRANSACTION_LIST);
    if (admin_list_filter(c, "alias tenant state text after limit younger older") && filter_tenant(c) &&
        read_age(c, "younger", &f->created_from) && read_age(c, "older", &f->created_until))
        admin_store(c, listed);
}

static void found(struct admin_call *c, const struct store_answer *answer)
{
    if (answer->outcome == STORE_OK && answer->transaction_count > 0)
        admin_answer(c, 200, admin_transaction_detail(&answer->transactions[0]));
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
