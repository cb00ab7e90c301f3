/* sqlite_begin.c: the one atomic step that accepts a request: find the generation, bind the challenge,
 * create, lease. */
#include <string.h>

#include "store/sqlite_transaction.h"

enum verdict { CREATE, ANSWERED };

/* ---- what is there already ----------------------------------------------------------------------------- */

static void take_over(struct sqlite_writer *w, struct sqlite_call *c, struct sqlite_transaction *t)
{
    sqlite_transaction_lease(w, t, c->request->begin.lease);
    sqlite_transaction_save(w, t);
    c->answer->outcome = STORE_MINE;
    c->answer->claim = t->record->claim;
    c->reference = t->sequence;
    c->changed = c->quiet = true; /* events and obligations belong to a creation */
}

static const char *renewed_by(const struct transaction_record *r)
{
    return r->renews ? r->renews : "";
}

/* A device that keeps its key sends the request that got it the certificate once more, to renew it. */
static bool is_what_it_renews(const struct transaction_record *have, const struct transaction_record *r)
{
    return have->state == TRANSACTION_ISSUED && *renewed_by(r) && strcmp(have->serial, r->renews) == 0;
}

static enum verdict look_at_newest(struct sqlite_writer *w, struct sqlite_call *c,
                                   struct sqlite_transaction *t)
{
    const __typeof__(c->request->begin) *b = &c->request->begin;
    if (!t->record)
        return CREATE;
    bool same =
        memcmp(t->record->csr_info_sha256, b->record.csr_info_sha256, sizeof b->record.csr_info_sha256) == 0;
    if (transaction_finished(t->record->state)) {
        bool fresh = w->now - t->record->finished <= b->retransmit_window || w->now < t->record->expires;
        if (!same || !fresh || is_what_it_renews(t->record, &b->record))
            return CREATE;
        c->answer->outcome = STORE_FINISHED;
    } else if (same && (t->record->decision == DECISION_AWAITED ||
                        sqlite_lease_held(w, t->record->lease_until, w->link.owner))) {
        c->answer->outcome = STORE_RUNNING;
    } else if (same) {
        take_over(w, c, t);
    } else if (b->supersede) {
        return CREATE;
    } else {
        c->answer->outcome = STORE_CONFLICT;
    }
    return ANSWERED;
}

/* The other one is all that is in the answer. */
static bool renewed_elsewhere(struct sqlite_writer *w, struct sqlite_call *c,
                              const struct sqlite_transaction *newest)
{
    const struct transaction_record *r = &c->request->begin.record;
    struct sqlite_transaction other;
    if (!c->request->begin.alone || !*renewed_by(r))
        return false;
    c->answer->transactions = NULL; /* the newest stays where it is, in the arena */
    c->answer->transaction_count = 0;
    sqlite_transaction_renewing(&w->link, r->key.alias, r->renews, newest->sequence, c->answer, &other);
    if (!other.record)
        return false;
    c->answer->outcome = STORE_CONFLICT;
    return true;
}

/* ---- the challenge ------------------------------------------------------------------------------------- */

static bool unfinished(const struct sqlite_transaction *t)
{
    return t->record && !transaction_finished(t->record->state);
}

/* TAKEN, with the challenge in the answer. One that retention has deleted is long over: it is shown as
 * expired. */
static void refuse_challenge(struct sqlite_writer *w, struct sqlite_call *c,
                             const struct sqlite_challenge *found)
{
    struct challenge_record *r = answer_add_challenge(c->answer);
    c->answer->outcome = STORE_TAKEN;
    c->answer->transaction_count = 0;
    if (!r) {
        link_fail(&w->link, SQLITE_NOMEM);
        return;
    }
    *r = found->record;
    if (found->sequence != 0)
        return;
    const char *none = "", *id = arena_text(c->answer->arena, c->request->begin.record.challenge_id);
    *r = (struct challenge_record){
        .id = id ? id : none, .alias = none, .key_id = none, .state = CHALLENGE_UNUSED};
    r->bind_cn = r->bind_san = r->bind_device = r->bind_spki_sha256 = none;
    r->labels = r->created_by = r->first_transaction = none;
}

/* A use that the superseded generation gives back counts, when it is of the same challenge. */
static bool challenge_good(const struct sqlite_writer *w, const struct sqlite_challenge *found,
                           const struct sqlite_transaction *old)
{
    const struct challenge_record *r = &found->record;
    if (found->sequence == 0 || r->state == CHALLENGE_REVOKED || w->now >= r->expires)
        return false;
    bool given_back =
        unfinished(old) && old->record->challenge_bound && strcmp(old->record->challenge_id, r->id) == 0;
    return r->uses_left + (given_back ? 1 : 0) > 0;
}

/* ---- the new generation -------------------------------------------------------------------------------- */

static void supersede(struct sqlite_writer *w, struct sqlite_call *c, struct sqlite_transaction *old)
{
    sqlite_transaction_release(w, old, c->answer->arena);
    sqlite_transaction_finish(w, old, TRANSACTION_SUPERSEDED);
    old->record->sealed_csr = bytes_of(NULL, 0);
    sqlite_transaction_save(w, old);
}

static int64_t insert(struct sqlite_writer *w, const __typeof__(((struct store_request *)0)->begin) *b,
                      int64_t key, int64_t generation)
{
    const struct transaction_record *r = &b->record;
    bool held = r->approvals_needed > 0;
    struct transaction_record fresh = {
        .id = r->id,
        .key = r->key,
        .generation = generation,
        .state = held ? TRANSACTION_PENDING : TRANSACTION_RECEIVED,
        .claim = 1,
        .lease_until = held ? 0 : w->now + b->lease,
        .sealed_csr = r->sealed_csr,
        .plan = r->plan,
        .cookie = r->cookie,
        .renews = r->renews,
        .challenge_id = r->challenge_id,
        .challenge_bound = r->challenge_id && *r->challenge_id,
        .subject = r->subject,
        .client = r->client,
        .reason = r->reason,
        .created = w->now,
        .updated = w->now,
        .expires = held && b->expires_in > 0 ? w->now + b->expires_in : 0,
        .decision = held ? DECISION_AWAITED : DECISION_NONE,
        .approvals_needed = r->approvals_needed,
        .limited = b->pass_limit > 0,
    };
    memcpy(fresh.csr_info_sha256, r->csr_info_sha256, sizeof fresh.csr_info_sha256);
    memcpy(fresh.recipient_sha256, r->recipient_sha256, sizeof fresh.recipient_sha256);
    return sqlite_transaction_insert(w, key, &fresh, bytes_of(NULL, 0));
}

static void create(struct sqlite_writer *w, struct sqlite_call *c, struct sqlite_transaction *old,
                   struct sqlite_challenge *challenge)
{
    const struct transaction_record *r = &c->request->begin.record;
    int64_t generation = old->record ? old->record->generation + 1 : 1;
    if (unfinished(old)) {
        supersede(w, c, old);
        if (challenge->sequence) /* it may have got a use back */
            sqlite_challenge_load(&w->link, r->key.alias, r->challenge_id, c->answer->arena, challenge);
    }
    if (challenge->sequence)
        sqlite_challenge_bind(w, challenge, r->id);
    c->reference = insert(w, &c->request->begin, old->key, generation);
    c->answer->transaction_count = 0;
    sqlite_transaction_again(w, c);
    c->answer->outcome = STORE_MINE;
    c->answer->claim = 1;
    c->changed = true;
}

static bool is_full(struct sqlite_writer *w, const __typeof__(((struct store_request *)0)->begin) *b)
{
    if (b->pass_limit <= 0)
        return false;
    struct query q = query_start(&w->link, SQL_TRANSACTION_LIMITED);
    query_put_text(&q, b->record.key.alias);
    query_put_number(&q, w->now - b->pass_period);
    query_put_number(&q, b->pass_limit);
    bool full = query_row(&q) && query_number(&q, 0) >= b->pass_limit;
    query_end(&q);
    return full;
}

void sqlite_transaction_begin(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct transaction_record *r = &c->request->begin.record;
    struct sqlite_transaction newest;
    sqlite_transaction_newest(&w->link, &r->key, c->answer, &newest);
    if (look_at_newest(w, c, &newest) == ANSWERED || renewed_elsewhere(w, c, &newest))
        return;
    struct sqlite_challenge challenge = {0};
    if (r->challenge_id && *r->challenge_id) {
        sqlite_challenge_load(&w->link, r->key.alias, r->challenge_id, c->answer->arena, &challenge);
        if (!challenge_good(w, &challenge, &newest)) {
            refuse_challenge(w, c, &challenge);
            return;
        }
    }
    if (is_full(w, &c->request->begin)) {
        c->answer->outcome = STORE_FULL;
        c->answer->transaction_count = 0;
        return;
    }
    create(w, c, &newest, &challenge);
}
