/* sqlite_sealed.c: the values under a master key: CSRs of transactions and keys of RA identities; and which
 * key the store belongs to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_inside.h"

#define SLICE 2000 /* rows at a turn */

/* ---- list ---------------------------------------------------------------------------------------------- */

/* The cursor is the number of a transaction's row, or "ra-" and the number of an identity's. */
static const char ra_prefix[] = "ra-";

struct page {
    struct sqlite_reader *reader;
    struct sqlite_call *call;
    size_t limit;
    bool full;
};

static void add(struct page *p, enum seal_kind kind, struct query *row, int column)
{
    struct store_answer *answer = p->call->answer;
    struct sealed_record *s = answer_add_sealed(answer);
    if (!s) {
        link_fail(row->link, SQLITE_NOMEM);
        return;
    }
    s->kind = kind;
    s->alias = query_text(row, column, answer->arena);
    s->record = query_text(row, column + 1, answer->arena);
    s->value = query_bytes(row, column + 2, answer->arena);
}

static void end_page(struct page *p, const char *prefix, int64_t sequence)
{
    char cursor[32];
    snprintf(cursor, sizeof cursor, "%s%lld", prefix, (long long)sequence);
    const char *copy = arena_text(p->call->answer->arena, cursor);
    if (copy)
        p->call->answer->next = copy;
    else
        link_fail(&p->reader->link, SQLITE_NOMEM);
    p->full = true;
}

static void add_csr(struct page *p, int64_t sequence)
{
    struct query q = query_start(&p->reader->link, SQL_SEALED_CSR_BY_SEQUENCE);
    query_put_number(&q, sequence);
    if (query_row(&q))
        add(p, SEAL_CSR, &q, 0);
    query_end(&q);
    if (p->call->answer->sealed_count == p->limit)
        end_page(p, "", sequence);
}

/* Passes over the finished transactions too, so it stops after a slice. */
static enum sqlite_progress scan_csrs(struct page *p)
{
    struct sqlite_call *c = p->call;
    enum sqlite_progress progress = SQLITE_READ_DONE;
    struct query q = query_start(&p->reader->link, SQL_SEALED_CSR_SCAN);
    query_put_number(&q, c->passed);
    for (int scanned = 0; !p->full && query_row(&q); scanned++) {
        if (scanned == SLICE) {
            progress = SQLITE_READ_MORE;
            break;
        }
        c->passed = query_number(&q, 0);
        if (query_number(&q, 1) > 0)
            add_csr(p, c->passed);
    }
    query_end(&q);
    return progress;
}

static void scan_ras(struct page *p, int64_t after)
{
    struct query q = query_start(&p->reader->link, SQL_SEALED_RA_SCAN);
    query_put_number(&q, after);
    while (!p->full && query_row(&q)) {
        add(p, SEAL_RA_KEY, &q, 1);
        if (p->call->answer->sealed_count == p->limit)
            end_page(p, ra_prefix, query_number(&q, 0));
    }
    query_end(&q);
}

enum sqlite_progress sqlite_sealed_list(struct sqlite_reader *r, struct sqlite_call *c)
{
    const char *after = c->request->sealed_list.after ? c->request->sealed_list.after : "";
    int limit = c->request->sealed_list.limit;
    struct page p = {.reader = r, .call = c, .limit = limit < 1 ? 1 : limit > 1000 ? 1000 : (size_t)limit};
    size_t prefix = sizeof ra_prefix - 1;
    bool behind_csrs = strncmp(after, ra_prefix, prefix) == 0;
    if (!c->started) {
        c->started = true;
        c->passed = strtoll(after, NULL, 10);
    }
    if (!behind_csrs && scan_csrs(&p) == SQLITE_READ_MORE)
        return SQLITE_READ_MORE;
    if (!p.full)
        scan_ras(&p, behind_csrs ? strtoll(after + prefix, NULL, 10) : 0);
    c->answer->outcome = STORE_OK;
    return SQLITE_READ_DONE;
}

/* ---- change -------------------------------------------------------------------------------------------- */

static const struct place {
    enum statement get, put;
} places[] = {
    [SEAL_CSR] = {SQL_SEALED_CSR_GET, SQL_SEALED_CSR_PUT},
    [SEAL_RA_KEY] = {SQL_SEALED_RA_GET, SQL_SEALED_RA_PUT},
};

/* The number of the row, or 0 with the outcome said. */
static int64_t find_old(struct sqlite_writer *w, struct sqlite_call *c, const struct place *place)
{
    const __typeof__(c->request->reseal) *want = &c->request->reseal;
    int64_t sequence = 0;
    struct query q = query_start(&w->link, place->get);
    query_put_text(&q, want->alias);
    query_put_text(&q, want->record);
    c->answer->outcome = STORE_NOT_FOUND;
    if (query_row(&q) && query_bytes(&q, 1, NULL).len > 0) {
        bool same = bytes_equal(query_bytes(&q, 1, NULL), want->old);
        c->answer->outcome = same ? STORE_OK : STORE_STALE;
        sequence = same ? query_number(&q, 0) : 0;
    }
    query_end(&q);
    return sequence;
}

void sqlite_reseal(struct sqlite_writer *w, struct sqlite_call *c)
{
    size_t kind = c->request->reseal.kind;
    if (kind >= sizeof places / sizeof *places) {
        c->answer->outcome = STORE_NOT_FOUND; /* of that kind it keeps nothing */
        return;
    }
    int64_t sequence = find_old(w, c, &places[kind]);
    if (sequence == 0)
        return;
    struct query q = query_start(&w->link, places[kind].put);
    query_put_bytes(&q, c->request->reseal.fresh);
    query_put_number(&q, sequence);
    query_run(&q);
    c->changed = true;
}

void sqlite_key_check(struct sqlite_writer *w, struct sqlite_call *c)
{
    sqlite_fact_put(&w->link, SQLITE_KEY_CHECK, bytes_of_text(c->request->key_check));
    c->answer->outcome = STORE_OK;
    c->changed = true;
}
