/* sqlite_challenge.c: challenges: create, find, list, revoke; binding and giving back a use. */
#include <string.h>

#include "store/canonical.h"
#include "store/sqlite_inside.h"

static int64_t read_row(struct query *row, struct arena *arena, struct challenge_record *r)
{
    int i = 1;
    r->id = query_text(row, i++, arena);
    r->alias = query_text(row, i++, arena);
    query_digest(row, i++, r->hash, sizeof r->hash);
    r->key_id = query_text(row, i++, arena);
    r->state = (enum challenge_state)query_number(row, i++);
    r->uses = (int)query_number(row, i++);
    r->uses_left = (int)query_number(row, i++);
    r->created = query_number(row, i++);
    r->expires = query_number(row, i++);
    r->bind_cn = query_text(row, i++, arena);
    r->bind_san = query_text(row, i++, arena);
    r->bind_device = query_text(row, i++, arena);
    r->bind_spki_sha256 = query_text(row, i++, arena);
    r->labels = query_text(row, i++, arena);
    r->created_by = query_text(row, i++, arena);
    r->first_transaction = query_text(row, i++, arena);
    return query_number(row, 0);
}

void sqlite_challenge_add(struct query *row, struct store_answer *answer)
{
    struct challenge_record *r = answer_add_challenge(answer);
    if (r)
        read_row(row, answer->arena, r);
    else
        link_fail(row->link, SQLITE_NOMEM);
}

void sqlite_challenge_load(struct sqlite_link *l, const char *alias, const char *id, struct arena *arena,
                           struct sqlite_challenge *out)
{
    *out = (struct sqlite_challenge){0};
    struct query q = query_start(l, SQL_CHALLENGE_BY_ID);
    query_put_text(&q, id);
    query_put_text(&q, alias);
    if (query_row(&q))
        out->sequence = read_row(&q, arena, &out->record);
    query_end(&q);
}

static void save(struct sqlite_writer *w, const struct sqlite_challenge *c)
{
    struct query q = query_start(&w->link, SQL_CHALLENGE_UPDATE);
    query_put_number(&q, c->record.state);
    query_put_number(&q, c->record.uses_left);
    query_put_text(&q, c->record.first_transaction);
    query_put_number(&q, c->sequence);
    query_run(&q);
}

void sqlite_challenge_bind(struct sqlite_writer *w, struct sqlite_challenge *c, const char *transaction)
{
    c->record.uses_left--;
    if (c->record.uses_left == 0)
        c->record.state = CHALLENGE_USED;
    if (!*c->record.first_transaction)
        c->record.first_transaction = transaction;
    save(w, c);
}

/* Retention may have looked at its time already. */
static void not_yet_swept(struct sqlite_writer *w, const struct challenge_record *r)
{
    if (r->expires <= w->swept_unused)
        w->swept_unused = r->expires - 1;
}

/* One that was revoked, or deleted, meanwhile stays so. */
void sqlite_challenge_release(struct sqlite_writer *w, const char *alias, const char *id, struct arena *arena)
{
    struct sqlite_challenge c;
    sqlite_challenge_load(&w->link, alias, id, arena, &c);
    if (c.sequence == 0)
        return;
    c.record.uses_left++;
    if (c.record.state == CHALLENGE_USED)
        c.record.state = CHALLENGE_UNUSED;
    not_yet_swept(w, &c.record);
    save(w, &c);
}

/* ---- operations ---------------------------------------------------------------------------------------- */

static bool find_hash(struct sqlite_link *l, struct store_answer *answer, const char *alias,
                      const uint8_t *hash)
{
    struct query q = query_start(l, SQL_CHALLENGE_BY_HASH);
    query_put_bytes(&q, bytes_of(hash, CHALLENGE_HASH_SIZE));
    query_put_text(&q, alias);
    bool found = query_row(&q);
    if (found)
        sqlite_challenge_add(&q, answer);
    query_end(&q);
    return found;
}

enum sqlite_progress sqlite_challenge_find(struct sqlite_reader *r, struct sqlite_call *c)
{
    const __typeof__(c->request->challenge_find) *f = &c->request->challenge_find;
    c->answer->outcome = STORE_NOT_FOUND;
    for (size_t i = 0; i < f->hash_count && c->answer->outcome == STORE_NOT_FOUND; i++)
        if (find_hash(&r->link, c->answer, f->alias, f->hashes[i]))
            c->answer->outcome = STORE_OK;
    return SQLITE_READ_DONE;
}

/* By id or by hash. */
static bool exists(struct sqlite_writer *w, struct sqlite_call *c, const struct challenge_record *r)
{
    struct sqlite_challenge same_id;
    sqlite_challenge_load(&w->link, r->alias, r->id, c->answer->arena, &same_id);
    bool same_hash = find_hash(&w->link, c->answer, r->alias, r->hash);
    c->answer->challenge_count = 0;
    return same_hash || same_id.sequence != 0;
}

static void insert(struct sqlite_writer *w, const struct challenge_record *r)
{
    struct query q = query_start(&w->link, SQL_CHALLENGE_INSERT);
    query_put_text(&q, r->id);
    query_put_text(&q, r->alias);
    query_put_bytes(&q, bytes_of(r->hash, sizeof r->hash));
    query_put_text(&q, r->key_id);
    query_put_number(&q, r->state);
    query_put_number(&q, r->uses);
    query_put_number(&q, r->uses_left);
    query_put_number(&q, r->created);
    query_put_number(&q, r->expires);
    query_put_text(&q, r->bind_cn);
    query_put_text(&q, r->bind_san);
    query_put_text(&q, r->bind_device);
    query_put_text(&q, r->bind_spki_sha256);
    query_put_text(&q, r->labels);
    query_put_text(&q, r->created_by);
    query_put_text(&q, r->first_transaction);
    query_run(&q);
}

void sqlite_challenge_create(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct challenge_record r = c->request->challenge_create;
    if (exists(w, c, &r)) {
        c->answer->outcome = STORE_CONFLICT;
        return;
    }
    r.state = CHALLENGE_UNUSED;
    r.uses_left = r.uses;
    r.created = w->now;
    r.expires += w->now;
    r.first_transaction = "";
    insert(w, &r);
    c->changed = true;
    c->reference = sqlite3_last_insert_rowid(w->link.db);
    c->answer->outcome = STORE_OK;
    sqlite_challenge_again(w, c);
}

void sqlite_challenge_again(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct query q = query_start(&w->link, SQL_CHALLENGE_BY_SEQUENCE);
    query_put_number(&q, c->reference);
    if (query_row(&q))
        sqlite_challenge_add(&q, c->answer);
    query_end(&q);
}

enum sqlite_presence sqlite_challenge_import(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct challenge_record *r = c->request->import.challenge;
    struct sqlite_challenge have;
    sqlite_challenge_load(&w->link, r->alias, r->id, c->answer->arena, &have);
    if (have.sequence != 0)
        return canonical_same(STORE_KIND_CHALLENGE, &have.record, r) ? SQLITE_RECORDED : SQLITE_CLASH;
    if (exists(w, c, r))
        return SQLITE_CLASH;
    insert(w, r);
    not_yet_swept(w, r);
    return SQLITE_ABSENT;
}

/* Revoking twice changes nothing, and says OK. */
void sqlite_challenge_revoke(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct sqlite_challenge found;
    sqlite_challenge_load(&w->link, c->request->challenge_revoke.alias,
                          c->request->challenge_revoke.challenge_id, c->answer->arena, &found);
    if (found.sequence == 0) {
        c->answer->outcome = STORE_NOT_FOUND;
        return;
    }
    c->answer->outcome = STORE_OK;
    c->reference = found.sequence;
    if (found.record.state != CHALLENGE_REVOKED) {
        found.record.state = CHALLENGE_REVOKED;
        save(w, &found);
        c->changed = true;
    }
    sqlite_challenge_again(w, c);
}

static bool match(struct sqlite_reader *r, struct query *row, const struct store_list_filter *f)
{
    (void)r;
    return sqlite_filter_name(f->alias, query_text(row, 1, NULL)) &&
           sqlite_filter_name(f->state, challenge_state_name((enum challenge_state)query_number(row, 2))) &&
           (sqlite_filter_text(f->text, query_bytes(row, 3, NULL)) ||
            sqlite_filter_text(f->text, query_bytes(row, 4, NULL)) ||
            sqlite_filter_text(f->text, query_bytes(row, 5, NULL)));
}

enum sqlite_progress sqlite_challenge_list(struct sqlite_reader *r, struct sqlite_call *c)
{
    static const struct sqlite_list list = {SQL_CHALLENGE_SCAN, SQL_CHALLENGE_BY_SEQUENCE, match,
                                            sqlite_challenge_add};
    return sqlite_list_page(r, c, &list);
}
