/* test_upkeep.c: certificates, RA identities, leases, obligations, audit and retention of any store. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>

/* ---- certificates and RA identities -------------------------------------------------------------------- */

static struct store_request lease(enum store_operation operation, uint64_t claim)
{
    struct store_request r;
    store_request_init(&r, operation);
    r.lease.alias = "alpha";
    r.lease.name = "ra";
    r.lease.duration = MINUTE;
    r.lease.claim = claim;
    return r;
}

static uint64_t lease_claim(struct bench *b)
{
    struct store_request take = lease(STORE_LEASE_TAKE, 0);
    struct store_answer *a = bench_ask(b, &take);
    uint64_t claim = a->outcome == STORE_MINE ? a->claim : 0;
    store_answer_free(a);
    return claim;
}

static struct store_request ra_put(int64_t generation, uint64_t claim,
                                   const struct certificate_record *certificate)
{
    struct store_request r;
    store_request_init(&r, STORE_RA_PUT);
    r.ra_put.record = (struct ra_record){.alias = "alpha",
                                         .generation = generation,
                                         .sealed_key = bytes_of_text("sealed key"),
                                         .not_before = BENCH_START};
    r.ra_put.lease_name = "ra";
    r.ra_put.lease_claim = claim;
    r.ra_put.certificate = certificate;
    if (certificate) {
        r.ra_put.record.chain[0] = certificate->der;
        r.ra_put.record.chain_count = 1;
        r.ra_put.record.not_after = certificate->not_after;
    }
    return r;
}

TEST(a_named_lease_is_one_holders_and_its_claims_never_return)
{
    struct bench b;
    bench_open(&b);
    uint64_t first = lease_claim(&b);
    CHECK(first != 0);
    CHECK_INT(lease_claim(&b), 0); /* RUNNING */
    struct store_request extend = lease(STORE_LEASE_TAKE, first);
    atomic_store(b.now, BENCH_START + MINUTE - 1);
    struct store_answer *a = bench_ask(&b, &extend);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->claim, first);
    store_answer_free(a);
    atomic_store(b.now, BENCH_START + 2 * MINUTE - 2);
    CHECK_INT(lease_claim(&b), 0);
    struct store_request stale = lease(STORE_LEASE_DROP, first + 7);
    CHECK_INT(bench_outcome(&b, &stale), STORE_OK);
    CHECK_INT(lease_claim(&b), 0); /* that dropped nothing */
    struct store_request drop = lease(STORE_LEASE_DROP, first);
    CHECK_INT(bench_outcome(&b, &drop), STORE_OK);
    uint64_t second = lease_claim(&b);
    CHECK(second > first);
    bench_reopen_later(&b, MINUTE); /* the former process' lease is void */
    uint64_t third = lease_claim(&b);
    CHECK(third > second);
    bench_close(&b);
}

TEST(an_ra_identity_needs_the_lease_and_records_its_certificate)
{
    struct bench b;
    bench_open(&b);
    uint64_t claim = lease_claim(&b);
    struct certificate_record certificate = bench_certificate("alpha", 3, 0);
    certificate.transaction = "";
    struct store_request put = ra_put(1, claim, NULL);
    put.ra_put.record.cookie = bytes_of_text("cookie");
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    put = ra_put(1, claim, &certificate); /* replaces it */
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    put = ra_put(2, claim, NULL);
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    put = ra_put(3, claim + 1, NULL);
    CHECK_INT(bench_outcome(&b, &put), STORE_STALE);
    atomic_store(b.now, BENCH_START + MINUTE);
    put = ra_put(3, claim, NULL);
    CHECK_INT(bench_outcome(&b, &put), STORE_STALE); /* lapsed */

    struct store_request list, find;
    store_request_init(&list, STORE_RA_LIST);
    list.ra_list.alias = "alpha";
    struct store_answer *a = bench_ask(&b, &list);
    CHECK_INT(a->ra_count, 2);
    CHECK_INT(a->ras[0].generation, 2);
    CHECK_INT(a->ras[0].chain_count, 0);
    CHECK_INT(a->ras[1].chain_count, 1);
    CHECK_INT(a->ras[1].cookie.len, 0);
    CHECK(bytes_equal(a->ras[1].chain[0], certificate.der));
    CHECK(bytes_equal(a->ras[1].sealed_key, bytes_of_text("sealed key")));
    store_answer_free(a);
    store_request_init(&find, STORE_CERTIFICATE_FIND);
    find.certificate_find.alias = "alpha";
    find.certificate_find.issuer_sha256 = "aa11";
    find.certificate_find.serial = certificate.serial;
    CHECK_INT(bench_outcome(&b, &find), STORE_OK);
    bench_close(&b);
}

TEST(certificates_are_listed_by_state)
{
    struct bench b;
    bench_open(&b);
    uint64_t claim = lease_claim(&b);
    for (int i = 1; i <= 3; i++) {
        struct certificate_record certificate = bench_certificate("alpha", i, 0);
        certificate.not_after = i == 3 ? BENCH_START : BENCH_START + DAY;
        struct store_request put = ra_put(i, claim, &certificate);
        CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    }
    struct store_request revoke;
    store_request_init(&revoke, STORE_CERTIFICATE_REVOKE);
    revoke.certificate_revoke.alias = "alpha";
    revoke.certificate_revoke.issuer_sha256 = "aa11";
    revoke.certificate_revoke.serial = bench_id("serial", 1);
    revoke.certificate_revoke.reason = 4;
    CHECK_INT(bench_outcome(&b, &revoke), STORE_OK);
    atomic_store(b.now, BENCH_START + 5);
    const char *const states[] = {"revoked", "valid", "expired"};
    for (int i = 0; i < 3; i++) {
        struct store_request list;
        store_request_init(&list, STORE_CERTIFICATE_LIST);
        list.list = (struct store_list_filter){.alias = "alpha", .state = states[i], .limit = 10};
        struct store_answer *a = bench_ask(&b, &list);
        CHECK_INT(a->certificate_count, 1);
        CHECK_TEXT(a->certificates[0].serial, bench_id("serial", i + 1));
        store_answer_free(a);
    }
    bench_close(&b);
}

/* ---- obligations --------------------------------------------------------------------------------------- */

static struct store_request claim_due(void)
{
    struct store_request r;
    store_request_init(&r, STORE_OBLIGATION_CLAIM);
    r.obligation_claim.limit = 10;
    r.obligation_claim.lease = MINUTE;
    return r;
}

static struct store_request put_due(const char *alias, const char *reference, int64_t delay)
{
    struct store_request r;
    store_request_init(&r, STORE_OBLIGATION_PUT);
    r.obligation_put = (struct obligation_new){alias, "ra.renew", reference, delay};
    return r;
}

static struct store_request done_with(const char *id, uint64_t claim, int64_t again_after)
{
    struct store_request r;
    store_request_init(&r, STORE_OBLIGATION_DONE);
    r.obligation_done.id = id;
    r.obligation_done.claim = claim;
    r.obligation_done.again_after = again_after;
    return r;
}

TEST(obligations_are_claimed_when_due_by_one)
{
    struct bench b;
    bench_open(&b);
    struct store_request put = put_due("alpha", "x", 1000), due = claim_due(), other = claim_due();
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    put = put_due("beta", "x", 5000); /* another alias: another row */
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    struct store_answer *a = bench_ask(&b, &due);
    CHECK_INT(a->obligation_count, 0);
    store_answer_free(a);
    atomic_store(b.now, BENCH_START + 1000);
    a = bench_ask(&b, &other);
    CHECK_INT(a->obligation_count, 1);
    CHECK_TEXT(a->obligations[0].alias, "alpha");
    CHECK_TEXT(a->obligations[0].kind, "ra.renew");
    CHECK_TEXT(a->obligations[0].reference, "x");
    CHECK_INT(a->obligations[0].due, BENCH_START + 1000);
    CHECK_INT(a->obligations[0].attempts, 1);
    char id[128];
    snprintf(id, sizeof id, "%s", a->obligations[0].id);
    uint64_t claim = a->obligations[0].claim;
    store_answer_free(a);
    due = claim_due();
    CHECK_INT(bench_outcome(&b, &due), STORE_OK);
    atomic_store(b.now, BENCH_START + 1000 + MINUTE); /* the claim ran out: somebody else's turn */
    due = claim_due();
    a = bench_ask(&b, &due);
    CHECK_INT(a->obligation_count, 2);
    uint64_t newer = a->obligations[0].claim;
    CHECK(newer > claim);
    store_answer_free(a);
    struct store_request done = done_with(id, claim, 0);
    CHECK_INT(bench_outcome(&b, &done), STORE_STALE);
    done = done_with(id, newer, 0);
    CHECK_INT(bench_outcome(&b, &done), STORE_OK);
    done = done_with(id, newer, 0);
    CHECK_INT(bench_outcome(&b, &done), STORE_STALE);
    bench_close(&b);
}

TEST(an_obligation_comes_again_or_is_given_up)
{
    struct bench b;
    bench_open(&b);
    struct store_request put = put_due("alpha", "x", 0);
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    for (int attempt = 1; attempt <= 3; attempt++) {
        struct store_request due = claim_due();
        struct store_answer *a = bench_ask(&b, &due);
        CHECK_INT(a->obligation_count, 1);
        CHECK_INT(a->obligations[0].attempts, attempt);
        struct store_request done =
            done_with(a->obligations[0].id, a->obligations[0].claim, attempt < 3 ? 500 : -1);
        CHECK_INT(bench_outcome(&b, &done), STORE_OK);
        store_answer_free(a);
        atomic_fetch_add(b.now, 500);
    }
    atomic_fetch_add(b.now, DAY);
    struct store_request due = claim_due();
    struct store_answer *a = bench_ask(&b, &due);
    CHECK_INT(a->obligation_count, 0);
    store_answer_free(a);
    put = put_due("alpha", "x", 0); /* a new need revives it */
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    due = claim_due();
    a = bench_ask(&b, &due);
    CHECK_INT(a->obligation_count, 1);
    CHECK_INT(a->obligations[0].attempts, 1);
    uint64_t claim = a->obligations[0].claim;
    put = put_due("alpha", "x", 0); /* and one put meanwhile is not done by what was begun before */
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    struct store_request done = done_with(a->obligations[0].id, claim, 0);
    CHECK_INT(bench_outcome(&b, &done), STORE_STALE);
    store_answer_free(a);
    bench_close(&b);
}

TEST(a_restart_gives_claimed_obligations_back)
{
    struct bench b;
    bench_open(&b);
    struct store_request put = put_due("alpha", "x", 0), due = claim_due(), again = claim_due();
    CHECK_INT(bench_outcome(&b, &put), STORE_OK);
    struct store_answer *a = bench_ask(&b, &due);
    CHECK_INT(a->obligation_count, 1);
    store_answer_free(a);
    bench_reopen_later(&b, MINUTE);
    a = bench_ask(&b, &again);
    CHECK_INT(a->obligation_count, 1);
    store_answer_free(a);
    bench_close(&b);
}

TEST(the_end_of_a_transaction_clears_its_obligations)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0);
    begin.obligation_count = 3;
    begin.obligations[0] = (struct obligation_new){"alpha", "submission.resume", begin.begin.record.id, 0};
    begin.obligations[1] = (struct obligation_new){"alpha", "transaction.expire", begin.begin.record.id, 0};
    begin.obligations[2] = (struct obligation_new){"alpha", "ra.renew", begin.begin.record.id, 0};
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_request fail = bench_advance("alpha", 1, 1, TRANSACTION_FAILED), due = claim_due();
    CHECK_INT(bench_outcome(&b, &fail), STORE_OK);
    struct store_answer *a = bench_ask(&b, &due);
    CHECK_INT(a->obligation_count, 1);
    CHECK_TEXT(a->obligations[0].kind, "ra.renew");
    store_answer_free(a);
    bench_close(&b);
}

/* ---- audit and retention ------------------------------------------------------------------------------- */

static void append(struct bench *b, int count)
{
    for (int i = 0; i < count; i++) {
        struct store_request r;
        store_request_init(&r, STORE_AUDIT_APPEND);
        r.event_count = 2;
        r.events[0] = (struct audit_event){
            .event = "gateway.started", .alias = "alpha", .tenant = "one", .client = "c", .details = "{}"};
        r.events[1] = (struct audit_event){.event = "request.accepted", .alias = "beta", .tenant = "two"};
        CHECK_INT(bench_outcome(b, &r), STORE_OK);
    }
}

static int64_t verified(struct bench *b)
{
    struct store_request r;
    store_request_init(&r, STORE_AUDIT_VERIFY);
    struct store_answer *a = bench_ask(b, &r);
    int64_t total = a->outcome == STORE_OK ? a->total : -1;
    store_answer_free(a);
    return total;
}

static bool is_hex(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789abcdef") == strlen(text);
}

TEST(audit_rows_are_numbered_chained_and_filtered)
{
    struct bench b;
    bench_open(&b);
    append(&b, 5);
    CHECK_INT(verified(&b), 10);
    struct store_request list;
    store_request_init(&list, STORE_AUDIT_LIST);
    list.list = (struct store_list_filter){.tenant = "one", .text = "started", .limit = 3};
    struct store_answer *a = bench_ask(&b, &list);
    CHECK_INT(a->event_count, 3);
    CHECK(a->events[0].sequence > a->events[1].sequence);
    CHECK_INT(a->events[0].at, BENCH_START);
    CHECK_TEXT(a->events[0].details, "{}");
    CHECK(is_hex(a->events[0].hash));
    CHECK(strcmp(a->events[0].hash, a->events[1].hash) != 0);
    char cursor[1024];
    snprintf(cursor, sizeof cursor, "%s", a->next);
    store_answer_free(a);
    CHECK(*cursor != '\0');
    list.list.after = cursor;
    a = bench_ask(&b, &list);
    CHECK_INT(a->event_count, 2);
    CHECK_TEXT(a->next, "");
    store_answer_free(a);
    bench_reopen(&b);
    append(&b, 1);
    CHECK_INT(verified(&b), 12);
    bench_close(&b);
}

TEST(a_long_chain_is_verified_in_slices)
{
    struct bench b;
    bench_open(&b);
    append(&b, 600);
    CHECK_INT(verified(&b), 1200);
    bench_close(&b);
}

TEST(pruned_audit_rows_leave_a_chain_that_verifies)
{
    struct bench b;
    bench_open(&b);
    append(&b, 3);
    atomic_fetch_add(b.now, DAY);
    append(&b, 2);
    struct store_request sweep = bench_sweep(DAY);
    sweep.sweep.limit = 4;
    struct store_answer *a = bench_ask(&b, &sweep);
    CHECK_INT(a->total, 4);
    store_answer_free(a);
    CHECK_INT(verified(&b), 10);
    sweep = bench_sweep(0);
    a = bench_ask(&b, &sweep);
    CHECK_INT(a->total, 6); /* all of them */
    store_answer_free(a);
    bench_reopen(&b);
    append(&b, 1);
    CHECK_INT(verified(&b), 12); /* the numbers go on */
    bench_close(&b);
}

TEST(retention_keeps_what_is_young_or_unfinished)
{
    struct bench b;
    bench_open(&b);
    for (int i = 1; i <= 3; i++) {
        struct store_request create = bench_challenge("alpha", i, 1);
        CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    }
    struct store_request one = bench_begin("alpha", 1, 1, 1), two = bench_begin("alpha", 2, 2, 2);
    CHECK_INT(bench_outcome(&b, &one), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &two), STORE_MINE);
    struct certificate_record certificate = bench_certificate("alpha", 1, 1);
    struct store_request issue = bench_advance("alpha", 1, 1, TRANSACTION_ISSUED);
    issue.advance.certificate = &certificate;
    CHECK_INT(bench_outcome(&b, &issue), STORE_OK);

    atomic_fetch_add(b.now, 61 * MINUTE); /* all challenges have expired; the certificate has not */
    struct store_request sweep = bench_sweep(10 * MINUTE);
    CHECK_INT(bench_outcome(&b, &sweep), STORE_OK);
    CHECK_INT(bench_uses_left(&b, "alpha", 3), 1); /* for less than ten minutes */
    struct store_request find = bench_find("alpha", 1);
    CHECK_INT(bench_outcome(&b, &find), STORE_NOT_FOUND);
    find = bench_find("alpha", 2);
    CHECK_INT(bench_outcome(&b, &find), STORE_OK); /* unfinished: never by age */

    sweep = bench_sweep(0);
    sweep.sweep.used_challenge = DAY;
    CHECK_INT(bench_outcome(&b, &sweep), STORE_OK);
    CHECK_INT(bench_uses_left(&b, "alpha", 3), -1);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 0); /* a used mark stays for longer */

    struct store_request reject = bench_advance("alpha", 2, 1, TRANSACTION_REJECTED);
    reject.advance.release_challenge = true; /* what was used is unused again, and old */
    CHECK_INT(bench_outcome(&b, &reject), STORE_OK);
    sweep = bench_sweep(0);
    sweep.sweep.used_challenge = sweep.sweep.finished_transaction = -1;
    CHECK_INT(bench_outcome(&b, &sweep), STORE_OK);
    CHECK_INT(bench_uses_left(&b, "alpha", 2), -1);
    find = bench_find("alpha", 2);
    CHECK_INT(bench_outcome(&b, &find), STORE_OK);

    atomic_fetch_add(b.now, DAY);
    sweep = bench_sweep(0);
    struct store_answer *a = bench_ask(&b, &sweep);
    CHECK_INT(a->total, 3); /* a used challenge, a transaction, the certificate */
    store_answer_free(a);
    bench_close(&b);
}

RUNNER_MAIN()
