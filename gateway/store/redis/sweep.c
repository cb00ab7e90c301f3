/* sweep.c: retention: of every alias what is old enough, at most `limit` rows in all. A repeat sweeps again, which does no
 * harm: so a sweep is not remembered. */
#include "store/redis/inside.h"

#define SLICE   250 /* rows that one script deletes */
#define AT_ONCE 16  /* aliases */

struct sweep {
    struct redis_walk walk;
    int64_t left; /* rows that may go and that no script has been given */
    int64_t deleted;
};

enum { GIVEN };

static void sweep_alias(struct redis_visit *v);

static void swept(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct redis_visit *v = context;
    struct sweep *s = c->work;
    int64_t count = reply ? reply_number(reply, "total", 0) : 0;
    if (reply)
        c->answer->now = reply_number(reply, "now", c->answer->now);
    s->deleted += count;
    s->left += v->numbers[GIVEN] - count;
    if (reply && count == v->numbers[GIVEN] && s->left > 0)
        sweep_alias(v);
    else
        redis_visit_end(v);
}

/* An age below 0 keeps them for ever. */
static void put_age(struct arguments *a, const char *name, int64_t age)
{
    if (age >= 0)
        argument_number(a, name, age);
}

static void sweep_alias(struct redis_visit *v)
{
    struct redis_call *c = v->walk->call;
    struct sweep *s = c->work;
    const __typeof__(c->request->sweep) *ages = &c->request->sweep;
    char tag[TAG_SIZE];
    struct arguments a;
    int64_t given = s->left < SLICE ? s->left : SLICE;
    v->numbers[GIVEN] = given;
    s->left -= given;
    redis_arguments(c, &a, false);
    argument_number(&a, "limit", given);
    put_age(&a, "unused", ages->unused_challenge);
    put_age(&a, "used", ages->used_challenge);
    put_age(&a, "finished", ages->finished_transaction);
    put_age(&a, "certificate", ages->certificate);
    put_age(&a, "revoked", store_revoked_age(ages->certificate));
    put_age(&a, "audit", ages->audit);
    redis_alias_tag(v->alias, tag);
    redis_send(c, &(struct redis_errand){.script = "sweep", .tag = tag, .step = swept, .context = v}, &a);
}

static bool all_given(struct redis_call *c)
{
    return ((struct sweep *)c->work)->left <= 0;
}

/* What was given and is not used comes back, so only when nobody works. */
static bool all_used(struct redis_call *c)
{
    const struct sweep *s = c->work;
    return s->left <= 0 && s->walk.active == 0;
}

static void ended(struct redis_call *c)
{
    c->answer->outcome = STORE_OK;
    c->answer->total = ((struct sweep *)c->work)->deleted;
    redis_call_finish(c);
}

static void release(struct redis_call *c)
{
    redis_walk_free(&((struct sweep *)c->work)->walk);
}

void redis_sweep(struct redis_call *c)
{
    struct sweep *s = c->work = redis_allocate(1, sizeof *s);
    int64_t limit = c->request->sweep.limit;
    c->release = release;
    s->left = limit > 0 ? limit : 1;
    s->walk = (struct redis_walk){.call = c,
                                  .visit = sweep_alias,
                                  .ended = ended,
                                  .hold = all_given,
                                  .enough = all_used,
                                  .most_at_once = AT_ONCE};
    redis_walk_start(&s->walk);
}
