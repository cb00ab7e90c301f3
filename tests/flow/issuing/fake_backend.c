/* fake_backend.c: see fake_backend.h. */
#include "flow/issuing/fake_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "issuing/instance.h"

extern const struct backend_type local_ca_type;

struct backend_op {
    struct fake *fake;
    backend_done *done;
    void *context;
    enum backend_verdict verdict;
    void *timer;
    struct backend_op *inner;
};

static void answer(struct backend_op *op, enum backend_verdict verdict)
{
    struct backend_result r = {.verdict = verdict, .reason = "the test says so", .delay = 20};
    if (verdict == BACKEND_PENDING)
        r.cookie = (struct backend_bytes){.data = (const uint8_t *)"ticket 7", .len = 8};
    op->fake->waiting--;
    op->done(op->context, &r);
    free(op);
}

static void fired(void *data)
{
    struct backend_op *op = data;
    op->timer = NULL;
    answer(op, op->verdict);
}

static void inner_done(void *context, const struct backend_result *result)
{
    struct backend_op *op = context;
    op->fake->waiting--;
    op->done(op->context, result);
    free(op);
}

static struct backend_op *op_create(struct fake *f, backend_done *done, void *context)
{
    struct backend_op *op = calloc(1, sizeof *op);
    *op = (struct backend_op){.fake = f, .done = done, .context = context};
    f->waiting++;
    return op;
}

static struct backend_op *later(struct backend_op *op, enum backend_verdict verdict)
{
    op->verdict = verdict;
    op->timer = op->fake->services->timer_start(op->fake->host, 1, fired, op);
    return op;
}

static struct backend_op *forward(struct backend_op *op, const struct backend_request *request)
{
    op->inner = local_ca_type.enroll(op->fake->inner, request, inner_done, op);
    return op;
}

static void hold(struct backend_op *op)
{
    for (size_t i = 0; i < sizeof op->fake->held / sizeof *op->fake->held; i++) {
        if (!op->fake->held[i]) {
            op->fake->held[i] = op;
            return;
        }
    }
    abort();
}

static struct backend_op *enroll(void *instance, const struct backend_request *request, backend_done *done,
                                 void *context)
{
    struct fake *f = instance;
    f->enrolled++;
    snprintf(f->transaction, sizeof f->transaction, "%s", request->transaction);
    if (f->mode == FAKE_REFUSE)
        return NULL;
    struct backend_op *op = op_create(f, done, context);
    switch (f->mode) {
    case FAKE_ISSUE:
        return forward(op, request);
    case FAKE_PEND:
        return later(op, BACKEND_PENDING);
    case FAKE_REJECT:
        return later(op, BACKEND_REJECTED);
    case FAKE_UNAVAILABLE:
        return later(op, BACKEND_UNAVAILABLE);
    case FAKE_NOTHING:
        return later(op, BACKEND_ISSUED);
    case FAKE_INSIDE:
        answer(op, BACKEND_REJECTED);
        return NULL;
    case FAKE_SILENT:
    case FAKE_REFUSE:
        break;
    }
    hold(op);
    return op;
}

static struct backend_op *poll_again(void *instance, const struct backend_request *request,
                                     struct backend_bytes cookie, backend_done *done, void *context)
{
    struct fake *f = instance;
    f->polled++;
    struct backend_op *op = op_create(f, done, context);
    if (cookie.len != 8 || memcmp(cookie.data, "ticket 7", 8) != 0)
        return later(op, BACKEND_MISCONFIGURED);
    return f->inner ? forward(op, request) : later(op, BACKEND_PENDING);
}

static struct backend_op *look_up(void *instance, const struct backend_request *request, backend_done *done,
                                  void *context)
{
    struct fake *f = instance;
    f->looked_up++;
    return forward(op_create(f, done, context), request);
}

static void cancel(void *instance, struct backend_op *op)
{
    struct fake *f = instance;
    f->cancelled++;
    f->waiting--;
    for (size_t i = 0; i < sizeof f->held / sizeof *f->held; i++)
        if (f->held[i] == op)
            f->held[i] = NULL;
    if (op->timer)
        f->services->timer_stop(f->host, op->timer);
    if (op->inner)
        local_ca_type.cancel(f->inner, op->inner);
    free(op);
}

static struct backend_op *ca_chain(void *instance, enum backend_authority which, backend_done *done,
                                   void *context)
{
    struct fake *f = instance;
    struct backend_op *op = op_create(f, done, context);
    if (!f->inner)
        return later(op, BACKEND_UNAVAILABLE);
    op->inner = local_ca_type.ca_chain(f->inner, which, inner_done, op);
    return op;
}

static size_t prepare(void *instance, const struct backend_request *request, uint8_t *plan)
{
    struct fake *f = instance;
    return f->inner ? local_ca_type.prepare(f->inner, request, plan) : 0;
}

static bool health(void *instance, char *problem, size_t size)
{
    struct fake *f = instance;
    if (f->mode != FAKE_UNAVAILABLE)
        return true;
    snprintf(problem, size, "the test says so");
    return false;
}

static void close_fake(void *instance)
{
    (void)instance;
}

#define CALLS                                                                                                \
    .abi = BACKEND_ABI, .help = "", .close = close_fake, .enroll = enroll, .poll = poll_again,               \
    .look_up = look_up, .ca_chain = ca_chain, .prepare = prepare

const struct backend_type fake_type = {.name = "fake",
                                       .flags = BACKEND_CAN_CERTIFY_RA | BACKEND_SAFE_TO_REPEAT,
                                       CALLS,
                                       .cancel = cancel,
                                       .health = health};
const struct backend_type fake_deaf_type = {.name = "deaf",
                                            .flags = BACKEND_CAN_CERTIFY_RA,
                                            .abi = BACKEND_ABI,
                                            .close = close_fake,
                                            .enroll = enroll};
const struct backend_type fake_client_type = {.name = "clients", CALLS, .cancel = cancel};

struct backend_instance *fake_open(struct backends *b, const struct backend_type *type, const char *name,
                                   struct fake *f)
{
    struct backend_instance *i = calloc(1, sizeof *i);
    f->values.name = (char *)(uintptr_t)name;
    f->values.type = (char *)(uintptr_t)type->name;
    *i = (struct backend_instance){
        .owner = b, .clock = b->clock, .type = type, .values = &f->values, .opened = f};
    i->host.instance = i;
    i->next = b->instances;
    b->instances = i;
    f->services = &instance_services;
    f->host = &i->host;
    return i;
}

void fake_release(struct fake *f, enum backend_verdict verdict)
{
    for (size_t i = 0; i < sizeof f->held / sizeof *f->held; i++) {
        struct backend_op *op = f->held[i];
        f->held[i] = NULL;
        if (op)
            answer(op, verdict);
    }
}
