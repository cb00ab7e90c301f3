/* test_transaction.c: the transaction contract, against any store. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>

static struct store_request recall(const struct store_request *begin)
{
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_RECALL);
    r.recall = begin->begin.record.key;
    return r;
}

TEST(begin_stores_the_whole_record_and_recall_gives_it)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), look = recall(&begin);
    CHECK_INT(bench_outcome(&b, &look), STORE_NOT_FOUND);
    struct store_answer *a = bench_ask(&b, &begin);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->claim, 1);
    CHECK(!a->repeated);
    CHECK_INT(a->transaction_count, 1);
    store_answer_free(a);
    a = bench_ask(&b, &look);
    CHECK_INT(a->outcome, STORE_OK);
    const struct transaction_record *t = a->transactions, *want = &begin.begin.record;
    CHECK_TEXT(t->id, want->id);
    CHECK_TEXT(t->key.alias, "alpha");
    CHECK(bytes_equal(t->key.transaction_id, want->key.transaction_id));
    CHECK(memcmp(t->key.signer_spki_sha256, want->key.signer_spki_sha256, 32) == 0);
    CHECK(memcmp(t->csr_info_sha256, want->csr_info_sha256, 32) == 0);
    CHECK(memcmp(t->recipient_sha256, want->recipient_sha256, 32) == 0);
    CHECK(bytes_equal(t->sealed_csr, want->sealed_csr));
    CHECK(bytes_equal(t->plan, want->plan));
    CHECK_INT(t->generation, 1);
    CHECK_INT(t->state, TRANSACTION_RECEIVED);
    CHECK_INT(t->claim, 1);
    CHECK_INT(t->lease_until, BENCH_START + MINUTE);
    CHECK_TEXT(t->subject, "CN=device");
    CHECK_TEXT(t->client, "192.0.2.1:4711");
    CHECK_TEXT(t->challenge_id, "");
    CHECK_TEXT(t->reason, "");
    CHECK_INT(t->created, BENCH_START);
    CHECK_INT(t->finished, 0);
    CHECK_INT(t->chain_count, 0);
    store_answer_free(a);
    look.recall.signer_spki_sha256[31] ^= 1; /* another signer's */
    CHECK_INT(bench_outcome(&b, &look), STORE_NOT_FOUND);
    bench_close(&b);
}

TEST(a_lease_keeps_others_out_until_it_ends)
{
    struct bench b;
    bench_open(&b);
    struct store_request first = bench_begin("alpha", 1, 1, 0), second = bench_begin("alpha", 1, 2, 0);
    second.event_count = 1;
    second.events[0] = (struct audit_event){.event = "request.accepted", .alias = "alpha"};
    CHECK_INT(bench_outcome(&b, &first), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &second), STORE_RUNNING);
    atomic_store(b.now, BENCH_START + MINUTE);
    struct store_answer *a = bench_ask(&b, &second);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->claim, 2);
    CHECK_TEXT(a->transactions[0].id, bench_id("record", 1)); /* the stored one */
    store_answer_free(a);
    struct store_request events;
    store_request_init(&events, STORE_AUDIT_LIST);
    events.list.limit = 10;
    a = bench_ask(&b, &events);
    CHECK_INT(a->event_count, 0); /* nothing was created */
    store_answer_free(a);
    struct store_request late = bench_advance("alpha", 1, 1, TRANSACTION_FAILED);
    CHECK_INT(bench_outcome(&b, &late), STORE_STALE);
    struct store_request fresh = bench_advance("alpha", 1, 2, TRANSACTION_FAILED);
    CHECK_INT(bench_outcome(&b, &fresh), STORE_OK);
    bench_close(&b);
}

TEST(another_csr_is_a_conflict_or_supersedes)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 1);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    struct store_request first = bench_begin("alpha", 1, 1, 1), other = bench_begin("alpha", 1, 2, 1);
    other.begin.record.csr_info_sha256[0] ^= 1;
    CHECK_INT(bench_outcome(&b, &first), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &other), STORE_CONFLICT);
    other.begin.supersede = true;
    other.begin.record.challenge_id = bench_id("challenge", 99);
    CHECK_INT(bench_outcome(&b, &other), STORE_TAKEN); /* and the first one goes on */
    struct store_request find = bench_find("alpha", 1);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK_INT(a->transactions[0].state, TRANSACTION_RECEIVED);
    store_answer_free(a);
    other.begin.record.challenge_id = bench_id("challenge", 1); /* the use that the first one gives back */
    a = bench_ask(&b, &other);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->transactions[0].generation, 2);
    store_answer_free(a);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 0);
    a = bench_ask(&b, &find);
    CHECK_INT(a->transactions[0].state, TRANSACTION_SUPERSEDED);
    CHECK_INT(a->transactions[0].sealed_csr.len, 0);
    store_answer_free(a);
    struct store_request late = bench_advance("alpha", 1, 1, TRANSACTION_FAILED);
    CHECK_INT(bench_outcome(&b, &late), STORE_FINISHED);
    bench_close(&b);
}

static struct store_request issue(int record, uint64_t claim, const struct certificate_record *certificate,
                                  const struct bytes chain[2])
{
    struct store_request r = bench_advance(certificate->alias, record, claim, TRANSACTION_ISSUED);
    r.advance.certificate = certificate;
    r.advance.chain = chain;
    r.advance.chain_count = 2;
    r.advance.erase_csr = true;
    return r;
}

TEST(issuing_records_certificate_and_chain_in_one_step)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct certificate_record certificate = bench_certificate("alpha", 5, 1);
    const struct bytes chain[2] = {certificate.der, bytes_of_text("issuer")};
    struct store_request advance = issue(1, 1, &certificate, chain);
    CHECK_INT(bench_outcome(&b, &advance), STORE_OK);

    struct store_request look = recall(&begin), find;
    struct store_answer *a = bench_ask(&b, &look);
    const struct transaction_record *t = a->transactions;
    CHECK_INT(t->state, TRANSACTION_ISSUED);
    CHECK_TEXT(t->serial, certificate.serial);
    CHECK_INT(t->chain_count, 2);
    CHECK(bytes_equal(t->chain[0], chain[0]));
    CHECK(bytes_equal(t->chain[1], chain[1]));
    CHECK_INT(t->sealed_csr.len, 0);
    CHECK_INT(t->lease_until, 0);
    CHECK_INT(t->finished, BENCH_START);
    store_answer_free(a);
    store_request_init(&find, STORE_CERTIFICATE_FIND);
    find.certificate_find.alias = "alpha";
    find.certificate_find.issuer_sha256 = "aa11";
    find.certificate_find.serial = certificate.serial;
    a = bench_ask(&b, &find);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_TEXT(a->certificates[0].transaction, bench_id("record", 1));
    CHECK(bytes_equal(a->certificates[0].der, certificate.der));
    CHECK_INT(a->certificates[0].recorded, BENCH_START);
    store_answer_free(a);
    find.certificate_find.alias = "beta";
    CHECK_INT(bench_outcome(&b, &find), STORE_NOT_FOUND);
    bench_close(&b);
}

TEST(one_serial_is_one_certificate)
{
    struct bench b;
    bench_open(&b);
    struct store_request one = bench_begin("alpha", 1, 1, 0), two = bench_begin("alpha", 2, 2, 0);
    CHECK_INT(bench_outcome(&b, &one), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &two), STORE_MINE);
    struct certificate_record first = bench_certificate("alpha", 5, 1),
                              second = bench_certificate("alpha", 5, 2);
    const struct bytes chain[2] = {first.der, bytes_of_text("issuer")};
    struct store_request advance = issue(1, 1, &first, chain);
    CHECK_INT(bench_outcome(&b, &advance), STORE_OK);
    advance = issue(2, 1, &second, chain);
    CHECK_INT(bench_outcome(&b, &advance), STORE_CONFLICT);
    struct store_request find = bench_find("alpha", 2);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK_INT(a->transactions[0].state, TRANSACTION_RECEIVED);
    CHECK_INT(a->transactions[0].chain_count, 0);
    store_answer_free(a);
    bench_close(&b);
}

static struct store_request bench_renewal(int device, int record, int serial, bool alone)
{
    struct store_request r = bench_begin("alpha", device, record, 0);
    r.begin.record.renews = bench_certificate("alpha", serial, record).serial;
    r.begin.alone = alone;
    return r;
}

TEST(a_renewal_keeps_the_serial_of_what_it_renews_and_its_first_cookie)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_renewal(1, 1, 5, true), look = recall(&begin);
    begin.begin.record.cookie = bytes_of_text("held");
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_answer *a = bench_ask(&b, &look);
    CHECK_TEXT(a->transactions[0].renews, begin.begin.record.renews);
    CHECK(bytes_equal(a->transactions[0].cookie, bytes_of_text("held")));
    store_answer_free(a);
    bench_close(&b);
}

TEST(one_renewal_of_a_certificate_at_a_time_when_asked_for)
{
    struct bench b;
    bench_open(&b);
    struct store_request first = bench_renewal(1, 1, 5, true), second = bench_renewal(2, 2, 5, true),
                         other = bench_renewal(3, 3, 6, true), free = bench_renewal(4, 4, 5, false);
    CHECK_INT(bench_outcome(&b, &first), STORE_MINE);
    struct store_answer *a = bench_ask(&b, &second);
    CHECK_INT(a->outcome, STORE_CONFLICT);
    CHECK_INT(a->transaction_count, 1);
    CHECK_TEXT(a->transactions[0].id, bench_id("record", 1));
    store_answer_free(a);
    CHECK_INT(bench_outcome(&b, &other), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &free), STORE_MINE);
    struct store_request end = bench_advance("alpha", 4, 1, TRANSACTION_REJECTED);
    CHECK_INT(bench_outcome(&b, &end), STORE_OK);
    bench_reopen_later(&b, MINUTE); /* a restart changes nothing */
    CHECK_INT(bench_outcome(&b, &second), STORE_CONFLICT);
    struct store_request again = bench_renewal(1, 5, 5, true); /* the same request is no other one */
    CHECK_INT(bench_outcome(&b, &again), STORE_MINE);
    end = bench_advance("alpha", 1, 2, TRANSACTION_REJECTED);
    CHECK_INT(bench_outcome(&b, &end), STORE_OK);
    CHECK_INT(bench_outcome(&b, &second), STORE_MINE);
    bench_close(&b);
}

TEST(the_request_that_got_a_certificate_may_renew_it)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct certificate_record certificate = bench_certificate("alpha", 5, 1);
    const struct bytes chain[2] = {certificate.der, bytes_of_text("issuer")};
    struct store_request advance = issue(1, 1, &certificate, chain);
    CHECK_INT(bench_outcome(&b, &advance), STORE_OK);
    struct store_request foreign = bench_renewal(1, 2, 6, true);
    CHECK_INT(bench_outcome(&b, &foreign), STORE_FINISHED);
    struct store_request renewal = bench_renewal(1, 3, 5, true);
    struct store_answer *a = bench_ask(&b, &renewal);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->transactions[0].generation, 2);
    store_answer_free(a);
    struct store_request copy = bench_renewal(1, 4, 5, true);
    CHECK_INT(bench_outcome(&b, &copy), STORE_RUNNING);
    bench_close(&b);
}

TEST(an_outcome_is_given_again_within_the_window)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), again = bench_begin("alpha", 1, 2, 0);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_request reject = bench_advance("alpha", 1, 1, TRANSACTION_REJECTED);
    reject.advance.reason = "no";
    reject.advance.error_name = "BACKEND_REJECTED";
    CHECK_INT(bench_outcome(&b, &reject), STORE_OK);
    atomic_store(b.now, BENCH_START + 10 * MINUTE);
    struct store_answer *a = bench_ask(&b, &again);
    CHECK_INT(a->outcome, STORE_FINISHED);
    CHECK_TEXT(a->transactions[0].id, bench_id("record", 1));
    CHECK_TEXT(a->transactions[0].reason, "no");
    CHECK_TEXT(a->transactions[0].error_name, "BACKEND_REJECTED");
    store_answer_free(a);
    struct store_request other = bench_begin("alpha", 1, 3, 0); /* another CSR: the end is the end */
    other.begin.record.csr_info_sha256[0] ^= 1;
    a = bench_ask(&b, &other);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->transactions[0].generation, 2);
    store_answer_free(a);
    reject = bench_advance("alpha", 3, 1, TRANSACTION_REJECTED);
    CHECK_INT(bench_outcome(&b, &reject), STORE_OK);
    atomic_store(b.now, BENCH_START + 20 * MINUTE + 1); /* beyond the window: a new generation */
    other = bench_begin("alpha", 1, 4, 0);
    other.begin.record.csr_info_sha256[0] ^= 1;
    CHECK_INT(bench_outcome(&b, &other), STORE_MINE);
    bench_close(&b);
}

TEST(pending_keeps_cookie_times_and_what_is_not_given)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_request pend = bench_advance("alpha", 1, 1, TRANSACTION_PENDING);
    pend.advance.cookie = bytes_of_text("cookie-1");
    pend.advance.poll_delay = 5000;
    pend.advance.expires_in = DAY;
    CHECK_INT(bench_outcome(&b, &pend), STORE_OK);
    atomic_store(b.now, BENCH_START + 7000);
    struct store_request claim;
    store_request_init(&claim, STORE_TRANSACTION_CLAIM);
    claim.claim.alias = "alpha";
    claim.claim.record_id = bench_id("record", 1);
    claim.claim.lease = MINUTE;
    struct store_answer *a = bench_ask(&b, &claim);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->claim, 2);
    CHECK_INT(a->transactions[0].next_poll, BENCH_START + 5000);
    store_answer_free(a);
    struct store_request second = claim;
    store_request_init(&second, STORE_TRANSACTION_CLAIM);
    second.claim = claim.claim;
    CHECK_INT(bench_outcome(&b, &second), STORE_RUNNING);
    pend = bench_advance("alpha", 1, 2, TRANSACTION_PENDING);
    pend.advance.poll_delay = 9000;
    pend.advance.expires_in = 2 * DAY;
    CHECK_INT(bench_outcome(&b, &pend), STORE_OK);
    struct store_request find = bench_find("alpha", 1);
    a = bench_ask(&b, &find);
    const struct transaction_record *t = a->transactions;
    CHECK(bytes_equal(t->cookie, bytes_of_text("cookie-1")));
    CHECK_INT(t->next_poll, BENCH_START + 16000);
    CHECK_INT(t->expires, BENCH_START + DAY); /* set once */
    CHECK_INT(t->lease_until, 0);
    store_answer_free(a);
    claim.claim.record_id = bench_id("record", 77);
    store_request_init(&second, STORE_TRANSACTION_CLAIM);
    second.claim = claim.claim;
    CHECK_INT(bench_outcome(&b, &second), STORE_NOT_FOUND);
    bench_close(&b);
}

TEST(a_lease_can_be_extended)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), again = bench_begin("alpha", 1, 2, 0);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_request extend = bench_advance("alpha", 1, 1, TRANSACTION_RECEIVED);
    extend.advance.extend_lease = 5 * MINUTE;
    CHECK_INT(bench_outcome(&b, &extend), STORE_OK);
    atomic_store(b.now, BENCH_START + 4 * MINUTE);
    CHECK_INT(bench_outcome(&b, &again), STORE_RUNNING);
    bench_close(&b);
}

TEST(a_restart_voids_leases_and_keeps_the_rest)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), again = bench_begin("alpha", 1, 2, 0);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    bench_reopen_later(&b, MINUTE);
    struct store_request find = bench_find("alpha", 1);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK(a->transactions[0].lease_until <= a->now);
    store_answer_free(a);
    a = bench_ask(&b, &again);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->claim, 2);
    store_answer_free(a);
    bench_close(&b);
}

TEST(transactions_are_listed_by_state_and_text)
{
    struct bench b;
    bench_open(&b);
    for (int i = 1; i <= 6; i++) {
        struct store_request begin = bench_begin(i < 3 ? "alpha" : "beta", i, i, 0);
        begin.begin.record.subject = i == 4 ? "CN=Router-4" : "CN=device";
        CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    }
    struct store_request fail = bench_advance("beta", 6, 1, TRANSACTION_FAILED), r;
    CHECK_INT(bench_outcome(&b, &fail), STORE_OK);
    store_request_init(&r, STORE_TRANSACTION_LIST);
    r.list = (struct store_list_filter){.alias = "beta", .state = "received", .limit = 2};
    struct store_answer *a = bench_ask(&b, &r);
    CHECK_INT(a->transaction_count, 2);
    CHECK_TEXT(a->transactions[0].id, bench_id("record", 5));
    char cursor[1024];
    snprintf(cursor, sizeof cursor, "%s", a->next);
    store_answer_free(a);
    r.list.after = cursor;
    a = bench_ask(&b, &r);
    CHECK_INT(a->transaction_count, 1);
    CHECK_TEXT(a->next, "");
    store_answer_free(a);
    r.list = (struct store_list_filter){.text = "router", .limit = 10};
    a = bench_ask(&b, &r);
    CHECK_INT(a->transaction_count, 1);
    store_answer_free(a);
    r.list = (struct store_list_filter){.text = bench_id("transaction", 2), .limit = 10};
    a = bench_ask(&b, &r);
    CHECK_INT(a->transaction_count, 1);
    CHECK_TEXT(a->transactions[0].id, bench_id("record", 2));
    store_answer_free(a);
    bench_close(&b);
}
