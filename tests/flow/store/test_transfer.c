/* test_transfer.c: what moves a store: export, import, re-sealing, another master key; against any store. */
#include "flow/store/bench.h"
#include "flow/store/filled.h"
#include "store/canonical.h"
#include "support/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- pages --------------------------------------------------------------------------------------------- */

static struct store_answer *page(struct bench *b, enum store_kind kind, const char *after, int limit)
{
    struct store_request r;
    store_request_init(&r, STORE_EXPORT);
    r.export.kind = kind;
    r.export.after = after;
    r.export.limit = limit;
    return bench_ask(b, &r);
}

static size_t count_of(const struct store_answer *a, enum store_kind kind)
{
    const size_t counts[STORE_KIND_COUNT] = {a->challenge_count, a->transaction_count, a->certificate_count,
                                             a->ra_count,        a->obligation_count,  a->crl_count,
                                             a->event_count};
    return counts[kind];
}

static struct store_request import_of(const struct store_answer *a, enum store_kind kind, size_t i)
{
    struct store_request r;
    store_request_init(&r, STORE_IMPORT);
    r.import.kind = kind;
    if (kind == STORE_KIND_CHALLENGE)
        r.import.challenge = &a->challenges[i];
    if (kind == STORE_KIND_TRANSACTION)
        r.import.transaction = &a->transactions[i];
    if (kind == STORE_KIND_CERTIFICATE)
        r.import.certificate = &a->certificates[i];
    if (kind == STORE_KIND_RA)
        r.import.ra = &a->ras[i];
    if (kind == STORE_KIND_OBLIGATION)
        r.import.obligation = &a->obligations[i];
    if (kind == STORE_KIND_CRL)
        r.import.crl = &a->crls[i];
    if (kind == STORE_KIND_AUDIT)
        r.import.event = &a->events[i];
    return r;
}

static const void *record_of(const struct store_request *r)
{
    const void *const records[STORE_KIND_COUNT] = {
        r->import.challenge,  r->import.transaction, r->import.certificate, r->import.ra,
        r->import.obligation, r->import.crl,         r->import.event};
    return records[r->import.kind];
}

/* Imports everything, two rows a page; the number of rows whose import answered `wanted`. */
static size_t copy(struct bench *from, struct bench *to, enum store_kind kind, bool repeated)
{
    size_t good = 0;
    char after[256] = "";
    do {
        struct store_answer *a = page(from, kind, *after ? after : NULL, 2);
        for (size_t i = 0; i < count_of(a, kind); i++) {
            struct store_request import = import_of(a, kind, i);
            struct store_answer *imported = bench_ask(to, &import);
            good += imported->outcome == STORE_OK && imported->repeated == repeated;
            store_answer_free(imported);
        }
        snprintf(after, sizeof after, "%s", a->next);
        store_answer_free(a);
    } while (*after);
    return good;
}

static size_t same_rows(struct bench *one, struct bench *other, enum store_kind kind)
{
    struct store_answer *a = page(one, kind, NULL, 1000), *b = page(other, kind, NULL, 1000);
    size_t same = 0;
    for (size_t i = 0; i < count_of(a, kind); i++)
        for (size_t k = 0; k < count_of(b, kind); k++) {
            struct store_request x = import_of(a, kind, i), y = import_of(b, kind, k);
            if (canonical_same(kind, record_of(&x), record_of(&y))) {
                same++;
                break;
            }
        }
    same = count_of(a, kind) == count_of(b, kind) ? same : 0;
    store_answer_free(a);
    store_answer_free(b);
    return same;
}

static bool move_all(struct bench *from, struct bench *to)
{
    int64_t now = atomic_load(from->now); /* opening winds a clock back that the two may have in common */
    bench_open(to);
    atomic_store(to->now, now);
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
        if (copy(from, to, (enum store_kind)kind, false) != filled_rows[kind])
            return false;
    return true;
}

static struct store_request operation(enum store_operation o)
{
    struct store_request r;
    store_request_init(&r, o);
    return r;
}

/* ---- export and import --------------------------------------------------------------------------------- */

TEST(what_is_imported_is_exactly_what_was_exported)
{
    struct bench from, to, back;
    filled_open(&from);
    CHECK(move_all(&from, &to));
    CHECK(move_all(&to, &back));
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
        CHECK_INT(same_rows(&from, &back, (enum store_kind)kind), filled_rows[kind]);
    struct store_request verify = operation(STORE_AUDIT_VERIFY);
    CHECK_INT(bench_outcome(&to, &verify), STORE_OK);
    bench_close(&back);
    bench_close(&to);
    bench_close(&from);
}

TEST(an_import_of_what_is_there_changes_nothing)
{
    struct bench from, to;
    filled_open(&from);
    CHECK(move_all(&from, &to));
    for (int kind = 0; kind < STORE_KIND_AUDIT; kind++) {
        CHECK_INT(copy(&from, &to, (enum store_kind)kind, true), filled_rows[kind]);
        CHECK_INT(same_rows(&from, &to, (enum store_kind)kind), filled_rows[kind]);
    }
    struct store_answer *a = page(&from, STORE_KIND_AUDIT, NULL, 1);
    struct store_request event = import_of(a, STORE_KIND_AUDIT, 0);
    CHECK_INT(bench_outcome(&to, &event), STORE_OK);
    CHECK_INT(bench_outcome(&to, &event), STORE_OK); /* a repeat, by its operation id */
    store_answer_free(a);
    a = page(&to, STORE_KIND_AUDIT, NULL, 1000);
    CHECK_INT(a->event_count, filled_rows[STORE_KIND_AUDIT] + 1);
    store_answer_free(a);
    bench_close(&to);
    bench_close(&from);
}

TEST(an_import_never_replaces_another_record)
{
    struct bench from, to;
    filled_open(&from);
    CHECK(move_all(&from, &to));
    struct store_answer *a = page(&from, STORE_KIND_CHALLENGE, NULL, 1);
    struct challenge_record challenge = a->challenges[0];
    challenge.uses_left++;
    struct store_request r = import_of(a, STORE_KIND_CHALLENGE, 0);
    r.import.challenge = &challenge;
    CHECK_INT(bench_outcome(&to, &r), STORE_CONFLICT);
    challenge.id = bench_id("another", 1); /* its hash is another one's */
    random_id(r.id);
    CHECK_INT(bench_outcome(&to, &r), STORE_CONFLICT);
    store_answer_free(a);

    a = page(&from, STORE_KIND_TRANSACTION, NULL, 1);
    struct transaction_record transaction = a->transactions[0];
    r = import_of(a, STORE_KIND_TRANSACTION, 0);
    r.import.transaction = &transaction;
    transaction.reason = "another";
    CHECK_INT(bench_outcome(&to, &r), STORE_CONFLICT);
    transaction.id = bench_id("another", 2); /* a generation that the key has already */
    random_id(r.id);
    CHECK_INT(bench_outcome(&to, &r), STORE_CONFLICT);
    store_answer_free(a);

    a = page(&from, STORE_KIND_CERTIFICATE, NULL, 1);
    struct certificate_record certificate = a->certificates[0];
    r = import_of(a, STORE_KIND_CERTIFICATE, 0);
    r.import.certificate = &certificate;
    certificate.revoked = 1;
    CHECK_INT(bench_outcome(&to, &r), STORE_CONFLICT);
    store_answer_free(a);
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
        CHECK_INT(same_rows(&from, &to, (enum store_kind)kind), filled_rows[kind]);
    bench_close(&to);
    bench_close(&from);
}

TEST(what_was_imported_goes_on_where_it_was)
{
    struct bench from, to;
    filled_open(&from);
    CHECK(move_all(&from, &to));
    CHECK_INT(bench_uses_left(&to, "alpha", 1), 0);
    CHECK_INT(bench_uses_left(&to, "alpha", 3), 2);
    struct store_request reuse = bench_begin("alpha", 9, 9, 1), use = bench_begin("alpha", 9, 9, 3);
    CHECK_INT(bench_outcome(&to, &reuse), STORE_TAKEN);
    CHECK_INT(bench_outcome(&to, &use), STORE_MINE);

    /* Nobody works on what was being submitted: it can be claimed at once, and the old claim is stale. */
    struct store_request claim = operation(STORE_TRANSACTION_CLAIM);
    claim.claim.alias = "alpha";
    claim.claim.record_id = bench_id("record", 3);
    claim.claim.lease = MINUTE;
    struct store_answer *a = bench_ask(&to, &claim);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->claim, 2);
    CHECK(a->transactions[0].challenge_bound);
    CHECK(bytes_equal(a->transactions[0].sealed_csr, bytes_of_text("sealed request")));
    store_answer_free(a);
    struct store_request stale = bench_advance("alpha", 3, 1, TRANSACTION_FAILED);
    CHECK_INT(bench_outcome(&to, &stale), STORE_STALE);
    struct store_request reject = bench_advance("alpha", 3, 2, TRANSACTION_REJECTED);
    reject.advance.release_challenge = true;
    CHECK_INT(bench_outcome(&to, &reject), STORE_OK);
    CHECK_INT(bench_uses_left(&to, "alpha", 3), 2);

    /* The generations of a key are in their order, and the finished one is answered from what was stored. */
    struct store_request recall = operation(STORE_TRANSACTION_RECALL);
    recall.recall = use.begin.record.key;
    struct store_request first = bench_begin("alpha", 1, 1, 0);
    recall.recall = first.begin.record.key;
    a = bench_ask(&to, &recall);
    CHECK_INT(a->transactions[0].generation, 2);
    store_answer_free(a);
    struct store_request find = bench_find("alpha", 1);
    a = bench_ask(&to, &find);
    CHECK_INT(a->transactions[0].state, TRANSACTION_ISSUED);
    CHECK_INT(a->transactions[0].chain_count, 2);
    store_answer_free(a);

    struct store_request due = operation(STORE_OBLIGATION_CLAIM);
    due.obligation_claim.limit = 10;
    due.obligation_claim.lease = MINUTE;
    a = bench_ask(&to, &due);
    CHECK_INT(a->obligation_count, 1); /* the one that was being worked on, but not the one given up */
    CHECK_TEXT(a->obligations[0].reference, bench_id("need", 1));
    CHECK_INT(a->obligations[0].attempts, 2);
    store_answer_free(a);
    filled_append(&to, "request.accepted");
    struct store_request verify = operation(STORE_AUDIT_VERIFY);
    CHECK_INT(bench_outcome(&to, &verify), STORE_OK);
    bench_close(&to);
    bench_close(&from);
}

/* ---- sealed values ------------------------------------------------------------------------------------- */

static struct store_answer *sealed_page(struct bench *b, const char *after, int limit)
{
    struct store_request r = operation(STORE_SEALED_LIST);
    r.sealed_list.after = after;
    r.sealed_list.limit = limit;
    return bench_ask(b, &r);
}

static struct store_request reseal(enum seal_kind kind, const char *record, const char *old,
                                   const char *fresh)
{
    struct store_request r = operation(STORE_RESEAL);
    r.reseal.kind = kind;
    r.reseal.alias = "alpha";
    r.reseal.record = record;
    r.reseal.old = bytes_of_text(old);
    r.reseal.fresh = bytes_of_text(fresh);
    return r;
}

TEST(sealed_values_are_listed_in_pages)
{
    struct bench b;
    filled_open(&b);
    int csrs = 0, keys = 0;
    char after[256] = "";
    do {
        struct store_answer *a = sealed_page(&b, *after ? after : NULL, 1);
        CHECK(a->sealed_count <= 1);
        for (size_t i = 0; i < a->sealed_count; i++) {
            const struct sealed_record *s = &a->sealed[i];
            CHECK_TEXT(s->alias, "alpha");
            bool csr = s->kind == SEAL_CSR;
            CHECK(bytes_equal(s->value, bytes_of_text(csr ? "sealed request" : "sealed key")));
            CHECK(csr || strcmp(s->record, "ra-1") == 0 || strcmp(s->record, "ra-2") == 0);
            csrs += csr;
            keys += !csr;
        }
        snprintf(after, sizeof after, "%s", a->next);
        store_answer_free(a);
    } while (*after);
    CHECK_INT(keys, 2);
    CHECK(csrs >= 3); /* of the unfinished; who never erased the failed one's may find it, too */
    bench_close(&b);
}

TEST(a_sealed_value_is_replaced_only_when_it_is_the_expected_one)
{
    struct bench b;
    filled_open(&b);
    const char *record = bench_id("record", 2);
    struct store_request r = reseal(SEAL_CSR, record, "another", "fresh");
    CHECK_INT(bench_outcome(&b, &r), STORE_STALE);
    r = reseal(SEAL_CSR, record, "sealed request", "fresh");
    CHECK_INT(bench_outcome(&b, &r), STORE_OK);
    CHECK_INT(bench_outcome(&b, &r), STORE_OK); /* a repeat */
    random_id(r.id);
    CHECK_INT(bench_outcome(&b, &r), STORE_STALE);
    struct store_request find = bench_find("alpha", 2);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK(bytes_equal(a->transactions[0].sealed_csr, bytes_of_text("fresh")));
    CHECK_INT(a->transactions[0].state, TRANSACTION_PENDING);
    CHECK(bytes_equal(a->transactions[0].cookie, bytes_of("\0cookie", 7)));
    store_answer_free(a);

    r = reseal(SEAL_RA_KEY, "ra-2", "sealed key", "fresh key");
    CHECK_INT(bench_outcome(&b, &r), STORE_OK);
    struct store_request list = operation(STORE_RA_LIST);
    list.ra_list.alias = "alpha";
    a = bench_ask(&b, &list);
    CHECK(bytes_equal(a->ras[0].sealed_key, bytes_of_text("fresh key")));
    CHECK(bytes_equal(a->ras[1].sealed_key, bytes_of_text("sealed key")));
    store_answer_free(a);

    r = reseal(SEAL_CSR, bench_id("record", 1), "sealed request", "fresh"); /* erased: finished */
    CHECK_INT(bench_outcome(&b, &r), STORE_NOT_FOUND);
    r = reseal(SEAL_CSR, bench_id("record", 77), "sealed request", "fresh");
    CHECK_INT(bench_outcome(&b, &r), STORE_NOT_FOUND);
    r = reseal(SEAL_RA_KEY, "ra-9", "sealed key", "fresh");
    CHECK_INT(bench_outcome(&b, &r), STORE_NOT_FOUND);
    bench_close(&b);
}

/* ---- the master key ------------------------------------------------------------------------------------ */

TEST(a_store_belongs_to_the_key_that_it_was_moved_to)
{
    struct bench b;
    bench_open(&b);
    struct store_request move = operation(STORE_KEY_CHECK);
    move.key_check = "fedcba9876543210fedcba9876543210";
    CHECK_INT(bench_outcome(&b, &move), STORE_OK);
    move = operation(STORE_KEY_CHECK);
    move.key_check = BENCH_KEY_CHECK;
    CHECK_INT(bench_outcome(&b, &move), STORE_OK);
    bench_reopen(&b);
    move = operation(STORE_KEY_CHECK);
    move.key_check = "fedcba9876543210fedcba9876543210";
    CHECK_INT(bench_outcome(&b, &move), STORE_OK);
    store_close(b.store);
    b.store = NULL;
    struct store *again = NULL;
    struct error e = {0};
    CHECK_INT(bench_open_store(&b, &again, &e), ERR_KEY_UNUSABLE);
    store_close(again);
    bench_close(&b);
}

static int copied(struct bench *from, struct bench *to, enum store_kind kind)
{
    return copy(from, to, kind, false);
}

/* What people have said, what they have still to say, and what counts against a limit. */
TEST(what_waits_for_people_still_does_where_it_was_moved)
{
    struct bench from, to;
    bench_open(&from);
    struct store_request held = bench_begin("alpha", 1, 1, 0), passed = bench_begin("alpha", 2, 2, 0),
                         yes = operation(STORE_TRANSACTION_DECIDE), again, other;
    held.begin.record.approvals_needed = 2;
    held.begin.record.reason = "every request is held";
    held.begin.expires_in = DAY;
    passed.begin.pass_limit = 1;
    passed.begin.pass_period = DAY;
    yes.decide.alias = "alpha";
    yes.decide.record_id = bench_id("record", 1);
    yes.decide.by = "uid:1";
    CHECK_INT(bench_outcome(&from, &held), STORE_MINE);
    CHECK_INT(bench_outcome(&from, &passed), STORE_MINE);
    CHECK_INT(bench_outcome(&from, &yes), STORE_OK);
    int64_t now = atomic_load(from.now);
    bench_open(&to);
    atomic_store(to.now, now);
    CHECK_INT(copied(&from, &to, STORE_KIND_TRANSACTION), 2);
    again = operation(STORE_TRANSACTION_DECIDE);
    again.decide = yes.decide;
    CHECK_INT(bench_outcome(&to, &again), STORE_CONFLICT);
    other = operation(STORE_TRANSACTION_DECIDE);
    other.decide = yes.decide;
    other.decide.by = "uid:2";
    struct store_answer *a = bench_ask(&to, &other);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->transactions[0].decision, DECISION_APPROVED);
    store_answer_free(a);
    struct store_request full = bench_begin("alpha", 3, 3, 0);
    full.begin.pass_limit = 1;
    full.begin.pass_period = DAY;
    CHECK_INT(bench_outcome(&to, &full), STORE_FULL);
    bench_close(&to);
    bench_close(&from);
}

TEST(an_index_can_be_rebuilt_while_nothing_is_lost)
{
    struct bench from, to;
    filled_open(&from);
    CHECK(move_all(&from, &to));
    struct store_request reindex = operation(STORE_REINDEX);
    CHECK_INT(bench_outcome(&to, &reindex), STORE_OK);
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
        CHECK_INT(same_rows(&from, &to, (enum store_kind)kind), filled_rows[kind]);
    bench_close(&to);
    bench_close(&from);
}
