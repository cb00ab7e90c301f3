/* fill.c: fills a Redis store through the store contract, with records of the size that enrolments make, and
 * says how long it took, as one line of JSON.
 *
 *   fill --address HOST:PORT --prefix TEXT [--user NAME --password TEXT] --kind challenge|pending --count N
 *
 * A pending transaction is begun, with its obligation and audit row, and made PENDING by a second operation: what
 * a request leaves behind that waits for an approval.
 */
#include <event2/event.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/redis/redis.h"

#define ALIASES  16
#define WINDOW   256 /* operations in flight */
#define CSR_SIZE 900 /* a sealed RSA-2048 request with a challenge and some extensions */
#define HOUR     3600000

struct filler {
    struct store *store;
    bool pending; /* else challenges */
    long count, started, finished, failed;
};

/* One record on its way; the texts that its request borrows. */
struct item {
    struct filler *filler;
    struct store_request request;
    char alias[16], record[ID_TEXT_SIZE], transaction[41], subject[64];
    uint8_t csr[CSR_SIZE];
    bool begun;
};

static void start(struct item *i);

static void fill_challenge(struct item *i)
{
    store_request_init(&i->request, STORE_CHALLENGE_CREATE);
    struct challenge_record *r = &i->request.challenge_create;
    *r = (struct challenge_record){
        .id = i->record, .alias = i->alias, .key_id = "key-1", .uses = 1, .expires = HOUR};
    r->bind_cn = i->subject;
    r->bind_san = r->bind_device = r->bind_spki_sha256 = "";
    r->labels = "{}";
    r->created_by = "uid:0";
    RAND_bytes(r->hash, sizeof r->hash);
}

static void fill_begin(struct item *i)
{
    store_request_init(&i->request, STORE_TRANSACTION_BEGIN);
    struct transaction_record *r = &i->request.begin.record;
    random_id(i->transaction);
    r->id = i->record;
    r->key.alias = i->alias;
    r->key.transaction_id = bytes_of_text(i->transaction);
    RAND_bytes(r->key.signer_spki_sha256, sizeof r->key.signer_spki_sha256);
    RAND_bytes(r->csr_info_sha256, sizeof r->csr_info_sha256);
    RAND_bytes(i->csr, sizeof i->csr);
    r->sealed_csr = bytes_of(i->csr, sizeof i->csr);
    r->challenge_id = "";
    r->subject = i->subject;
    r->client = "192.0.2.17:49152";
    i->request.begin.retransmit_window = HOUR;
    i->request.begin.lease = HOUR;
    i->request.events[0] = (struct audit_event){.event = "request.accepted",
                                                .alias = i->alias,
                                                .tenant = "default",
                                                .transaction = i->record,
                                                .client = r->client,
                                                .details = "{\"backend\":\"approvals\"}"};
    i->request.event_count = 1;
    i->request.obligations[0] = (struct obligation_new){i->alias, "transaction.expire", i->record, 24 * HOUR};
    i->request.obligation_count = 1;
}

static void fill_advance(struct item *i)
{
    store_request_init(&i->request, STORE_TRANSACTION_ADVANCE);
    i->request.advance.alias = i->alias;
    i->request.advance.record_id = i->record;
    i->request.advance.claim = 1;
    i->request.advance.state = TRANSACTION_PENDING;
    i->request.advance.cookie = bytes_of_text("Cqueue-entry-0001");
    i->request.advance.poll_delay = HOUR;
    i->request.advance.expires_in = 24 * HOUR;
    i->request.advance.drop_lease = true;
}

static void answered(void *context, struct store_answer *answer)
{
    struct item *i = context;
    bool good = answer->outcome == STORE_OK || answer->outcome == STORE_MINE;
    if (!good && i->filler->failed++ == 0)
        fprintf(stderr, "fill: %s: %s\n", store_outcome_name(answer->outcome), answer->reason);
    store_answer_free(answer);
    if (good && i->filler->pending && !i->begun) {
        i->begun = true;
        fill_advance(i);
        store_submit(i->filler->store, &i->request, answered, i);
        return;
    }
    i->filler->finished++;
    start(i);
}

static void start(struct item *i)
{
    struct filler *f = i->filler;
    if (f->started == f->count)
        return;
    long number = f->started++;
    i->begun = false;
    random_id(i->record);
    snprintf(i->alias, sizeof i->alias, "alias-%02ld", number % ALIASES);
    snprintf(i->subject, sizeof i->subject, "CN=device-%07ld.example.com", number);
    if (f->pending)
        fill_begin(i);
    else
        fill_challenge(i);
    store_submit(f->store, &i->request, answered, i);
}

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *address = option(argc, argv, "--address"), *kind = option(argc, argv, "--kind");
    const char *count = option(argc, argv, "--count"), *password = option(argc, argv, "--password");
    const char *prefix = option(argc, argv, "--prefix"), *check = "bench";
    if (!address || !kind || !count || !prefix) {
        fprintf(stderr, "usage: see the top of fill.c\n");
        return 2;
    }
    struct event_base *base = event_base_new();
    struct redis_options options = {.topology = REDIS_SINGLE,
                                    .addresses = &address,
                                    .address_count = 1,
                                    .user = option(argc, argv, "--user"),
                                    .password = bytes_of_text(password ? password : ""),
                                    .prefix = prefix,
                                    .connect_deadline = 5000,
                                    .command_deadline = 60000,
                                    .queue_length = 10 * WINDOW};
    struct filler filler = {.pending = strcmp(kind, "pending") == 0, .count = strtol(count, NULL, 10)};
    struct error e = {0};
    if (store_redis_open(&filler.store, &options, &check, 1, base, NULL, NULL, &e) != ERR_OK) {
        fprintf(stderr, "fill: %s\n", error_text(&e));
        return 1;
    }
    struct item *items = calloc(WINDOW, sizeof *items);
    int64_t began = clock_monotonic(&clock_system);
    for (int i = 0; items && i < WINDOW; i++) {
        items[i].filler = &filler;
        start(&items[i]);
    }
    while (filler.finished < filler.count)
        event_base_loop(base, EVLOOP_ONCE);
    double seconds = (double)(clock_monotonic(&clock_system) - began) / 1000;
    printf("{\"count\": %ld, \"failed\": %ld, \"seconds\": %.3f}\n", filler.count, filler.failed, seconds);
    store_close(filler.store);
    event_base_free(base);
    free(items);
    return filler.failed ? 1 : 0;
}
