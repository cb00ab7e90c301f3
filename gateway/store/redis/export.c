/* export.c: all records of a kind, and all sealed values, in pages: alias by alias in the order of their names, the oldest
 * first. The audit trail is merged over all aliases instead (list.c), because its rows are wanted in the order of time.
 *
 * The cursor is "LETTER-PLACE-ALIAS": the kind of the page, and where in which alias it begins.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/redis/inside.h"

#define LIMIT_MAX 1000

struct export
{
    struct redis_walk walk;
    const struct record_kind *kind;
    bool sealed;
    bool astray;      /* the cursor is none of ours */
    char *from_alias; /* where the page begins; NULL: at the start */
    int64_t from_place;
    struct redis_place *page;
    size_t count, limit;
    const char *last_alias; /* of the row after which the next page begins */
    int64_t next_place;
};

enum { FROM };

static void ask(struct redis_visit *v);

static void release(struct redis_call *c)
{
    struct export *x = c->work;
    redis_walk_free(&x->walk);
    free(x->from_alias);
    free(x->page);
}

static bool full(struct redis_call *c)
{
    const struct export *x = c->work;
    return x->count >= x->limit;
}

static const char *letter_of(const struct record_kind *kind)
{
    return kind->letter ? kind->letter : "b";
}

/* ---- one alias ------------------------------------------------------------------------------------------- */

static void keep_places(struct redis_visit *v, const struct redisReply *reply)
{
    struct redis_call *c = v->walk->call;
    struct export *x = c->work;
    struct redis_place place = {0};
    for (size_t index = 0; x->count < x->limit && redis_next_place(c, reply, &index, &place);) {
        redis_keep_place(v, &place);
        x->last_alias = place.alias;
        x->next_place = place.place + 1;
        x->page[x->count++] = place;
    }
}

/* Obligations come whole; their place is their rank. */
static void keep_obligations(struct redis_visit *v, const struct redisReply *reply)
{
    struct redis_call *c = v->walk->call;
    struct export *x = c->work;
    size_t first = c->answer->obligation_count;
    if (!redis_read(c, v->alias, reply))
        return;
    redis_obligations_complete(c, first);
    size_t count = c->answer->obligation_count - first;
    x->count += count;
    x->last_alias = redis_arena_text(c, v->alias);
    x->next_place = v->numbers[FROM] + (int64_t)count;
}

static void asked(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct redis_visit *v = context;
    struct export *x = c->work;
    int64_t cut = -1;
    if (reply) {
        c->answer->now = reply_number(reply, "now", c->answer->now);
        cut = reply_number(reply, "cut", -1);
        if (x->kind == &record_obligation)
            keep_obligations(v, reply);
        else
            keep_places(v, reply);
    }
    v->numbers[FROM] = cut;
    if (cut >= 0 && !c->failed && !full(c))
        ask(v);
    else
        redis_visit_end(v);
}

static void ask(struct redis_visit *v)
{
    struct redis_call *c = v->walk->call;
    struct export *x = c->work;
    bool obligations = x->kind == &record_obligation;
    char tag[TAG_SIZE];
    struct arguments a;
    redis_arguments(c, &a, false);
    argument_text(&a, "of", x->kind->letter);
    argument_number(&a, "from", v->numbers[FROM]);
    argument_number(&a, "to", PLACE_NEWEST);
    argument_number(&a, "limit", (int64_t)(x->limit - x->count));
    argument_text(&a, "forward", "1");
    argument_text(&a, "sealed", x->sealed ? "1" : "");
    redis_alias_tag(v->alias, tag);
    redis_send(
        c,
        &(struct redis_errand){
            .script = obligations ? "obligation_page" : "page", .tag = tag, .step = asked, .context = v},
        &a);
}

static void visit(struct redis_visit *v)
{
    struct export *x = v->walk->call->work;
    bool begun = x->from_alias && strcmp(x->from_alias, v->alias) == 0;
    v->numbers[FROM] = begun ? x->from_place : 0;
    ask(v);
}

/* ---- pages ----------------------------------------------------------------------------------------------- */

static void set_next(struct redis_call *c, const struct record_kind *kind, int64_t place, const char *alias)
{
    CLEANUP(buffer) struct buffer cursor;
    buffer_init(&cursor, 64 * 1024);
    buffer_format(&cursor, "%s-%" PRId64 "-%s", letter_of(kind), place, alias);
    if (cursor.failed)
        redis_call_fail(c, STORE_UNAVAILABLE, "out of memory");
    else
        c->answer->next = redis_arena_text(c, (const char *)cursor.data);
}

/* "LETTER-PLACE-ALIAS"; false when it is none. */
static bool read_cursor(struct export *x, const char *after)
{
    char *end;
    if (strncmp(after, letter_of(x->kind), 1) != 0 || after[1] != '-')
        return false;
    x->from_place = strtoll(after + 2, &end, 10);
    if (*end != '-' || x->from_place < 0)
        return false;
    x->from_alias = redis_copy_text(end + 1);
    return true;
}

static void add_sealed(struct redis_call *c, enum seal_kind kind, const char *alias, const char *record,
                       struct bytes value)
{
    struct sealed_record *s = answer_add_sealed(c->answer);
    if (s)
        *s = (struct sealed_record){kind, alias, record, value};
    else
        redis_call_fail(c, STORE_UNAVAILABLE, "out of memory");
}

static void seal_page(struct redis_call *c)
{
    struct store_answer *a = c->answer;
    for (size_t i = 0; i < a->ra_count; i++) {
        char record[32];
        snprintf(record, sizeof record, "ra-%lld", (long long)a->ras[i].generation);
        add_sealed(c, SEAL_RA_KEY, a->ras[i].alias, redis_arena_text(c, record), a->ras[i].sealed_key);
    }
    for (size_t i = 0; i < a->transaction_count; i++)
        add_sealed(c, SEAL_CSR, a->transactions[i].key.alias, a->transactions[i].id,
                   a->transactions[i].sealed_csr);
    a->ra_count = a->transaction_count = 0;
}

static void rows_read(struct redis_call *c)
{
    const struct export *x = c->work;
    if (x->sealed)
        seal_page(c);
    redis_call_finish(c);
}

static void start(struct redis_call *c);

static void page_done(struct redis_call *c)
{
    struct export *x = c->work;
    bool more_kinds = x->sealed && x->kind == &record_ra;
    if (x->astray)
        redis_call_fail(c, STORE_UNAVAILABLE, "the cursor is none that this store gave");
    if (c->failed) {
        redis_call_finish(c);
    } else if (more_kinds && x->count == 0) {
        x->kind = &record_transaction;
        free(x->from_alias);
        x->from_alias = NULL;
        redis_walk_free(&x->walk);
        start(c);
    } else {
        c->answer->outcome = STORE_OK;
        c->answer->total = (int64_t)x->count;
        if (full(c))
            set_next(c, x->kind, x->next_place, x->last_alias);
        else if (more_kinds)
            set_next(c, &record_transaction, 0, "");
        redis_rows_read(c, x->kind, x->page, x->kind == &record_obligation ? 0 : x->count, rows_read);
    }
}

static void start(struct redis_call *c)
{
    struct export *x = c->work;
    x->walk = (struct redis_walk){.call = c,
                                  .visit = visit,
                                  .ended = page_done,
                                  .enough = full,
                                  .from = x->from_alias,
                                  .inclusive = true,
                                  .most_at_once = 1};
    redis_walk_start(&x->walk);
}

static void begin(struct redis_call *c, const struct record_kind *kind, const char *after, int limit)
{
    struct export *x = c->work = redis_allocate(1, sizeof *x);
    c->release = release;
    x->kind = kind;
    x->sealed = c->request->operation == STORE_SEALED_LIST;
    x->limit = (size_t)(limit < 1 ? 1 : limit > LIMIT_MAX ? LIMIT_MAX : limit);
    x->page = redis_allocate(x->limit, sizeof *x->page);
    if (after && *after && !read_cursor(x, after)) {
        x->astray = true;
        x->from_alias = redis_copy_text("\xff"); /* no alias is behind that */
    }
    start(c);
}

void redis_sealed_list(struct redis_call *c)
{
    const __typeof__(c->request->sealed_list) *l = &c->request->sealed_list;
    bool second = l->after && strncmp(l->after, record_transaction.letter, 1) == 0;
    begin(c, second ? &record_transaction : &record_ra, l->after, l->limit);
}

void redis_export(struct redis_call *c)
{
    static const struct record_kind *const kinds[STORE_KIND_COUNT] = {
        [STORE_KIND_CHALLENGE] = &record_challenge,
        [STORE_KIND_TRANSACTION] = &record_transaction,
        [STORE_KIND_CERTIFICATE] = &record_certificate,
        [STORE_KIND_RA] = &record_ra,
        [STORE_KIND_OBLIGATION] = &record_obligation,
        [STORE_KIND_CRL] = &record_crl,
        [STORE_KIND_AUDIT] = &record_event,
    };
    const __typeof__(c->request->export) *x = &c->request->export;
    if (x->kind == STORE_KIND_AUDIT)
        redis_list_start(c,
                         &(struct redis_list_order){
                             .kind = &record_event, .after = x->after, .limit = x->limit, .forward = true});
    else
        begin(c, kinds[x->kind], x->after, x->limit);
}
