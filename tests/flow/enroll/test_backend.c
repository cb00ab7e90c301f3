/* test_backend.c: what a backend may answer, or not answer, and what becomes of the transaction. */
#include <string.h>

#include "flow/enroll/device.h"
#include "flow/enroll/scripted.h"
#include "support/runner.h"

#define IMPATIENT "wait: 200ms, backend_deadline: 60s, lease: 90s"
#define DEADLINE  "wait: 10s, backend_deadline: 200ms, lease: 60s"
#define HOUR_MS   (3600 * 1000)

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

static bool no_call_yet(void)
{
    return !scripted.calls[SCRIPTED_POLL] && !scripted.calls[SCRIPTED_LOOK_UP] &&
           scripted.calls[SCRIPTED_ENROLL] == 1;
}

static bool is_state(void *state)
{
    return gateway_state(&g) == *(enum transaction_state *)state;
}

static bool becomes(enum transaction_state state)
{
    return gateway_wait(&g, is_state, &state);
}

/* ---- a key that only signs: its challenge encrypts the reply ------------------------------------------- */

static void begin_with_ec(void)
{
    begin(&(struct gateway_wish){0});
    w.key = DEVICE_EC_KEY;
    w.password = w.challenge;
}

static void poll_with_ec(struct answer *into)
{
    answer_free(into);
    device_ask(&g, &(struct wish){.type = SCEP_CERT_POLL, .key = DEVICE_EC_KEY, .password = w.password},
               into);
}

TEST(a_poll_finds_the_challenge_that_encrypts_its_answer)
{
    begin_with_ec();
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "ticket", .delay = HOUR_MS});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    gateway_step(&g, HOUR_MS + 1000);
    gateway_stop(&g);
    gateway_start(&g);
    poll_with_ec(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    poll_with_ec(&b); /* the first answer was lost, and the transaction is over */
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(a.serial, b.serial);
    CHECK_INT(gateway_certificates(&g), 1);
    CHECK(!gateway_leaks(&g, w.password));
    end();
}

TEST(the_request_of_an_rsa_key_is_erased_at_its_end)
{
    begin(&(struct gateway_wish){0});
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_sealed_csrs(&g), 0);
    w.challenge = gateway_challenge(&g);
    w.key = DEVICE_EC_KEY; /* another key is another transaction */
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_sealed_csrs(&g), 1);
    end();
}

TEST(nothing_is_issued_that_could_not_be_delivered)
{
    gateway_open(&g, &(struct gateway_wish){.challenge = "type: none"});
    w = (struct wish){.key = DEVICE_EC_KEY};
    ask(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_ALG));
    CHECK_INT(gateway_audited(&g, "message.refused", "REPLY_IMPOSSIBLE"), 1);
    CHECK_INT(scripted.prepared, 0);
    CHECK_INT(gateway_transactions(&g), 0);
    end();
}

/* ---- pending ------------------------------------------------------------------------------------------- */

TEST(pending_is_polled_when_its_delay_is_over)
{
    begin(&(struct gateway_wish){0});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "ticket-7", .delay = HOUR_MS});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(gateway_audited(&g, "request.pending", "delay"), 1);
    poll(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK(no_call_yet());
    gateway_step(&g, HOUR_MS + 1000);
    poll(&b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_POLL], 1);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_TEXT(scripted.cookie, "ticket-7");
    CHECK_INT(gateway_certificates(&g), 1);
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(a.serial, b.serial);
    CHECK_INT(gateway_audited(&g, "request.pending", NULL), 1);
    end();
}

TEST(pending_is_polled_by_the_repeated_request_as_well)
{
    begin(&(struct gateway_wish){0});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "one", .delay = HOUR_MS});
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "two", .delay = HOUR_MS});
    ask(&a);
    gateway_step(&g, HOUR_MS + 1000);
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_TEXT(scripted.cookie, "one");
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_POLL], 1);
    gateway_step(&g, HOUR_MS + 1000);
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(scripted.cookie, "two");
    CHECK_INT(gateway_audited(&g, "request.pending", NULL), 1);
    end();
}

TEST(a_poll_that_fails_keeps_the_cookie)
{
    begin(&(struct gateway_wish){0});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "kept", .delay = 1000});
    scripted_next((struct script){.verdict = BACKEND_UNAVAILABLE, .delay = 1000, .reason = "away"});
    scripted_next((struct script){.verdict = BACKEND_MISCONFIGURED, .reason = "no permission"});
    ask(&a);
    for (int i = 0; i < 2; i++) {
        gateway_step(&g, HOUR_MS);
        poll(&a);
        CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    }
    memset(scripted.cookie, 0, sizeof scripted.cookie);
    gateway_step(&g, HOUR_MS);
    poll(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(scripted.cookie, "kept");
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(scripted.calls[SCRIPTED_POLL], 3);
    end();
}

static void let_obligations_run(void)
{
    unsigned claims = g.store.asked[STORE_OBLIGATION_CLAIM];
    while (g.store.asked[STORE_OBLIGATION_CLAIM] < claims + 3)
        client_turn(g.base, 10);
    (void)gateway_settle(&g);
}

/* What takes up orphans is due after the lease: a pending request is none. */
TEST(nobody_polls_a_backend_for_a_client_that_does_not_ask)
{
    begin(&(struct gateway_wish){.enroll = "lease: 60s"});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "c", .delay = 2 * HOUR_MS});
    ask(&a);
    gateway_step(&g, HOUR_MS);
    let_obligations_run();
    CHECK(no_call_yet());
    CHECK_INT(gateway_state(&g), TRANSACTION_PENDING);
    end();
}

TEST(a_pending_request_expires_and_gives_its_challenge_back)
{
    begin(&(struct gateway_wish){.alias = "transaction: {pending_expiry: 2h}"});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "c", .delay = HOUR_MS});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(gateway_uses_left(&g), 0);
    gateway_step(&g, 3 * HOUR_MS);
    CHECK(becomes(TRANSACTION_EXPIRED));
    CHECK_INT(gateway_uses_left(&g), 1);
    CHECK_INT(gateway_audited(&g, "request.expired", NULL), 1);
    poll(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_TEXT(a.fail_text, "the request has expired without a decision");
    CHECK(no_call_yet());
    end();
}

/* ---- verdicts ------------------------------------------------------------------------------------------ */

TEST(rejected_is_a_failure)
{
    begin(&(struct gateway_wish){0});
    scripted_next((struct script){.verdict = BACKEND_REJECTED, .reason = "not on the list"});
    ask(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_state(&g), TRANSACTION_REJECTED);
    CHECK_INT(gateway_audited(&g, "request.rejected", "not on the list"), 1);
    CHECK_INT(gateway_uses_left(&g), 0);
    ask(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_certificates(&g), 0);
    end();
}

TEST(rejected_may_give_the_challenge_back)
{
    begin(&(struct gateway_wish){.challenge = "type: one_time, release_on_rejection: true"});
    scripted_next((struct script){.verdict = BACKEND_REJECTED});
    ask(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_uses_left(&g), 1);
    w.cn = "corrected";
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(unavailable_makes_the_client_wait_and_come_again)
{
    begin(&(struct gateway_wish){0});
    scripted_next((struct script){.verdict = BACKEND_UNAVAILABLE, .delay = HOUR_MS, .reason = "away"});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    gateway_step(&g, HOUR_MS + 1000);
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 2);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

TEST(a_call_that_does_not_start_counts_as_unavailable)
{
    begin(&(struct gateway_wish){0});
    scripted_next((struct script){.no_start = true});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    gateway_step(&g, HOUR_MS);
    poll(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(misconfigured_waits_for_the_administrator)
{
    begin(&(struct gateway_wish){0});
    scripted_next((struct script){.verdict = BACKEND_MISCONFIGURED, .reason = "no such template"});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    gateway_step(&g, 2 * 60 * 1000);
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(a_certificate_for_another_key_is_never_delivered)
{
    begin(&(struct gateway_wish){0});
    scripted_next((struct script){.certificate = FOR_ANOTHER_KEY});
    ask(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_state(&g), TRANSACTION_FAILED);
    CHECK_INT(gateway_certificates(&g), 0);
    CHECK_INT(gateway_audited(&g, "request.failed", "another key"), 1);
    end();
}

TEST(garbage_is_never_delivered)
{
    begin(&(struct gateway_wish){0});
    scripted_next((struct script){.certificate = GARBAGE});
    ask(&a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_state(&g), TRANSACTION_FAILED);
    CHECK_INT(gateway_audited(&g, "request.failed", "BACKEND_BROKEN"), 1);
    end();
}

TEST(a_backend_that_cannot_plan_answers_503_and_leaves_the_challenge)
{
    begin(&(struct gateway_wish){0});
    scripted.cannot_prepare = true;
    ask(&a);
    CHECK(answer_is_http(&a, 503));
    CHECK(strstr(a.http.head, "\r\nRetry-After: "));
    CHECK_INT(gateway_transactions(&g), 0);
    CHECK_INT(gateway_uses_left(&g), 1);
    end();
}

/* ---- slow, lost, gone ---------------------------------------------------------------------------------- */

TEST(a_slow_backend_makes_the_client_poll)
{
    begin(&(struct gateway_wish){.enroll = IMPATIENT});
    scripted_next((struct script){.held = true});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    poll(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(gateway_state(&g), TRANSACTION_RECEIVED);
    scripted_release();
    CHECK(becomes(TRANSACTION_ISSUED));
    poll(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

TEST(a_client_that_goes_away_finds_its_certificate_later)
{
    begin(&(struct gateway_wish){0});
    struct call c;
    scripted_next((struct script){.held = true});
    call_start(&c, &g, &w);
    while (!scripted_held())
        client_turn(g.base, 1);
    call_abandon(&c);
    client_turn(g.base, 50);
    scripted_release();
    CHECK(becomes(TRANSACTION_ISSUED));
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

TEST(a_lost_submission_is_repeated_with_the_same_plan_where_that_is_safe)
{
    begin(&(struct gateway_wish){.enroll = DEADLINE});
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    scripted_next((struct script){.held = true});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    struct scripted lost = scripted;
    CHECK_INT(lost.cancelled, 1);
    gateway_step(&g, HOUR_MS);
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 2);
    CHECK_INT(scripted.prepared, 1);
    CHECK_TEXT(scripted.transaction, lost.transaction);
    CHECK(!memcmp(scripted.plan, lost.plan, sizeof lost.plan));
    end();
}

TEST(a_lost_submission_is_looked_up_where_that_is_possible)
{
    begin(&(struct gateway_wish){.enroll = DEADLINE});
    scripted_offers(0, false, true);
    scripted_next((struct script){.held = true});
    scripted_next((struct script){.verdict = BACKEND_UNAVAILABLE, .reason = "away"});
    scripted_next((struct script){.verdict = BACKEND_MISCONFIGURED, .reason = "no right to look"});
    scripted_next((struct script){.held = true});
    ask(&a);
    for (int i = 0; i < 3; i++) { /* a look-up that fails is looked up again, never enrolled */
        gateway_step(&g, HOUR_MS);
        poll(&a);
        CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    }
    gateway_step(&g, HOUR_MS);
    poll(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(scripted.calls[SCRIPTED_LOOK_UP], 4);
    end();
}

TEST(a_lost_submission_that_nobody_can_look_up_needs_attention)
{
    begin(&(struct gateway_wish){.enroll = DEADLINE, .alias = "transaction: {pending_expiry: 30d}"});
    scripted_next((struct script){.held = true});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    gateway_step(&g, HOUR_MS);
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(gateway_state(&g), TRANSACTION_ATTENTION);
    CHECK_INT(gateway_audited(&g, "request.attention", NULL), 1);
    gateway_step(&g, HOUR_MS);
    poll(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    let_obligations_run();
    CHECK(no_call_yet());
    CHECK_INT(gateway_audited(&g, "request.attention", NULL), 1);
    end();
}

TEST(a_lost_submission_that_expires_keeps_its_challenge)
{
    begin(&(struct gateway_wish){.enroll = DEADLINE, .alias = "transaction: {pending_expiry: 2h}"});
    scripted_offers(0, false, true);
    scripted_next((struct script){.held = true});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    gateway_step(&g, 3 * HOUR_MS);
    CHECK(becomes(TRANSACTION_EXPIRED));
    CHECK_INT(gateway_uses_left(&g), 0); /* nobody knows whether a certificate came of it */
    end();
}

/* ---- the serial number is another certificate's -------------------------------------------------------- */

TEST(a_serial_number_that_is_taken_fails_the_request)
{
    begin(&(struct gateway_wish){0});
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    scripted.same_serial = true;
    w = (struct wish){.challenge = gateway_challenge(&g), .key = 1, .transaction = "t2"};
    ask(&b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_certificates(&g), 1);
    CHECK_INT(gateway_state(&g), TRANSACTION_FAILED);
    CHECK_INT(gateway_audited(&g, "request.failed", "serial number"), 1);
    CHECK_INT(gateway_audited(&g, "certificate.issued", NULL), 1);
    end();
}

RUNNER_MAIN()
