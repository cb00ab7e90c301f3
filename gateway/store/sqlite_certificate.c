/* sqlite_certificate.c: issued certificates, each once per alias, issuer and serial; and chains as one value.
 */
#include <string.h>

#include "base/cleanup.h"
#include "store/canonical.h"
#include "store/chain.h"
#include "store/sqlite_inside.h"

#define CHAIN_VALUE_MAX (16 * 1024 * 1024)

static int64_t read_row(struct query *row, struct arena *arena, struct certificate_record *r)
{
    int i = 1;
    r->alias = query_text(row, i++, arena);
    r->issuer_sha256 = query_text(row, i++, arena);
    r->serial = query_text(row, i++, arena);
    r->transaction = query_text(row, i++, arena);
    r->subject = query_text(row, i++, arena);
    r->der = query_bytes(row, i++, arena);
    r->not_before = query_number(row, i++);
    r->not_after = query_number(row, i++);
    r->recorded = query_number(row, i++);
    r->revoked = query_number(row, i++);
    r->revocation_reason = (int)query_number(row, i++);
    return query_number(row, 0);
}

void sqlite_certificate_add(struct query *row, struct store_answer *answer)
{
    struct certificate_record *r = answer_add_certificate(answer);
    if (r)
        read_row(row, answer->arena, r);
    else
        link_fail(row->link, SQLITE_NOMEM);
}

static int64_t index_key(struct sqlite_link *l, const char *alias, const char *issuer_sha256,
                         const char *serial)
{
    const struct bytes parts[] = {bytes_of_text(alias), bytes_of_text(issuer_sha256), bytes_of_text(serial)};
    return link_index_key(l, parts, 3);
}

static struct query by_name(struct sqlite_link *l, const char *alias, const char *issuer_sha256,
                            const char *serial)
{
    int64_t key = index_key(l, alias, issuer_sha256, serial);
    struct query q = query_start(l, SQL_CERTIFICATE_BY_NAME);
    query_put_number(&q, key);
    query_put_text(&q, alias);
    query_put_text(&q, issuer_sha256);
    query_put_text(&q, serial);
    return q;
}

/* ---- recorded with a transaction or an RA identity ----------------------------------------------------- */

enum sqlite_presence sqlite_certificate_look(struct sqlite_writer *w,
                                             const struct certificate_record *certificate)
{
    if (!certificate)
        return SQLITE_RECORDED;
    struct query q = by_name(&w->link, certificate->alias, certificate->issuer_sha256, certificate->serial);
    enum sqlite_presence presence = SQLITE_ABSENT;
    if (query_row(&q)) {
        struct certificate_record have;
        read_row(&q, NULL, &have);
        bool same = bytes_equal(have.der, certificate->der) &&
                    strcmp(have.transaction, certificate->transaction ? certificate->transaction : "") == 0;
        presence = same ? SQLITE_RECORDED : SQLITE_CLASH;
    }
    query_end(&q);
    return presence;
}

static void insert(struct sqlite_writer *w, const struct certificate_record *r)
{
    int64_t key = index_key(&w->link, r->alias, r->issuer_sha256, r->serial);
    struct query q = query_start(&w->link, SQL_CERTIFICATE_INSERT);
    query_put_number(&q, key);
    query_put_text(&q, r->alias);
    query_put_text(&q, r->issuer_sha256);
    query_put_text(&q, r->serial);
    query_put_text(&q, r->transaction);
    query_put_text(&q, r->subject);
    query_put_bytes(&q, r->der);
    query_put_number(&q, r->not_before);
    query_put_number(&q, r->not_after);
    query_put_number(&q, r->recorded);
    query_put_number(&q, r->revoked);
    query_put_number(&q, r->revocation_reason);
    query_run(&q);
}

void sqlite_certificate_record(struct sqlite_writer *w, const struct certificate_record *certificate)
{
    struct certificate_record fresh = *certificate;
    fresh.recorded = w->now;
    fresh.revoked = fresh.revocation_reason = 0;
    insert(w, &fresh);
}

enum sqlite_presence sqlite_certificate_import(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct certificate_record *r = c->request->import.certificate;
    struct query q = by_name(&w->link, r->alias, r->issuer_sha256, r->serial);
    enum sqlite_presence presence = SQLITE_ABSENT;
    if (query_row(&q)) {
        struct certificate_record have;
        read_row(&q, c->answer->arena, &have);
        presence = canonical_same(STORE_KIND_CERTIFICATE, &have, r) ? SQLITE_RECORDED : SQLITE_CLASH;
    }
    query_end(&q);
    if (presence == SQLITE_ABSENT)
        insert(w, r);
    return presence;
}

/* ---- operations ---------------------------------------------------------------------------------------- */

enum sqlite_progress sqlite_certificate_find(struct sqlite_reader *r, struct sqlite_call *c)
{
    const __typeof__(c->request->certificate_find) *f = &c->request->certificate_find;
    struct query q = by_name(&r->link, f->alias, f->issuer_sha256, f->serial);
    bool found = query_row(&q);
    if (found)
        sqlite_certificate_add(&q, c->answer);
    query_end(&q);
    c->answer->outcome = found ? STORE_OK : STORE_NOT_FOUND;
    return SQLITE_READ_DONE;
}

void sqlite_certificate_again(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct query q = query_start(&w->link, SQL_CERTIFICATE_BY_SEQUENCE);
    query_put_number(&q, c->reference);
    if (query_row(&q))
        sqlite_certificate_add(&q, c->answer);
    query_end(&q);
}

/* Finds what is to be revoked or released: its row is then the call's reference, and it is in the answer. */
static bool find_mine(struct sqlite_writer *w, struct sqlite_call *c, struct query q,
                      struct certificate_record *have)
{
    if (query_row(&q))
        c->reference = read_row(&q, c->answer->arena, have);
    query_end(&q);
    c->answer->outcome = c->reference == 0 ? STORE_NOT_FOUND : STORE_OK;
    return c->reference != 0 && w->link.error == SQLITE_OK;
}

static void mark(struct sqlite_writer *w, struct sqlite_call *c, int64_t revoked, int reason)
{
    struct query q = query_start(&w->link, SQL_CERTIFICATE_UPDATE);
    query_put_number(&q, revoked);
    query_put_number(&q, reason);
    query_put_number(&q, c->reference);
    query_run(&q);
    c->changed = true;
}

void sqlite_certificate_revoke(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->certificate_revoke) *v = &c->request->certificate_revoke;
    struct certificate_record have = {0};
    if (!find_mine(w, c, by_name(&w->link, v->alias, v->issuer_sha256, v->serial), &have))
        return;
    bool held = have.revoked != 0 && have.revocation_reason == REASON_CERTIFICATE_HOLD;
    if (have.revoked != 0 && (!held || v->reason == REASON_CERTIFICATE_HOLD))
        c->answer->outcome = STORE_CONFLICT;
    else
        mark(w, c, held ? have.revoked : w->now, v->reason);
    sqlite_certificate_again(w, c);
}

void sqlite_certificate_release(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->certificate_release) *v = &c->request->certificate_release;
    struct certificate_record have = {0};
    if (!find_mine(w, c, by_name(&w->link, v->alias, v->issuer_sha256, v->serial), &have))
        return;
    if (have.revoked == 0 || have.revocation_reason != REASON_CERTIFICATE_HOLD)
        c->answer->outcome = STORE_STALE;
    else
        mark(w, c, 0, 0);
    sqlite_certificate_again(w, c);
}

static const char *state_name(struct sqlite_reader *r, struct query *row)
{
    if (query_number(row, 5) != 0)
        return "revoked";
    return query_number(row, 4) <= clock_realtime(r->store->clock) ? "expired" : "valid";
}

static bool match(struct sqlite_reader *r, struct query *row, const struct store_list_filter *f)
{
    return sqlite_filter_name(f->alias, query_text(row, 1, NULL)) &&
           (!f->state || sqlite_filter_name(f->state, state_name(r, row))) &&
           (sqlite_filter_text(f->text, query_bytes(row, 2, NULL)) ||
            sqlite_filter_text(f->text, query_bytes(row, 3, NULL)));
}

enum sqlite_progress sqlite_certificate_list(struct sqlite_reader *r, struct sqlite_call *c)
{
    static const struct sqlite_list list = {SQL_CERTIFICATE_SCAN, SQL_CERTIFICATE_BY_SEQUENCE, match,
                                            sqlite_certificate_add};
    return sqlite_list_page(r, c, &list);
}

/* ---- chains -------------------------------------------------------------------------------------------- */

struct bytes sqlite_chain_pack(struct sqlite_link *l, struct arena *arena, const struct bytes *chain,
                               size_t count)
{
    CLEANUP(buffer) struct buffer packed;
    buffer_init(&packed, CHAIN_VALUE_MAX);
    chain_pack(&packed, chain, count);
    struct bytes copy = bytes_of(NULL, 0);
    if (packed.len > 0)
        copy = arena_bytes(arena, packed.data, packed.len);
    if (packed.failed || (packed.len > 0 && !copy.data))
        link_fail(l, SQLITE_NOMEM);
    return copy;
}

size_t sqlite_chain_unpack(struct bytes packed, struct bytes chain[CHAIN_MAX])
{
    size_t count;
    return chain_unpack(packed, chain, &count) ? count : 0;
}
