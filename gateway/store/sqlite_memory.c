/* sqlite_memory.c: which operations have been carried out, so that a repeat gets the first one's answer.
 *
 * Every operation that changed something leaves a row in a ring of SQLITE_REMEMBERED slots, in the same
 * transaction. Rows are written one after another, so they cost a share of one page, never need pruning, and
 * need no index: the ids are found through a small hash table in memory, filled when the store is opened. The
 * window is thus the newest 65536 changes, across restarts. What refused and changed nothing is not
 * remembered: a repeat of it is judged anew.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_inside.h"

_Static_assert((SQLITE_REMEMBERED & (SQLITE_REMEMBERED - 1)) == 0, "a power of two");

/* FNV-1a; the ids are our own random ones. Never 0, which stands for an empty slot. */
static uint64_t print_of(const char *id)
{
    uint64_t hash = 14695981039346656037ULL;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 1099511628211ULL;
    return hash ? hash : 1;
}

static uint32_t *bucket_of(struct sqlite_memory *m, uint64_t print)
{
    return &m->bucket[(print ^ print >> 32) & (SQLITE_REMEMBERED - 1)];
}

bool sqlite_memory_init(struct sqlite_memory *m)
{
    m->prints = calloc(SQLITE_REMEMBERED, sizeof *m->prints);
    m->chain = calloc(SQLITE_REMEMBERED, sizeof *m->chain);
    m->bucket = calloc(SQLITE_REMEMBERED, sizeof *m->bucket);
    return m->prints && m->chain && m->bucket;
}

void sqlite_memory_free(struct sqlite_memory *m)
{
    free(m->prints);
    free(m->chain);
    free(m->bucket);
    *m = (struct sqlite_memory){0};
}

static void forget(struct sqlite_memory *m, uint32_t slot)
{
    for (uint32_t *at = bucket_of(m, m->prints[slot]); *at; at = &m->chain[*at - 1])
        if (*at == slot + 1) {
            *at = m->chain[slot];
            break;
        }
    m->prints[slot] = 0;
}

static void keep(struct sqlite_memory *m, uint32_t slot, uint64_t print)
{
    if (m->prints[slot])
        forget(m, slot);
    uint32_t *bucket = bucket_of(m, print);
    m->prints[slot] = print;
    m->chain[slot] = *bucket;
    *bucket = slot + 1;
}

void sqlite_memory_load(struct sqlite_writer *w)
{
    struct sqlite_memory *m = &w->memory;
    memset(m->prints, 0, SQLITE_REMEMBERED * sizeof *m->prints);
    memset(m->chain, 0, SQLITE_REMEMBERED * sizeof *m->chain);
    memset(m->bucket, 0, SQLITE_REMEMBERED * sizeof *m->bucket);
    m->sequence = 0;
    struct query q = query_start(&w->link, SQL_OPERATION_ALL);
    while (query_row(&q)) {
        keep(m, (uint32_t)query_number(&q, 0) & (SQLITE_REMEMBERED - 1), print_of(query_text(&q, 2, NULL)));
        m->sequence = query_number(&q, 1);
    }
    query_end(&q);
}

void sqlite_memory_add(struct sqlite_writer *w, struct sqlite_call *c)
{
    struct sqlite_memory *m = &w->memory;
    uint32_t slot = (uint32_t)(++m->sequence & (SQLITE_REMEMBERED - 1));
    keep(m, slot, print_of(c->request->id));
    struct query q = query_start(&w->link, SQL_OPERATION_PUT);
    query_put_number(&q, slot);
    query_put_number(&q, m->sequence);
    query_put_text(&q, c->request->id);
    query_put_number(&q, c->request->operation);
    query_put_number(&q, c->answer->outcome);
    query_put_number(&q, (int64_t)c->answer->claim);
    query_put_number(&q, c->reference);
    query_run(&q);
}

static bool recall_slot(struct sqlite_writer *w, struct sqlite_call *c, uint32_t slot)
{
    struct query q = query_start(&w->link, SQL_OPERATION_GET);
    query_put_number(&q, slot);
    bool same = query_row(&q) && strcmp(query_text(&q, 0, NULL), c->request->id) == 0 &&
                query_number(&q, 1) == c->request->operation;
    if (same) {
        c->answer->repeated = true;
        c->answer->outcome = (enum store_outcome)query_number(&q, 2);
        c->answer->claim = (uint64_t)query_number(&q, 3);
        c->reference = query_number(&q, 4);
    }
    query_end(&q);
    return same;
}

bool sqlite_memory_recall(struct sqlite_writer *w, struct sqlite_call *c)
{
    if (!*c->request->id) /* not made by store_request_init: nothing can repeat it */
        return false;
    uint64_t print = print_of(c->request->id);
    for (uint32_t at = *bucket_of(&w->memory, print); at; at = w->memory.chain[at - 1])
        if (w->memory.prints[at - 1] == print && recall_slot(w, c, at - 1))
            return true;
    return false;
}
