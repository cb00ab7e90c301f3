/* test_repeat.c: one enrolment, and the same again in every order: retransmissions, copies at one time, other
 * requests under the same name. */
#include <string.h>

#include "flow/enroll/device.h"
#include "flow/enroll/scripted.h"
#include "support/runner.h"

static struct gateway g;
static struct answer a, b;

static void end(void)
{
    answer_free(&a);
    answer_free(&b);
    a = b = (struct answer){0};
    gateway_close(&g);
}

static bool asked_for(unsigned begins)
{
    return g.store.asked[STORE_TRANSACTION_BEGIN] == begins;
}

static bool two_held(void *context)
{
    (void)context;
    return faulty_held(&g.store) == 2;
}

static bool backend_holds(void *context)
{
    return scripted_held() == *(size_t *)context;
}

static bool one_issued(void *context)
{
    (void)context;
    return gateway_certificates(&g) == 1;
}

TEST(a_request_gets_its_certificate)
{
    gateway_open(&g, &(struct gateway_wish){0});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK(response_has(&a.http, "Content-Type: application/x-pki-message"));
    CHECK(response_has(&a.http, "Cache-Control: no-store"));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(scripted.prepared, 1);
    CHECK_INT(gateway_certificates(&g), 1);
    CHECK_INT(gateway_state(&g), TRANSACTION_ISSUED);
    CHECK_INT(gateway_uses_left(&g), 0);
    CHECK_INT(gateway_audited(&g, "request.accepted", "CN=device"), 1);
    CHECK_INT(gateway_audited(&g, "certificate.issued", "CN=device"), 1);
    CHECK_INT((int)gateway_metric(&g, "scepgate_certificates_issued_total{alias=\"demo\"} "), 1);
    end();
}

TEST(a_request_by_get_gets_its_certificate)
{
    gateway_open(&g, &(struct gateway_wish){0});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g), .get = true}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(a_request_posted_as_base64_gets_its_certificate)
{
    gateway_open(&g, &(struct gateway_wish){0});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g), .text = true}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(a_local_ca_issues_as_well)
{
    gateway_open(&g, &(struct gateway_wish){
                         .aliases = "\n  own: {backend: authority, challenge: {type: static, secret: "
                                    "{value: a-shared-password-of-some-length}}}"});
    struct wish w = {
        .alias = "own", .challenge = "a-shared-password-of-some-length", .sans = "DNS:device.example"};
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(b.serial, a.serial);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

TEST(a_retransmission_gets_the_same_certificate_in_a_fresh_reply)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct wish w = {.challenge = gateway_challenge(&g)};
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(b.serial, a.serial);
    CHECK(memcmp(a.nonce, b.nonce, sizeof a.nonce) != 0);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_certificates(&g), 1);
    CHECK_INT(gateway_audited(&g, "certificate.delivered_again", NULL), 1);
    CHECK_INT(gateway_audited(&g, "challenge.reused", NULL), 0);
    end();
}

TEST(beyond_the_window_it_is_a_new_request)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "transaction: {retransmit_window: 1m}"});
    struct wish w = {.challenge = gateway_challenge(&g)};
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    gateway_step(&g, 2 * 60 * 1000);
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_audited(&g, "challenge.reused", NULL), 1);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

static struct call first, second;

static void send_two(const struct wish *one, const struct wish *other)
{
    call_start(&first, &g, one);
    call_start(&second, &g, other);
}

static bool one_certificate_for_both(void)
{
    return answer_is(&a, SCEP_SUCCESS, FAIL_NONE) && answer_is(&b, SCEP_SUCCESS, FAIL_NONE) &&
           !strcmp(a.serial, b.serial) && scripted.calls[SCRIPTED_ENROLL] == 1 &&
           gateway_certificates(&g) == 1 && gateway_audited(&g, "challenge.reused", NULL) == 0 &&
           gateway_audited(&g, "certificate.issued", NULL) == 1;
}

TEST(two_copies_at_one_time_get_one_certificate)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct wish w = {.challenge = gateway_challenge(&g)};
    send_two(&w, &w);
    call_finish(&first, &a);
    call_finish(&second, &b);
    CHECK(one_certificate_for_both());
    end();
}

/* B recalled before A began, and looks at the challenge when A is done. */
TEST(a_copy_that_finds_its_challenge_taken_recalls_once_more)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct wish w = {.challenge = gateway_challenge(&g)};
    faulty_rule(&g.store, STORE_CHALLENGE_FIND, FAULT_HELD, 2);
    send_two(&w, &w);
    CHECK(gateway_wait(&g, two_held, NULL));
    faulty_release(&g.store);
    CHECK(gateway_wait(&g, one_issued, NULL));
    faulty_release(&g.store);
    call_finish(&first, &a);
    call_finish(&second, &b);
    CHECK(one_certificate_for_both());
    CHECK(asked_for(1));
    end();
}

/* Both looked at the challenge before either began. */
TEST(copies_that_begin_at_one_time_get_one_certificate)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct wish w = {.challenge = gateway_challenge(&g)};
    faulty_rule(&g.store, STORE_TRANSACTION_BEGIN, FAULT_HELD, 2);
    send_two(&w, &w);
    CHECK(gateway_wait(&g, two_held, NULL));
    faulty_release(&g.store);
    faulty_release(&g.store);
    call_finish(&first, &a);
    call_finish(&second, &b);
    CHECK(one_certificate_for_both());
    end();
}

TEST(a_copy_waits_for_a_slow_backend_like_the_first)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct wish w = {.challenge = gateway_challenge(&g)};
    size_t one = 1;
    scripted_next((struct script){.held = true});
    send_two(&w, &w);
    CHECK(gateway_wait(&g, backend_holds, &one));
    client_turn(g.base, 200); /* the copy looks now and then */
    scripted_release();
    call_finish(&first, &a);
    call_finish(&second, &b);
    CHECK(one_certificate_for_both());
    end();
}

TEST(another_csr_with_a_used_challenge_is_refused_and_audited)
{
    gateway_open(&g, &(struct gateway_wish){0});
    const char *challenge = gateway_challenge(&g);
    device_ask(&g, &(struct wish){.challenge = challenge}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    device_ask(&g, &(struct wish){.challenge = challenge, .cn = "thief", .key = 1, .transaction = "t2"}, &b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_audited(&g, "challenge.reused", "bound_to"), 1);
    CHECK_INT(gateway_certificates(&g), 1);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    end();
}

/* Two CSRs race for one challenge: both validated, one begins. */
TEST(of_two_requests_with_one_challenge_one_is_refused_at_begin)
{
    gateway_open(&g, &(struct gateway_wish){0});
    const char *challenge = gateway_challenge(&g);
    faulty_rule(&g.store, STORE_TRANSACTION_BEGIN, FAULT_HELD, 2);
    send_two(&(struct wish){.challenge = challenge},
             &(struct wish){.challenge = challenge, .cn = "other", .key = 1, .transaction = "t2"});
    CHECK(gateway_wait(&g, two_held, NULL));
    faulty_release(&g.store);
    faulty_release(&g.store);
    call_finish(&first, &a);
    call_finish(&second, &b);
    CHECK_INT(a.pki + b.pki, SCEP_SUCCESS + SCEP_FAILURE);
    CHECK_INT(gateway_certificates(&g), 1);
    CHECK_INT(gateway_audited(&g, "challenge.reused", NULL), 1);
    end();
}

TEST(another_csr_under_an_unfinished_transaction_is_a_conflict)
{
    gateway_open(&g, &(struct gateway_wish){0});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "c", .delay = 60000});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g), .cn = "device2"}, &b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_audited(&g, "message.refused", "TRANSACTION_CONFLICT"), 1);
    CHECK_INT(gateway_state(&g), TRANSACTION_PENDING);
    CHECK_INT(gateway_transactions(&g), 1);
    CHECK_INT(gateway_uses_left(&g), 1);
    end();
}

TEST(with_supersede_another_csr_ends_the_unfinished_one)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "transaction: {supersede: true}"});
    const char *challenge = gateway_challenge(&g);
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "c", .delay = 60000});
    device_ask(&g, &(struct wish){.challenge = challenge}, &a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(gateway_uses_left(&g), 0);
    const char *fresh = gateway_challenge(&g);
    device_ask(&g, &(struct wish){.challenge = fresh, .cn = "device2"}, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_transactions(&g), 2);
    CHECK_INT(gateway_certificates(&g), 1);
    answer_free(&a);
    device_ask(&g, &(struct wish){.challenge = challenge, .cn = "device3", .transaction = "t3"}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE)); /* the use of the first came back */
    end();
}

/* The backend works on when its transaction was superseded: what it issues then is nobody's. */
TEST(a_superseded_submission_delivers_nothing)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "transaction: {supersede: true}"});
    size_t one = 1;
    scripted_next((struct script){.held = true});
    call_start(&first, &g, &(struct wish){.challenge = gateway_challenge(&g)});
    CHECK(gateway_wait(&g, backend_holds, &one));
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g), .cn = "device2"}, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    scripted_release();
    call_finish(&first, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_certificates(&g), 1);
    CHECK_INT(gateway_audited(&g, "certificate.issued", NULL), 1);
    CHECK(gateway_leaks(&g, "submission.unrecorded")); /* the log tells the operator of the other one */
    end();
}

/* A client that makes a new CSR for the same enrolment has but its one challenge. */
TEST(with_supersede_the_same_challenge_may_begin_again)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "transaction: {supersede: true}"});
    const char *challenge = gateway_challenge(&g);
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "c", .delay = 60000});
    device_ask(&g, &(struct wish){.challenge = challenge}, &a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    device_ask(&g, &(struct wish){.challenge = challenge, .cn = "device2"}, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_uses_left(&g), 0);
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

RUNNER_MAIN()
