/* reindex.c: makes again what spans aliases, and within each alias what is found by other things than ids.
 *
 * The index of aliases itself is the one thing that cannot be made of the others without reading all keys of all nodes. It
 * mends itself: every process puts an alias that it writes for into it again after some minutes (call.c), and the request
 * may name the aliases of the settings.
 */
#include "store/redis/inside.h"

#define AT_ONCE 8 /* aliases */

struct reindex {
    struct redis_walk walk;
    size_t named; /* aliases of the request that are in the index now */
};

enum { KIND, FROM };

static const struct record_kind *const kinds[] = {&record_challenge, &record_transaction,
                                                  &record_certificate};
#define KINDS ((int64_t)(sizeof kinds / sizeof *kinds))

static void slice(struct redis_visit *v);

static void hinted(struct redis_call *c, void *context, const struct redisReply *reply)
{
    (void)c;
    (void)reply;
    redis_visit_end(context);
}

static void sliced(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct redis_visit *v = context;
    int64_t cut = reply ? reply_number(reply, "cut", -1) : -1;
    if (reply)
        c->answer->now = reply_number(reply, "now", c->answer->now);
    v->numbers[FROM] = cut >= 0 ? cut : 0;
    if (cut < 0)
        v->numbers[KIND]++;
    int64_t due = reply ? reply_number(reply, "due", -1) : -1;
    if (reply && v->numbers[KIND] < KINDS)
        slice(v);
    else if (due >= 0)
        redis_send_hint(c, v->alias, due, hinted, v);
    else
        redis_visit_end(v);
}

static void slice(struct redis_visit *v)
{
    struct redis_call *c = v->walk->call;
    char tag[TAG_SIZE];
    struct arguments a;
    redis_arguments(c, &a, false);
    argument_text(&a, "of", kinds[v->numbers[KIND]]->letter);
    argument_number(&a, "from", v->numbers[FROM]);
    redis_alias_tag(v->alias, tag);
    redis_send(c,
               &(struct redis_errand){
                   .script = "reindex", .tag = tag, .durable = true, .step = sliced, .context = v},
               &a);
}

static void ended(struct redis_call *c)
{
    c->answer->outcome = STORE_OK;
    c->answer->total = ((struct reindex *)c->work)->walk.visited;
    redis_call_finish(c);
}

static void release(struct redis_call *c)
{
    redis_walk_free(&((struct reindex *)c->work)->walk);
}

static void named(struct redis_call *c, void *context, const struct redisReply *reply);

static void name_next(struct redis_call *c)
{
    struct reindex *r = c->work;
    if (!c->failed && r->named < c->request->reindex.alias_count)
        redis_ensure_alias(c, c->request->reindex.aliases[r->named++], named, NULL);
    else if (!c->failed)
        redis_walk_start(&r->walk);
    else
        redis_call_finish(c);
}

static void named(struct redis_call *c, void *context, const struct redisReply *reply)
{
    (void)context;
    (void)reply;
    name_next(c);
}

void redis_reindex(struct redis_call *c)
{
    struct reindex *r = c->work = redis_allocate(1, sizeof *r);
    c->release = release;
    r->walk = (struct redis_walk){.call = c, .visit = slice, .ended = ended, .most_at_once = AT_ONCE};
    name_next(c);
}
