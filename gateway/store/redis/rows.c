/* rows.c: the records of a page, read in groups and put into their order. See inside.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/inside.h"

#define GROUP   32 /* records that one script reads */
#define AT_ONCE 8  /* groups */

struct rows {
    struct redis_call *call;
    const struct record_kind *kind;
    const struct redis_place *places;
    size_t count, next, active;
    uint8_t *records; /* one of the kind's size for every place */
    bool *there;
    void (*ended)(struct redis_call *c);
};

struct group {
    struct rows *rows;
    size_t *members; /* places */
    size_t count;
    const char *alias;
};

static void advance(struct rows *rows);

static void *record_at(const struct rows *rows, size_t index)
{
    return rows->records + index * rows->kind->size;
}

/* The member of the group that the row is of: rows come in their order, but some may be missing. */
static bool member_of(const struct group *g, const struct redisReply *row, size_t *from)
{
    const struct redisReply *id = reply_find(row, "id");
    for (size_t i = *from; id && id->type == REDIS_REPLY_STRING && i < g->count; i++)
        if (bytes_equal(g->rows->places[g->members[i]].id, bytes_of(id->str, id->len))) {
            *from = i;
            return true;
        }
    return false;
}

static void keep_rows(struct group *g, const struct redisReply *reply)
{
    struct rows *rows = g->rows;
    struct redisReply *const *elements;
    size_t count = reply_count(reply, "records", &elements), member = 0;
    struct error e = {0};
    for (size_t i = 0; i < count && member_of(g, elements[i], &member); i++) {
        size_t index = g->members[member++];
        rows->there[index] = record_read(rows->kind, elements[i], g->alias, rows->call->answer->arena,
                                         record_at(rows, index), &e);
        if (!rows->there[index])
            redis_call_fail(rows->call, STORE_UNAVAILABLE, error_text(&e));
    }
}

static void group_read(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct group *g = context;
    struct rows *rows = g->rows;
    (void)c;
    if (reply)
        keep_rows(g, reply);
    rows->active--;
    free(g->members);
    free(g);
    advance(rows);
}

/* The next places of one alias that nobody has asked for. */
static struct group *next_group(struct rows *rows)
{
    struct group *g = redis_allocate(1, sizeof *g);
    g->rows = rows;
    g->members = redis_allocate(GROUP, sizeof *g->members);
    g->alias = rows->places[rows->next].alias;
    while (rows->next < rows->count && g->count < GROUP &&
           strcmp(rows->places[rows->next].alias, g->alias) == 0)
        g->members[g->count++] = rows->next++;
    return g;
}

static void send_group(struct rows *rows, struct group *g)
{
    char tag[TAG_SIZE], name[24];
    struct arguments a;
    redis_arguments(rows->call, &a, false);
    if (rows->kind->letter)
        argument_text(&a, "of", rows->kind->letter);
    argument_number(&a, "count", (int64_t)g->count);
    for (size_t i = 0; i < g->count; i++) {
        snprintf(name, sizeof name, "i%zu", i + 1);
        argument_bytes(&a, name, rows->places[g->members[i]].id);
    }
    redis_alias_tag(g->alias, tag);
    rows->active++;
    redis_send(rows->call,
               &(struct redis_errand){.script = rows->kind->letter ? "records" : "audit_records",
                                      .tag = tag,
                                      .step = group_read,
                                      .context = g},
               &a);
}

static void finish(struct rows *rows)
{
    struct redis_call *c = rows->call;
    void (*ended)(struct redis_call *) = rows->ended;
    for (size_t i = 0; !c->failed && i < rows->count; i++) {
        void *room = rows->there[i] ? rows->kind->add(c->answer) : NULL;
        if (room)
            memcpy(room, record_at(rows, i), rows->kind->size);
        else if (rows->there[i])
            redis_call_fail(c, STORE_UNAVAILABLE, "out of memory");
    }
    free(rows->records);
    free(rows->there);
    free(rows);
    ended(c);
}

static void advance(struct rows *rows)
{
    while (rows->active < AT_ONCE && rows->next < rows->count && !rows->call->failed)
        send_group(rows, next_group(rows));
    if (rows->active == 0)
        finish(rows);
}

void redis_rows_read(struct redis_call *c, const struct record_kind *kind, const struct redis_place *places,
                     size_t count, void (*ended)(struct redis_call *c))
{
    struct rows *rows = redis_allocate(1, sizeof *rows);
    *rows = (struct rows){.call = c, .kind = kind, .places = places, .count = count, .ended = ended};
    rows->records = redis_allocate(count ? count : 1, kind->size);
    rows->there = redis_allocate(count ? count : 1, sizeof *rows->there);
    advance(rows);
}
