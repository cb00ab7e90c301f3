/* sqlite_crl.c: what CRLs are made of, the revoked certificates of an issuer; and the newest CRL of each CA. */
#include <inttypes.h>
#include <stdio.h>

#include "store/canonical.h"
#include "store/sqlite_inside.h"

#define LIMIT_MAX 1000

/* ---- revoked certificates ------------------------------------------------------------------------------ */

/* The place of a page's last row: when it ends, and its sequence. */
static void put_cursor(struct query *row, struct store_answer *answer)
{
    char cursor[48];
    snprintf(cursor, sizeof cursor, "%" PRId64 "-%" PRId64, query_number(row, 3), query_number(row, 4));
    const char *copy = arena_text(answer->arena, cursor);
    if (copy)
        answer->next = copy;
    else
        link_fail(row->link, SQLITE_NOMEM);
}

static void add_revocation(struct query *row, struct store_answer *answer)
{
    struct revocation *r = answer_add_revocation(answer);
    if (!r) {
        link_fail(row->link, SQLITE_NOMEM);
        return;
    }
    r->serial = query_text(row, 0, answer->arena);
    r->revoked = query_number(row, 1);
    r->reason = (int)query_number(row, 2);
}

enum sqlite_progress sqlite_revoked_list(struct sqlite_reader *r, struct sqlite_call *c)
{
    const __typeof__(c->request->revoked_list) *want = &c->request->revoked_list;
    size_t limit = want->limit < 1 ? 1 : want->limit > LIMIT_MAX ? LIMIT_MAX : (size_t)want->limit;
    int64_t end = want->ended_after - 1, sequence = INT64_MAX;
    if (want->after && *want->after && sscanf(want->after, "%" SCNd64 "-%" SCNd64, &end, &sequence) != 2)
        end = INT64_MAX; /* behind what was never given is nothing */
    struct query q = query_start(&r->link, SQL_REVOKED_PAGE);
    query_put_text(&q, want->issuer_sha256);
    query_put_number(&q, end);
    query_put_number(&q, sequence);
    query_put_number(&q, (int64_t)limit);
    while (query_row(&q)) {
        add_revocation(&q, c->answer);
        if (c->answer->revocation_count == limit) /* there may be more */
            put_cursor(&q, c->answer);
    }
    query_end(&q);
    c->answer->outcome = STORE_OK;
    return SQLITE_READ_DONE;
}

/* ---- CRLs ---------------------------------------------------------------------------------------------- */

static void read_row(struct query *row, struct arena *arena, struct crl_record *r)
{
    r->ca_sha256 = query_text(row, 1, arena);
    r->number = query_number(row, 2);
    r->der = query_bytes(row, 3, arena);
    r->this_update = query_number(row, 4);
    r->next_update = query_number(row, 5);
}

void sqlite_crl_add(struct query *row, struct store_answer *answer)
{
    struct crl_record *r = answer_add_crl(answer);
    if (r)
        read_row(row, answer->arena, r);
    else
        link_fail(row->link, SQLITE_NOMEM);
}

static int64_t number_of(struct sqlite_link *l, const char *ca_sha256)
{
    struct query q = query_start(l, SQL_CRL_NUMBER);
    query_put_text(&q, ca_sha256);
    int64_t number = query_row(&q) ? query_number(&q, 0) : 0;
    query_end(&q);
    return number;
}

static void add_of(struct sqlite_link *l, const char *ca_sha256, struct store_answer *answer)
{
    struct query q = query_start(l, SQL_CRL_BY_CA);
    query_put_text(&q, ca_sha256);
    if (query_row(&q))
        sqlite_crl_add(&q, answer);
    query_end(&q);
}

enum sqlite_progress sqlite_crl_find(struct sqlite_reader *r, struct sqlite_call *c)
{
    const __typeof__(c->request->crl_find) *want = &c->request->crl_find;
    int64_t number = number_of(&r->link, want->ca_sha256);
    if (number != 0 && number != want->known_number)
        add_of(&r->link, want->ca_sha256, c->answer);
    c->answer->outcome = number == 0 ? STORE_NOT_FOUND : STORE_OK;
    return SQLITE_READ_DONE;
}

static void put(struct sqlite_writer *w, const struct crl_record *r)
{
    struct query q = query_start(&w->link, SQL_CRL_PUT);
    query_put_text(&q, r->ca_sha256);
    query_put_number(&q, r->number);
    query_put_bytes(&q, r->der);
    query_put_number(&q, r->this_update);
    query_put_number(&q, r->next_update);
    query_run(&q);
}

void sqlite_crl_put(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct crl_record *r = &c->request->crl_put;
    if (number_of(&w->link, r->ca_sha256) >= r->number) {
        add_of(&w->link, r->ca_sha256, c->answer);
        c->answer->outcome = STORE_STALE;
        return;
    }
    put(w, r);
    c->answer->outcome = STORE_OK;
    c->changed = true;
}

enum sqlite_presence sqlite_crl_import(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct crl_record *r = c->request->import.crl;
    struct query q = query_start(&w->link, SQL_CRL_BY_CA);
    query_put_text(&q, r->ca_sha256);
    enum sqlite_presence presence = SQLITE_ABSENT;
    if (query_row(&q)) {
        struct crl_record have;
        read_row(&q, c->answer->arena, &have);
        presence = canonical_same(STORE_KIND_CRL, &have, r) ? SQLITE_RECORDED : SQLITE_CLASH;
    }
    query_end(&q);
    if (presence == SQLITE_ABSENT)
        put(w, r);
    return presence;
}
