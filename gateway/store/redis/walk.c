/* walk.c: goes over all aliases in the order of their names, some at a time. See inside.h. */
#include <stdlib.h>
#include <string.h>

#include "store/redis/inside.h"

#define PAGE 256 /* names that are asked for at once */

static void advance(struct redis_walk *w);

static void add(struct redis_walk *w, const char *alias, size_t len)
{
    struct redis_visit *v = redis_allocate(1, sizeof *v);
    v->walk = w;
    v->alias = redis_allocate(1, len + 1);
    memcpy(v->alias, alias, len);
    *w->waiting_end = v;
    w->waiting_end = &v->next;
}

static void took_page(struct redis_call *c, void *context, const struct redisReply *reply)
{
    struct redis_walk *w = context;
    w->asking = false;
    size_t count = 0;
    if (reply && reply->type == REDIS_REPLY_ARRAY)
        count = reply->elements;
    else if (reply)
        redis_call_fail(c, STORE_UNAVAILABLE, "Redis answered with something else than a list of aliases");
    w->exhausted = count < PAGE;
    for (size_t i = 0; i < count; i++) {
        const struct redisReply *name = reply->element[i];
        if (name->type != REDIS_REPLY_STRING)
            continue;
        add(w, name->str, name->len);
        free(w->last);
        w->last = redis_allocate(1, name->len + 1);
        memcpy(w->last, name->str, name->len);
    }
    advance(w);
}

static void ask_page(struct redis_walk *w)
{
    char base[REDIS_BASE_SIZE];
    struct buffer text;
    struct arguments a;
    const char *behind = w->last ? w->last : w->from;
    redis_router_base(w->call->store->router, ALIASES_TAG, base);
    buffer_init(&text, 64 * 1024);
    arguments_init(&a);
    arguments_text(&a, "ZRANGEBYLEX");
    buffer_format(&text, "%snames", base);
    arguments_bytes(&a, buffer_bytes(&text));
    buffer_reset(&text);
    buffer_format(&text, "%s%s", !behind ? "-" : !w->last && w->inclusive ? "[" : "(", behind ? behind : "");
    arguments_bytes(&a, buffer_bytes(&text));
    arguments_text(&a, "+");
    arguments_text(&a, "LIMIT");
    arguments_number(&a, 0);
    arguments_number(&a, PAGE);
    buffer_free(&text);
    w->asking = true;
    redis_send(w->call, &(struct redis_errand){.tag = ALIASES_TAG, .step = took_page, .context = w}, &a);
}

static bool over(const struct redis_walk *w)
{
    return w->call->failed || (w->most > 0 && w->visited >= w->most) || (w->enough && w->enough(w->call));
}

static struct redis_visit *take(struct redis_walk *w)
{
    struct redis_visit *v = w->waiting;
    w->waiting = v->next;
    if (!w->waiting)
        w->waiting_end = &w->waiting;
    w->active++;
    w->visited++;
    return v;
}

static void advance(struct redis_walk *w)
{
    struct redis_call *c = w->call;
    while (w->waiting && w->active < w->most_at_once && !over(w) && !(w->hold && w->hold(c)))
        w->visit(take(w));
    if (!w->waiting && !w->exhausted && !w->asking && !over(w))
        ask_page(w);
    if (w->active == 0 && !w->asking && (over(w) || (!w->waiting && w->exhausted)))
        w->ended(c);
}

void redis_walk_start(struct redis_walk *w)
{
    w->waiting_end = &w->waiting;
    if (w->only)
        add(w, w->only, strlen(w->only));
    for (size_t i = 0; !w->only && i < w->some_count; i++)
        add(w, w->some[i], strlen(w->some[i]));
    w->exhausted = w->only || w->some_count > 0;
    advance(w);
}

static void visit_free(struct redis_visit *v)
{
    free(v->alias);
    free(v->text);
    free(v);
}

void redis_visit_end(struct redis_visit *v)
{
    struct redis_walk *w = v->walk;
    w->active--;
    visit_free(v);
    advance(w);
}

void redis_walk_free(struct redis_walk *w)
{
    for (struct redis_visit *next, *v = w->waiting; v; v = next) {
        next = v->next;
        visit_free(v);
    }
    free(w->last);
}
