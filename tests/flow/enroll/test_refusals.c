/* test_refusals.c: who gets nothing, what the client and the audit trail are told, and what is left
 * untouched.
 *
 * Rows of error.def and where they are tested: the transport's in test_queries.c; STORE_UNAVAILABLE,
 * OVERLOADED in test_store.c and test_queries.c; the backends' in test_backend.c; TRANSACTION_* in
 * test_repeat.c, test_backend.c and here. Not from the story: URI_TOO_LONG (the listener), TIME_REFUSED (no
 * signing time is ever refused), INTERNAL (needs a failing allocation, or the erased CSR of test_store.c),
 * BACKEND_MISCONFIGURED (makes the request wait instead), the settings' rows.
 */
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

/* Nothing was bound, begun or asked of the backend. */
static bool untouched(void)
{
    return gateway_transactions(&g) == 0 && gateway_certificates(&g) == 0 && scripted.prepared == 0 &&
           scripted.calls[SCRIPTED_ENROLL] == 0 && gateway_uses_left(&g) != 0;
}

TEST(a_wrong_challenge_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    gateway_challenge(&g);
    device_ask(&g, &(struct wish){.challenge = "a guess that nobody made before"}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_TEXT(a.fail_text, "the challenge password was not accepted");
    CHECK(untouched());
    CHECK_INT(gateway_audited(&g, "challenge.refused", "CHALLENGE_REFUSED"), 1);
    CHECK_INT((int)gateway_metric(&g, "scepgate_challenge_failures_total{alias=\"demo\"} "), 1);
    end();
}

TEST(a_missing_challenge_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    gateway_challenge(&g);
    device_ask(&g, &(struct wish){0}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK(untouched());
    CHECK_INT(gateway_audited(&g, "challenge.refused", "CHALLENGE_MISSING"), 1);
    end();
}

TEST(an_expired_challenge_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    const char *challenge = gateway_challenge(&g);
    gateway_step(&g, 2 * 3600 * 1000);
    device_ask(&g, &(struct wish){.challenge = challenge}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK(untouched());
    CHECK_INT(gateway_audited(&g, "challenge.refused", "CHALLENGE_EXPIRED"), 1);
    end();
}

TEST(a_challenge_that_expires_before_begin_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct call c;
    faulty_rule(&g.store, STORE_TRANSACTION_BEGIN, FAULT_HELD, 1);
    call_start(&c, &g, &(struct wish){.challenge = gateway_challenge(&g)});
    while (!faulty_held(&g.store))
        client_turn(g.base, 1);
    gateway_step(&g, 2 * 3600 * 1000);
    faulty_release(&g.store);
    call_finish(&c, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_transactions(&g), 0);
    CHECK_INT(gateway_audited(&g, "challenge.refused", "CHALLENGE_EXPIRED"), 1);
    end();
}

TEST(a_challenge_that_is_revoked_before_begin_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct call c;
    faulty_rule(&g.store, STORE_TRANSACTION_BEGIN, FAULT_HELD, 1);
    call_start(&c, &g, &(struct wish){.challenge = gateway_challenge(&g)});
    while (!faulty_held(&g.store))
        client_turn(g.base, 1);
    struct store_request r;
    store_request_init(&r, STORE_CHALLENGE_LIST);
    r.list.limit = 1;
    struct store_answer *listed = gateway_ask(&g, &r);
    store_request_init(&r, STORE_CHALLENGE_REVOKE);
    r.challenge_revoke.alias = "demo";
    r.challenge_revoke.challenge_id = listed->challenges[0].id;
    store_answer_free(gateway_ask(&g, &r));
    store_answer_free(listed);
    faulty_release(&g.store);
    call_finish(&c, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_transactions(&g), 0);
    CHECK_INT(gateway_audited(&g, "challenge.refused", "CHALLENGE_REFUSED"), 1);
    end();
}

TEST(a_challenge_for_another_name_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct challenge_order order = {.bind_cn = "printer"};
    const char *challenge = gateway_challenge_of(&g, "demo", &order);
    device_ask(&g, &(struct wish){.challenge = challenge}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK(untouched());
    CHECK_INT(gateway_audited(&g, "challenge.refused", "CHALLENGE_BINDING"), 1);
    device_ask(&g, &(struct wish){.challenge = challenge, .cn = "printer"}, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(too_many_guesses_are_refused_unseen)
{
    gateway_open(&g, &(struct gateway_wish){.challenge = "type: one_time, failure_limit: 2"});
    const char *challenge = gateway_challenge(&g);
    for (int i = 0; i < 2; i++) {
        device_ask(&g, &(struct wish){.challenge = "a guess"}, &a);
        CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
        answer_free(&a);
    }
    device_ask(&g, &(struct wish){.challenge = challenge}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_audited(&g, "challenge.refused", "CHALLENGE_LIMITED"), 1);
    CHECK(untouched());
    end();
}

TEST(policy_says_why_and_leaves_the_challenge)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "policy: {subject: {CN: {patterns: ['good-[0-9]+']}}}"});
    const char *challenge = gateway_challenge(&g);
    device_ask(&g, &(struct wish){.challenge = challenge, .cn = "bad"}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK(strstr(a.fail_text, "CN"));
    CHECK(untouched());
    CHECK_INT(gateway_audited(&g, "request.refused", "\"reasons\":"), 1);
    device_ask(&g, &(struct wish){.challenge = challenge, .cn = "good-1"}, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(without_fail_info_text_nothing_is_said)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "compat: {fail_info_text: false}"});
    device_ask(&g, &(struct wish){.challenge = "a guess"}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_TEXT(a.fail_text, "");
    end();
}

/* A captured envelope, signed again by somebody else. */
TEST(a_strange_signer_gets_nothing_and_takes_no_challenge)
{
    gateway_open(&g, &(struct gateway_wish){0});
    const char *challenge = gateway_challenge(&g);
    struct wish w = {.challenge = challenge, .signer = device_signer(1), .signer_key = device_key(1)};
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK(untouched());
    CHECK_INT(gateway_audited(&g, "message.refused", "SIGNER_NOT_CSR_KEY"), 1);
    device_ask(&g, &(struct wish){.challenge = challenge}, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    end();
}

static const char *fingerprint(X509 *x)
{
    static char text[65];
    uint8_t digest[32];
    unsigned len = 0;
    X509_digest(x, EVP_sha256(), digest, &len);
    for (unsigned i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

TEST(a_proxy_signer_may_enrol_for_others)
{
    char alias[160];
    snprintf(alias, sizeof alias, "proxy_signers: {fingerprints: [%s]}", fingerprint(device_signer(1)));
    gateway_open(&g, &(struct gateway_wish){.alias = alias});
    struct wish w = {
        .challenge = gateway_challenge(&g), .signer = device_signer(1), .signer_key = device_key(1)};
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    w.signer = device_signer(2);
    w.signer_key = device_key(2);
    w.transaction = "t2";
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_REQUEST));
    end();
}

TEST(a_spoilt_signature_is_a_bad_message_check)
{
    gateway_open(&g, &(struct gateway_wish){0});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g), .spoil = true}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_MESSAGE_CHECK));
    CHECK(untouched());
    CHECK_INT(gateway_audited(&g, "message.refused", "SIGNATURE_BAD"), 1);
    end();
}

TEST(a_message_for_another_alias_is_not_opened_here)
{
    gateway_open(
        &g, &(struct gateway_wish){
                .aliases = "\n  other: {backend: scripted, tenant: rival, ra: {from: authority}, challenge: "
                           "{type: one_time}}"});
    struct call c;
    call_start(&c, &g, &(struct wish){.challenge = gateway_challenge(&g), .alias = "other"});
    struct bytes copy = bytes_copy(buffer_bytes(&c.der));
    call_finish(&c, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST)); /* a challenge of `demo` is none of `other` */
    CHECK_INT(gateway_audited(&g, "challenge.refused", "CHALLENGE_REFUSED"), 1);
    device_ask(&g, &(struct wish){.body = copy}, &b);
    CHECK(answer_is_http(&b, 200));
    CHECK_INT(gateway_audited(&g, "message.refused", "RECIPIENT_UNKNOWN"), 1);
    CHECK(untouched());
    free((void *)copy.data);
    end();
}

TEST(another_alias_has_other_transactions)
{
    gateway_open(
        &g, &(struct gateway_wish){
                .aliases = "\n  other: {backend: scripted, tenant: rival, ra: {from: authority}, challenge: "
                           "{type: one_time}}"});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    device_ask(&g, &(struct wish){.type = SCEP_CERT_POLL, .alias = "other"}, &b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_CERT_ID));
    end();
}

TEST(a_renewal_is_not_served_where_it_is_switched_off)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "renewal: {enabled: false}"});
    device_ask(&g, &(struct wish){.type = SCEP_RENEWAL_REQ, .challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK(untouched());
    CHECK_INT(gateway_audited(&g, "message.refused", "MESSAGE_TYPE"), 1);
    end();
}

TEST(a_poll_for_nothing_is_a_bad_cert_id)
{
    gateway_open(&g, &(struct gateway_wish){0});
    device_ask(&g, &(struct wish){.type = SCEP_CERT_POLL}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_CERT_ID));
    CHECK_INT(gateway_audited(&g, "message.refused", "TRANSACTION_UNKNOWN"), 1);
    end();
}

TEST(a_poll_by_another_signer_is_a_bad_cert_id)
{
    gateway_open(&g, &(struct gateway_wish){0});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    device_ask(&g, &(struct wish){.type = SCEP_CERT_POLL, .key = 1}, &b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_CERT_ID));
    end();
}

TEST(an_algorithm_that_is_not_allowed_is_bad_alg)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "algorithms: {ciphers: [aes256]}"});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_ALG));
    CHECK_INT(gateway_audited(&g, "message.refused", "ALGORITHM_REFUSED"), 1);
    CHECK(untouched());
    end();
}

TEST(a_signer_with_too_small_a_key_is_bad_alg)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "policy: {keys: {rsa_min_bits: 3072}}"});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_ALG));
    CHECK_INT(gateway_audited(&g, "message.refused", "SIGNER_KEY_SIZE"), 1);
    CHECK(untouched());
    end();
}

RUNNER_MAIN()
