/* sqlite_export.c: all rows of a kind, oldest first, a page at a time. */
#include "store/sqlite_inside.h"

static const struct listing {
    enum statement rows; /* ?1: the cursor, a text; ?2: how many */
    int cursor;          /* column */
    sqlite_row_add *add;
} listings[STORE_KIND_COUNT] = {
    [STORE_KIND_CHALLENGE] = {SQL_EXPORT_CHALLENGES, 0, sqlite_challenge_add},
    [STORE_KIND_TRANSACTION] = {SQL_EXPORT_TRANSACTIONS, 0, sqlite_transaction_add},
    [STORE_KIND_CERTIFICATE] = {SQL_EXPORT_CERTIFICATES, 0, sqlite_certificate_add},
    [STORE_KIND_RA] = {SQL_EXPORT_RAS, 7, sqlite_ra_add},
    [STORE_KIND_OBLIGATION] = {SQL_EXPORT_OBLIGATIONS, 0, sqlite_obligation_add},
    [STORE_KIND_CRL] = {SQL_EXPORT_CRLS, 0, sqlite_crl_add},
    [STORE_KIND_AUDIT] = {SQL_EXPORT_AUDIT, 0, sqlite_audit_add},
};

enum sqlite_progress sqlite_export(struct sqlite_reader *r, struct sqlite_call *c)
{
    const __typeof__(c->request->export) *want = &c->request->export;
    const struct listing *l = &listings[want->kind];
    int limit = want->limit < 1 ? 1 : want->limit > 1000 ? 1000 : want->limit;
    struct query q = query_start(&r->link, l->rows);
    query_put_text(&q, want->after);
    query_put_number(&q, limit);
    while (query_row(&q)) {
        l->add(&q, c->answer);
        if (++c->answer->total == limit) /* there may be more */
            c->answer->next = query_text(&q, l->cursor, c->answer->arena);
    }
    query_end(&q);
    c->answer->outcome = STORE_OK;
    return SQLITE_READ_DONE;
}
