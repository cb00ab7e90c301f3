/* sqlite_audit.c: the audit trail: rows, each with a hash over the one before and itself.
 *
 * The hash is SHA-256 over: previous hash, sequence, time (both 64 bits, big-endian), event, alias, tenant,
 * transaction, client, details; each preceded by its length (32 bits, big-endian). The first row's previous
 * hash is 32 zero bytes, or the one that retention kept of the last row it deleted.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "store/sqlite_inside.h"

#define SLICE 500 /* rows verified at a turn */

static const char anchor_name[] =
    "audit_anchor"; /* sequence (64 bits) and hash of the last row that was deleted */

static void big_endian(uint8_t out[8], int64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

static void hash_row(struct sqlite_link *l, uint8_t hash[32], const struct audit_event *e)
{
    uint8_t sequence[8], at[8];
    big_endian(sequence, e->sequence);
    big_endian(at, e->at);
    const struct bytes parts[] = {
        bytes_of(hash, 32),
        bytes_of(sequence, 8),
        bytes_of(at, 8),
        bytes_of_text(e->event),
        bytes_of_text(e->alias),
        bytes_of_text(e->tenant),
        bytes_of_text(e->transaction),
        bytes_of_text(e->client),
        bytes_of_text(e->details),
    };
    uint8_t fresh[32];
    link_hash(l, parts, sizeof parts / sizeof *parts, fresh);
    memcpy(hash, fresh, 32);
}

/* ---- anchor and head ----------------------------------------------------------------------------------- */

static void read_anchor(struct sqlite_link *l, int64_t *sequence, uint8_t hash[32])
{
    *sequence = 0;
    memset(hash, 0, 32);
    struct query q = query_start(l, SQL_FACT_GET);
    query_put_text(&q, anchor_name);
    uint8_t value[40];
    if (query_row(&q) && query_digest(&q, 0, value, sizeof value)) {
        for (int i = 0; i < 8; i++)
            *sequence = (int64_t)((uint64_t)*sequence << 8 | value[i]);
        memcpy(hash, value + 8, 32);
    }
    query_end(&q);
}

void sqlite_audit_load(struct sqlite_writer *w)
{
    read_anchor(&w->link, &w->audit_sequence, w->audit_hash);
    struct query q = query_start(&w->link, SQL_AUDIT_HEAD);
    if (query_row(&q)) {
        w->audit_sequence = query_number(&q, 0);
        query_digest(&q, 1, w->audit_hash, sizeof w->audit_hash);
    }
    query_end(&q);
}

/* ---- writing ------------------------------------------------------------------------------------------- */

void sqlite_audit_write(struct sqlite_writer *w, const struct audit_event *event, int64_t at)
{
    struct audit_event e = *event;
    e.sequence = ++w->audit_sequence;
    e.at = at;
    hash_row(&w->link, w->audit_hash, &e);
    struct query q = query_start(&w->link, SQL_AUDIT_INSERT);
    query_put_number(&q, e.sequence);
    query_put_number(&q, e.at);
    query_put_text(&q, e.event);
    query_put_text(&q, e.alias);
    query_put_text(&q, e.tenant);
    query_put_text(&q, e.transaction);
    query_put_text(&q, e.client);
    query_put_text(&q, e.details);
    query_put_bytes(&q, bytes_of(w->audit_hash, sizeof w->audit_hash));
    query_run(&q);
}

void sqlite_audit_append(struct sqlite_writer *w, struct sqlite_call *c)
{
    (void)w;
    c->answer->outcome = STORE_OK;
    c->changed = true; /* its events are written with every change */
}

int64_t sqlite_audit_prune(struct sqlite_writer *w, int64_t until, int64_t limit)
{
    int64_t last = 0, count = 0;
    uint8_t anchor[40];
    struct query oldest = query_start(&w->link, SQL_SWEEP_AUDIT_OLDEST);
    query_put_number(&oldest, limit);
    while (query_row(&oldest) && query_number(&oldest, 1) <= until) {
        last = query_number(&oldest, 0);
        query_digest(&oldest, 2, anchor + 8, 32);
        count++;
    }
    query_end(&oldest);
    if (count == 0)
        return 0;
    big_endian(anchor, last);
    sqlite_fact_put(&w->link, anchor_name, bytes_of(anchor, sizeof anchor));
    struct query q = query_start(&w->link, SQL_SWEEP_AUDIT);
    query_put_number(&q, last);
    query_run(&q);
    return count;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* Without an arena the texts are borrowed from the row. The hash is left to the caller. */
static void read_row(struct query *row, struct arena *arena, struct audit_event *e)
{
    e->sequence = query_number(row, 0);
    e->at = query_number(row, 1);
    e->event = query_text(row, 2, arena);
    e->alias = query_text(row, 3, arena);
    e->tenant = query_text(row, 4, arena);
    e->transaction = query_text(row, 5, arena);
    e->client = query_text(row, 6, arena);
    e->details = query_text(row, 7, arena);
}

void sqlite_audit_add(struct query *row, struct store_answer *answer)
{
    struct audit_event *e = answer_add_event(answer);
    CLEANUP(buffer) struct buffer hex;
    buffer_init(&hex, 65);
    codec_hex(&hex, query_bytes(row, 8, NULL));
    e = hex.failed ? NULL : e;
    if (e)
        e->hash = arena_text(answer->arena, (const char *)hex.data);
    if (!e || !e->hash)
        link_fail(row->link, SQLITE_NOMEM);
    else
        read_row(row, answer->arena, e);
}

static bool match(struct sqlite_reader *r, struct query *row, const struct store_list_filter *f)
{
    (void)r;
    return sqlite_filter_name(f->alias, query_text(row, 3, NULL)) &&
           sqlite_filter_name(f->tenant, query_text(row, 4, NULL)) &&
           sqlite_filter_text(f->text, query_bytes(row, 2, NULL));
}

enum sqlite_progress sqlite_audit_list(struct sqlite_reader *r, struct sqlite_call *c)
{
    static const struct sqlite_list list = {SQL_AUDIT_SCAN, SQL_AUDIT_BY_SEQUENCE, match, sqlite_audit_add};
    return sqlite_list_page(r, c, &list);
}

/* Retention may delete rows between two turns: the walk then goes on behind the new anchor. */
static void start_walk(struct sqlite_reader *r, struct sqlite_call *c)
{
    int64_t anchor;
    uint8_t hash[32];
    read_anchor(&r->link, &anchor, hash);
    if (c->started && c->at >= anchor)
        return;
    c->started = true;
    c->at = anchor;
    memcpy(c->hash, hash, sizeof hash);
}

/* Is the row the next one, and its hash what it should be? */
static bool row_good(struct sqlite_reader *r, struct sqlite_call *c, struct query *row)
{
    struct audit_event e;
    uint8_t stored[32];
    read_row(row, NULL, &e);
    hash_row(&r->link, c->hash, &e);
    return e.sequence == c->at + 1 && query_digest(row, 8, stored, sizeof stored) &&
           memcmp(stored, c->hash, sizeof stored) == 0;
}

enum sqlite_progress sqlite_audit_verify(struct sqlite_reader *r, struct sqlite_call *c)
{
    start_walk(r, c);
    enum sqlite_progress progress = SQLITE_READ_DONE;
    c->answer->outcome = STORE_OK;
    struct query q = query_start(&r->link, SQL_AUDIT_WALK);
    query_put_number(&q, c->at);
    for (int walked = 0; query_row(&q); walked++) {
        if (walked == SLICE) {
            progress = SQLITE_READ_MORE;
            break;
        }
        if (!row_good(r, c, &q)) {
            c->answer->outcome = STORE_CONFLICT;
            c->answer->total = c->at + 1;
            break;
        }
        c->at++;
    }
    query_end(&q);
    if (c->answer->outcome == STORE_OK)
        c->answer->total = c->at;
    return progress;
}
