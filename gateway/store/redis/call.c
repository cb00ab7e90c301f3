/* call.c: a request on its way: one script on one tag, with what comes before and after it; and the steps that
 * state machines are made of. See inside.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/redis/digest.h"
#include "store/redis/inside.h"

#define KNOWN_MS                                                                                             \
    (10 * 60 * 1000) /* after so long an alias is put into the index again: it may have been lost */

static _Noreturn void out_of_memory(void)
{
    fputs("store: out of memory; there is none left even to refuse a request\n", stderr);
    abort();
}

void *redis_allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        out_of_memory();
    return memory;
}

char *redis_copy_text(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        out_of_memory();
    return copy;
}

char *redis_arena_text(struct redis_call *c, const char *text)
{
    char *copy = arena_text(c->answer->arena, text);
    if (!copy)
        out_of_memory();
    return copy;
}

struct bytes redis_arena_bytes(struct redis_call *c, struct bytes bytes)
{
    struct bytes copy = arena_bytes(c->answer->arena, bytes.data, bytes.len);
    if (!copy.data)
        out_of_memory();
    return copy;
}

void redis_operations_init(struct redis_store *s)
{
    random_id(s->owner);
}

void redis_operations_free(struct redis_store *s)
{
    known_free(&s->known);
    free(s->healed);
    s->healed = NULL;
}

/* ---- failures ------------------------------------------------------------------------------------------ */

void redis_call_fail(struct redis_call *c, enum store_outcome outcome, const char *problem)
{
    if (c->failed && c->failure == STORE_UNKNOWN) /* one doubt is enough */
        return;
    if (c->failed && outcome != STORE_UNKNOWN)
        return;
    c->failed = true;
    c->failure = outcome;
    snprintf(c->problem, sizeof c->problem, "%s", problem);
}

/* Errors that Redis gives before a script's first write. They begin the text, or (6.2) are somewhere in it. */
static bool did_nothing(const struct redisReply *error)
{
    static const char *const words[] = {"OOM ", "MISCONF ", "NOPERM ", "NOAUTH ", "WRONGPASS "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char within[16];
        snprintf(within, sizeof within, "-%s", words[i]);
        if (strncmp(error->str, words[i], strlen(words[i])) == 0 || strstr(error->str, within))
            return true;
    }
    return false;
}

/* ---- steps --------------------------------------------------------------------------------------------- */

struct step {
    struct redis_call *call;
    redis_step *step;
    void *context;
    const char *name; /* for sentences */
    bool may_fail;
};

static void note_failure(const struct step *s, enum redis_result result, const struct redisReply *reply,
                         const char *problem)
{
    struct redis_call *c = s->call;
    bool doubtful = result == REDIS_LOST || (reply && !did_nothing(reply));
    char sentence[320];
    if (s->may_fail)
        return;
    if (reply)
        snprintf(sentence, sizeof sentence, "Redis refused %s: %.220s", s->name, reply->str);
    else
        snprintf(sentence, sizeof sentence, "%s", problem);
    bool changes = c->operation->writes || c->operation->unpromised;
    redis_call_fail(c, doubtful && changes ? STORE_UNKNOWN : STORE_UNAVAILABLE, sentence);
}

static void note_place(struct redis_store *s, const struct redisReply *reply)
{
    int64_t place = reply_number(reply, "order", 0);
    if (place > s->place && place < PLACE_NEWEST)
        s->place = place;
}

static void answered(void *context, enum redis_result result, const struct redisReply *reply,
                     const char *problem)
{
    struct step *s = context;
    bool good = result == REDIS_REPLIED && reply->type != REDIS_REPLY_ERROR;
    if (good)
        note_place(s->call->store, reply);
    else
        note_failure(s, result, reply, problem);
    s->step(s->call, s->context, good ? reply : NULL);
    free(s);
}

void redis_send(struct redis_call *c, const struct redis_errand *errand, struct arguments *a)
{
    struct step *s = redis_allocate(1, sizeof *s);
    *s = (struct step){.call = c,
                       .step = errand->step,
                       .context = errand->context,
                       .name = errand->script ? errand->script : "a command",
                       .may_fail = errand->may_fail};
    struct redis_command command = {.script = errand->script ? redis_script(errand->script) : NULL,
                                    .tag = errand->tag,
                                    .arguments = *a,
                                    .durable = errand->durable,
                                    .done = answered,
                                    .context = s};
    redis_router_send(c->store->router, &command);
}

bool redis_read(struct redis_call *c, const char *alias, const struct redisReply *reply)
{
    struct error e = {0};
    if (reply_read(reply, alias, c->answer, &e))
        return true;
    redis_call_fail(c, STORE_UNAVAILABLE, error_text(&e));
    return false;
}

void redis_alias_tag(const char *alias, char out[TAG_SIZE])
{
    snprintf(out, TAG_SIZE, "a:%s", alias ? alias : "");
}

/* ---- arguments ----------------------------------------------------------------------------------------- */

void redis_arguments(struct redis_call *c, struct arguments *a, bool remembered)
{
    arguments_init(a);
    argument_number(a, "kind", c->request->operation);
    argument_number(a, "order", c->store->place);
    if (remembered)
        record_put_id(a, "id", c->request->id);
}

void redis_event_digest(const struct audit_event *e, uint8_t out[32])
{
    const char *const texts[] = {e->event, e->alias, e->tenant, e->transaction, e->client, e->details};
    struct bytes parts[6];
    for (size_t i = 0; i < 6; i++)
        parts[i] = bytes_of_text(texts[i] ? texts[i] : "");
    redis_digest(parts, 6, out);
}

static void put_text(struct arguments *a, const char *group, const char *name, const char *text)
{
    record_put_grouped(a, group, name, bytes_of_text(text ? text : ""));
}

void redis_put_event(struct arguments *a, const char *group, const struct audit_event *e)
{
    uint8_t digest[32];
    redis_event_digest(e, digest);
    record_put_grouped(a, group, "digest", bytes_of(digest, sizeof digest));
    put_text(a, group, "event", e->event);
    put_text(a, group, "alias", e->alias);
    put_text(a, group, "tenant", e->tenant);
    put_text(a, group, "transaction", e->transaction);
    put_text(a, group, "client", e->client);
    put_text(a, group, "details", e->details);
}

static void put_obligation(struct redis_call *c, struct arguments *a, const char *group,
                           const struct obligation_new *o)
{
    char delay[24];
    /* It is written under the tag of the operation: one of another alias would never be found again. */
    if (strcmp(o->alias ? o->alias : "", c->alias) != 0) {
        fprintf(stderr, "store: an operation of alias \"%s\" brings an obligation of alias \"%s\"\n",
                c->alias, o->alias ? o->alias : "");
        abort();
    }
    put_text(a, group, "kind", o->kind);
    put_text(a, group, "reference", o->reference);
    snprintf(delay, sizeof delay, "%lld", (long long)o->delay);
    put_text(a, group, "delay", delay);
}

void redis_put_along(struct redis_call *c, struct arguments *a)
{
    const struct store_request *r = c->request;
    char group[24];
    for (size_t i = 0; i < r->event_count; i++) {
        snprintf(group, sizeof group, "e%zu", i + 1);
        redis_put_event(a, group, &r->events[i]);
    }
    for (size_t i = 0; i < r->obligation_count; i++) {
        snprintf(group, sizeof group, "b%zu", i + 1);
        put_obligation(c, a, group, &r->obligations[i]);
    }
    if (r->operation == STORE_OBLIGATION_PUT)
        put_obligation(c, a, "b1", &r->obligation_put);
}

/* ---- indexes that span aliases ------------------------------------------------------------------------- */

struct entry {
    char *alias;
    redis_step *step;
    void *context;
};

static void entered(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct entry *entry = context;
    if (reply)
        known_add(&c->store->known, entry->alias, clock_monotonic(&clock_system) + KNOWN_MS);
    entry->step(c, entry->context, reply);
    free(entry->alias);
    free(entry);
}

void redis_ensure_alias(struct redis_call *c, const char *alias, redis_step *step, void *context)
{
    struct entry *entry = redis_allocate(1, sizeof *entry);
    *entry = (struct entry){redis_copy_text(alias), step, context};
    char base[REDIS_BASE_SIZE], key[REDIS_BASE_SIZE + 8];
    redis_router_base(c->store->router, ALIASES_TAG, base);
    snprintf(key, sizeof key, "%snames", base);
    struct arguments a;
    arguments_init(&a);
    arguments_text(&a, "ZADD");
    arguments_text(&a, key);
    arguments_number(&a, 0);
    arguments_text(&a, alias);
    redis_send(c,
               &(struct redis_errand){.tag = ALIASES_TAG, .durable = true, .step = entered, .context = entry},
               &a);
}

void redis_send_hint(struct redis_call *c, const char *alias, int64_t due, redis_step *step, void *context)
{
    struct arguments a;
    redis_arguments(c, &a, false);
    argument_text(&a, "alias", alias);
    argument_number(&a, "due", due);
    redis_send(c,
               &(struct redis_errand){
                   .script = "due_hint", .tag = DUE_TAG, .may_fail = true, .step = step, .context = context},
               &a);
}

/* ---- calls --------------------------------------------------------------------------------------------- */

void redis_call_finish(struct redis_call *c)
{
    if (c->failed)
        answer_refuse(c->answer, c->failure, c->problem);
    if (c->release)
        c->release(c);
    c->store->calls--;
    c->done(c->context, c->answer);
    free(c->work);
    free(c);
}

static void hinted(struct redis_call *c, void *context, const struct redisReply *reply)
{
    (void)context;
    (void)reply;
    redis_call_finish(c);
}

static void carried_out(struct redis_call *c, void *context, const struct redisReply *reply)
{
    (void)context;
    if (reply && redis_read(c, c->alias, reply) && c->operation->answered)
        c->operation->answered(c, reply);
    int64_t due = reply ? reply_number(reply, "due", -1) : -1;
    if (due >= 0)
        redis_send_hint(c, c->alias, due, hinted, NULL);
    else
        redis_call_finish(c);
}

static void carry_out(struct redis_call *c)
{
    const struct redis_operation *o = c->operation;
    char tag[TAG_SIZE];
    struct arguments a;
    redis_arguments(c, &a, o->writes);
    if (o->arguments)
        o->arguments(c, &a);
    if (o->writes)
        redis_put_along(c, &a);
    redis_alias_tag(c->alias, tag);
    redis_send(c,
               &(struct redis_errand){.script = c->script,
                                      .tag = o->tag ? o->tag : tag,
                                      .durable = !o->unpromised,
                                      .step = carried_out},
               &a);
}

static void indexed(struct redis_call *c, void *context, const struct redisReply *reply)
{
    (void)context;
    if (reply)
        carry_out(c);
    else
        redis_call_finish(c);
}

void redis_call_run(struct redis_call *c)
{
    const struct redis_operation *o = c->operation;
    if (o->writes && !o->tag && !known_has(&c->store->known, c->alias, clock_monotonic(&clock_system)))
        redis_ensure_alias(c, c->alias, indexed, NULL);
    else
        carry_out(c);
}

void redis_call_start(struct redis_store *s, const struct store_request *request, store_done *done,
                      void *context)
{
    struct redis_call *c = redis_allocate(1, sizeof *c);
    *c = (struct redis_call){.store = s,
                             .request = request,
                             .done = done,
                             .context = context,
                             .operation = redis_operation(request->operation),
                             .answer = answer_create()};
    if (!c->answer)
        out_of_memory();
    s->calls++;
    c->script = c->operation->script;
    c->alias = c->operation->alias ? c->operation->alias(c) : NULL;
    if (!c->alias)
        c->alias = "";
    if (c->operation->start)
        c->operation->start(c);
    else
        redis_call_run(c);
}
