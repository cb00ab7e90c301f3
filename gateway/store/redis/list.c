/* list.c: lists: pages that are merged over all aliases, newest first (or oldest first, for the export of the audit trail).
 *
 * First every alias is asked for the places of its best rows that match, and the best of all are kept; then the records
 * of those are read. The cursor is the place of a page's last row, with a print of its alias that parts equal places.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/inside.h"

#define AT_ONCE   16 /* aliases */
#define LIMIT_MAX 1000

struct list {
    struct redis_walk walk;
    struct redis_list_order order;
    struct redis_place *page; /* the best so far, in their order */
    size_t count, limit;      /* one more than what is given: it tells whether there is a next page */
    bool behind;              /* only what is behind these two */
    int64_t after_place;
    uint64_t after_print;
};

enum { FROM };

static void ask(struct redis_visit *v);

static void release(struct redis_call *c)
{
    struct list *l = c->work;
    redis_walk_free(&l->walk);
    free(l->page);
}

/* ---- places ---------------------------------------------------------------------------------------------- */

static bool before(const struct list *l, const struct redis_place *a, const struct redis_place *b)
{
    if (a->place != b->place)
        return l->order.forward ? a->place < b->place : a->place > b->place;
    return a->print < b->print;
}

/* Among the best so far? */
static bool hopeful(const struct list *l, const struct redis_place *place)
{
    return l->count < l->limit || before(l, place, &l->page[l->count - 1]);
}

static void insert(struct list *l, const struct redis_place *place)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (before(l, place, &l->page[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    if (l->count < l->limit)
        l->count++;
    memmove(&l->page[low + 1], &l->page[low], (l->count - 1 - low) * sizeof *l->page);
    l->page[low] = *place;
}

bool redis_next_place(struct redis_call *c, const struct redisReply *reply, size_t *index,
                      struct redis_place *out)
{
    struct redisReply *const *elements;
    struct bytes text;
    char number[REPLY_NUMBER_SIZE];
    size_t count = reply_count(reply, "places", &elements);
    if (*index + 1 >= count)
        return false;
    if (!reply_bytes(elements[*index], &text, number) || !bytes_number(text, &out->place) ||
        elements[*index + 1]->type != REDIS_REPLY_STRING) {
        redis_call_fail(c, STORE_UNAVAILABLE, "Redis answered with a place that is none");
        return false;
    }
    out->id = bytes_of(elements[*index + 1]->str, elements[*index + 1]->len);
    *index += 2;
    return true;
}

void redis_keep_place(struct redis_visit *v, struct redis_place *place)
{
    struct redis_call *c = v->walk->call;
    if (!v->kept)
        v->kept = redis_arena_text(c, v->alias);
    place->alias = v->kept;
    place->id = redis_arena_bytes(c, place->id);
}

/* ---- the cursor ------------------------------------------------------------------------------------------ */

static bool read_cursor(struct list *l)
{
    const char *after = l->order.after;
    if (!after || !*after)
        return true;
    l->behind = true;
    char end;
    return sscanf(after, "%" SCNx64 "-%" SCNx64 "%c", (uint64_t *)&l->after_place, &l->after_print, &end) ==
               2 &&
           l->after_place >= 0 && l->after_place <= PLACE_NEWEST;
}

static void write_cursor(struct redis_call *c, const struct redis_place *last)
{
    char cursor[48];
    snprintf(cursor, sizeof cursor, "%" PRIx64 "-%" PRIx64, (uint64_t)last->place, last->print);
    c->answer->next = redis_arena_text(c, cursor);
}

/* The first place of an alias that is behind the cursor. */
static int64_t first_place(const struct list *l, uint64_t print)
{
    if (!l->behind)
        return l->order.forward ? 0 : PLACE_NEWEST;
    if (print > l->after_print)
        return l->after_place;
    return l->order.forward ? l->after_place + 1 : l->after_place - 1;
}

/* What is behind that can not get onto the page any more. */
static int64_t last_place(const struct list *l)
{
    if (l->count == l->limit)
        return l->page[l->count - 1].place;
    return l->order.forward ? PLACE_NEWEST : 0;
}

/* ---- one alias ------------------------------------------------------------------------------------------- */

static void keep_places(struct redis_visit *v, const struct redisReply *reply, uint64_t print)
{
    struct redis_call *c = v->walk->call;
    struct list *l = c->work;
    struct redis_place place = {.print = print};
    for (size_t index = 0; redis_next_place(c, reply, &index, &place);) {
        if (!hopeful(l, &place)) /* nor is any that comes after it */
            return;
        redis_keep_place(v, &place);
        insert(l, &place);
    }
}

static void asked(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct redis_visit *v = context;
    struct list *l = c->work;
    uint64_t print = known_print(v->alias);
    int64_t cut = -1;
    if (reply) {
        c->answer->now = reply_number(reply, "now", c->answer->now);
        keep_places(v, reply, print);
        cut = reply_number(reply, "cut", -1);
    }
    v->numbers[FROM] = cut;
    if (cut >= 0 && !c->failed && hopeful(l, &(struct redis_place){.place = cut, .print = print}))
        ask(v);
    else
        redis_visit_end(v);
}

/* States are numbers in Redis, but for certificates, whose states come of the time. */
static void put_state(const struct list *l, struct arguments *a)
{
    const char *state = l->order.filter ? l->order.filter->state : NULL;
    if (state && l->order.kind == &record_transaction && strcmp(state, "waiting") == 0) {
        argument_number(a, "state", TRANSACTION_PENDING);
        argument_number(a, "decision", DECISION_AWAITED);
        return;
    }
    if (!state || l->order.kind == &record_certificate) {
        argument_text(a, "state", state);
        return;
    }
    int number = 0; /* no record's */
    for (int i = 1; i <= TRANSACTION_SUPERSEDED; i++)
        if (strcmp(state, l->order.kind == &record_challenge
                              ? challenge_state_name((enum challenge_state)i)
                              : transaction_state_name((enum transaction_state)i)) == 0)
            number = i;
    argument_number(a, "state", number);
}

static void ask(struct redis_visit *v)
{
    struct redis_call *c = v->walk->call;
    struct list *l = c->work;
    const struct store_list_filter *f = l->order.filter;
    char tag[TAG_SIZE];
    struct arguments a;
    redis_arguments(c, &a, false);
    argument_text(&a, "of", l->order.kind->letter);
    argument_number(&a, "from", v->numbers[FROM]);
    argument_number(&a, "to", last_place(l));
    argument_number(&a, "limit", (int64_t)l->limit);
    argument_text(&a, "forward", l->order.forward ? "1" : "");
    put_state(l, &a);
    if (f) {
        argument_text(&a, "alias", f->alias);
        argument_text(&a, "tenant", f->tenant);
        argument_text(&a, "text", f->text);
        argument_number(&a, "created_from", f->created_from);
        argument_number(&a, "created_until", f->created_until);
    }
    redis_alias_tag(v->alias, tag);
    redis_send(
        c,
        &(struct redis_errand){
            .script = l->order.kind->letter ? "page" : "audit_page", .tag = tag, .step = asked, .context = v},
        &a);
}

static void visit(struct redis_visit *v)
{
    const struct list *l = v->walk->call->work;
    v->numbers[FROM] = first_place(l, known_print(v->alias));
    ask(v);
}

/* ---- the whole ------------------------------------------------------------------------------------------- */

static void read_all(struct redis_call *c)
{
    struct list *l = c->work;
    if (c->failed) {
        redis_call_finish(c);
        return;
    }
    if (l->count == l->limit) {
        l->count--;
        write_cursor(c, &l->page[l->count - 1]);
    }
    c->answer->total = (int64_t)l->count;
    redis_rows_read(c, l->order.kind, l->page, l->count, redis_call_finish);
}

/* The one alias that is asked for; one that is not among those that are, and so none: "". */
static const char *only_alias(const struct store_list_filter *f)
{
    if (!f || !f->alias || f->alias_count == 0)
        return f ? f->alias : NULL;
    for (size_t i = 0; i < f->alias_count; i++)
        if (strcmp(f->aliases[i], f->alias) == 0)
            return f->alias;
    return "";
}

void redis_list_start(struct redis_call *c, const struct redis_list_order *order)
{
    struct list *l = c->work = redis_allocate(1, sizeof *l);
    c->release = release;
    l->order = *order;
    l->limit = 1 + (size_t)(order->limit < 1 ? 1 : order->limit > LIMIT_MAX ? LIMIT_MAX : order->limit);
    l->page = redis_allocate(l->limit, sizeof *l->page);
    l->walk = (struct redis_walk){.call = c,
                                  .visit = visit,
                                  .ended = read_all,
                                  .only = only_alias(order->filter),
                                  .some = order->filter ? order->filter->aliases : NULL,
                                  .some_count = order->filter ? order->filter->alias_count : 0,
                                  .most_at_once = AT_ONCE};
    if (!read_cursor(l)) { /* no row is behind what was never given */
        l->behind = true;
        l->after_place = order->forward ? PLACE_NEWEST : 0;
        l->after_print = UINT64_MAX;
    }
    redis_walk_start(&l->walk);
}

void redis_list(struct redis_call *c)
{
    const struct store_list_filter *f = &c->request->list;
    const struct record_kind *kind = &record_event;
    if (c->request->operation == STORE_CHALLENGE_LIST)
        kind = &record_challenge;
    else if (c->request->operation == STORE_TRANSACTION_LIST)
        kind = &record_transaction;
    else if (c->request->operation == STORE_CERTIFICATE_LIST)
        kind = &record_certificate;
    redis_list_start(
        c, &(struct redis_list_order){.kind = kind, .filter = f, .after = f->after, .limit = f->limit});
}
