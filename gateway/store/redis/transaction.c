/* transaction.c: transactions: recall, begin, claim, advance, decide, find. What they do is in the scripts of these names. */
#include <string.h>

#include "store/redis/inside.h"

const char *redis_recall_alias(struct redis_call *c)
{
    return c->request->recall.alias;
}

const char *redis_begin_alias(struct redis_call *c)
{
    return c->request->begin.record.key.alias;
}

const char *redis_claim_alias(struct redis_call *c)
{
    return c->request->claim.alias;
}

const char *redis_advance_alias(struct redis_call *c)
{
    return c->request->advance.alias;
}

const char *redis_decide_alias(struct redis_call *c)
{
    return c->request->decide.alias;
}

const char *redis_find_alias(struct redis_call *c)
{
    return c->request->transaction_find.alias;
}

void redis_recall(struct redis_call *c, struct arguments *a)
{
    uint8_t name[RECORD_NAME_SIZE];
    record_transaction_name(&c->request->recall, name);
    argument_bytes(a, "key", bytes_of(name, sizeof name));
}

void redis_begin(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->begin) *b = &c->request->begin;
    const struct transaction_record *r = &b->record;
    struct transaction_record given = {.id = r->id,
                                       .key = r->key,
                                       .sealed_csr = r->sealed_csr,
                                       .plan = r->plan,
                                       .cookie = r->cookie,
                                       .renews = r->renews,
                                       .reason = r->reason,
                                       .approvals_needed = r->approvals_needed,
                                       .challenge_id = r->challenge_id,
                                       .subject = r->subject,
                                       .client = r->client};
    memcpy(given.csr_info_sha256, r->csr_info_sha256, sizeof given.csr_info_sha256);
    memcpy(given.recipient_sha256, r->recipient_sha256, sizeof given.recipient_sha256);
    record_put(a, "r", &record_transaction, &given);
    uint8_t name[RECORD_NAME_SIZE];
    record_transaction_name(&r->key, name);
    record_put_grouped(a, "r", "key", bytes_of(name, sizeof name));
    argument_number(a, "window", b->retransmit_window);
    argument_number(a, "lease", b->lease);
    argument_text(a, "supersede", b->supersede ? "1" : "");
    argument_text(a, "alone", b->alone ? "1" : "");
    argument_number(a, "life", b->expires_in);
    argument_number(a, "pass_limit", b->pass_limit);
    argument_number(a, "pass_period", b->pass_period);
}

/* A challenge that retention has deleted is long over: it is shown as expired. */
void redis_begun(struct redis_call *c, const struct redisReply *reply)
{
    (void)reply;
    if (c->answer->outcome != STORE_TAKEN || c->answer->challenge_count > 0)
        return;
    struct challenge_record *r = answer_add_challenge(c->answer);
    if (!r) {
        redis_call_fail(c, STORE_UNAVAILABLE, "out of memory");
        return;
    }
    *r = (struct challenge_record){.id = redis_arena_text(c, c->request->begin.record.challenge_id),
                                   .alias = "",
                                   .key_id = "",
                                   .state = CHALLENGE_UNUSED};
    r->bind_cn = r->bind_san = r->bind_device = r->bind_spki_sha256 = "";
    r->labels = r->created_by = r->first_transaction = "";
}

void redis_claim(struct redis_call *c, struct arguments *a)
{
    record_put_id(a, "record", c->request->claim.record_id);
    argument_number(a, "lease", c->request->claim.lease);
}

void redis_advance(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->advance) *m = &c->request->advance;
    record_put_id(a, "record", m->record_id);
    argument_number(a, "claim", (int64_t)m->claim);
    argument_number(a, "state", m->state);
    argument_number(a, "poll", m->poll_delay);
    argument_number(a, "life", m->expires_in);
    argument_number(a, "extend", m->extend_lease);
    argument_text(a, "release", m->release_challenge ? "1" : "");
    argument_text(a, "erase", m->erase_csr ? "1" : "");
    argument_text(a, "drop", m->drop_lease ? "1" : "");
    record_put_grouped(a, "r", "cookie", m->cookie);
    record_put_grouped(a, "r", "plan", m->plan);
    record_put_grouped(a, "r", "error", bytes_of_text(m->error_name ? m->error_name : ""));
    record_put_grouped(a, "r", "reason", bytes_of_text(m->reason ? m->reason : ""));
    record_put_chain(a, "r", m->chain, m->chain_count);
    redis_put_certificate(a, "x", m->certificate);
}

void redis_decide(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->decide) *d = &c->request->decide;
    record_put_id(a, "record", d->record_id);
    argument_text(a, "by", d->by);
    argument_text(a, "deny", d->deny ? "1" : "");
    argument_number(a, "life", d->expires_in);
    argument_text(a, "release", d->release_challenge ? "1" : "");
    record_put_grouped(a, "r", "error", bytes_of_text(d->error_name ? d->error_name : ""));
    record_put_grouped(a, "r", "reason", bytes_of_text(d->reason ? d->reason : ""));
}

void redis_find(struct redis_call *c, struct arguments *a)
{
    argument_text(a, "of", record_transaction.letter);
    record_put_id(a, "record", c->request->transaction_find.record_id);
}
