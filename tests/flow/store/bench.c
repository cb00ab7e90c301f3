/* bench.c: see bench.h. */
#include "flow/store/bench.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/store/implementation.h"

static int64_t show(void *context)
{
    return atomic_load(((struct bench *)context)->now);
}

enum error_code bench_open_store(struct bench *b, struct store **out, struct error *e)
{
    return implementation()->open(b, out, e);
}

bool bench_is_shared(void)
{
    return implementation()->shared;
}

static void open_or_end(struct bench *b)
{
    struct error e = {0};
    if (bench_open_store(b, &b->store, &e) == ERR_OK)
        return;
    fprintf(stderr, "cannot open the store: %s\n", error_text(&e));
    exit(2);
}

static void set_up(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->clock = (struct clock){.realtime = show, .monotonic = show, .context = b};
    b->base = event_base_new();
    if (!b->base)
        exit(2);
}

void bench_attach(struct bench *b, const char *place)
{
    set_up(b);
    snprintf(b->place, sizeof b->place, "%s", place);
    implementation()->attach(b);
    atomic_store(b->now, BENCH_START);
    open_or_end(b);
}

void bench_open(struct bench *b)
{
    set_up(b);
    implementation()->prepare(b);
    implementation()->attach(b);
    atomic_store(b->now, BENCH_START);
    open_or_end(b);
}

void bench_reopen(struct bench *b)
{
    store_close(b->store);
    open_or_end(b);
}

void bench_reopen_later(struct bench *b, int64_t lease)
{
    bench_reopen(b);
    if (bench_is_shared())
        atomic_fetch_add(b->now, lease);
}

void bench_close(struct bench *b)
{
    store_close(b->store);
    event_base_free(b->base);
    implementation()->remove(b);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

static void keep(void *place, struct store_answer *answer)
{
    *(struct store_answer **)place = answer;
}

void bench_turn(struct bench *b)
{
    event_base_loop(b->base, EVLOOP_ONCE);
}

struct store_answer *bench_ask_of(struct bench *b, struct store *s, const struct store_request *r)
{
    struct store_answer *answer = NULL;
    store_submit(s, r, keep, &answer);
    while (!answer)
        bench_turn(b);
    if (answer->outcome == STORE_UNKNOWN)
        printf("  operation %d: %s\n", r->operation, answer->reason);
    return answer;
}

struct store_answer *bench_ask(struct bench *b, const struct store_request *r)
{
    return bench_ask_of(b, b->store, r);
}

enum store_outcome bench_outcome(struct bench *b, const struct store_request *r)
{
    struct store_answer *answer = bench_ask(b, r);
    enum store_outcome outcome = answer->outcome;
    store_answer_free(answer);
    return outcome;
}

void bench_tally(void *context, struct store_answer *answer)
{
    struct bench_tally *tally = context;
    tally->answered++;
    tally->outcomes[answer->outcome]++;
    store_answer_free(answer);
}

/* ---- requests ------------------------------------------------------------------------------------------ */

const char *bench_id(const char *kind, int n)
{
    static char texts[4096][ID_TEXT_SIZE];
    static unsigned next;
    char *text = texts[next++ % 4096];
    unsigned number = 0;
    for (const char *c = kind; *c; c++)
        number = number * 31 + (unsigned char)*c;
    snprintf(text, ID_TEXT_SIZE, "%016x%08x%08x", 0u, number, (unsigned)n);
    return text;
}

static void fill(uint8_t *out, size_t size, char kind, int n)
{
    memset(out, kind, size);
    for (size_t i = 0; i < sizeof n; i++)
        out[i] = (uint8_t)((unsigned)n >> (8 * i));
}

struct store_request bench_challenge(const char *alias, int n, int uses)
{
    struct store_request r;
    store_request_init(&r, STORE_CHALLENGE_CREATE);
    r.challenge_create = (struct challenge_record){.id = bench_id("challenge", n),
                                                   .alias = alias,
                                                   .key_id = "key-1",
                                                   .uses = uses,
                                                   .expires = 60 * MINUTE};
    r.challenge_create.bind_cn = r.challenge_create.bind_san = r.challenge_create.bind_device = "";
    r.challenge_create.bind_spki_sha256 = r.challenge_create.labels = r.challenge_create.created_by = "";
    fill(r.challenge_create.hash, CHALLENGE_HASH_SIZE, 'h', n);
    return r;
}

struct store_request bench_begin(const char *alias, int device, int record, int challenge)
{
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_BEGIN);
    struct transaction_record *t = &r.begin.record;
    t->id = bench_id("record", record);
    t->key.alias = alias;
    t->key.transaction_id = bytes_of_text(bench_id("transaction", device));
    fill(t->key.signer_spki_sha256, 32, 's', device);
    fill(t->csr_info_sha256, 32, 'c', device);
    fill(t->recipient_sha256, 32, 'r', 1);
    t->sealed_csr = bytes_of_text("sealed request");
    t->plan = bytes_of_text("plan");
    t->challenge_id = challenge ? bench_id("challenge", challenge) : "";
    t->subject = "CN=device";
    t->client = "192.0.2.1:4711";
    r.begin.retransmit_window = 10 * MINUTE;
    r.begin.lease = MINUTE;
    return r;
}

struct store_request bench_advance(const char *alias, int record, uint64_t claim,
                                   enum transaction_state state)
{
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_ADVANCE);
    r.advance.alias = alias;
    r.advance.record_id = bench_id("record", record);
    r.advance.claim = claim;
    r.advance.state = state;
    r.advance.drop_lease = state != TRANSACTION_RECEIVED;
    return r;
}

struct store_request bench_find(const char *alias, int record)
{
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_FIND);
    r.transaction_find.alias = alias;
    r.transaction_find.record_id = bench_id("record", record);
    return r;
}

struct store_request bench_sweep(int64_t age)
{
    struct store_request r;
    store_request_init(&r, STORE_SWEEP);
    r.sweep.unused_challenge = r.sweep.used_challenge = r.sweep.finished_transaction = age;
    r.sweep.certificate = r.sweep.audit = age;
    r.sweep.limit = 1000;
    return r;
}

struct certificate_record bench_certificate(const char *alias, int serial, int record)
{
    return (struct certificate_record){
        .alias = alias,
        .issuer_sha256 = "aa11",
        .serial = bench_id("serial", serial),
        .transaction = bench_id("record", record),
        .subject = "CN=device",
        .der = bytes_of_text(bench_id("der", serial)),
        .not_before = BENCH_START,
        .not_after = BENCH_START + DAY,
    };
}

int bench_uses_left(struct bench *b, const char *alias, int n)
{
    struct store_request r;
    store_request_init(&r, STORE_CHALLENGE_FIND);
    r.challenge_find.alias = alias;
    r.challenge_find.hash_count = 1;
    fill(r.challenge_find.hashes[0], CHALLENGE_HASH_SIZE, 'h', n);
    struct store_answer *answer = bench_ask(b, &r);
    int left = answer->challenge_count == 1 ? answer->challenges[0].uses_left : -1;
    store_answer_free(answer);
    return left;
}
