/* sqlite_ra.c: RA identities, and the leases on names under which they are made. */
#include "store/canonical.h"
#include "store/sqlite_inside.h"

/* ---- leases -------------------------------------------------------------------------------------------- */

struct lease {
    uint64_t claim;
    int64_t until;
    int64_t owner;
};

bool sqlite_lease_held(const struct sqlite_writer *w, int64_t until, int64_t owner)
{
    return owner == w->link.owner && until > w->now;
}

static struct lease lease_get(struct sqlite_writer *w, const char *alias, const char *name)
{
    struct lease lease = {0};
    struct query q = query_start(&w->link, SQL_LEASE_GET);
    query_put_text(&q, alias);
    query_put_text(&q, name);
    if (query_row(&q))
        lease = (struct lease){.claim = (uint64_t)query_number(&q, 0),
                               .until = query_number(&q, 1),
                               .owner = query_number(&q, 2)};
    query_end(&q);
    return lease;
}

static void lease_put(struct sqlite_writer *w, const char *alias, const char *name, struct lease lease)
{
    struct query q = query_start(&w->link, SQL_LEASE_PUT);
    query_put_text(&q, alias);
    query_put_text(&q, name);
    query_put_number(&q, (int64_t)lease.claim);
    query_put_number(&q, lease.until);
    query_put_number(&q, lease.owner);
    query_run(&q);
}

bool sqlite_lease_mine(struct sqlite_writer *w, const char *alias, const char *name, uint64_t claim)
{
    struct lease lease = lease_get(w, alias, name);
    return lease.claim == claim && sqlite_lease_held(w, lease.until, lease.owner);
}

/* Extending one that has lapsed and that nobody else took keeps the claim. */
void sqlite_lease_take(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->lease) *want = &c->request->lease;
    struct lease lease = lease_get(w, want->alias, want->name);
    bool extend = want->claim != 0 && want->claim == lease.claim && lease.owner == w->link.owner;
    if (!extend && sqlite_lease_held(w, lease.until, lease.owner)) {
        c->answer->outcome = STORE_RUNNING;
        return;
    }
    if (!extend)
        lease.claim++;
    lease.until = w->now + want->duration;
    lease.owner = w->link.owner;
    lease_put(w, want->alias, want->name, lease);
    c->answer->outcome = STORE_MINE;
    c->answer->claim = lease.claim;
    c->changed = true;
}

/* The row stays: its claim number must never be given again. */
void sqlite_lease_drop(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->lease) *mine = &c->request->lease;
    struct lease lease = lease_get(w, mine->alias, mine->name);
    c->answer->outcome = STORE_OK;
    if (lease.claim != mine->claim || lease.owner != w->link.owner)
        return;
    lease.until = 0;
    lease.owner = 0;
    lease_put(w, mine->alias, mine->name, lease);
    c->changed = true;
}

/* ---- identities ---------------------------------------------------------------------------------------- */

static void write_row(struct sqlite_writer *w, const struct ra_record *r, struct arena *arena)
{
    struct bytes chain = sqlite_chain_pack(&w->link, arena, r->chain, r->chain_count);
    struct query q = query_start(&w->link, SQL_RA_PUT);
    query_put_text(&q, r->alias);
    query_put_number(&q, r->generation);
    query_put_bytes(&q, r->sealed_key);
    query_put_bytes(&q, chain);
    query_put_bytes(&q, r->cookie);
    query_put_number(&q, r->not_before);
    query_put_number(&q, r->not_after);
    query_run(&q);
}

void sqlite_ra_put(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->ra_put) *put = &c->request->ra_put;
    const struct ra_record *r = &put->record;
    if (!sqlite_lease_mine(w, r->alias, put->lease_name, put->lease_claim)) {
        c->answer->outcome = STORE_STALE;
        return;
    }
    enum sqlite_presence presence = sqlite_certificate_look(w, put->certificate);
    if (presence == SQLITE_CLASH) {
        c->answer->outcome = STORE_CONFLICT;
        return;
    }
    write_row(w, r, c->answer->arena);
    if (presence == SQLITE_ABSENT)
        sqlite_certificate_record(w, put->certificate);
    c->answer->outcome = STORE_OK;
    c->changed = true;
}

static void read_row(struct query *row, struct arena *arena, struct ra_record *r)
{
    r->alias = query_text(row, 0, arena);
    r->generation = query_number(row, 1);
    r->sealed_key = query_bytes(row, 2, arena);
    r->chain_count = sqlite_chain_unpack(query_bytes(row, 3, arena), r->chain);
    r->cookie = query_bytes(row, 4, arena);
    r->not_before = query_number(row, 5);
    r->not_after = query_number(row, 6);
}

void sqlite_ra_add(struct query *row, struct store_answer *answer)
{
    struct ra_record *r = answer_add_ra(answer);
    if (r)
        read_row(row, answer->arena, r);
    else
        link_fail(row->link, SQLITE_NOMEM);
}

enum sqlite_presence sqlite_ra_import(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct ra_record *r = c->request->import.ra;
    struct query q = query_start(&w->link, SQL_RA_BY_GENERATION);
    query_put_text(&q, r->alias);
    query_put_number(&q, r->generation);
    enum sqlite_presence presence = SQLITE_ABSENT;
    if (query_row(&q)) {
        struct ra_record have;
        read_row(&q, c->answer->arena, &have);
        presence = canonical_same(STORE_KIND_RA, &have, r) ? SQLITE_RECORDED : SQLITE_CLASH;
    }
    query_end(&q);
    if (presence == SQLITE_ABSENT)
        write_row(w, r, c->answer->arena);
    return presence;
}

enum sqlite_progress sqlite_ra_list(struct sqlite_reader *r, struct sqlite_call *c)
{
    struct query q = query_start(&r->link, SQL_RA_BY_ALIAS);
    query_put_text(&q, c->request->ra_list.alias);
    while (query_row(&q))
        sqlite_ra_add(&q, c->answer);
    query_end(&q);
    c->answer->outcome = STORE_OK;
    return SQLITE_READ_DONE;
}
