/* sqlite_sweep.c: deletes what retention says, oldest first, at most `limit` rows at a time. */
#include "store/sqlite_inside.h"

struct sweep {
    struct sqlite_writer *writer;
    int64_t left;
    int64_t deleted;
};

static int64_t delete_rows(struct sweep *s, struct query *q)
{
    query_run(q);
    int64_t count = s->writer->link.error == SQLITE_OK ? sqlite3_changes(s->writer->link.db) : 0;
    s->left -= count;
    s->deleted += count;
    return count;
}

/* Rows whose time is `age` ago or longer. An age below 0 keeps them for ever. */
static void sweep_rows(struct sweep *s, enum statement statement, int64_t age)
{
    if (age < 0 || s->left <= 0)
        return;
    struct query q = query_start(&s->writer->link, statement);
    query_put_number(&q, s->writer->now - age);
    query_put_number(&q, s->left);
    delete_rows(s, &q);
}

static void sweep_unused_challenges(struct sweep *s, int64_t age)
{
    struct sqlite_writer *w = s->writer;
    if (age < 0 || s->left <= 0)
        return;
    int64_t wanted = s->left;
    struct query q = query_start(&w->link, SQL_SWEEP_UNUSED_CHALLENGES);
    query_put_number(&q, w->now - age);
    query_put_number(&q, wanted);
    query_put_number(&q, w->swept_unused);
    if (delete_rows(s, &q) < wanted && w->now - age > w->swept_unused)
        w->swept_unused = w->now - age;
}

void sqlite_sweep(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->sweep) *ages = &c->request->sweep;
    struct sweep s = {.writer = w, .left = ages->limit > 0 ? ages->limit : 1};
    sweep_unused_challenges(&s, ages->unused_challenge);
    sweep_rows(&s, SQL_SWEEP_USED_CHALLENGES, ages->used_challenge);
    sweep_rows(&s, SQL_SWEEP_TRANSACTIONS, ages->finished_transaction);
    sweep_rows(&s, SQL_SWEEP_OBLIGATIONS, ages->finished_transaction);
    sweep_rows(&s, SQL_SWEEP_CERTIFICATES, ages->certificate);
    sweep_rows(&s, SQL_SWEEP_REVOKED, store_revoked_age(ages->certificate));
    sweep_rows(&s, SQL_SWEEP_RAS, ages->certificate);
    if (ages->audit >= 0 && s.left > 0)
        s.deleted += sqlite_audit_prune(w, w->now - ages->audit, s.left);
    c->answer->outcome = STORE_OK;
    c->answer->total = s.deleted;
    c->reference = s.deleted;
    c->changed = s.deleted > 0;
}

void sqlite_sweep_again(struct sqlite_writer *w, struct sqlite_call *c)
{
    (void)w;
    c->answer->total = c->reference;
}
