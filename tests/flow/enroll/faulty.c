/* faulty.c: see faulty.h. */
#include "flow/enroll/faulty.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "store/answer.h"

struct faulty_call {
    struct faulty_call *next;
    struct faulty_store *store;
    const struct store_request *request;
    store_done *done;
    void *context;
    enum fault fault;
    struct store_answer *answer; /* of a call held behind the store */
};

static struct store_answer *refusal(enum store_outcome outcome)
{
    struct store_answer *a = answer_create();
    if (!a)
        abort();
    answer_refuse(a, outcome, "the test says so");
    return a;
}

static void tell(struct faulty_call *c, struct store_answer *answer)
{
    store_done *done = c->done;
    void *context = c->context;
    free(c);
    done(context, answer);
}

static void hold(struct faulty_call *c)
{
    struct faulty_call **end = &c->store->held;
    while (*end)
        end = &(*end)->next;
    *end = c;
}

static void answered(void *context, struct store_answer *answer)
{
    struct faulty_call *c = context;
    if (c->fault == FAULT_HELD_DONE) {
        c->answer = answer;
        hold(c);
    } else if (c->fault == FAULT_LOST_DONE) {
        store_answer_free(answer);
        tell(c, refusal(STORE_UNKNOWN));
    } else {
        tell(c, answer);
    }
}

static void refuse(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct faulty_call *c = data;
    bool away = c->fault == FAULT_UNAVAILABLE || c->fault == FAULT_SLOW;
    tell(c, refusal(away ? STORE_UNAVAILABLE : STORE_UNKNOWN));
}

static enum fault fault_of(struct faulty_store *f, const struct store_request *r)
{
    if (f->rules[r->operation].id[0] && strcmp(f->rules[r->operation].id, r->id))
        f->other_ids[r->operation]++;
    if (!f->rules[r->operation].times)
        return FAULT_NONE;
    f->rules[r->operation].times--;
    memcpy(f->rules[r->operation].id, r->id, sizeof r->id);
    return f->rules[r->operation].fault;
}

static void submit(struct store *s, const struct store_request *request, store_done *done, void *context)
{
    struct faulty_store *f = (struct faulty_store *)s;
    struct faulty_call *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct faulty_call){.store = f, .request = request, .done = done, .context = context};
    f->asked[request->operation]++;
    c->fault = fault_of(f, request);
    static const struct timeval now = {0, 0}, later = {0, FAULT_SLOW_TIME * 1000};
    if (c->fault == FAULT_HELD)
        hold(c);
    else if (c->fault == FAULT_UNAVAILABLE || c->fault == FAULT_LOST_NOT_DONE || c->fault == FAULT_SLOW)
        event_base_once(f->base, -1, EV_TIMEOUT, refuse, c, c->fault == FAULT_SLOW ? &later : &now);
    else
        store_submit(f->real, request, answered, c);
}

static bool ready(const struct store *s, char *problem, size_t size)
{
    const struct faulty_store *f = (const struct faulty_store *)s;
    return !f->not_ready && store_ready(f->real, problem, size);
}

static void close_both(struct store *s)
{
    store_close(((struct faulty_store *)s)->real);
}

void faulty_init(struct faulty_store *f, struct event_base *base, struct store *real)
{
    static const struct store_type type = {submit, ready, close_both};
    *f = (struct faulty_store){.store.type = &type, .base = base, .real = real};
}

void faulty_rule(struct faulty_store *f, enum store_operation operation, enum fault fault, int times)
{
    f->rules[operation].fault = fault;
    f->rules[operation].times = times;
    f->rules[operation].id[0] = '\0';
}

size_t faulty_held(const struct faulty_store *f)
{
    size_t count = 0;
    for (const struct faulty_call *c = f->held; c; c = c->next)
        count++;
    return count;
}

void faulty_release(struct faulty_store *f)
{
    struct faulty_call *c = f->held;
    if (!c)
        return;
    f->held = c->next;
    c->next = NULL;
    struct store_answer *answer = c->answer;
    if (answer) {
        tell(c, answer);
        return;
    }
    c->fault = FAULT_NONE;
    store_submit(f->real, c->request, answered, c);
}
