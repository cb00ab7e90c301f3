/* test_revocation.c: revoking, holding and releasing; what CRLs are made of; the CRLs themselves; against any store. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>

/* ---- requests ------------------------------------------------------------------------------------------ */

/* Puts a certificate there that ends so long after the start. */
static bool record(struct bench *b, const char *alias, int serial, int64_t life)
{
    struct store_request r;
    struct certificate_record c = bench_certificate(alias, serial, serial);
    c.not_after = BENCH_START + life;
    c.recorded = BENCH_START;
    store_request_init(&r, STORE_IMPORT);
    r.import.kind = STORE_KIND_CERTIFICATE;
    r.import.certificate = &c;
    return bench_outcome(b, &r) == STORE_OK;
}

static struct store_request revoke_of(const char *alias, int serial, int reason)
{
    struct store_request r;
    store_request_init(&r, STORE_CERTIFICATE_REVOKE);
    r.certificate_revoke.alias = alias;
    r.certificate_revoke.issuer_sha256 = "aa11";
    r.certificate_revoke.serial = bench_id("serial", serial);
    r.certificate_revoke.reason = reason;
    return r;
}

static struct store_request release_of(const char *alias, int serial)
{
    struct store_request r;
    store_request_init(&r, STORE_CERTIFICATE_RELEASE);
    r.certificate_release.alias = alias;
    r.certificate_release.issuer_sha256 = "aa11";
    r.certificate_release.serial = bench_id("serial", serial);
    return r;
}

static enum store_outcome revoke(struct bench *b, const char *alias, int serial, int reason)
{
    struct store_request r = revoke_of(alias, serial, reason);
    return bench_outcome(b, &r);
}

/* Asks, and tells what the answer says of the certificate. */
static enum store_outcome ask(struct bench *b, const struct store_request *r, int64_t *revoked, int *reason)
{
    struct store_answer *a = bench_ask(b, r);
    enum store_outcome outcome = a->outcome;
    *revoked = a->certificate_count == 1 ? a->certificates[0].revoked : -1;
    *reason = a->certificate_count == 1 ? a->certificates[0].revocation_reason : -1;
    store_answer_free(a);
    return outcome;
}

static struct store_answer *revoked_page(struct bench *b, const char *issuer, int64_t ended_after,
                                         const char *after, int limit)
{
    struct store_request r;
    store_request_init(&r, STORE_REVOKED_LIST);
    r.revoked_list.issuer_sha256 = issuer;
    r.revoked_list.ended_after = ended_after;
    r.revoked_list.after = after;
    r.revoked_list.limit = limit;
    return bench_ask(b, &r);
}

/* How often the serial comes in all pages. */
static int listed(struct bench *b, int serial, int64_t ended_after, int limit)
{
    char after[256] = "";
    int times = 0;
    do {
        struct store_answer *a = revoked_page(b, "aa11", ended_after, *after ? after : NULL, limit);
        if (a->outcome != STORE_OK || a->revocation_count > (size_t)limit)
            times = 1000;
        for (size_t i = 0; i < a->revocation_count; i++)
            times += strcmp(a->revocations[i].serial, bench_id("serial", serial)) == 0;
        snprintf(after, sizeof after, "%s", a->next);
        store_answer_free(a);
    } while (*after);
    return times;
}

static int due_crls(struct bench *b)
{
    struct store_request r;
    store_request_init(&r, STORE_OBLIGATION_CLAIM);
    r.obligation_claim.limit = 10;
    r.obligation_claim.lease = MINUTE;
    struct store_answer *a = bench_ask(b, &r);
    int count = 0;
    for (size_t i = 0; i < a->obligation_count; i++)
        count += strcmp(a->obligations[i].kind, "crl.publish") == 0 &&
                 strcmp(a->obligations[i].alias, "alpha") == 0 &&
                 strcmp(a->obligations[i].reference, "aa11") == 0;
    for (size_t i = 0; i < a->obligation_count; i++) {
        struct store_request done;
        store_request_init(&done, STORE_OBLIGATION_DONE);
        done.obligation_done.id = a->obligations[i].id;
        done.obligation_done.claim = a->claim;
        bench_outcome(b, &done);
    }
    store_answer_free(a);
    return count;
}

/* ---- revoking ------------------------------------------------------------------------------------------ */

TEST(a_certificate_is_revoked_once_and_for_good)
{
    struct bench b;
    int64_t at;
    int reason;
    bench_open(&b);
    CHECK(record(&b, "alpha", 1, DAY));
    struct store_request first = revoke_of("alpha", 1, REASON_SUPERSEDED);
    CHECK_INT(ask(&b, &first, &at, &reason), STORE_OK);
    CHECK_INT(at, BENCH_START);
    CHECK_INT(reason, REASON_SUPERSEDED);
    atomic_store(b.now, BENCH_START + 5);
    static const int others[] = {REASON_KEY_COMPROMISE, REASON_CERTIFICATE_HOLD, REASON_SUPERSEDED};
    for (size_t i = 0; i < 3; i++) {
        struct store_request again = revoke_of("alpha", 1, others[i]);
        CHECK_INT(ask(&b, &again, &at, &reason), STORE_CONFLICT);
        CHECK_INT(at, BENCH_START);
        CHECK_INT(reason, REASON_SUPERSEDED);
    }
    struct store_request release = release_of("alpha", 1);
    CHECK_INT(ask(&b, &release, &at, &reason), STORE_STALE);
    CHECK_INT(at, BENCH_START);
    CHECK_INT(ask(&b, &first, &at, &reason), STORE_OK); /* the same operation */
    CHECK_INT(at, BENCH_START);
    CHECK_INT(revoke(&b, "alpha", 2, 0), STORE_NOT_FOUND);
    CHECK_INT(revoke(&b, "beta", 1, 0), STORE_NOT_FOUND);
    bench_close(&b);
}

TEST(a_hold_is_taken_back_or_made_final)
{
    struct bench b;
    int64_t at;
    int reason;
    bench_open(&b);
    CHECK(record(&b, "alpha", 1, DAY));
    struct store_request release = release_of("alpha", 1), none = release_of("alpha", 9);
    CHECK_INT(ask(&b, &release, &at, &reason), STORE_STALE);
    CHECK_INT(bench_outcome(&b, &none), STORE_NOT_FOUND);
    CHECK_INT(revoke(&b, "alpha", 1, REASON_CERTIFICATE_HOLD), STORE_OK);
    CHECK_INT(revoke(&b, "alpha", 1, REASON_CERTIFICATE_HOLD), STORE_CONFLICT);
    CHECK_INT(listed(&b, 1, 0, 10), 1);
    release = release_of("alpha", 1);
    CHECK_INT(ask(&b, &release, &at, &reason), STORE_OK);
    CHECK_INT(at, 0);
    CHECK_INT(reason, 0);
    CHECK_INT(listed(&b, 1, 0, 10), 0);
    atomic_store(b.now, BENCH_START + 7);
    CHECK_INT(revoke(&b, "alpha", 1, REASON_CERTIFICATE_HOLD), STORE_OK);
    CHECK_INT(ask(&b, &release, &at, &reason),
              STORE_OK); /* a repeat of the first release takes back nothing */
    CHECK_INT(at, BENCH_START + 7);
    atomic_store(b.now, BENCH_START + 9);
    struct store_request final = revoke_of("alpha", 1, REASON_KEY_COMPROMISE);
    CHECK_INT(ask(&b, &final, &at, &reason), STORE_OK);
    CHECK_INT(at, BENCH_START + 7);
    CHECK_INT(reason, REASON_KEY_COMPROMISE);
    CHECK_INT(revoke(&b, "alpha", 1, REASON_SUPERSEDED), STORE_CONFLICT);
    bench_close(&b);
}

TEST(what_changes_a_certificate_brings_its_obligation_and_a_refusal_does_not)
{
    struct bench b;
    bench_open(&b);
    CHECK(record(&b, "alpha", 1, DAY));
    struct store_request hold = revoke_of("alpha", 1, REASON_CERTIFICATE_HOLD), twice = hold;
    struct store_request release = release_of("alpha", 1), late = release;
    struct store_request *const orders[] = {&hold, &twice, &release, &late};
    random_id(twice.id);
    random_id(late.id);
    for (int i = 0; i < 4; i++) {
        orders[i]->obligations[0] = (struct obligation_new){"alpha", "crl.publish", "aa11", 0};
        orders[i]->obligation_count = 1;
        bench_outcome(&b, orders[i]);
        CHECK_INT(due_crls(&b), i % 2 == 0);
    }
    bench_close(&b);
}

/* ---- what a CRL lists ---------------------------------------------------------------------------------- */

TEST(revoked_ones_of_an_issuer_are_listed_over_all_aliases_in_pages)
{
    struct bench b;
    bench_open(&b);
    for (int i = 1; i <= 24; i++) { /* many end at the same time */
        CHECK(record(&b, i % 2 ? "alpha" : "beta", i, i < 8 ? i * DAY : 9 * DAY));
        if (i <= 20)
            CHECK_INT(revoke(&b, i % 2 ? "alpha" : "beta", i, i == 3 ? REASON_CERTIFICATE_HOLD : 4),
                      STORE_OK);
    }
    for (int i = 1; i <= 24; i++)
        for (int limit = 1; limit <= 16; limit += 5) {
            CHECK_INT(listed(&b, i, BENCH_START, limit), i <= 20);
            CHECK_INT(listed(&b, i, BENCH_START + 5 * DAY, limit), i >= 5 && i <= 20);
        }
    struct store_answer *a = revoked_page(&b, "bb22", 0, NULL, 10);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->revocation_count, 0);
    store_answer_free(a);
    a = revoked_page(&b, "aa11", BENCH_START, NULL, 1000);
    CHECK_INT(a->revocation_count, 20);
    CHECK_TEXT(a->next, "");
    for (size_t i = 0; i < a->revocation_count; i++) {
        CHECK_INT(a->revocations[i].revoked, BENCH_START);
        CHECK_INT(a->revocations[i].reason, strcmp(a->revocations[i].serial, bench_id("serial", 3)) ? 4 : 6);
    }
    store_answer_free(a);
    bench_close(&b);
}

TEST(a_page_goes_on_although_its_last_row_is_gone)
{
    struct bench b;
    bench_open(&b);
    for (int i = 1; i <= 3; i++) {
        CHECK(record(&b, "alpha", i, i * DAY));
        CHECK_INT(revoke(&b, "alpha", i, REASON_CERTIFICATE_HOLD), STORE_OK);
    }
    struct store_answer *a = revoked_page(&b, "aa11", 0, NULL, 2);
    CHECK_INT(a->revocation_count, 2);
    struct store_request release = release_of("alpha", 2);
    CHECK_INT(bench_outcome(&b, &release), STORE_OK);
    struct store_answer *next = revoked_page(&b, "aa11", 0, a->next, 2);
    CHECK_INT(next->revocation_count, 1);
    CHECK_TEXT(next->revocations[0].serial, bench_id("serial", 3));
    store_answer_free(next);
    store_answer_free(a);
    bench_close(&b);
}

TEST(a_repeated_reindex_and_a_restart_list_the_same)
{
    struct bench b;
    bench_open(&b);
    CHECK(record(&b, "alpha", 1, DAY));
    CHECK_INT(revoke(&b, "alpha", 1, 1), STORE_OK);
    struct store_request reindex;
    store_request_init(&reindex, STORE_REINDEX);
    CHECK_INT(bench_outcome(&b, &reindex), STORE_OK);
    CHECK_INT(listed(&b, 1, BENCH_START, 10), 1);
    bench_reopen(&b);
    CHECK_INT(listed(&b, 1, BENCH_START, 10), 1);
    bench_close(&b);
}

TEST(retention_keeps_revoked_certificates_until_a_later_crl_has_listed_them)
{
    struct bench b;
    bench_open(&b);
    for (int i = 1; i <= 4; i++)
        CHECK(record(&b, "alpha", i, DAY));
    CHECK_INT(revoke(&b, "alpha", 1, 1), STORE_OK);
    CHECK_INT(revoke(&b, "alpha", 2, REASON_CERTIFICATE_HOLD), STORE_OK);
    CHECK_INT(revoke(&b, "alpha", 3, REASON_CERTIFICATE_HOLD), STORE_OK);
    struct store_request release = release_of("alpha", 3), sweep = bench_sweep(0);
    CHECK_INT(bench_outcome(&b, &release), STORE_OK);
    atomic_store(b.now, BENCH_START + DAY + STORE_REVOKED_KEPT - 1);
    struct store_answer *a = bench_ask(&b, &sweep);
    CHECK_INT(a->total, 2); /* 3 and 4 */
    store_answer_free(a);
    CHECK_INT(listed(&b, 1, BENCH_START + DAY, 10) + listed(&b, 2, BENCH_START + DAY, 10), 2);
    atomic_store(b.now, BENCH_START + DAY + STORE_REVOKED_KEPT);
    sweep = bench_sweep(STORE_REVOKED_KEPT + DAY); /* kept for longer: these, too */
    CHECK_INT(bench_outcome(&b, &sweep), STORE_OK);
    CHECK_INT(listed(&b, 1, 0, 10), 1);
    sweep = bench_sweep(DAY);
    a = bench_ask(&b, &sweep);
    CHECK_INT(a->total, 2);
    store_answer_free(a);
    CHECK_INT(listed(&b, 1, 0, 10) + listed(&b, 2, 0, 10), 0);
    CHECK_INT(revoke(&b, "alpha", 1, 1), STORE_NOT_FOUND);
    bench_close(&b);
}

/* ---- CRLs ---------------------------------------------------------------------------------------------- */

static struct store_request put_of(int64_t number, struct bytes der)
{
    struct store_request r;
    store_request_init(&r, STORE_CRL_PUT);
    r.crl_put = (struct crl_record){.ca_sha256 = bench_id("ca", 1),
                                    .number = number,
                                    .der = der,
                                    .this_update = BENCH_START + number,
                                    .next_update = BENCH_START + number + DAY};
    return r;
}

static struct store_answer *find(struct bench *b, int ca, int64_t known)
{
    struct store_request r;
    store_request_init(&r, STORE_CRL_FIND);
    r.crl_find.ca_sha256 = bench_id("ca", ca);
    r.crl_find.known_number = known;
    return bench_ask(b, &r);
}

TEST(one_crl_of_a_ca_is_kept_and_its_numbers_only_rise)
{
    struct bench b;
    uint8_t large[100000];
    memset(large, 'x', sizeof large);
    bench_open(&b);
    struct store_answer *a = find(&b, 1, 0);
    CHECK_INT(a->outcome, STORE_NOT_FOUND);
    store_answer_free(a);
    struct store_request seventh = put_of(7, bytes_of_text("short")),
                         later = put_of(9, bytes_of(large, sizeof large));
    CHECK_INT(bench_outcome(&b, &seventh), STORE_OK);
    CHECK_INT(bench_outcome(&b, &later), STORE_OK);
    CHECK_INT(bench_outcome(&b, &seventh), STORE_OK); /* a repeat */
    for (int64_t number = 8; number <= 9; number++) {
        struct store_request stale = put_of(number, bytes_of_text("other"));
        a = bench_ask(&b, &stale);
        CHECK_INT(a->outcome, STORE_STALE);
        CHECK_INT(a->crl_count, 1);
        CHECK_INT(a->crls[0].number, 9);
        store_answer_free(a);
    }
    for (int64_t known = 8; known <= 9; known++) {
        a = find(&b, 1, known);
        CHECK_INT(a->outcome, STORE_OK);
        CHECK_INT(a->crl_count, known == 8);
        if (known == 8) {
            CHECK_TEXT(a->crls[0].ca_sha256, bench_id("ca", 1));
            CHECK(bytes_equal(a->crls[0].der, bytes_of(large, sizeof large)));
            CHECK_INT(a->crls[0].this_update, BENCH_START + 9);
            CHECK_INT(a->crls[0].next_update, BENCH_START + 9 + DAY);
        }
        store_answer_free(a);
    }
    a = find(&b, 2, 0);
    CHECK_INT(a->outcome, STORE_NOT_FOUND);
    store_answer_free(a);
    struct store_request short_again = put_of(10, bytes_of_text("short"));
    CHECK_INT(bench_outcome(&b, &short_again), STORE_OK);
    bench_reopen(&b);
    a = find(&b, 1, 0);
    CHECK(a->crl_count == 1 && bytes_equal(a->crls[0].der, bytes_of_text("short")));
    store_answer_free(a);
    bench_close(&b);
}
