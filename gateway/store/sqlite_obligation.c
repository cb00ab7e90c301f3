/* sqlite_obligation.c: work that is due at a time: put, claim, done. One row per kind, alias and reference.
 */
#include <stdio.h>

#include "store/canonical.h"
#include "store/sqlite_inside.h"

#define ID_MAX 512

/* "KIND/ALIAS/REFERENCE"; kinds hold no slash and aliases neither, so no two rows meet. */
static bool id_of(struct sqlite_writer *w, char id[ID_MAX], const char *alias, const char *kind,
                  const char *reference)
{
    int len = snprintf(id, ID_MAX, "%s/%s/%s", kind, alias ? alias : "", reference ? reference : "");
    if (len < 0 || len >= ID_MAX)
        link_fail(&w->link, SQLITE_TOOBIG);
    return len >= 0 && len < ID_MAX;
}

void sqlite_obligation_write(struct sqlite_writer *w, const struct obligation_new *o)
{
    char id[ID_MAX];
    if (!id_of(w, id, o->alias, o->kind, o->reference))
        return;
    struct query q = query_start(&w->link, SQL_OBLIGATION_PUT);
    query_put_text(&q, id);
    query_put_text(&q, o->alias);
    query_put_text(&q, o->kind);
    query_put_text(&q, o->reference);
    query_put_number(&q, w->now + o->delay);
    query_run(&q);
}

static void delete_row(struct sqlite_writer *w, const char *id)
{
    struct query q = query_start(&w->link, SQL_OBLIGATION_DELETE);
    query_put_text(&q, id);
    query_run(&q);
}

void sqlite_obligation_clear(struct sqlite_writer *w, const char *alias, const char *kind,
                             const char *reference)
{
    char id[ID_MAX];
    if (id_of(w, id, alias, kind, reference))
        delete_row(w, id);
}

void sqlite_obligation_put(struct sqlite_writer *w, struct sqlite_call *c)
{
    sqlite_obligation_write(w, &c->request->obligation_put);
    c->answer->outcome = STORE_OK;
    c->changed = true;
}

void sqlite_obligation_add(struct query *row, struct store_answer *answer)
{
    struct obligation *o = answer_add_obligation(answer);
    if (!o) {
        link_fail(row->link, SQLITE_NOMEM);
        return;
    }
    o->id = query_text(row, 0, answer->arena);
    o->alias = query_text(row, 1, answer->arena);
    o->kind = query_text(row, 2, answer->arena);
    o->reference = query_text(row, 3, answer->arena);
    o->due = query_number(row, 4);
    o->attempts = (int)query_number(row, 5);
    o->claim = (uint64_t)query_number(row, 6);
    o->given_up = query_number(row, 7) != 0;
}

/* Whoever had claimed it is gone: it is due when it was wanted, as after a restart. */
static enum sqlite_presence import_row(struct sqlite_writer *w, const struct obligation *o, const char *id,
                                       struct store_answer *answer)
{
    struct query have = query_start(&w->link, SQL_OBLIGATION_BY_ID);
    query_put_text(&have, id);
    bool there = query_row(&have);
    if (there)
        sqlite_obligation_add(&have, answer);
    query_end(&have);
    if (there && answer->obligation_count > 0)
        return canonical_same(STORE_KIND_OBLIGATION, answer->obligations, o) ? SQLITE_RECORDED : SQLITE_CLASH;
    struct query q = query_start(&w->link, SQL_IMPORT_OBLIGATION);
    query_put_text(&q, id);
    query_put_text(&q, o->alias);
    query_put_text(&q, o->kind);
    query_put_text(&q, o->reference);
    query_put_number(&q, o->due);
    query_put_number(&q, o->attempts);
    query_put_number(&q, o->given_up);
    query_run(&q);
    return SQLITE_ABSENT;
}

enum sqlite_presence sqlite_obligation_import(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct obligation *o = c->request->import.obligation;
    char id[ID_MAX];
    if (!id_of(w, id, o->alias, o->kind, o->reference))
        return SQLITE_CLASH;
    enum sqlite_presence presence = import_row(w, o, id, c->answer);
    c->answer->obligation_count = 0;
    return presence;
}

/* The claim is the number of this operation, which no other ever has: a row that was deleted and put again
 * cannot be mistaken. */
void sqlite_obligation_claim(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->obligation_claim) *want = &c->request->obligation_claim;
    int64_t claim = w->memory.sequence + 1;
    struct query due = query_start(&w->link, SQL_OBLIGATION_DUE);
    query_put_number(&due, w->now);
    query_put_number(&due, want->limit);
    while (query_row(&due))
        sqlite_obligation_add(&due, c->answer);
    query_end(&due);
    for (size_t i = 0; i < c->answer->obligation_count; i++) {
        struct obligation *o = (struct obligation *)&c->answer->obligations[i];
        o->claim = (uint64_t)claim;
        o->attempts++;
        struct query take = query_start(&w->link, SQL_OBLIGATION_TAKE);
        query_put_number(&take, w->now + want->lease);
        query_put_number(&take, claim);
        query_put_text(&take, o->id);
        query_run(&take);
    }
    c->answer->outcome = STORE_OK;
    c->answer->claim = c->answer->obligation_count > 0 ? (uint64_t)claim : 0;
    c->changed = c->answer->obligation_count > 0;
}

void sqlite_obligation_again(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct query q = query_start(&w->link, SQL_OBLIGATION_HELD);
    query_put_number(&q, (int64_t)c->answer->claim);
    while (query_row(&q))
        sqlite_obligation_add(&q, c->answer);
    query_end(&q);
}

static bool claimed(struct sqlite_writer *w, const char *id, uint64_t claim)
{
    struct query q = query_start(&w->link, SQL_OBLIGATION_GET);
    query_put_text(&q, id);
    bool mine = claim != 0 && query_row(&q) && (uint64_t)query_number(&q, 0) == claim;
    query_end(&q);
    return mine;
}

void sqlite_obligation_done(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->obligation_done) *done = &c->request->obligation_done;
    if (!claimed(w, done->id, done->claim)) {
        c->answer->outcome = STORE_STALE;
        return;
    }
    if (done->again_after == 0) {
        delete_row(w, done->id);
    } else {
        bool again = done->again_after > 0;
        struct query q = query_start(&w->link, again ? SQL_OBLIGATION_AGAIN : SQL_OBLIGATION_GIVE_UP);
        query_put_number(&q, again ? w->now + done->again_after : w->now);
        query_put_text(&q, done->id);
        query_run(&q);
    }
    c->answer->outcome = STORE_OK;
    c->changed = true;
}
