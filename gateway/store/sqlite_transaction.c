/* sqlite_transaction.c: transactions: recall, find, list, claim, advance. Begin has a file of its own. */
#include "store/sqlite_transaction.h"

#include <string.h>

#include "store/canonical.h"

/* ---- rows ---------------------------------------------------------------------------------------------- */

void sqlite_transaction_read(struct query *row, struct store_answer *answer, struct sqlite_transaction *out)
{
    struct transaction_record *r = answer_add_transaction(answer);
    *out = (struct sqlite_transaction){.record = r};
    if (!r) {
        link_fail(row->link, SQLITE_NOMEM);
        return;
    }
    struct arena *arena = answer->arena;
    int i = 0;
    out->sequence = query_number(row, i++);
    r->id = query_text(row, i++, arena);
    r->key.alias = query_text(row, i++, arena);
    r->key.transaction_id = query_bytes(row, i++, arena);
    query_digest(row, i++, r->key.signer_spki_sha256, sizeof r->key.signer_spki_sha256);
    r->generation = query_number(row, i++);
    r->state = (enum transaction_state)query_number(row, i++);
    r->claim = (uint64_t)query_number(row, i++);
    r->lease_until = query_number(row, i++);
    if (query_number(row, i++) != row->link->owner)
        r->lease_until = 0;
    query_digest(row, i++, r->csr_info_sha256, sizeof r->csr_info_sha256);
    query_digest(row, i++, r->recipient_sha256, sizeof r->recipient_sha256);
    r->plan = query_bytes(row, i++, arena);
    r->cookie = query_bytes(row, i++, arena);
    r->next_poll = query_number(row, i++);
    r->challenge_id = query_text(row, i++, arena);
    r->challenge_bound = query_number(row, i++) != 0;
    r->subject = query_text(row, i++, arena);
    r->client = query_text(row, i++, arena);
    r->error_name = query_text(row, i++, arena);
    r->reason = query_text(row, i++, arena);
    r->serial = query_text(row, i++, arena);
    r->created = query_number(row, i++);
    r->updated = query_number(row, i++);
    r->finished = query_number(row, i++);
    r->expires = query_number(row, i++);
    r->renews = query_text(row, i++, arena);
    r->decision = (enum transaction_decision)query_number(row, i++);
    r->approvals_needed = (int)query_number(row, i++);
    r->approved_by = query_text(row, i++, arena);
    r->limited = query_number(row, i++) != 0;
    r->sealed_csr = query_bytes(row, i++, arena);
    out->chain = query_bytes(row, i++, arena);
    r->chain_count = sqlite_chain_unpack(out->chain, r->chain);
}

static int64_t index_key_of(struct sqlite_link *l, const struct transaction_key *key)
{
    const struct bytes parts[] = {
        bytes_of_text(key->alias),
        key->transaction_id,
        bytes_of(key->signer_spki_sha256, sizeof key->signer_spki_sha256),
    };
    return link_index_key(l, parts, 3);
}

static void read_one(struct query *q, struct store_answer *answer, struct sqlite_transaction *out)
{
    *out = (struct sqlite_transaction){0};
    if (query_row(q))
        sqlite_transaction_read(q, answer, out);
    query_end(q);
}

void sqlite_transaction_newest(struct sqlite_link *l, const struct transaction_key *key,
                               struct store_answer *answer, struct sqlite_transaction *out)
{
    int64_t index_key = index_key_of(l, key);
    struct query q = query_start(l, SQL_TRANSACTION_NEWEST);
    query_put_number(&q, index_key);
    query_put_text(&q, key->alias);
    query_put_bytes(&q, key->transaction_id);
    query_put_bytes(&q, bytes_of(key->signer_spki_sha256, sizeof key->signer_spki_sha256));
    read_one(&q, answer, out);
    out->key = index_key;
}

void sqlite_transaction_by_id(struct sqlite_link *l, const char *alias, const char *id,
                              struct store_answer *answer, struct sqlite_transaction *out)
{
    struct query q = query_start(l, SQL_TRANSACTION_BY_ID);
    query_put_text(&q, id);
    query_put_text(&q, alias);
    read_one(&q, answer, out);
}

void sqlite_transaction_renewing(struct sqlite_link *l, const char *alias, const char *serial,
                                 int64_t but_not, struct store_answer *answer, struct sqlite_transaction *out)
{
    struct query q = query_start(l, SQL_TRANSACTION_RENEWING);
    query_put_text(&q, serial);
    query_put_text(&q, alias);
    query_put_number(&q, but_not);
    read_one(&q, answer, out);
}

void sqlite_transaction_again(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct sqlite_transaction t;
    struct query q = query_start(&w->link, SQL_TRANSACTION_BY_SEQUENCE);
    query_put_number(&q, c->reference);
    read_one(&q, c->answer, &t);
    if (!t.record) /* retention has deleted it since */
        c->answer->outcome = STORE_NOT_FOUND;
}

void sqlite_transaction_save(struct sqlite_writer *w, const struct sqlite_transaction *t)
{
    const struct transaction_record *r = t->record;
    struct query q = query_start(&w->link, SQL_TRANSACTION_UPDATE);
    query_put_number(&q, r->state);
    query_put_number(&q, (int64_t)r->claim);
    query_put_number(&q, r->lease_until);
    query_put_number(&q, r->lease_until ? w->link.owner : 0);
    query_put_bytes(&q, r->cookie);
    query_put_number(&q, r->next_poll);
    query_put_number(&q, r->challenge_bound);
    query_put_text(&q, r->error_name);
    query_put_text(&q, r->reason);
    query_put_text(&q, r->serial);
    query_put_number(&q, r->updated);
    query_put_number(&q, r->finished);
    query_put_number(&q, r->expires);
    query_put_number(&q, r->decision);
    query_put_text(&q, r->approved_by);
    query_put_bytes(&q, r->plan);
    query_put_bytes(&q, r->sealed_csr);
    query_put_bytes(&q, t->chain);
    query_put_number(&q, t->sequence);
    query_run(&q);
}

int64_t sqlite_transaction_insert(struct sqlite_writer *w, int64_t key, const struct transaction_record *r,
                                  struct bytes chain)
{
    struct query q = query_start(&w->link, SQL_TRANSACTION_INSERT);
    query_put_number(&q, key);
    query_put_text(&q, r->id);
    query_put_text(&q, r->key.alias);
    query_put_bytes(&q, r->key.transaction_id);
    query_put_bytes(&q, bytes_of(r->key.signer_spki_sha256, sizeof r->key.signer_spki_sha256));
    query_put_number(&q, r->generation);
    query_put_number(&q, r->state);
    query_put_number(&q, (int64_t)r->claim);
    query_put_number(&q, r->lease_until);
    query_put_number(&q, r->lease_until ? w->link.owner : 0);
    query_put_bytes(&q, bytes_of(r->csr_info_sha256, sizeof r->csr_info_sha256));
    query_put_bytes(&q, bytes_of(r->recipient_sha256, sizeof r->recipient_sha256));
    query_put_bytes(&q, r->plan);
    query_put_bytes(&q, r->cookie);
    query_put_number(&q, r->next_poll);
    query_put_text(&q, r->challenge_id);
    query_put_number(&q, r->challenge_bound);
    query_put_text(&q, r->subject);
    query_put_text(&q, r->client);
    query_put_text(&q, r->error_name);
    query_put_text(&q, r->reason);
    query_put_text(&q, r->serial);
    query_put_number(&q, r->created);
    query_put_number(&q, r->updated);
    query_put_number(&q, r->finished);
    query_put_number(&q, r->expires);
    query_put_text(&q, r->renews);
    query_put_number(&q, r->decision);
    query_put_number(&q, r->approvals_needed);
    query_put_text(&q, r->approved_by);
    query_put_number(&q, r->limited);
    query_put_bytes(&q, r->sealed_csr);
    query_put_bytes(&q, chain);
    query_run(&q);
    return sqlite3_last_insert_rowid(w->link.db);
}

/* ---- changes ------------------------------------------------------------------------------------------- */

void sqlite_transaction_lease(struct sqlite_writer *w, struct sqlite_transaction *t, int64_t lease)
{
    t->record->claim++;
    t->record->lease_until = w->now + lease;
    t->record->updated = w->now;
}

void sqlite_transaction_release(struct sqlite_writer *w, struct sqlite_transaction *t, struct arena *arena)
{
    if (!t->record->challenge_bound)
        return;
    sqlite_challenge_release(w, t->record->key.alias, t->record->challenge_id, arena);
    t->record->challenge_bound = false;
}

void sqlite_transaction_finish(struct sqlite_writer *w, struct sqlite_transaction *t,
                               enum transaction_state state)
{
    struct transaction_record *r = t->record;
    r->state = state;
    r->finished = r->updated = w->now;
    r->lease_until = 0;
    sqlite_obligation_clear(w, r->key.alias, "submission.resume", r->id);
    sqlite_obligation_clear(w, r->key.alias, "transaction.expire", r->id);
}

/* ---- operations ---------------------------------------------------------------------------------------- */

enum sqlite_progress sqlite_transaction_recall(struct sqlite_reader *r, struct sqlite_call *c)
{
    struct sqlite_transaction t;
    sqlite_transaction_newest(&r->link, &c->request->recall, c->answer, &t);
    c->answer->outcome = t.record ? STORE_OK : STORE_NOT_FOUND;
    return SQLITE_READ_DONE;
}

enum sqlite_progress sqlite_transaction_find(struct sqlite_reader *r, struct sqlite_call *c)
{
    struct sqlite_transaction t;
    sqlite_transaction_by_id(&r->link, c->request->transaction_find.alias,
                             c->request->transaction_find.record_id, c->answer, &t);
    c->answer->outcome = t.record ? STORE_OK : STORE_NOT_FOUND;
    return SQLITE_READ_DONE;
}

void sqlite_transaction_claim(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct sqlite_transaction t;
    sqlite_transaction_by_id(&w->link, c->request->claim.alias, c->request->claim.record_id, c->answer, &t);
    if (!t.record) {
        c->answer->outcome = STORE_NOT_FOUND;
    } else if (transaction_finished(t.record->state)) {
        c->answer->outcome = STORE_FINISHED;
    } else if (sqlite_lease_held(w, t.record->lease_until, w->link.owner)) {
        c->answer->outcome = STORE_RUNNING;
    } else {
        sqlite_transaction_lease(w, &t, c->request->claim.lease);
        sqlite_transaction_save(w, &t);
        c->answer->outcome = STORE_MINE;
        c->answer->claim = t.record->claim;
        c->changed = true;
        c->reference = t.sequence;
    }
}

static const char *text_or(const char *text, const char *kept)
{
    return text && *text ? text : kept;
}

/* The answer is one allocation: what the request lends is copied into it. */
const char *sqlite_keep_text(struct sqlite_writer *w, struct arena *arena, const char *text, const char *kept)
{
    const char *copy = text && *text ? arena_text(arena, text) : kept;
    if (!copy)
        link_fail(&w->link, SQLITE_NOMEM);
    return text_or(copy, "");
}

static struct bytes keep_bytes(struct sqlite_writer *w, struct arena *arena, struct bytes bytes)
{
    struct bytes copy = bytes.len ? arena_bytes(arena, bytes.data, bytes.len) : bytes_of(NULL, 0);
    if (bytes.len && !copy.data)
        link_fail(&w->link, SQLITE_NOMEM);
    return copy;
}

static void advance_values(struct sqlite_writer *w, struct sqlite_call *c, struct sqlite_transaction *t)
{
    struct transaction_record *r = t->record;
    const __typeof__(c->request->advance) *a = &c->request->advance;
    struct arena *arena = c->answer->arena;
    r->updated = w->now;
    if (a->cookie.len > 0)
        r->cookie = keep_bytes(w, arena, a->cookie);
    if (a->plan.len > 0)
        r->plan = keep_bytes(w, arena, a->plan);
    r->error_name = sqlite_keep_text(w, arena, a->error_name, r->error_name);
    r->reason = sqlite_keep_text(w, arena, a->reason, r->reason);
    if (a->state == TRANSACTION_PENDING) {
        r->next_poll = w->now + a->poll_delay;
        if (r->expires == 0 && a->expires_in > 0)
            r->expires = w->now + a->expires_in;
    }
    if (a->chain_count > 0) {
        size_t count = a->chain_count < 8 ? a->chain_count : 8;
        t->chain = sqlite_chain_pack(&w->link, arena, a->chain, count);
        r->chain_count = sqlite_chain_unpack(t->chain, r->chain);
    }
    if (a->certificate)
        r->serial = sqlite_keep_text(w, arena, a->certificate->serial, r->serial);
    if (a->erase_csr)
        r->sealed_csr = bytes_of(NULL, 0);
    if (a->drop_lease)
        r->lease_until = 0;
    if (a->extend_lease > 0)
        r->lease_until = w->now + a->extend_lease;
}

void sqlite_transaction_advance(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->advance) *a = &c->request->advance;
    struct sqlite_transaction t;
    enum sqlite_presence presence;
    sqlite_transaction_by_id(&w->link, a->alias, a->record_id, c->answer, &t);
    if (!t.record) {
        c->answer->outcome = STORE_NOT_FOUND;
    } else if (transaction_finished(t.record->state)) {
        c->answer->outcome = STORE_FINISHED;
    } else if (t.record->claim != a->claim) {
        c->answer->outcome = STORE_STALE;
    } else if ((presence = sqlite_certificate_look(w, a->certificate)) == SQLITE_CLASH) {
        c->answer->outcome = STORE_CONFLICT;
    } else {
        advance_values(w, c, &t);
        if (a->release_challenge)
            sqlite_transaction_release(w, &t, c->answer->arena);
        if (transaction_finished(a->state))
            sqlite_transaction_finish(w, &t, a->state);
        else if (a->state != 0)
            t.record->state = a->state;
        if (a->state == TRANSACTION_PENDING) /* from here on the client's polls drive it */
            sqlite_obligation_clear(w, t.record->key.alias, "submission.resume", t.record->id);
        if (presence == SQLITE_ABSENT)
            sqlite_certificate_record(w, a->certificate);
        sqlite_transaction_save(w, &t);
        c->answer->outcome = STORE_OK;
        c->answer->claim = t.record->claim;
        c->changed = true;
        c->reference = t.sequence;
    }
}

/* ---- import -------------------------------------------------------------------------------------------- */

static enum sqlite_presence presence_of(const struct transaction_record *have,
                                        const struct transaction_record *r)
{
    if (!have)
        return SQLITE_ABSENT;
    return canonical_same(STORE_KIND_TRANSACTION, have, r) ? SQLITE_RECORDED : SQLITE_CLASH;
}

/* Generations of one key are found in the order of their rows, so an older one must not come after a newer. */
enum sqlite_presence sqlite_transaction_import(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct transaction_record r = *c->request->import.transaction;
    struct sqlite_transaction have, newest;
    sqlite_transaction_by_id(&w->link, r.key.alias, r.id, c->answer, &have);
    enum sqlite_presence presence = presence_of(have.record, &r);
    sqlite_transaction_newest(&w->link, &r.key, c->answer, &newest);
    if (presence == SQLITE_ABSENT && newest.record && newest.record->generation >= r.generation)
        presence = SQLITE_CLASH;
    c->answer->transaction_count = 0;
    if (presence != SQLITE_ABSENT)
        return presence;
    r.lease_until = 0; /* whoever held it is gone */
    sqlite_transaction_insert(w, newest.key, &r,
                              sqlite_chain_pack(&w->link, c->answer->arena, r.chain, r.chain_count));
    return presence;
}

/* ---- list ---------------------------------------------------------------------------------------------- */

static bool alias_wanted(const struct store_list_filter *f, const char *alias)
{
    bool wanted = f->alias_count == 0;
    for (size_t i = 0; !wanted && i < f->alias_count; i++)
        wanted = strcmp(f->aliases[i], alias) == 0;
    return wanted && sqlite_filter_name(f->alias, alias);
}

static bool time_wanted(const struct store_list_filter *f, int64_t created)
{
    return (f->created_from == 0 || created >= f->created_from) &&
           (f->created_until == 0 || created < f->created_until);
}

static bool state_wanted(const struct store_list_filter *f, enum transaction_state state, int64_t decision)
{
    if (f->state && strcmp(f->state, "waiting") == 0)
        return state == TRANSACTION_PENDING && decision == DECISION_AWAITED;
    return sqlite_filter_name(f->state, transaction_state_name(state));
}

static bool match(struct sqlite_reader *r, struct query *row, const struct store_list_filter *f)
{
    (void)r;
    return alias_wanted(f, query_text(row, 1, NULL)) && time_wanted(f, query_number(row, 5)) &&
           state_wanted(f, (enum transaction_state)query_number(row, 2), query_number(row, 6)) &&
           (sqlite_filter_text(f->text, query_bytes(row, 3, NULL)) ||
            sqlite_filter_text(f->text, query_bytes(row, 4, NULL)));
}

void sqlite_transaction_add(struct query *row, struct store_answer *answer)
{
    struct sqlite_transaction t;
    sqlite_transaction_read(row, answer, &t);
}

enum sqlite_progress sqlite_transaction_list(struct sqlite_reader *r, struct sqlite_call *c)
{
    static const struct sqlite_list list = {SQL_TRANSACTION_SCAN, SQL_TRANSACTION_BY_SEQUENCE, match,
                                            sqlite_transaction_add};
    return sqlite_list_page(r, c, &list);
}
