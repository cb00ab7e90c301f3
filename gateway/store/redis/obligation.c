/* obligation.c: work that is due at a time: put, claim, done. One row per kind, alias and reference.
 *
 * A claim asks the index of due times which aliases to visit, takes what is due at each, and tells the index when their
 * next ones are due. The index is a hint that an operation writes after the fact: what is lost of it is found again by a
 * claim that found nothing, which looks at some aliases of all in turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/redis/inside.h"

#define ALIASES_MAX 64    /* that one claim visits */
#define PAUSE_MS    30000 /* until others visit an alias whose visitor died */
#define HEALED      16    /* aliases that an idle claim looks at */

/* ---- ids: KIND/ALIAS/REFERENCE, of which an alias' keys have KIND/REFERENCE ------------------------------ */

bool redis_obligation_split(struct arena *arena, const char *id, const char **kind, const char **alias,
                            const char **reference)
{
    const char *first = strchr(id, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    if (!second)
        return false;
    *kind = (const char *)arena_bytes(arena, id, (size_t)(first - id)).data;
    *alias = (const char *)arena_bytes(arena, first + 1, (size_t)(second - first - 1)).data;
    *reference = second + 1;
    return *kind && *alias;
}

void redis_put_obligation_row(struct arguments *a, const char *kind, const char *reference)
{
    CLEANUP(buffer) struct buffer row;
    buffer_init(&row, 64 * 1024);
    buffer_format(&row, "%s/%s", kind, reference ? reference : "");
    a->failed = a->failed || row.failed;
    argument_bytes(a, "row", buffer_bytes(&row));
}

static bool complete(struct redis_call *c, struct obligation *o)
{
    const char *dash = strchr(o->id, '/');
    struct arena *arena = c->answer->arena;
    CLEANUP(buffer) struct buffer id;
    buffer_init(&id, 64 * 1024);
    if (!dash)
        return false;
    o->kind = (const char *)arena_bytes(arena, o->id, (size_t)(dash - o->id)).data;
    o->reference = dash + 1;
    buffer_format(&id, "%s/%s/%s", o->kind ? o->kind : "", o->alias, o->reference);
    o->id = id.failed ? NULL : arena_text(arena, (const char *)id.data);
    return o->id && o->kind;
}

void redis_obligations_complete(struct redis_call *c, size_t first)
{
    struct obligation *rows = (struct obligation *)c->answer->obligations; /* the arena's: ours */
    for (size_t i = first; i < c->answer->obligation_count; i++)
        if (!complete(c, &rows[i])) {
            redis_call_fail(c, STORE_UNAVAILABLE, "Redis holds an obligation without a kind");
            c->answer->obligation_count = i;
        }
}

/* ---- put and done ---------------------------------------------------------------------------------------- */

const char *redis_obligation_put_alias(struct redis_call *c)
{
    return c->request->obligation_put.alias;
}

const char *redis_obligation_done_alias(struct redis_call *c)
{
    const char *kind, *alias, *reference;
    bool split =
        redis_obligation_split(c->answer->arena, c->request->obligation_done.id, &kind, &alias, &reference);
    return split ? alias : "";
}

void redis_obligation_done(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->obligation_done) *done = &c->request->obligation_done;
    const char *kind, *alias, *reference;
    if (redis_obligation_split(c->answer->arena, done->id, &kind, &alias, &reference))
        redis_put_obligation_row(a, kind, reference);
    else
        argument_text(a, "row", "/"); /* nobody's: STALE */
    argument_number(a, "claim", (int64_t)done->claim);
    argument_number(a, "again", done->again_after);
}

/* ---- claim ----------------------------------------------------------------------------------------------- */

#define NONE   INT64_C(-1) /* no obligation is left */
#define UNSEEN INT64_C(-2) /* what is due there is not known */

struct claim {
    struct redis_walk heal;
    char *heal_from;
    char *aliases[ALIASES_MAX];
    int64_t due[ALIASES_MAX]; /* of the next one of each, NONE or UNSEEN */
    size_t count, at;
    int64_t offered; /* number for this claim, unless an alias has seen a higher one */
    uint64_t number;
    bool repeated;
};

static void visit(struct redis_call *c);

static void forget_aliases(struct claim *claim)
{
    for (size_t i = 0; i < claim->count; i++)
        free(claim->aliases[i]);
    claim->count = 0;
}

static void release(struct redis_call *c)
{
    struct claim *claim = c->work;
    redis_walk_free(&claim->heal);
    free(claim->heal_from);
    forget_aliases(claim);
}

static void keep_alias(struct claim *claim, const char *alias, size_t len, int64_t due)
{
    if (claim->count == ALIASES_MAX)
        return;
    claim->aliases[claim->count] = redis_allocate(1, len + 1);
    memcpy(claim->aliases[claim->count], alias, len);
    claim->due[claim->count++] = due;
}

static void settle(struct redis_call *c, bool visited, redis_step *step)
{
    struct claim *claim = c->work;
    struct arguments a;
    char name[24];
    size_t count = 0;
    redis_arguments(c, &a, visited);
    for (size_t i = 0; i < claim->count; i++) {
        if (claim->due[i] == UNSEEN)
            continue;
        snprintf(name, sizeof name, "a%zu", ++count);
        argument_text(&a, name, claim->aliases[i]);
        snprintf(name, sizeof name, "d%zu", count);
        if (claim->due[i] != NONE)
            argument_number(&a, name, claim->due[i]);
    }
    argument_number(&a, "count", (int64_t)count);
    redis_send(c,
               &(struct redis_errand){.script = "due_settle", .tag = DUE_TAG, .may_fail = true, .step = step},
               &a);
}

/* ---- an idle claim looks for hints that were lost ---- */

static void healed(struct redis_call *c, void *context, const struct redisReply *reply)
{
    (void)context;
    (void)reply;
    redis_call_finish(c);
}

static void looked(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct redis_visit *v = context;
    int64_t due = reply ? reply_number(reply, "due", NONE) : NONE;
    if (due >= 0)
        keep_alias(c->work, v->alias, strlen(v->alias), due);
    redis_visit_end(v);
}

static void look(struct redis_visit *v)
{
    struct redis_call *c = v->walk->call;
    struct redis_store *s = c->store;
    char tag[TAG_SIZE];
    struct arguments a;
    free(s->healed);
    s->healed = redis_copy_text(v->alias);
    redis_arguments(c, &a, false);
    redis_alias_tag(v->alias, tag);
    redis_send(
        c,
        &(struct redis_errand){.script = "due", .tag = tag, .may_fail = true, .step = looked, .context = v},
        &a);
}

static void looked_at_all(struct redis_call *c)
{
    struct claim *claim = c->work;
    c->failed = false; /* the claim itself was carried out */
    if (claim->heal.visited < HEALED) {
        free(c->store->healed);
        c->store->healed = NULL;
    }
    if (claim->count > 0)
        settle(c, false, healed);
    else
        redis_call_finish(c);
}

static void heal(struct redis_call *c)
{
    struct claim *claim = c->work;
    forget_aliases(claim);
    claim->heal_from = c->store->healed ? redis_copy_text(c->store->healed) : NULL;
    claim->heal = (struct redis_walk){.call = c,
                                      .visit = look,
                                      .ended = looked_at_all,
                                      .from = claim->heal_from,
                                      .most_at_once = HEALED,
                                      .most = HEALED};
    redis_walk_start(&claim->heal);
}

/* ---- visits, one after the other ---- */

static void settled(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct claim *claim = c->work;
    (void)context;
    (void)reply;
    c->answer->outcome = STORE_OK;
    c->answer->claim = claim->number;
    c->answer->repeated = claim->repeated;
    if (c->failed || c->answer->obligation_count > 0)
        redis_call_finish(c);
    else
        heal(c);
}

/* Rows that were claimed are handed out although a later alias could not be reached. */
static void visited_all(struct redis_call *c)
{
    struct claim *claim = c->work;
    if (c->failed && c->failure == STORE_UNAVAILABLE && c->answer->obligation_count > 0)
        c->failed = false;
    for (size_t i = claim->at; i < claim->count; i++)
        claim->due[i] = c->failed ? UNSEEN : c->answer->now; /* the limit was reached before it */
    settle(c, true, settled);
}

static void took(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct claim *claim = c->work;
    size_t first = c->answer->obligation_count, at = claim->at++;
    (void)context;
    if (reply && redis_read(c, claim->aliases[at], reply)) {
        claim->due[at] = reply_number(reply, "due", NONE);
        claim->repeated = claim->repeated || c->answer->repeated;
        claim->number = claim->number ? claim->number : c->answer->claim;
        redis_obligations_complete(c, first);
    }
    visit(c);
}

static void visit(struct redis_call *c)
{
    struct claim *claim = c->work;
    int64_t left = c->request->obligation_claim.limit - (int64_t)c->answer->obligation_count;
    bool doubt = c->failed && c->failure == STORE_UNKNOWN; /* repeated as a whole */
    if (claim->at == claim->count || left <= 0 || doubt) {
        visited_all(c);
        return;
    }
    char tag[TAG_SIZE];
    struct arguments a;
    redis_arguments(c, &a, true);
    argument_number(&a, "limit", left);
    argument_number(&a, "lease", c->request->obligation_claim.lease);
    argument_number(&a, "claim", claim->offered);
    redis_alias_tag(claim->aliases[claim->at], tag);
    redis_send(
        c, &(struct redis_errand){.script = "obligation_claim", .tag = tag, .durable = true, .step = took},
        &a);
}

static void picked(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct claim *claim = c->work;
    struct redisReply *const *names;
    (void)context;
    if (!reply || !redis_read(c, "", reply)) {
        redis_call_finish(c);
        return;
    }
    size_t count = reply_count(reply, "aliases", &names);
    for (size_t i = 0; i < count; i++)
        if (names[i]->type == REDIS_REPLY_STRING)
            keep_alias(claim, names[i]->str, names[i]->len, UNSEEN);
    claim->offered = (int64_t)c->answer->claim;
    c->answer->claim = 0;
    c->answer->repeated = false;
    visit(c);
}

void redis_obligation_claim(struct redis_call *c)
{
    int64_t limit = c->request->obligation_claim.limit;
    struct arguments a;
    c->work = redis_allocate(1, sizeof(struct claim));
    c->release = release;
    redis_arguments(c, &a, true);
    argument_number(&a, "limit", limit < 1 ? 1 : limit > ALIASES_MAX ? ALIASES_MAX : limit);
    argument_number(&a, "pause", PAUSE_MS);
    redis_send(c, &(struct redis_errand){.script = "due_pick", .tag = DUE_TAG, .step = picked}, &a);
}
