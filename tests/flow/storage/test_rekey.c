/* test_rekey.c: sealed values move to the newest master key, on a store that others go on working on. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/store/bench.h"
#include "storage/rekey.h"
#include "support/runner.h"

#define NEW_LINE  "new:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define OLD_LINE  "old:101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f\n"
#define LOST_LINE "lost:202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n"

static struct bench b;
static struct keys *old_ring, *ring, *new_ring, *lost_ring;

static struct keys *ring_of(const char *lines)
{
    struct keys *k = NULL;
    if (keys_create(&k, bytes_of_text(lines), NULL) != ERR_OK)
        abort();
    return k;
}

static void set_up(void)
{
    bench_open(&b);
    old_ring = ring_of(OLD_LINE);
    ring = ring_of(NEW_LINE OLD_LINE);
    new_ring = ring_of(NEW_LINE);
    lost_ring = ring_of(LOST_LINE);
}

static void tear_down(void)
{
    bench_close(&b);
    keys_free(old_ring);
    keys_free(ring);
    keys_free(new_ring);
    keys_free(lost_ring);
}

static void begin(const struct keys *keys, int device)
{
    struct store_request r = bench_begin("alpha", device, device, 0);
    struct buffer sealed;
    buffer_init(&sealed, 4096);
    if (keys_seal(keys, SEAL_CSR, "alpha", r.begin.record.id, bytes_of_text("a request"), &sealed, NULL) !=
        ERR_OK)
        abort();
    r.begin.record.sealed_csr = buffer_bytes(&sealed);
    CHECK_INT(bench_outcome(&b, &r), STORE_MINE);
    buffer_free(&sealed);
}

static void put_ra(const struct keys *keys, int generation)
{
    struct store_request take, put;
    char record[32];
    struct buffer sealed;
    buffer_init(&sealed, 4096);
    snprintf(record, sizeof record, "ra-%d", generation);
    if (keys_seal(keys, SEAL_RA_KEY, "alpha", record, bytes_of_text("a key"), &sealed, NULL) != ERR_OK)
        abort();
    store_request_init(&take, STORE_LEASE_TAKE);
    take.lease.alias = "alpha";
    take.lease.name = record;
    take.lease.duration = MINUTE;
    struct store_answer *a = bench_ask(&b, &take);
    store_request_init(&put, STORE_RA_PUT);
    put.ra_put.record =
        (struct ra_record){.alias = "alpha", .generation = generation, .sealed_key = buffer_bytes(&sealed)};
    put.ra_put.lease_name = record;
    put.ra_put.lease_claim = a->claim;
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    store_answer_free(a);
    buffer_free(&sealed);
}

/* Does a ring open the CSR of a device? */
static bool opens(const struct keys *keys, int device)
{
    struct secret plain = {0};
    struct store_request find = bench_find("alpha", device);
    struct store_answer *a = bench_ask(&b, &find);
    const struct transaction_record *r = a->transactions;
    bool good = keys_unseal(keys, SEAL_CSR, "alpha", r->id, r->sealed_csr, &plain, NULL) == ERR_OK &&
                secret_equal(bytes_of(plain.data, plain.len), bytes_of_text("a request"));
    secret_free(&plain);
    store_answer_free(a);
    return good;
}

static void finish(struct rekey *r)
{
    while (rekey_report(r)->running)
        bench_turn(&b);
}

static struct rekey *start(const struct keys *keys)
{
    const struct rekey_options options = {.base = b.base, .store = b.store, .keys = keys, .by = "uid:7"};
    struct rekey *r = rekey_start(&options);
    if (!r)
        abort();
    return r;
}

static struct rekey_report rekey(const struct keys *keys)
{
    struct rekey *r = start(keys);
    finish(r);
    struct rekey_report report = *rekey_report(r);
    rekey_free(r);
    return report;
}

TEST(everything_is_under_the_newest_key_afterwards)
{
    set_up();
    for (int i = 1; i <= 200; i++)
        begin(i % 3 ? old_ring : new_ring, i);
    for (int i = 1; i <= 3; i++)
        put_ra(old_ring, i);
    struct rekey_report report = rekey(ring);
    CHECK_TEXT(report.problem, "");
    CHECK(report.moved);
    CHECK_INT(report.looked_at, 203);
    CHECK_INT(report.resealed, 200 - 66 + 3);
    CHECK_INT(report.unreadable, 0);
    for (int i = 1; i <= 200; i++)
        CHECK(opens(new_ring, i));
    struct store_request list;
    store_request_init(&list, STORE_RA_LIST);
    list.ra_list.alias = "alpha";
    struct store_answer *a = bench_ask(&b, &list);
    for (size_t i = 0; i < a->ra_count; i++)
        CHECK_INT(keys_sealed_under(new_ring, a->ras[i].sealed_key), 0);
    store_answer_free(a);
    report = rekey(ring);
    CHECK_INT(report.resealed, 0); /* there is nothing left to do */
    CHECK(report.moved);
    tear_down();
}

TEST(the_trail_says_who_changed_the_key)
{
    set_up();
    begin(old_ring, 1);
    CHECK(rekey(ring).moved);
    struct store_request list;
    store_request_init(&list, STORE_AUDIT_LIST);
    list.list.limit = 10;
    struct store_answer *a = bench_ask(&b, &list);
    CHECK_INT(a->event_count, 1);
    CHECK_TEXT(a->events[0].event, "store.rekeyed");
    CHECK_TEXT(a->events[0].details, "{\"by\":\"uid:7\",\"key\":\"new\",\"resealed\":1}");
    store_answer_free(a);
    tear_down();
}

/* Others advance transactions while it runs: what they write stays. */
TEST(what_changes_meanwhile_is_neither_lost_nor_overwritten)
{
    set_up();
    for (int i = 1; i <= 300; i++)
        begin(old_ring, i);
    struct rekey *r = start(ring);
    struct bench_tally tally = {0};
    static struct store_request moves[300];
    for (int i = 0; i < 300; i++) {
        moves[i] = bench_advance("alpha", i + 1, 1, i % 2 ? TRANSACTION_PENDING : TRANSACTION_FAILED);
        moves[i].advance.erase_csr = i % 2 == 0;
        moves[i].advance.cookie = bytes_of_text("cookie");
        store_submit(b.store, &moves[i], bench_tally, &tally);
        if (i % 10 == 0)
            bench_turn(&b);
    }
    finish(r);
    while (tally.answered < 300)
        bench_turn(&b);
    CHECK_TEXT(rekey_report(r)->problem, "");
    CHECK(rekey_report(r)->moved);
    rekey_free(r);
    CHECK_INT(tally.outcomes[STORE_OK], 300);
    for (int i = 0; i < 300; i++) {
        struct store_request find = bench_find("alpha", i + 1);
        struct store_answer *a = bench_ask(&b, &find);
        CHECK_INT(a->transactions[0].state, i % 2 ? TRANSACTION_PENDING : TRANSACTION_FAILED);
        CHECK(bytes_equal(a->transactions[0].cookie, bytes_of_text("cookie")));
        CHECK_INT(a->transactions[0].sealed_csr.len > 0, i % 2);
        store_answer_free(a);
        CHECK(i % 2 == 0 || opens(new_ring, i + 1));
    }
    tear_down();
}

TEST(one_that_ended_in_the_middle_is_started_again)
{
    set_up();
    for (int i = 1; i <= 200; i++)
        begin(old_ring, i);
    struct rekey *r = start(ring);
    while (rekey_report(r)->resealed == 0)
        bench_turn(&b);
    bench_reopen(&b); /* it is told that the store is gone */
    CHECK(!rekey_report(r)->running);
    CHECK(!rekey_report(r)->moved);
    CHECK(strstr(rekey_report(r)->problem, "start it again"));
    int64_t before = rekey_report(r)->resealed;
    rekey_free(r);
    struct rekey_report report = rekey(ring);
    CHECK(report.moved);
    CHECK_INT(report.resealed, 200 - before);
    for (int i = 1; i <= 200; i++)
        CHECK(opens(new_ring, i));
    tear_down();
}

static bool asked_to_stop(void *context)
{
    return ++*(int *)context > 2;
}

TEST(it_stops_when_the_gateway_stops)
{
    set_up();
    for (int i = 1; i <= 300; i++)
        begin(old_ring, i);
    int asked = 0;
    const struct rekey_options options = {
        .base = b.base, .store = b.store, .keys = ring, .stop = asked_to_stop, .context = &asked};
    struct rekey *r = rekey_start(&options);
    finish(r);
    CHECK(!rekey_report(r)->moved);
    CHECK(strstr(rekey_report(r)->problem, "shutting down"));
    rekey_free(r);
    tear_down();
}

TEST(what_nobody_can_read_is_counted_and_left_alone)
{
    set_up();
    begin(old_ring, 1);
    begin(lost_ring, 2);
    struct rekey_report report = rekey(ring);
    CHECK_TEXT(report.problem, "");
    CHECK(report.moved);
    CHECK_INT(report.resealed, 1);
    CHECK_INT(report.unreadable, 1);
    CHECK(opens(lost_ring, 2));
    tear_down();
}

TEST(challenges_that_depend_on_an_older_key_are_counted)
{
    set_up();
    static const char *const ids[] = {"new", "old", "old", "older", "old", "old"};
    for (int i = 0; i < 6; i++) {
        struct store_request create = bench_challenge("alpha", i + 1, 1);
        create.challenge_create.key_id = ids[i];
        create.challenge_create.expires = (i + 1) * MINUTE;
        CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    }
    struct store_request revoke, use = bench_begin("alpha", 1, 1, 6);
    store_request_init(&revoke, STORE_CHALLENGE_REVOKE);
    revoke.challenge_revoke.alias = "alpha";
    revoke.challenge_revoke.challenge_id = bench_id("challenge", 5);
    CHECK_INT(bench_outcome(&b, &revoke), STORE_OK);
    CHECK_INT(bench_outcome(&b, &use), STORE_MINE);
    struct rekey_report report = rekey(ring);
    CHECK_INT(report.dependant_count, 2);
    CHECK_TEXT(report.dependants[0].key, "old");
    CHECK_INT(report.dependants[0].challenges, 2); /* neither the revoked nor the used one */
    CHECK_INT(report.dependants[0].last_expires, BENCH_START + 3 * MINUTE);
    CHECK_TEXT(report.dependants[1].key, "older");
    CHECK_INT(report.dependants[1].challenges, 1);
    tear_down();
}

RUNNER_MAIN()
