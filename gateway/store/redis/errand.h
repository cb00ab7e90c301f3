/* errand.h: an accepted command on its way through the router until its `done`. One place at a time has it: a
 * node's queue, a node's open batch, the router's list of those that rest before they are tried again, or its
 * list of those that are to be answered. Loop thread.
 */
#pragma once

#include <hiredis/hiredis.h>

#include "store/redis/router.h"

struct errand {
    struct errand *next;
    struct redis_router *router;
    struct redis_node *node;           /* the one that has it */
    const struct redis_script *script; /* NULL: `arguments` are the whole command */
    struct arguments arguments;
    char base[REDIS_BASE_SIZE];
    int slot;
    bool durable;
    bool whole;       /* the script's text is sent with it: this Redis did not know it */
    bool asking;      /* ASKING first: its slot is being moved */
    int64_t deadline; /* monotonic ms; until then it is tried again when it surely was not carried out */
    redis_done *done;
    void *context;

    /* for those that are to be answered */
    enum redis_result result;
    redisReply *reply; /* owned */
    char problem[240];
};

struct errand_list {
    struct errand *first, **last;
    size_t count;
};

static inline void errand_list_init(struct errand_list *l)
{
    *l = (struct errand_list){.last = &l->first};
}

static inline void errand_list_put(struct errand_list *l, struct errand *e)
{
    e->next = NULL;
    *l->last = e;
    l->last = &e->next;
    l->count++;
}

/* NULL when empty. */
static inline struct errand *errand_list_take(struct errand_list *l)
{
    struct errand *e = l->first;
    if (!e)
        return NULL;
    l->first = e->next;
    if (!l->first)
        l->last = &l->first;
    l->count--;
    e->next = NULL;
    return e;
}
