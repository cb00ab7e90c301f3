/* test_sharing.c: two open stores at one place, as two gateways have them. For stores that can be shared. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    struct bench b;
    struct store *stores[2]; /* the first is b.store */
};

static void open_pair(struct pair *p)
{
    struct error e = {0};
    bench_open(&p->b);
    p->stores[0] = p->b.store;
    if (bench_open_store(&p->b, &p->stores[1], &e) != ERR_OK) {
        fprintf(stderr, "the second store: %s\n", error_text(&e));
        exit(2);
    }
}

static void close_pair(struct pair *p)
{
    store_close(p->stores[1]);
    bench_close(&p->b);
}

static struct store_answer *ask(struct pair *p, int which, const struct store_request *r)
{
    return bench_ask_of(&p->b, p->stores[which], r);
}

static enum store_outcome outcome(struct pair *p, int which, const struct store_request *r)
{
    struct store_answer *a = ask(p, which, r);
    enum store_outcome found = a->outcome;
    store_answer_free(a);
    return found;
}

/* ---- what one does the other sees ---------------------------------------------------------------------- */

TEST(one_finishes_what_the_other_began)
{
    struct pair p;
    open_pair(&p);
    struct store_request create = bench_challenge("alpha", 1, 1), begin = bench_begin("alpha", 1, 1, 1);
    CHECK_INT(outcome(&p, 0, &create), STORE_OK);
    CHECK_INT(outcome(&p, 1, &begin), STORE_MINE);
    struct store_request pend = bench_advance("alpha", 1, 1, TRANSACTION_PENDING), claim;
    CHECK_INT(outcome(&p, 1, &pend), STORE_OK);
    store_request_init(&claim, STORE_TRANSACTION_CLAIM);
    claim.claim.alias = "alpha";
    claim.claim.record_id = begin.begin.record.id;
    claim.claim.lease = MINUTE;
    struct store_answer *a = ask(&p, 0, &claim);
    CHECK_INT(a->outcome, STORE_MINE);
    uint64_t newer = a->claim;
    store_answer_free(a);
    struct store_request late = bench_advance("alpha", 1, 1, TRANSACTION_FAILED);
    CHECK_INT(outcome(&p, 1, &late), STORE_STALE);
    struct certificate_record certificate = bench_certificate("alpha", 1, 1);
    struct store_request issue = bench_advance("alpha", 1, newer, TRANSACTION_ISSUED);
    issue.advance.certificate = &certificate;
    CHECK_INT(outcome(&p, 0, &issue), STORE_OK);
    struct store_request find = bench_find("alpha", 1);
    a = ask(&p, 1, &find);
    CHECK_INT(a->transactions[0].state, TRANSACTION_ISSUED);
    store_answer_free(a);
    close_pair(&p);
}

TEST(an_operation_is_repeated_at_the_other)
{
    struct pair p;
    open_pair(&p);
    struct store_request create = bench_challenge("alpha", 1, 2), begin = bench_begin("alpha", 1, 1, 1);
    CHECK_INT(outcome(&p, 0, &create), STORE_OK);
    CHECK_INT(outcome(&p, 0, &begin), STORE_MINE);
    struct store_answer *a = ask(&p, 1, &begin);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK(a->repeated);
    store_answer_free(a);
    CHECK_INT(bench_uses_left(&p.b, "alpha", 1), 1);
    close_pair(&p);
}

TEST(one_that_closes_takes_nothing_with_it)
{
    struct pair p;
    open_pair(&p);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), again = bench_begin("alpha", 1, 2, 0);
    CHECK_INT(outcome(&p, 1, &begin), STORE_MINE);
    store_close(p.stores[1]);
    p.stores[1] = NULL;
    CHECK_INT(outcome(&p, 0, &again), STORE_RUNNING); /* until its lease runs out */
    atomic_fetch_add(p.b.now, MINUTE);
    struct store_answer *a = ask(&p, 0, &again);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->claim, 2);
    store_answer_free(a);
    close_pair(&p);
}

/* ---- races --------------------------------------------------------------------------------------------- */

#define CHALLENGES 40
#define PER_STORE  3 /* devices that try each challenge at each store */
#define RACERS     (CHALLENGES * PER_STORE * 2)

struct racer {
    struct store_request request;
    char record[ID_TEXT_SIZE], transaction[ID_TEXT_SIZE], challenge[ID_TEXT_SIZE];
    int number; /* of the challenge */
    int *won, *answered;
};

static void raced(void *context, struct store_answer *answer)
{
    struct racer *r = context;
    (*r->answered)++;
    if (answer->outcome == STORE_MINE)
        r->won[r->number]++;
    else if (answer->outcome != STORE_TAKEN)
        r->won[r->number] = -1000;
    store_answer_free(answer);
}

static void prepare_racer(struct racer *r, int i, int *won, int *answered)
{
    r->number = i % CHALLENGES;
    r->won = won;
    r->answered = answered;
    r->request = bench_begin("alpha", i + 1, i + 1, r->number + 1);
    snprintf(r->record, sizeof r->record, "%s", r->request.begin.record.id);
    snprintf(r->transaction, sizeof r->transaction, "%s", bench_id("transaction", i + 1));
    snprintf(r->challenge, sizeof r->challenge, "%s", r->request.begin.record.challenge_id);
    r->request.begin.record.id = r->record;
    r->request.begin.record.key.transaction_id = bytes_of_text(r->transaction);
    r->request.begin.record.challenge_id = r->challenge;
}

TEST(challenges_raced_for_at_two_stores_have_as_many_winners_as_uses)
{
    struct pair p;
    static struct racer racers[RACERS];
    int won[CHALLENGES] = {0}, answered = 0;
    open_pair(&p);
    for (int i = 0; i < CHALLENGES; i++) {
        struct store_request create = bench_challenge("alpha", i + 1, 1 + i % 3);
        CHECK_INT(outcome(&p, i % 2, &create), STORE_OK);
    }
    for (int i = 0; i < RACERS; i++) {
        prepare_racer(&racers[i], i, won, &answered);
        store_submit(p.stores[i / CHALLENGES % 2], &racers[i].request, raced, &racers[i]);
    }
    while (answered < RACERS)
        bench_turn(&p.b);
    for (int i = 0; i < CHALLENGES; i++) {
        CHECK_INT(won[i], 1 + i % 3);
        CHECK_INT(bench_uses_left(&p.b, "alpha", i + 1), 0);
    }
    close_pair(&p);
}

#define SAME 20

TEST(one_transaction_begun_at_two_stores_is_ones)
{
    struct pair p;
    struct bench_tally tally[2] = {0};
    static struct store_request begin[2 * SAME];
    open_pair(&p);
    for (int i = 0; i < SAME; i++)
        for (int which = 0; which < 2; which++) {
            begin[2 * i + which] = bench_begin("alpha", i + 1, 2 * i + which + 1, 0);
            store_submit(p.stores[which], &begin[2 * i + which], bench_tally, &tally[which]);
        }
    while (tally[0].answered + tally[1].answered < 2 * SAME)
        bench_turn(&p.b);
    CHECK_INT(tally[0].outcomes[STORE_MINE] + tally[1].outcomes[STORE_MINE], SAME);
    CHECK_INT(tally[0].outcomes[STORE_RUNNING] + tally[1].outcomes[STORE_RUNNING], SAME);
    close_pair(&p);
}

static struct store_request take(uint64_t claim)
{
    struct store_request r;
    store_request_init(&r, STORE_LEASE_TAKE);
    r.lease.alias = "alpha";
    r.lease.name = "ra";
    r.lease.duration = MINUTE;
    r.lease.claim = claim;
    return r;
}

TEST(a_named_lease_keeps_the_other_out)
{
    struct pair p;
    open_pair(&p);
    struct store_request first = take(0), second = take(0);
    struct store_answer *a = ask(&p, 0, &first);
    CHECK_INT(a->outcome, STORE_MINE);
    uint64_t claim = a->claim;
    store_answer_free(a);
    CHECK_INT(outcome(&p, 1, &second), STORE_RUNNING);
    atomic_fetch_add(p.b.now, MINUTE);
    second = take(0);
    a = ask(&p, 1, &second);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK(a->claim > claim);
    store_answer_free(a);
    first = take(claim); /* extends what it has lost */
    CHECK_INT(outcome(&p, 0, &first), STORE_RUNNING);
    close_pair(&p);
}

#define DUE 60

struct hoard {
    char ids[2 * DUE][128];
    int count, answers;
};

static void claimed(void *context, struct store_answer *answer)
{
    struct hoard *h = context;
    for (size_t i = 0; i < answer->obligation_count && h->count < 2 * DUE; i++)
        snprintf(h->ids[h->count++], sizeof h->ids[0], "%s", answer->obligations[i].id);
    h->answers++;
    store_answer_free(answer);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

TEST(an_obligation_is_claimed_at_one_store)
{
    struct pair p;
    static struct hoard h;
    struct store_request claims[20];
    h = (struct hoard){0};
    open_pair(&p);
    for (int i = 0; i < DUE; i++) {
        struct store_request put;
        store_request_init(&put, STORE_OBLIGATION_PUT);
        put.obligation_put =
            (struct obligation_new){i % 3 ? "alpha" : "beta", "ra.renew", bench_id("due", i), 0};
        CHECK_INT(outcome(&p, i % 2, &put), STORE_OK);
    }
    for (int i = 0; i < 20; i++) {
        store_request_init(&claims[i], STORE_OBLIGATION_CLAIM);
        claims[i].obligation_claim.limit = 7;
        claims[i].obligation_claim.lease = MINUTE;
        store_submit(p.stores[i % 2], &claims[i], claimed, &h);
    }
    while (h.answers < 20)
        bench_turn(&p.b);
    for (int i = 0; h.count < DUE && i < DUE; i++) { /* one that lost a race may have come away with less */
        store_request_init(&claims[0], STORE_OBLIGATION_CLAIM);
        claims[0].obligation_claim.limit = 7;
        claims[0].obligation_claim.lease = MINUTE;
        claimed(&h, ask(&p, 0, &claims[0]));
    }
    CHECK_INT(h.count, DUE);
    qsort(h.ids, DUE, sizeof h.ids[0], by_text);
    for (int i = 1; i < DUE; i++)
        CHECK(strcmp(h.ids[i - 1], h.ids[i]) != 0);
    close_pair(&p);
}

/* ---- replicas ------------------------------------------------------------------------------------------ */

static struct store_request announce(const char *replica, const char *facts, int64_t life)
{
    struct store_request r;
    store_request_init(&r, STORE_ANNOUNCE);
    r.announce.replica = replica;
    r.announce.facts = facts;
    r.announce.life = life;
    return r;
}

TEST(replicas_see_each_other_until_they_leave_or_fall_silent)
{
    struct pair p;
    open_pair(&p);
    struct store_request one = announce("one", "facts of one", MINUTE), two = announce("two", "{2}", MINUTE);
    struct store_answer *a = ask(&p, 0, &one);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->replica_count, 0);
    store_answer_free(a);
    a = ask(&p, 1, &two);
    CHECK_INT(a->replica_count, 1);
    CHECK_TEXT(a->replicas[0].id, "one");
    CHECK_TEXT(a->replicas[0].facts, "facts of one");
    CHECK_INT(a->replicas[0].seen, BENCH_START);
    store_answer_free(a);
    one = announce("one", "other facts", MINUTE);
    a = ask(&p, 0, &one);
    CHECK_INT(a->replica_count, 1);
    CHECK_TEXT(a->replicas[0].id, "two");
    store_answer_free(a);
    one = announce("one", "", 0); /* it leaves */
    CHECK_INT(outcome(&p, 0, &one), STORE_OK);
    two = announce("two", "{2}", MINUTE);
    a = ask(&p, 1, &two);
    CHECK_INT(a->replica_count, 0);
    store_answer_free(a);
    atomic_fetch_add(p.b.now, MINUTE + 1); /* and the other dies */
    one = announce("one", "facts of one", MINUTE);
    a = ask(&p, 0, &one);
    CHECK_INT(a->replica_count, 0);
    store_answer_free(a);
    close_pair(&p);
}

static struct store_request tally(const char *alias, int count)
{
    struct store_request r;
    store_request_init(&r, STORE_TALLY);
    r.tally.alias = alias;
    r.tally.window = MINUTE;
    r.tally.count = (size_t)count;
    for (int i = 0; i < count; i++)
        memset(r.tally.entries[i].key, 'a' + i, TALLY_KEY_SIZE);
    return r;
}

/* Asks for the first key of the alias and checks both numbers. */
static void check_counts(struct pair *p, const char *alias, int64_t present, int64_t before)
{
    struct store_request look = tally(alias, 1);
    struct store_answer *a = ask(p, 0, &look);
    CHECK_INT(a->tally_count, 1);
    CHECK_INT(a->tallies[0].present, present);
    CHECK_INT(a->tallies[0].before, before);
    store_answer_free(a);
}

TEST(tallies_add_up_in_windows_of_the_stores_clock)
{
    struct pair p;
    int64_t start = BENCH_START / MINUTE * MINUTE + MINUTE;
    open_pair(&p);
    atomic_store(p.b.now, start);
    struct store_request here = tally("alpha", 2), there = tally("alpha", 2);
    here.tally.entries[0].add = 3;
    here.tally.entries[1].add = 1;
    there.tally.entries[0].add = 4;
    CHECK_INT(outcome(&p, 0, &here), STORE_OK);
    struct store_answer *a = ask(&p, 1, &there);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->tally_count, 2);
    CHECK(memcmp(a->tallies[0].key, there.tally.entries[0].key, TALLY_KEY_SIZE) == 0);
    CHECK_INT(a->tallies[0].present, 7);
    CHECK_INT(a->tallies[1].present, 1);
    store_answer_free(a);
    atomic_store(p.b.now, start + MINUTE - 1);
    check_counts(&p, "alpha", 7, 0);
    check_counts(&p, "beta", 0, 0);
    atomic_store(p.b.now, start + MINUTE);
    check_counts(&p, "alpha", 0, 7);
    here = tally("alpha", 1);
    here.tally.entries[0].add = 2;
    CHECK_INT(outcome(&p, 1, &here), STORE_OK);
    check_counts(&p, "alpha", 2, 7);
    atomic_store(p.b.now, start + 2 * MINUTE);
    check_counts(&p, "alpha", 0, 2);
    atomic_store(p.b.now, start + 3 * MINUTE);
    check_counts(&p, "alpha", 0, 0);
    close_pair(&p);
}

/* ---- revocations and CRLs ------------------------------------------------------------------------------ */

TEST(of_two_that_hold_a_certificate_one_is_told_so)
{
    struct pair p;
    open_pair(&p);
    struct certificate_record certificate = bench_certificate("alpha", 1, 1);
    struct store_request import, hold[2];
    struct bench_tally tally = {0};
    store_request_init(&import, STORE_IMPORT);
    import.import.kind = STORE_KIND_CERTIFICATE;
    import.import.certificate = &certificate;
    CHECK_INT(outcome(&p, 0, &import), STORE_OK);
    for (int i = 0; i < 2; i++) {
        store_request_init(&hold[i], STORE_CERTIFICATE_REVOKE);
        hold[i].certificate_revoke.alias = "alpha";
        hold[i].certificate_revoke.issuer_sha256 = "aa11";
        hold[i].certificate_revoke.serial = certificate.serial;
        hold[i].certificate_revoke.reason = REASON_CERTIFICATE_HOLD;
        store_submit(p.stores[i], &hold[i], bench_tally, &tally);
    }
    while (tally.answered < 2)
        bench_turn(&p.b);
    CHECK_INT(tally.outcomes[STORE_OK], 1);
    CHECK_INT(tally.outcomes[STORE_CONFLICT], 1);
    close_pair(&p);
}

TEST(of_two_crls_with_the_same_number_one_is_kept)
{
    struct pair p;
    open_pair(&p);
    for (int number = 1; number <= 20; number++) {
        struct store_request put[2];
        struct bench_tally tally = {0};
        for (int i = 0; i < 2; i++) {
            store_request_init(&put[i], STORE_CRL_PUT);
            put[i].crl_put = (struct crl_record){.ca_sha256 = "aa11",
                                                 .number = number,
                                                 .der = bytes_of_text(i == 0 ? "one" : "other"),
                                                 .this_update = BENCH_START,
                                                 .next_update = BENCH_START + DAY};
            store_submit(p.stores[i], &put[i], bench_tally, &tally);
        }
        while (tally.answered < 2)
            bench_turn(&p.b);
        CHECK_INT(tally.outcomes[STORE_OK], 1);
        CHECK_INT(tally.outcomes[STORE_STALE], 1);
    }
    close_pair(&p);
}

RUNNER_MAIN()
