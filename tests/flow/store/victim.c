/* victim.c: a process that enrols devices until it is killed. One line on standard output for each answer
 * that promised something: "B n" a transaction begun, "I n" one issued. Device n uses challenge n, which has
 * one use.
 *
 *   victim PLACE FIRST: opens the store at PLACE and begins with device FIRST.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow/store/bench.h"

#define FLIGHT 8

struct device {
    struct bench *b;
    int n;
    struct store_request request;
    struct certificate_record certificate;
    struct bytes chain[1];
};

static int next_device;

static void say(char what, int n)
{
    char line[32];
    int len = snprintf(line, sizeof line, "%c %d\n", what, n);
    if (write(STDOUT_FILENO, line, (size_t)len) != len)
        exit(1);
}

static void start(struct device *d);

static void issued(void *context, struct store_answer *answer)
{
    struct device *d = context;
    if (answer->outcome != STORE_OK)
        exit(1);
    store_answer_free(answer);
    say('I', d->n);
    start(d);
}

static void begun(void *context, struct store_answer *answer)
{
    struct device *d = context;
    if (answer->outcome != STORE_MINE)
        exit(1);
    uint64_t claim = answer->claim;
    store_answer_free(answer);
    say('B', d->n);
    d->certificate = bench_certificate("alpha", d->n, d->n);
    d->chain[0] = d->certificate.der;
    d->request = bench_advance("alpha", d->n, claim, TRANSACTION_ISSUED);
    d->request.advance.certificate = &d->certificate;
    d->request.advance.chain = d->chain;
    d->request.advance.chain_count = 1;
    d->request.advance.erase_csr = true;
    d->request.event_count = 1;
    d->request.events[0] = (struct audit_event){.event = "certificate.issued", .alias = "alpha"};
    store_submit(d->b->store, &d->request, issued, d);
}

static void created(void *context, struct store_answer *answer)
{
    struct device *d = context;
    if (answer->outcome != STORE_OK)
        exit(1);
    store_answer_free(answer);
    d->request = bench_begin("alpha", d->n, d->n, d->n);
    snprintf(d->request.id, sizeof d->request.id, "%s", bench_id("operation", d->n));
    d->request.event_count = 1;
    d->request.events[0] = (struct audit_event){.event = "request.accepted", .alias = "alpha"};
    store_submit(d->b->store, &d->request, begun, d);
}

static void start(struct device *d)
{
    d->n = next_device++;
    d->request = bench_challenge("alpha", d->n, 1);
    store_submit(d->b->store, &d->request, created, d);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    static struct bench b;
    static struct device devices[FLIGHT];
    bench_attach(&b, argv[1]);
    next_device = (int)strtol(argv[2], NULL, 10);
    for (int i = 0; i < FLIGHT; i++) {
        devices[i].b = &b;
        start(&devices[i]);
    }
    for (;;)
        bench_turn(&b);
}
