/* test_decision.c: requests that wait for people, pass limits, and the filters of lists, against any store. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <string.h>

static struct store_request held(int device, int record, int challenge, int approvals)
{
    struct store_request r = bench_begin("alpha", device, record, challenge);
    r.begin.record.plan = bytes_of(NULL, 0);
    r.begin.record.cookie = bytes_of_text("E");
    r.begin.record.approvals_needed = approvals;
    r.begin.record.reason = "every request is held";
    r.begin.expires_in = DAY;
    r.event_count = 1;
    r.events[0] = (struct audit_event){.event = "request.held", .alias = "alpha"};
    return r;
}

static struct store_request decide(int record, const char *by, bool deny)
{
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_DECIDE);
    r.decide.alias = "alpha";
    r.decide.record_id = bench_id("record", record);
    r.decide.by = by;
    r.decide.deny = deny;
    if (deny) {
        r.decide.error_name = "REQUEST_DENIED";
        r.decide.reason = "not ours";
    } else {
        r.decide.expires_in = 2 * DAY;
        r.obligations[0] = (struct obligation_new){"alpha", "submission.resume", r.decide.record_id, 0};
        r.obligation_count = 1;
    }
    r.events[0] =
        (struct audit_event){.event = deny ? "request.denied" : "request.approved", .alias = "alpha"};
    r.event_count = 1;
    return r;
}

static struct store_request claim(int record)
{
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_CLAIM);
    r.claim.alias = "alpha";
    r.claim.record_id = bench_id("record", record);
    r.claim.lease = MINUTE;
    return r;
}

static int events_of(struct bench *b, const char *event)
{
    struct store_request r;
    store_request_init(&r, STORE_AUDIT_LIST);
    r.list.limit = 1000;
    struct store_answer *a = bench_ask(b, &r);
    int count = 0;
    for (size_t i = 0; i < a->event_count; i++)
        count += strcmp(a->events[i].event, event) == 0;
    store_answer_free(a);
    return count;
}

static int due(struct bench *b, const char *kind)
{
    struct store_request r;
    store_request_init(&r, STORE_OBLIGATION_CLAIM);
    r.obligation_claim.limit = 100;
    r.obligation_claim.lease = 1;
    struct store_answer *a = bench_ask(b, &r);
    int count = 0;
    for (size_t i = 0; i < a->obligation_count; i++)
        count += strcmp(a->obligations[i].kind, kind) == 0;
    store_answer_free(a);
    return count;
}

/* ---- held ---------------------------------------------------------------------------------------------- */

TEST(a_held_request_begins_as_pending_without_a_lease)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = held(1, 1, 0, 2), find = bench_find("alpha", 1);
    struct store_answer *a = bench_ask(&b, &begin);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->transactions[0].decision, DECISION_AWAITED);
    store_answer_free(a);
    bench_reopen(&b);
    a = bench_ask(&b, &find);
    const struct transaction_record *t = a->transactions;
    CHECK_INT(t->state, TRANSACTION_PENDING);
    CHECK_INT(t->decision, DECISION_AWAITED);
    CHECK_INT(t->approvals_needed, 2);
    CHECK_TEXT(t->approved_by, "");
    CHECK_TEXT(t->reason, "every request is held");
    CHECK(bytes_equal(t->cookie, bytes_of_text("E")));
    CHECK_INT(t->lease_until, 0);
    CHECK_INT(t->expires, BENCH_START + DAY);
    CHECK_INT(t->plan.len, 0);
    store_answer_free(a);
    CHECK_INT(events_of(&b, "request.held"), 1);
    bench_close(&b);
}

TEST(a_copy_of_a_held_request_takes_nothing_over)
{
    struct bench b;
    bench_open(&b);
    struct store_request first = held(1, 1, 0, 1), copy = held(1, 2, 0, 1), find = bench_find("alpha", 1);
    CHECK_INT(bench_outcome(&b, &first), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &copy), STORE_RUNNING);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK_INT(a->transactions[0].claim, 1);
    CHECK_INT(a->transactions[0].lease_until, 0);
    store_answer_free(a);
    CHECK_INT(events_of(&b, "request.held"), 1);
    bench_close(&b);
}

TEST(a_held_request_binds_its_challenge)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 1), begin = held(1, 1, 1, 1);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 0);
    struct store_request other = held(2, 2, 1, 1);
    CHECK_INT(bench_outcome(&b, &other), STORE_TAKEN);
    bench_close(&b);
}

/* ---- decisions ----------------------------------------------------------------------------------------- */

TEST(an_approval_makes_it_due_at_once_and_nobodys)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = held(1, 1, 0, 1), take = claim(1), yes = decide(1, "uid:1", false);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &take), STORE_MINE); /* as what lets it expire does */
    atomic_store(b.now, BENCH_START + MINUTE / 2);
    struct store_answer *a = bench_ask(&b, &yes);
    CHECK_INT(a->outcome, STORE_OK);
    const struct transaction_record *t = a->transactions;
    CHECK_INT(t->state, TRANSACTION_PENDING);
    CHECK_INT(t->decision, DECISION_APPROVED);
    CHECK_TEXT(t->approved_by, "uid:1");
    CHECK_INT(t->next_poll, BENCH_START + MINUTE / 2);
    CHECK_INT(t->expires, BENCH_START + MINUTE / 2 + 2 * DAY);
    CHECK_INT(t->lease_until, 0);
    CHECK_INT(t->claim, 3);
    store_answer_free(a);
    struct store_request late = bench_advance("alpha", 1, 2, TRANSACTION_EXPIRED);
    CHECK_INT(bench_outcome(&b, &late), STORE_STALE);
    CHECK_INT(events_of(&b, "request.approved"), 1);
    CHECK_INT(due(&b, "submission.resume"), 1);
    bench_close(&b);
}

TEST(two_approvals_are_of_two_people)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = held(1, 1, 0, 2), one = decide(1, "uid:10", false),
                         same = decide(1, "uid:10", false), prefix = decide(1, "uid:1", false),
                         third = decide(1, "uid:3", false);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_answer *a = bench_ask(&b, &one);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->transactions[0].decision, DECISION_AWAITED);
    CHECK_INT(a->transactions[0].claim, 1);
    store_answer_free(a);
    CHECK_INT(bench_outcome(&b, &same), STORE_CONFLICT);
    a = bench_ask(&b, &prefix);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->transactions[0].decision, DECISION_APPROVED);
    CHECK_TEXT(a->transactions[0].approved_by, "uid:10 uid:1");
    store_answer_free(a);
    CHECK_INT(bench_outcome(&b, &third), STORE_STALE);
    CHECK_INT(events_of(&b, "request.approved"), 2);
    bench_close(&b);
}

TEST(a_denial_ends_it_for_good)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 1), begin = held(1, 1, 1, 2),
                         no = decide(1, "uid:1", true), yes = decide(1, "uid:2", false);
    no.decide.release_challenge = true;
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_answer *a = bench_ask(&b, &no);
    CHECK_INT(a->outcome, STORE_OK);
    const struct transaction_record *t = a->transactions;
    CHECK_INT(t->state, TRANSACTION_REJECTED);
    CHECK_INT(t->decision, DECISION_DENIED);
    CHECK_TEXT(t->error_name, "REQUEST_DENIED");
    CHECK_TEXT(t->reason, "not ours");
    CHECK_INT(t->sealed_csr.len, 0);
    CHECK_INT(t->finished, BENCH_START);
    store_answer_free(a);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    CHECK_INT(bench_outcome(&b, &yes), STORE_FINISHED);
    CHECK_INT(events_of(&b, "request.denied"), 1);
    bench_close(&b);
}

TEST(a_denial_without_release_keeps_the_challenge_used)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 1), begin = held(1, 1, 1, 1),
                         no = decide(1, "uid:1", true);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &no), STORE_OK);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 0);
    bench_close(&b);
}

TEST(what_waits_for_nobody_takes_no_decision)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), yes = decide(1, "uid:1", false),
                         no = decide(1, "uid:1", true), nothing = decide(9, "uid:1", false);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &yes), STORE_STALE);
    struct store_request pend = bench_advance("alpha", 1, 1, TRANSACTION_PENDING);
    CHECK_INT(bench_outcome(&b, &pend), STORE_OK);
    CHECK_INT(bench_outcome(&b, &no), STORE_STALE);
    CHECK_INT(bench_outcome(&b, &nothing), STORE_NOT_FOUND);
    CHECK_INT(due(&b, "submission.resume"), 0);
    CHECK_INT(events_of(&b, "request.approved") + events_of(&b, "request.denied"), 0);
    bench_close(&b);
}

TEST(a_repeated_decision_is_taken_once)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = held(1, 1, 0, 2), yes = decide(1, "uid:1", false);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &yes), STORE_OK);
    bench_reopen(&b);
    struct store_answer *a = bench_ask(&b, &yes);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK(a->repeated);
    CHECK_TEXT(a->transactions[0].approved_by, "uid:1");
    store_answer_free(a);
    CHECK_INT(events_of(&b, "request.approved"), 1);
    bench_close(&b);
}

TEST(racing_decisions_have_one_winner)
{
    struct bench b;
    bench_open(&b);
    struct bench_tally tally = {0};
    struct store_request begin = held(1, 1, 0, 1), decisions[8];
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    for (int i = 0; i < 8; i++) {
        decisions[i] = decide(1, bench_id("person", i), i % 2 == 1);
        store_submit(b.store, &decisions[i], bench_tally, &tally);
    }
    while (tally.answered < 8)
        bench_turn(&b);
    CHECK_INT(tally.outcomes[STORE_OK] > 1 ? 2 : tally.outcomes[STORE_OK], 1);
    CHECK_INT(events_of(&b, "request.approved") + events_of(&b, "request.denied"), 1);
    bench_close(&b);
}

/* ---- afterwards ---------------------------------------------------------------------------------------- */

TEST(a_plan_may_be_made_late)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = held(1, 1, 0, 1), yes = decide(1, "uid:1", false), take = claim(1),
                         find = bench_find("alpha", 1);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &yes), STORE_OK);
    struct store_answer *a = bench_ask(&b, &take);
    CHECK_INT(a->outcome, STORE_MINE);
    struct store_request plan = bench_advance("alpha", 1, a->claim, 0);
    store_answer_free(a);
    plan.advance.plan = bytes_of_text("serial 7");
    plan.advance.drop_lease = false;
    CHECK_INT(bench_outcome(&b, &plan), STORE_OK);
    a = bench_ask(&b, &find);
    CHECK(bytes_equal(a->transactions[0].plan, bytes_of_text("serial 7")));
    CHECK_INT(a->transactions[0].state, TRANSACTION_PENDING);
    CHECK(a->transactions[0].lease_until > BENCH_START);
    store_answer_free(a);
    CHECK_INT(due(&b, "submission.resume"), 1); /* what was written with the approval is still there */
    bench_close(&b);
}

TEST(who_was_kept_waiting_may_come_for_the_outcome_until_it_would_have_expired)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = held(1, 1, 0, 1), no = decide(1, "uid:1", true), again = held(1, 2, 0, 1),
                         later = held(1, 3, 0, 1);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &no), STORE_OK);
    atomic_store(b.now, BENCH_START + DAY - 1); /* far beyond the window of ten minutes */
    CHECK_INT(bench_outcome(&b, &again), STORE_FINISHED);
    atomic_store(b.now, BENCH_START + DAY);
    CHECK_INT(bench_outcome(&b, &later), STORE_MINE);
    bench_close(&b);
}

/* ---- pass limits --------------------------------------------------------------------------------------- */

static struct store_request passing(const char *alias, int n, int limit)
{
    struct store_request r = bench_begin(alias, n, n, 0);
    r.begin.pass_limit = limit;
    r.begin.pass_period = 60 * MINUTE;
    return r;
}

TEST(a_pass_limit_counts_its_alias_within_its_period)
{
    struct bench b;
    bench_open(&b);
    struct store_request one = passing("alpha", 1, 2), two = passing("alpha", 2, 2),
                         full = passing("alpha", 3, 2), other = passing("beta", 4, 2),
                         unlimited = bench_begin("alpha", 5, 5, 0), waiting = held(6, 6, 0, 1);
    full.event_count = 1;
    full.events[0] = (struct audit_event){.event = "request.accepted", .alias = "alpha"};
    CHECK_INT(bench_outcome(&b, &waiting), STORE_MINE); /* held ones do not count */
    CHECK_INT(bench_outcome(&b, &one), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &two), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &full), STORE_FULL);
    CHECK_INT(events_of(&b, "request.accepted"), 0);
    CHECK_INT(bench_outcome(&b, &other), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &unlimited), STORE_MINE);
    bench_reopen(&b);
    struct store_request still = passing("alpha", 7, 2);
    CHECK_INT(bench_outcome(&b, &still), STORE_FULL);
    struct store_request find = bench_find("alpha", 7);
    CHECK_INT(bench_outcome(&b, &find), STORE_NOT_FOUND);
    atomic_store(b.now, BENCH_START + 60 * MINUTE);
    struct store_request fresh = passing("alpha", 8, 2);
    CHECK_INT(bench_outcome(&b, &fresh), STORE_MINE);
    bench_close(&b);
}

TEST(a_full_alias_binds_no_challenge_and_answers_repeats)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 1), one = passing("alpha", 1, 1),
                         two = passing("alpha", 2, 1), again = passing("alpha", 1, 1);
    two.begin.record.challenge_id = bench_id("challenge", 1);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    CHECK_INT(bench_outcome(&b, &one), STORE_MINE);
    CHECK_INT(bench_outcome(&b, &two), STORE_FULL);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    CHECK_INT(bench_outcome(&b, &again), STORE_RUNNING);
    bench_close(&b);
}

TEST(a_race_for_a_pass_limit_has_as_many_winners)
{
    struct bench b;
    bench_open(&b);
    struct bench_tally tally = {0};
    struct store_request r[32];
    for (int i = 0; i < 32; i++) {
        r[i] = passing("alpha", i + 1, 5);
        store_submit(b.store, &r[i], bench_tally, &tally);
    }
    while (tally.answered < 32)
        bench_turn(&b);
    CHECK_INT(tally.outcomes[STORE_MINE], 5);
    CHECK_INT(tally.outcomes[STORE_FULL], 27);
    bench_close(&b);
}

/* ---- lists --------------------------------------------------------------------------------------------- */

static int listed(struct bench *b, struct store_list_filter filter)
{
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_LIST);
    r.list = filter;
    r.list.limit = 100;
    struct store_answer *a = bench_ask(b, &r);
    int count = a->outcome == STORE_OK ? (int)a->transaction_count : -1;
    store_answer_free(a);
    return count;
}

TEST(transactions_are_listed_by_aliases_and_age)
{
    struct bench b;
    bench_open(&b);
    static const char *const names[] = {"alpha", "beta", "gamma"};
    static const char *const some[] = {"beta", "alpha"};
    for (int i = 0; i < 3; i++) {
        atomic_store(b.now, BENCH_START + i * 60 * MINUTE);
        struct store_request begin = bench_begin(names[i], i + 1, i + 1, 0);
        CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    }
    struct store_request waiting = held(4, 4, 0, 1);
    atomic_store(b.now, BENCH_START + 150 * MINUTE);
    CHECK_INT(bench_outcome(&b, &waiting), STORE_MINE);
    CHECK_INT(listed(&b, (struct store_list_filter){.state = "waiting"}), 1);
    struct store_request yes = decide(4, "uid:1", false);
    CHECK_INT(bench_outcome(&b, &yes), STORE_OK);
    CHECK_INT(listed(&b, (struct store_list_filter){.state = "waiting"}), 0);
    CHECK_INT(listed(&b, (struct store_list_filter){.state = "pending"}), 1);
    struct store_request no = bench_advance("alpha", 4, 2, TRANSACTION_FAILED);
    CHECK_INT(bench_outcome(&b, &no), STORE_OK);
    CHECK_INT(listed(&b, (struct store_list_filter){.created_until = BENCH_START + 150 * MINUTE}), 3);
    CHECK_INT(listed(&b, (struct store_list_filter){.aliases = some, .alias_count = 2}), 3);
    CHECK_INT(listed(&b, (struct store_list_filter){.aliases = some, .alias_count = 1, .alias = "alpha"}), 0);
    CHECK_INT(listed(&b, (struct store_list_filter){.created_from = BENCH_START + 60 * MINUTE}), 3);
    CHECK_INT(listed(&b, (struct store_list_filter){.created_until = BENCH_START + 60 * MINUTE}), 1);
    CHECK_INT(listed(&b, (struct store_list_filter){.created_from = BENCH_START + 1,
                                                    .created_until = BENCH_START + 61 * MINUTE}),
              1);
    bench_close(&b);
}
