/* audit.c: the audit trail: one chain per alias; append and verify. Events are written by every script that changes
 * something.
 *
 * A row's link is SHA-1, in hex, over: the previous link, sequence, ".", time, ".", and the row's digest, which is SHA-256
 * over its texts, each preceded by its length. docs/decisions/ says why two digests.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/inside.h"

#define SLICE   250 /* rows that one script reads */
#define AT_ONCE 4   /* chains */

const char *redis_append_alias(struct redis_call *c)
{
    return c->request->event_count > 0 ? c->request->events[0].alias : NULL;
}

/* ---- verify ---------------------------------------------------------------------------------------------- */

struct verification {
    struct redis_walk walk;
    int64_t rows; /* of the chains that are good */
    int64_t bad;  /* sequence of a row that is not; 0: none */
    const char *bad_alias;
};

enum { AT, STARTED };

static void walk_on(struct redis_visit *v);

static void link_row(char link[41], const struct audit_event *e)
{
    uint8_t text[128], digest[20];
    unsigned len = 0;
    int head = snprintf((char *)text, sizeof text - 32, "%s%lld.%lld.", link, (long long)e->sequence,
                        (long long)e->at);
    redis_event_digest(e, text + head);
    if (EVP_Digest(text, (size_t)head + 32, digest, &len, EVP_sha1(), NULL) != 1) {
        fputs("store: OpenSSL cannot compute SHA-1\n", stderr);
        abort();
    }
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(link + 2 * i, 3, "%02x", digest[i]);
}

/* A chain's anchor or head: sequence and link of a row. */
static bool read_state(const struct redisReply *reply, const char *name, int64_t *sequence, char link[41])
{
    const struct redisReply *state = reply_find(reply, name);
    const struct redisReply *text = state ? reply_find(state, "link") : NULL;
    if (!text || text->type != REDIS_REPLY_STRING || text->len != 40)
        return false;
    *sequence = reply_number(state, "sequence", -1);
    memcpy(link, text->str, 41);
    return *sequence >= 0;
}

static void note_bad(struct redis_visit *v)
{
    struct redis_call *c = v->walk->call;
    struct verification *all = c->work;
    if (all->bad)
        return;
    all->bad = v->numbers[AT] + 1;
    all->bad_alias = redis_arena_text(c, v->alias);
}

/* Is the row the next one, and its link what it should be? */
static bool row_good(struct redis_visit *v, const struct redisReply *row)
{
    struct audit_event e;
    struct arena *arena = arena_create();
    bool good = arena && record_read(&record_event, row, v->alias, arena, &e, NULL) &&
                e.sequence == v->numbers[AT] + 1;
    if (good) {
        link_row(v->link, &e);
        good = strcmp(v->link, e.hash) == 0;
    }
    if (good)
        v->numbers[AT]++;
    arena_free(arena);
    return good;
}

static bool remember_last(struct redis_visit *v, const struct redisReply *row)
{
    const struct redisReply *id = reply_find(row, "id");
    if (!id || id->type != REDIS_REPLY_STRING)
        return false;
    free(v->text);
    v->text = redis_copy_text(id->str);
    return true;
}

/* Retention may delete rows between two slices: the walk then goes on behind the new anchor. */
static bool slice_good(struct redis_visit *v, const struct redisReply *reply, bool *ended)
{
    char anchor_link[41], head_link[41];
    int64_t anchor, head;
    struct redisReply *const *rows = NULL;
    size_t count = reply_count(reply, "events", &rows);
    *ended = count < SLICE;
    if (!read_state(reply, "anchor", &anchor, anchor_link) || !read_state(reply, "head", &head, head_link))
        return false;
    if (!v->numbers[STARTED] || v->numbers[AT] < anchor) {
        v->numbers[STARTED] = 1;
        v->numbers[AT] = anchor;
        memcpy(v->link, anchor_link, sizeof anchor_link);
    }
    for (size_t i = 0; i < count; i++)
        if (!row_good(v, rows[i]))
            return false;
    if (count > 0 && !remember_last(v, rows[count - 1]))
        return false;
    return !*ended || (v->numbers[AT] == head && strcmp(v->link, head_link) == 0);
}

static void walked(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct redis_visit *v = context;
    struct verification *all = c->work;
    bool ended = true;
    if (reply && slice_good(v, reply, &ended)) {
        if (!ended) {
            walk_on(v);
            return;
        }
        all->rows += v->numbers[AT];
    } else if (reply) {
        note_bad(v);
    }
    if (reply)
        c->answer->now = reply_number(reply, "now", c->answer->now);
    redis_visit_end(v);
}

static void walk_on(struct redis_visit *v)
{
    struct redis_call *c = v->walk->call;
    char tag[TAG_SIZE];
    struct arguments a;
    redis_arguments(c, &a, false);
    argument_text(&a, "after", v->text);
    argument_number(&a, "limit", SLICE);
    redis_alias_tag(v->alias, tag);
    redis_send(c, &(struct redis_errand){.script = "audit_walk", .tag = tag, .step = walked, .context = v},
               &a);
}

static bool found_bad(struct redis_call *c)
{
    return ((struct verification *)c->work)->bad != 0;
}

static void verified(struct redis_call *c)
{
    struct verification *all = c->work;
    char reason[320];
    c->answer->outcome = all->bad ? STORE_CONFLICT : STORE_OK;
    c->answer->total = all->bad ? all->bad : all->rows;
    if (all->bad) {
        snprintf(reason, sizeof reason, "in the chain of alias \"%s\"", all->bad_alias);
        c->answer->reason = redis_arena_text(c, reason);
    }
    redis_call_finish(c);
}

static void release(struct redis_call *c)
{
    redis_walk_free(&((struct verification *)c->work)->walk);
}

void redis_verify(struct redis_call *c)
{
    struct verification *all = c->work = redis_allocate(1, sizeof *all);
    c->release = release;
    all->walk = (struct redis_walk){
        .call = c, .visit = walk_on, .ended = verified, .enough = found_bad, .most_at_once = AT_ONCE};
    redis_walk_start(&all->walk);
}
