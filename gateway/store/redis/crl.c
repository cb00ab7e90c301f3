/* crl.c: what CRLs are made of, the revoked certificates of an issuer; and the newest CRL of each CA, which is under the tag
 * of the alias "".
 *
 * The revoked ones come alias by alias, in the order of names. The cursor is "PLACE-ALIAS": behind which of that alias'
 * the next page begins.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/redis/inside.h"

#define LIMIT_MAX 1000

struct revoked {
    struct redis_walk walk;
    size_t limit;
    char *from_alias, *from_place; /* where the page begins; NULL: at the start */
    bool astray;                   /* the cursor is none of ours */
};

static void ask(struct redis_visit *v);

static void release(struct redis_call *c)
{
    struct revoked *r = c->work;
    redis_walk_free(&r->walk);
    free(r->from_alias);
    free(r->from_place);
}

static bool full(struct redis_call *c)
{
    const struct revoked *r = c->work;
    return c->answer->revocation_count >= r->limit;
}

static void set_next(struct redis_call *c, const struct redis_visit *v)
{
    CLEANUP(buffer) struct buffer cursor;
    buffer_init(&cursor, 64 * 1024);
    buffer_format(&cursor, "%s-%s", v->text, v->alias);
    if (cursor.failed)
        redis_call_fail(c, STORE_UNAVAILABLE, "out of memory");
    else
        c->answer->next = redis_arena_text(c, (const char *)cursor.data);
}

static void asked(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct redis_visit *v = context;
    const struct redisReply *cut = NULL;
    if (reply && redis_read(c, v->alias, reply))
        cut = reply_find(reply, "cut");
    free(v->text);
    v->text = cut && cut->type == REDIS_REPLY_STRING ? redis_copy_text(cut->str) : NULL;
    if (v->text && !full(c)) {
        ask(v);
        return;
    }
    if (v->text)
        set_next(c, v);
    redis_visit_end(v);
}

static void ask(struct redis_visit *v)
{
    struct redis_call *c = v->walk->call;
    struct revoked *r = c->work;
    char tag[TAG_SIZE];
    struct arguments a;
    redis_arguments(c, &a, false);
    argument_text(&a, "issuer", c->request->revoked_list.issuer_sha256);
    argument_number(&a, "ended", c->request->revoked_list.ended_after);
    argument_text(&a, "from", v->text);
    argument_number(&a, "limit", (int64_t)(r->limit - c->answer->revocation_count));
    redis_alias_tag(v->alias, tag);
    redis_send(c, &(struct redis_errand){.script = "revoked_page", .tag = tag, .step = asked, .context = v},
               &a);
}

static void visit(struct redis_visit *v)
{
    const struct revoked *r = v->walk->call->work;
    if (r->from_alias && strcmp(r->from_alias, v->alias) == 0)
        v->text = redis_copy_text(r->from_place);
    ask(v);
}

static void ended(struct redis_call *c)
{
    const struct revoked *r = c->work;
    if (r->astray)
        redis_call_fail(c, STORE_UNAVAILABLE, "the cursor is none that this store gave");
    c->answer->outcome = STORE_OK;
    redis_call_finish(c);
}

static void read_cursor(struct revoked *r, const char *after)
{
    const char *dash = strchr(after, '-');
    r->astray = !dash;
    r->from_alias = redis_copy_text(dash ? dash + 1 : "\xff"); /* no alias is behind that */
    r->from_place = redis_copy_text(after);
    r->from_place[strcspn(r->from_place, "-")] = '\0';
}

void redis_revoked_list(struct redis_call *c)
{
    const __typeof__(c->request->revoked_list) *want = &c->request->revoked_list;
    struct revoked *r = c->work = redis_allocate(1, sizeof *r);
    c->release = release;
    r->limit = want->limit < 1 ? 1 : want->limit > LIMIT_MAX ? LIMIT_MAX : (size_t)want->limit;
    if (want->after && *want->after)
        read_cursor(r, want->after);
    r->walk = (struct redis_walk){.call = c,
                                  .visit = visit,
                                  .ended = ended,
                                  .enough = full,
                                  .from = r->from_alias,
                                  .inclusive = true,
                                  .most_at_once = 1};
    redis_walk_start(&r->walk);
}

void redis_crl_find(struct redis_call *c, struct arguments *a)
{
    argument_text(a, "record", c->request->crl_find.ca_sha256);
    argument_number(a, "known", c->request->crl_find.known_number);
}

void redis_crl_put(struct redis_call *c, struct arguments *a)
{
    record_put(a, "r", &record_crl, &c->request->crl_put);
}
