/* test_gate.c: requests that wait for people in front of a backend of any kind, and a store that loses answers. */
#include <string.h>

#include "flow/enroll/device.h"
#include "flow/enroll/scripted.h"
#include "support/runner.h"

#define HOUR_MS (3600 * 1000)
#define ALL     ""

static struct gateway g;
static struct answer a, b;
static struct wish w;

static void begin(const struct gateway_wish *wish)
{
    gateway_open(&g, wish);
    w = (struct wish){.challenge = gateway_challenge(&g)};
}

static void end(void)
{
    answer_free(&a);
    answer_free(&b);
    a = b = (struct answer){0};
    gateway_close(&g);
}

static void ask(struct answer *into)
{
    answer_free(into);
    device_ask(&g, &w, into);
}

static void poll(struct answer *into)
{
    answer_free(into);
    device_ask(&g, &(struct wish){.type = SCEP_CERT_POLL}, into);
}

static bool is_state(void *state)
{
    return gateway_state(&g) == *(enum transaction_state *)state;
}

static bool becomes(enum transaction_state state)
{
    return gateway_wait(&g, is_state, &state);
}

static bool has_enrolled(void *times)
{
    return scripted.calls[SCRIPTED_ENROLL] >= *(unsigned *)times;
}

static bool enrolled(unsigned times)
{
    return gateway_wait(&g, has_enrolled, &times) && scripted.calls[SCRIPTED_ENROLL] == times;
}

/* The id of the only transaction. */
static const char *record_id(void)
{
    static char id[ID_TEXT_SIZE];
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_LIST);
    r.list.limit = 10;
    struct store_answer *answer = gateway_ask(&g, &r);
    strncpy(id, answer->transaction_count == 1 ? answer->transactions[0].id : "", sizeof id - 1);
    store_answer_free(answer);
    return id;
}

/* As the management API asks for it. */
static enum store_outcome decide(bool deny)
{
    struct store_request r;
    store_request_init(&r, STORE_TRANSACTION_DECIDE);
    r.decide.alias = "demo";
    r.decide.record_id = record_id();
    r.decide.by = "uid:1";
    r.decide.deny = deny;
    r.decide.expires_in = deny ? 0 : 168 * (int64_t)HOUR_MS;
    r.decide.error_name = "REQUEST_DENIED";
    r.decide.reason = deny ? "not ours" : NULL;
    if (!deny) {
        r.obligations[0] = (struct obligation_new){"demo", "submission.resume", r.decide.record_id, 0};
        r.obligations[1] =
            (struct obligation_new){"demo", "transaction.expire", r.decide.record_id, r.decide.expires_in};
        r.obligation_count = 2;
    }
    struct store_answer *answer = gateway_ask(&g, &r);
    enum store_outcome outcome = answer->outcome;
    store_answer_free(answer);
    return outcome;
}

static void let_obligations_run(void)
{
    unsigned claims = g.store.asked[STORE_OBLIGATION_CLAIM];
    while (g.store.asked[STORE_OBLIGATION_CLAIM] < claims + 3)
        client_turn(g.base, 10);
    (void)gateway_settle(&g);
}

/* ---- waiting ------------------------------------------------------------------------------------------- */

TEST(nobody_asks_the_backend_while_people_think)
{
    begin(&(struct gateway_wish){.gate = ALL});
    scripted_offers(0, true, true);
    for (int i = 0; i < 3; i++) {
        ask(&a);
        CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
        poll(&a);
        CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
        gateway_step(&g, HOUR_MS);
        let_obligations_run();
    }
    for (int call = 0; call < SCRIPTED_CALLS; call++)
        CHECK_INT(scripted.calls[call], 0);
    CHECK_INT(scripted.prepared, 0);
    CHECK_INT(g.store.asked[STORE_TRANSACTION_CLAIM], 0);
    CHECK_INT(gateway_audited(&g, "request.held", "every request is held"), 1);
    CHECK_INT(gateway_transactions(&g), 1);
    CHECK_INT(gateway_uses_left(&g), 0);
    end();
}

TEST(what_passes_costs_no_operation_more)
{
    begin(&(struct gateway_wish){.gate = "when: [match], match: {subject: [CN=other]}"});
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(g.store.asked[STORE_TRANSACTION_BEGIN], 1);
    CHECK_INT(g.store.asked[STORE_TRANSACTION_ADVANCE], 1);
    CHECK_INT(scripted.prepared, 1);
    end();
}

TEST(a_held_request_expires_and_gives_its_challenge_back)
{
    begin(&(struct gateway_wish){.gate = ALL, .alias = "transaction: {pending_expiry: 2h}"});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    gateway_step(&g, 3 * HOUR_MS);
    CHECK(becomes(TRANSACTION_EXPIRED));
    CHECK_INT(gateway_uses_left(&g), 1);
    CHECK_INT(gateway_audited(&g, "request.expired", NULL), 1);
    poll(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(decide(false), STORE_FINISHED);
    end();
}

TEST(an_approval_gives_it_more_time)
{
    begin(&(struct gateway_wish){.gate = ALL, .alias = "transaction: {pending_expiry: 2h}"});
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    scripted_next((struct script){.verdict = BACKEND_UNAVAILABLE, .delay = 4 * HOUR_MS, .reason = "away"});
    ask(&a);
    gateway_step(&g, HOUR_MS);
    CHECK_INT(decide(false), STORE_OK);
    CHECK(enrolled(1));
    CHECK(gateway_settle(&g));
    gateway_step(&g, 2 * HOUR_MS); /* when it would have expired */
    let_obligations_run();
    CHECK_INT(gateway_state(&g), TRANSACTION_PENDING);
    gateway_step(&g, 3 * HOUR_MS);
    CHECK(becomes(TRANSACTION_ISSUED));
    end();
}

/* ---- decided ------------------------------------------------------------------------------------------- */

TEST(an_approved_request_is_submitted_once_without_its_client)
{
    begin(&(struct gateway_wish){.gate = ALL});
    ask(&a);
    CHECK_INT(decide(false), STORE_OK);
    CHECK(becomes(TRANSACTION_ISSUED));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(scripted.prepared, 1);
    CHECK_INT(scripted.plan_len, 16);
    poll(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    ask(&b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(a.serial, b.serial);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

TEST(a_client_that_polls_at_once_gets_no_second_one)
{
    begin(&(struct gateway_wish){.gate = ALL});
    scripted_next((struct script){.held = true});
    ask(&a);
    CHECK_INT(decide(false), STORE_OK);
    struct call one, two;
    call_start(&one, &g, &(struct wish){.type = SCEP_CERT_POLL});
    call_start(&two, &g, &w);
    CHECK(enrolled(1));
    scripted_release();
    answer_free(&a);
    call_finish(&one, &a);
    call_finish(&two, &b);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(a.serial, b.serial);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

TEST(a_denial_tells_the_client_why)
{
    begin(&(struct gateway_wish){.gate = ALL});
    ask(&a);
    CHECK_INT(decide(true), STORE_OK);
    poll(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_TEXT(a.fail_text, "not ours");
    ask(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 0);
    CHECK_INT(gateway_uses_left(&g), 0);
    end();
}

/* Beyond the retransmit window the request would be a new one, had it not been kept waiting. */
TEST(the_outcome_waits_as_long_as_the_client_would_have)
{
    begin(&(struct gateway_wish){.gate = ALL, .alias = "transaction: {retransmit_window: 1m}"});
    ask(&a);
    CHECK_INT(decide(false), STORE_OK);
    CHECK(becomes(TRANSACTION_ISSUED));
    gateway_step(&g, 24 * HOUR_MS);
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_transactions(&g), 1);
    CHECK_INT(gateway_audited(&g, "challenge.reused", NULL), 0);
    end();
}

TEST(a_restart_between_approval_and_submission_loses_nothing)
{
    begin(&(struct gateway_wish){.gate = ALL});
    ask(&a);
    obligations_stop(g.obligations); /* nobody takes it up before the restart */
    CHECK_INT(decide(false), STORE_OK);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 0);
    gateway_stop(&g);
    gateway_start(&g);
    CHECK(becomes(TRANSACTION_ISSUED));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

/* ---- backends of every kind behind the gate ------------------------------------------------------------ */

TEST(what_the_backend_keeps_is_polled_for_no_client)
{
    begin(&(struct gateway_wish){.gate = ALL});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "ticket", .delay = HOUR_MS});
    ask(&a);
    CHECK_INT(decide(false), STORE_OK);
    CHECK(enrolled(1));
    CHECK(gateway_settle(&g));
    let_obligations_run();
    poll(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_POLL], 0); /* not before its delay is over */
    gateway_step(&g, HOUR_MS + 1000);
    CHECK(becomes(TRANSACTION_ISSUED));
    CHECK_INT(scripted.calls[SCRIPTED_POLL], 1);
    CHECK_TEXT(scripted.cookie, "ticket");
    CHECK_INT(scripted.prepared, 1);
    end();
}

TEST(a_backend_that_is_away_is_asked_again_with_the_same_plan)
{
    uint8_t plan[16];
    begin(&(struct gateway_wish){.gate = ALL});
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    scripted_next((struct script){.verdict = BACKEND_UNAVAILABLE, .delay = HOUR_MS, .reason = "away"});
    ask(&a);
    CHECK_INT(decide(false), STORE_OK);
    CHECK(enrolled(1));
    memcpy(plan, scripted.plan, sizeof plan);
    CHECK(gateway_settle(&g));
    gateway_step(&g, HOUR_MS + 1000);
    CHECK(becomes(TRANSACTION_ISSUED));
    CHECK(memcmp(plan, scripted.plan, sizeof plan) == 0);
    CHECK_INT(scripted.prepared, 1);
    end();
}

TEST(a_lost_submission_is_looked_up_and_never_repeated)
{
    begin(&(struct gateway_wish){.gate = ALL, .enroll = "wait: 15s, backend_deadline: 200ms, lease: 60s"});
    scripted_offers(0, false, true);
    scripted_next((struct script){.held = true}); /* no answer */
    ask(&a);
    CHECK_INT(decide(false), STORE_OK);
    CHECK(enrolled(1));
    CHECK(gateway_settle(&g));
    gateway_step(&g, HOUR_MS);
    CHECK(becomes(TRANSACTION_ISSUED));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(scripted.calls[SCRIPTED_LOOK_UP], 1);
    end();
}

TEST(a_plan_that_cannot_be_made_is_made_later)
{
    begin(&(struct gateway_wish){.gate = ALL});
    scripted.cannot_prepare = true;
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(decide(false), STORE_OK);
    let_obligations_run();
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 0);
    CHECK_INT(gateway_state(&g), TRANSACTION_PENDING);
    scripted.cannot_prepare = false;
    gateway_step(&g, HOUR_MS);
    CHECK(becomes(TRANSACTION_ISSUED));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    end();
}

TEST(a_backend_may_still_reject_what_people_approved)
{
    begin(&(struct gateway_wish){.gate = ALL});
    scripted_next((struct script){.verdict = BACKEND_REJECTED, .reason = "template is full"});
    ask(&a);
    CHECK_INT(decide(false), STORE_OK);
    CHECK(becomes(TRANSACTION_REJECTED));
    poll(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_TEXT(a.fail_text, "the certification authority refused the request");
    end();
}

/* ---- a store that loses answers ------------------------------------------------------------------------ */

static void hold_with(enum fault fault)
{
    begin(&(struct gateway_wish){.gate = ALL});
    faulty_rule(&g.store, STORE_TRANSACTION_BEGIN, fault, 2);
    ask(&a);
}

static bool held_once(void)
{
    return answer_is(&a, SCEP_PENDING, FAIL_NONE) && gateway_transactions(&g) == 1 &&
           gateway_audited(&g, "request.held", NULL) == 1 &&
           gateway_audited(&g, "request.accepted", NULL) == 1;
}

TEST(a_lost_answer_holds_a_request_once)
{
    hold_with(FAULT_LOST_DONE);
    CHECK(held_once());
    end();
    hold_with(FAULT_LOST_NOT_DONE);
    CHECK(held_once());
    end();
}

/* The answer of begin comes when people have decided long since: the decision counts. */
TEST(a_decision_overtakes_the_answer_of_begin)
{
    for (int deny = 0; deny < 2; deny++) {
        struct call one;
        begin(&(struct gateway_wish){.gate = ALL});
        faulty_rule(&g.store, STORE_TRANSACTION_BEGIN, FAULT_HELD_DONE, 1);
        call_start(&one, &g, &w);
        while (!faulty_held(&g.store))
            client_turn(g.base, 10);
        CHECK_INT(decide(deny), STORE_OK);
        CHECK(deny || becomes(TRANSACTION_ISSUED));
        faulty_release(&g.store);
        call_finish(&one, &a);
        poll(&b);
        CHECK(answer_is(&b, deny ? SCEP_FAILURE : SCEP_SUCCESS, deny ? FAIL_BAD_REQUEST : FAIL_NONE));
        CHECK_INT(scripted.calls[SCRIPTED_ENROLL], deny ? 0 : 1);
        end();
    }
}

TEST(a_lost_plan_is_not_used)
{
    begin(&(struct gateway_wish){.gate = ALL});
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    ask(&a);
    faulty_rule(&g.store, STORE_TRANSACTION_ADVANCE, FAULT_LOST_NOT_DONE, 2);
    CHECK_INT(decide(false), STORE_OK);
    CHECK(becomes(TRANSACTION_ISSUED));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

/* ---- limits -------------------------------------------------------------------------------------------- */

TEST(what_is_over_the_limit_is_held)
{
    gateway_open(&g, &(struct gateway_wish){.gate = "when: [over_quota], quota: 1, quota_period: 1h",
                                            .challenge = "type: none"});
    w = (struct wish){.cn = "one", .transaction = "one"};
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    w = (struct wish){.cn = "two", .transaction = "two"};
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(gateway_audited(&g, "request.held", "more than 1 requests"), 1);
    w = (struct wish){.cn = "one", .transaction = "one"};
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE)); /* again: no new one */
    gateway_step(&g, HOUR_MS + 1000);
    w = (struct wish){.cn = "three", .transaction = "three"};
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    end();
}

RUNNER_MAIN()
