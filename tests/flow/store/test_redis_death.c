/* test_redis_death.c: Redis is killed under load and comes back, or its replica takes over: every write that
 * was answered is there, and what was not answered can be repeated until it is. */
#include "flow/store/bench.h"
#include "flow/store/redis.h"
#include "support/runner.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLIGHT   8
#define ALIASES  6 /* their keys lie on all nodes of a cluster */
#define DEVICES  4000
#define RETRY_MS 20

struct load {
    struct bench b;
    int next;      /* device that nobody has begun with */
    int last;      /* the first that is not to be begun with */
    int answers;   /* that promised something */
    int unfit;     /* answers that must not be */
    int unknown;   /* answers that promised nothing */
    int under_way; /* devices */
    bool issued[DEVICES];
};

struct device {
    struct load *load;
    int n;
    struct store_request request;
    struct certificate_record certificate;
    struct bytes chain[1];
    char id[3][ID_TEXT_SIZE]; /* challenge, record, transaction */
    struct event *retry;
};

static const char *alias_of(int n)
{
    static const char *const aliases[ALIASES] = {"a", "b", "c", "d", "e", "f"};
    return aliases[n % ALIASES];
}

static void begin_next(struct device *d);
static void on_answer(void *context, struct store_answer *answer);

static void submit(struct device *d)
{
    store_submit(d->load->b.store, &d->request, on_answer, d);
}

static void on_retry(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    submit(data);
}

static void make_begin(struct device *d)
{
    d->request = bench_begin(alias_of(d->n), d->n, d->n, d->n);
    struct transaction_record *t = &d->request.begin.record;
    snprintf(d->id[0], ID_TEXT_SIZE, "%s", t->challenge_id);
    snprintf(d->id[1], ID_TEXT_SIZE, "%s", t->id);
    snprintf(d->id[2], ID_TEXT_SIZE, "%s", bench_id("transaction", d->n));
    t->challenge_id = d->id[0];
    t->id = d->id[1];
    t->key.transaction_id = bytes_of_text(d->id[2]);
    d->request.event_count = 1;
    d->request.events[0] = (struct audit_event){.event = "request.accepted", .alias = alias_of(d->n)};
}

static void make_issue(struct device *d, uint64_t claim)
{
    d->certificate = bench_certificate(alias_of(d->n), d->n, d->n);
    d->chain[0] = d->certificate.der;
    d->request = bench_advance(alias_of(d->n), d->n, claim, TRANSACTION_ISSUED);
    d->request.advance.certificate = &d->certificate;
    d->request.advance.chain = d->chain;
    d->request.advance.chain_count = 1;
    d->request.event_count = 1;
    d->request.events[0] = (struct audit_event){.event = "certificate.issued", .alias = alias_of(d->n)};
}

/* Challenge, begin, issue: one after the other, each until it is known to have been done. */
static void on_answer(void *context, struct store_answer *answer)
{
    struct device *d = context;
    struct load *l = d->load;
    enum store_operation operation = d->request.operation;
    if (answer->outcome == STORE_UNKNOWN || answer->outcome == STORE_UNAVAILABLE) {
        l->unknown++;
        const struct timeval pause = {.tv_usec = RETRY_MS * 1000};
        event_add(d->retry, &pause);
        store_answer_free(answer);
        return;
    }
    bool begins = operation == STORE_TRANSACTION_BEGIN;
    if (answer->outcome != (begins ? STORE_MINE : STORE_OK)) {
        printf("  device %d: operation %d answered %s\n", d->n, operation,
               store_outcome_name(answer->outcome));
        l->unfit++;
    }
    uint64_t claim = answer->claim;
    store_answer_free(answer);
    l->answers++;
    l->issued[d->n] = operation == STORE_TRANSACTION_ADVANCE;
    if (operation == STORE_TRANSACTION_ADVANCE) {
        begin_next(d);
        return;
    }
    if (begins)
        make_issue(d, claim);
    else
        make_begin(d);
    submit(d);
}

static void begin_next(struct device *d)
{
    struct load *l = d->load;
    if (l->next >= l->last) {
        l->under_way--;
        return;
    }
    d->n = l->next++;
    d->request = bench_challenge(alias_of(d->n), d->n, 1);
    submit(d);
}

static void check_device(struct load *l, int n)
{
    struct store_request find = bench_find(alias_of(n), n);
    struct store_answer *a = bench_ask(&l->b, &find);
    bool issued = a->outcome == STORE_OK && a->transactions[0].state == TRANSACTION_ISSUED;
    store_answer_free(a);
    CHECK(issued == l->issued[n]);
    CHECK_INT(bench_uses_left(&l->b, alias_of(n), n), 0);
    struct store_request look;
    store_request_init(&look, STORE_CERTIFICATE_FIND);
    look.certificate_find.alias = alias_of(n);
    look.certificate_find.issuer_sha256 = "aa11";
    look.certificate_find.serial = bench_id("serial", n);
    CHECK_INT(bench_outcome(&l->b, &look), STORE_OK);
}

/* One event for each step of each device, neither lost nor written twice by a repeat. */
static int events_of(struct load *l, const char *name)
{
    struct store_request list;
    char cursor[1024] = "";
    int count = 0;
    do {
        store_request_init(&list, STORE_AUDIT_LIST);
        list.list = (struct store_list_filter){.text = name, .limit = 1000, .after = *cursor ? cursor : NULL};
        struct store_answer *a = bench_ask(&l->b, &list);
        count += (int)a->event_count;
        snprintf(cursor, sizeof cursor, "%s", a->next);
        store_answer_free(a);
    } while (*cursor);
    return count;
}

/* `commands`: what becomes of Redis each time, NULL at the end. */
static void die_under_load(struct load *l, int deaths, const char *const *commands)
{
    static struct device devices[FLIGHT];
    for (int i = 0; i < FLIGHT; i++) {
        devices[i] = (struct device){.load = l};
        devices[i].retry = event_new(l->b.base, -1, 0, on_retry, &devices[i]);
    }
    l->next = 1;
    for (int death = 0; death < deaths; death++) {
        int quiet = l->answers + 3 + 37 * death % 101;
        l->last = l->next + 60;
        l->under_way = FLIGHT;
        for (int i = 0; i < FLIGHT; i++)
            begin_next(&devices[i]);
        while (l->answers < quiet)
            bench_turn(&l->b);
        for (const char *const *command = commands; *command; command++)
            CHECK(redis_servers_do(*command));
        while (l->under_way > 0)
            bench_turn(&l->b);
        CHECK_INT(l->unfit, 0);
        for (int n = 1; n < l->next; n++)
            check_device(l, n);
    }
    for (int i = 0; i < FLIGHT; i++)
        event_free(devices[i].retry);
}

static void run(int deaths, const char *const *commands)
{
    static struct load l;
    l = (struct load){0};
    bench_open(&l.b);
    die_under_load(&l, deaths, commands);
    printf("  %d devices, %d answers that promised nothing\n", l.next - 1, l.unknown);
    CHECK(l.unknown > 0); /* it was away */
    CHECK_INT(events_of(&l, "request.accepted"), l.next - 1);
    CHECK_INT(events_of(&l, "certificate.issued"), l.next - 1);
    struct store_request verify;
    store_request_init(&verify, STORE_AUDIT_VERIFY);
    CHECK_INT(bench_outcome(&l.b, &verify), STORE_OK);
    bench_close(&l.b);
}

static bool has_replicas(void)
{
    return strcmp(getenv("REDIS_FORM"), "sentinel") == 0;
}

TEST(what_was_answered_is_there_after_a_kill)
{
    static const char *const restart[] = {"kill", "restart", NULL};
    static const char *const failover[] = {"failover", "restart", "settle", NULL};
    run(has_replicas() ? 3 : 8, has_replicas() ? failover : restart);
}

RUNNER_MAIN()
