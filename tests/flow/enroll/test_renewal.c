/* test_renewal.c: renewals in the story: what stands for the challenge, what does not, copies and rivals, and
 * what waits until revocation is known. The rules one by one are in tests/unit/policy. */
#include <string.h>

#include "alias/trust.h"
#include "flow/enroll/device.h"
#include "flow/enroll/scripted.h"
#include "support/runner.h"

#define DAY (24 * 60 * 60 * 1000LL)

static struct gateway g;
static struct answer a, b;
static X509 *old; /* of key 0 */

/* The newest certificate of a client. */
static X509 *newest(void)
{
    struct store_request r;
    X509 *found = NULL;
    store_request_init(&r, STORE_CERTIFICATE_LIST);
    r.list.limit = 100;
    struct store_answer *answer = gateway_ask(&g, &r);
    for (size_t i = 0; !found && i < answer->certificate_count; i++) {
        const uint8_t *at = answer->certificates[i].der.data;
        if (answer->certificates[i].transaction[0])
            found = d2i_X509(NULL, &at, (long)answer->certificates[i].der.len);
    }
    store_answer_free(answer);
    return found;
}

/* A gateway with these rules of renewal, and a device that has its first certificate. */
static bool begin_with(const struct gateway_wish *wish)
{
    gateway_open(&g, wish);
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g), .transaction = "first"}, &a);
    old = newest();
    bool good = answer_is(&a, SCEP_SUCCESS, FAIL_NONE) && old;
    answer_free(&a);
    a = (struct answer){0};
    scripted = (struct scripted){0};
    return good;
}

static bool begin(const char *alias)
{
    return begin_with(&(struct gateway_wish){.alias = alias});
}

static void end(void)
{
    answer_free(&a);
    answer_free(&b);
    a = b = (struct answer){0};
    X509_free(old);
    old = NULL;
    gateway_close(&g);
}

/* For key 1, signed with the old certificate. */
static struct wish renewal(const char *transaction)
{
    return (struct wish){.type = SCEP_RENEWAL_REQ,
                         .transaction = transaction,
                         .key = 1,
                         .signer = old,
                         .signer_key = device_key(0)};
}

static bool refused_for(const struct wish *w, const char *error)
{
    int before = gateway_transactions(&g);
    answer_free(&a);
    device_ask(&g, w, &a);
    return answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST) && gateway_transactions(&g) == before &&
           scripted.calls[SCRIPTED_ENROLL] == 0 && gateway_audited(&g, "renewal.refused", error) > 0;
}

/* Revokes, holds or (reason < 0) releases every certificate. */
static void revoke(int reason)
{
    struct store_request list, r;
    store_request_init(&list, STORE_CERTIFICATE_LIST);
    list.list.limit = 100;
    struct store_answer *all = gateway_ask(&g, &list);
    for (size_t i = 0; i < all->certificate_count; i++) {
        store_request_init(&r, reason < 0 ? STORE_CERTIFICATE_RELEASE : STORE_CERTIFICATE_REVOKE);
        if (reason < 0) {
            r.certificate_release.alias = all->certificates[i].alias;
            r.certificate_release.issuer_sha256 = all->certificates[i].issuer_sha256;
            r.certificate_release.serial = all->certificates[i].serial;
            store_answer_free(gateway_ask(&g, &r));
            continue;
        }
        r.certificate_revoke.alias = all->certificates[i].alias;
        r.certificate_revoke.issuer_sha256 = all->certificates[i].issuer_sha256;
        r.certificate_revoke.serial = all->certificates[i].serial;
        r.certificate_revoke.reason = reason;
        store_answer_free(gateway_ask(&g, &r));
    }
    store_answer_free(all);
}

/* ---- what stands for the challenge --------------------------------------------------------------------- */

TEST(a_renewal_needs_no_challenge)
{
    CHECK(begin(NULL));
    unsigned looked = g.store.asked[STORE_CHALLENGE_FIND];
    struct wish w = renewal("second");
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(g.store.asked[STORE_CHALLENGE_FIND], looked);
    CHECK_INT(gateway_certificates(&g), 2);
    CHECK_INT(gateway_audited(&g, "certificate.issued", "\"renews\""), 1);
    CHECK_INT(gateway_audited(&g, "request.accepted", "\"renews\""), 1);
    end();
}

TEST(the_certificate_is_looked_for_only_when_it_may_be_a_renewal)
{
    gateway_open(&g, &(struct gateway_wish){0});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(g.store.asked[STORE_CERTIFICATE_FIND], 0);
    end();
}

TEST(a_store_that_cannot_find_certificates_gives_503)
{
    CHECK(begin_with(&(struct gateway_wish){.enroll = "wait: 300ms"}));
    struct wish w = renewal("second");
    faulty_rule(&g.store, STORE_CERTIFICATE_FIND, FAULT_UNAVAILABLE, 1000);
    device_ask(&g, &w, &a);
    CHECK(answer_is_http(&a, 503));
    CHECK_INT(gateway_transactions(&g), 1);
    faulty_rule(&g.store, STORE_CERTIFICATE_FIND, FAULT_NONE, 0);
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(a_revoked_certificate_renews_nothing)
{
    CHECK(begin(NULL));
    revoke(REASON_KEY_COMPROMISE);
    struct wish w = renewal("second");
    CHECK(refused_for(&w, "RENEWAL_REVOKED"));
    end();
}

TEST(a_certificate_on_hold_renews_nothing_until_it_is_released)
{
    CHECK(begin(NULL));
    revoke(REASON_CERTIFICATE_HOLD);
    struct wish w = renewal("second");
    CHECK(refused_for(&w, "RENEWAL_REVOKED"));
    revoke(-1);
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_certificates(&g), 2);
    end();
}

TEST(a_revoked_certificate_spoils_a_challenge_as_well)
{
    CHECK(begin(NULL));
    revoke(REASON_KEY_COMPROMISE);
    struct wish w = {.challenge = gateway_challenge(&g),
                     .transaction = "second",
                     .signer = old,
                     .signer_key = device_key(0)};
    CHECK(refused_for(&w, "RENEWAL_REVOKED"));
    CHECK_INT(gateway_uses_left(&g), 1);
    end();
}

TEST(the_gateways_own_certificate_renews_nothing)
{
    CHECK(begin("renewal: {unrecorded: true, names: policy, crl: {when_unknown: allow}}"));
    const struct scep_recipient *ra = &gateway_alias(&g, "demo")->ra->identities[0];
    struct wish w = renewal("second");
    w.signer = ra->certificate;
    w.signer_key = ra->key;
    CHECK(refused_for(&w, "RENEWAL_SIGNER"));
    end();
}

TEST(a_certificate_may_be_renewed_in_its_grace_and_no_longer)
{
    CHECK(begin("renewal: {grace: 10d}"));
    struct wish w = renewal("second");
    gateway_step(&g, 95 * DAY);
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    gateway_step(&g, 6 * DAY);
    w.transaction = "third";
    scripted = (struct scripted){0};
    CHECK(refused_for(&w, "RENEWAL_EXPIRED"));
    end();
}

TEST(a_certificate_is_renewed_in_the_window_alone)
{
    CHECK(begin("renewal: {last_percent: 50}"));
    struct wish w = renewal("second");
    CHECK(refused_for(&w, "RENEWAL_EARLY"));
    gateway_step(&g, 46 * DAY);
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    end();
}

TEST(policy_holds_for_renewals)
{
    CHECK(begin("renewal: {names: policy}, policy: {subject: {CN: {patterns: [device]}}}"));
    struct wish w = renewal("second");
    w.cn = "somebody";
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_audited(&g, "request.refused", "CN"), 1);
    end();
}

/* ---- copies and rivals --------------------------------------------------------------------------------- */

TEST(two_copies_of_a_renewal_get_one_certificate)
{
    CHECK(begin(NULL));
    struct wish w = renewal("second");
    struct call first, second;
    call_start(&first, &g, &w);
    call_start(&second, &g, &w);
    call_finish(&first, &a);
    call_finish(&second, &b);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(a.serial, b.serial);
    CHECK_INT(gateway_certificates(&g), 2);
    end();
}

/* Whoever recorded a renewal can send it again, and must not have certificates made with it. */
TEST(a_recorded_renewal_gets_nothing_new_much_later)
{
    CHECK(begin("transaction: {retransmit_window: 1m}"));
    struct wish w = renewal("second");
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    gateway_step(&g, 30 * DAY);
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(a.serial, b.serial);
    CHECK_INT(gateway_certificates(&g), 2);
    end();
}

static bool one_held(void *context)
{
    (void)context;
    return scripted_held() == 1;
}

static bool two_begin(void *context)
{
    (void)context;
    return faulty_held(&g.store) == 2;
}

TEST(one_renewal_of_a_certificate_at_a_time)
{
    CHECK(begin(NULL));
    struct wish one = renewal("second"), other = renewal("third");
    struct call first;
    other.key = 2;
    scripted_next((struct script){.held = true});
    call_start(&first, &g, &one);
    CHECK(gateway_wait(&g, one_held, NULL));
    device_ask(&g, &other, &b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_REQUEST));
    scripted_release();
    call_finish(&first, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_audited(&g, "renewal.refused", "RENEWAL_UNDER_WAY"), 1);
    answer_free(&b);
    device_ask(&g, &other, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_certificates(&g), 3);
    end();
}

/* Both passed every look before either began. */
TEST(of_two_renewals_that_begin_at_once_one_is_refused)
{
    CHECK(begin(NULL));
    struct wish one = renewal("second"), other = renewal("third");
    struct call first, second;
    other.key = 2;
    scripted_next((struct script){.held = true}); /* the one that comes first is still unfinished */
    faulty_rule(&g.store, STORE_TRANSACTION_BEGIN, FAULT_HELD, 2);
    call_start(&first, &g, &one);
    call_start(&second, &g, &other);
    CHECK(gateway_wait(&g, two_begin, NULL));
    faulty_release(&g.store);
    faulty_release(&g.store);
    CHECK(gateway_wait(&g, one_held, NULL));
    client_turn(g.base, 200);
    scripted_release();
    call_finish(&first, &a);
    call_finish(&second, &b);
    CHECK((a.pki == SCEP_SUCCESS) != (b.pki == SCEP_SUCCESS));
    CHECK(answer_is(a.pki == SCEP_SUCCESS ? &b : &a, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_certificates(&g), 2);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    end();
}

TEST(two_renewals_at_a_time_where_the_alias_allows_them)
{
    CHECK(begin("renewal: {one_at_a_time: false}"));
    struct wish one = renewal("second"), other = renewal("third");
    struct call first;
    other.key = 2;
    scripted_next((struct script){.held = true});
    call_start(&first, &g, &one);
    CHECK(gateway_wait(&g, one_held, NULL));
    device_ask(&g, &other, &b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    scripted_release();
    call_finish(&first, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    end();
}

/* ---- until revocation is known ------------------------------------------------------------------------- */

#define HOLDING "renewal: {crl: {files: [/nonexistent/list.crl], when_unknown: pending}}"
#define UNSAFE  "wait: 2s, backend_deadline: 500ms, lease: 1s"

/* As when a list was read: from now on nobody asks for one. */
static void make_known(void)
{
    struct error e = {0};
    struct trust *trust = NULL;
    struct renewal_settings none = {0};
    if (trust_create(&trust, &none, 0, &e) == ERR_OK)
        alias_install_trust(gateway_alias(&g, "demo"), trust);
}

static void poll(struct answer *into)
{
    struct wish w = renewal("second");
    w.type = SCEP_CERT_POLL;
    answer_free(into);
    gateway_step(&g, 10 * 1000);
    device_ask(&g, &w, into);
}

TEST(a_held_renewal_is_enrolled_once_revocation_is_known)
{
    CHECK(begin(HOLDING));
    struct wish w = renewal("second");
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    poll(&b);
    CHECK(answer_is(&b, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 0);
    CHECK_INT(gateway_audited(&g, "request.pending", "revocation list"), 1);
    make_known();
    poll(&b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_certificates(&g), 2);
    CHECK_INT(gateway_audited(&g, "certificate.issued", "\"renews\""), 1);
    end();
}

TEST(a_held_renewal_is_rejected_when_the_certificate_turns_out_revoked)
{
    CHECK(begin(HOLDING));
    struct wish w = renewal("second");
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    revoke(REASON_KEY_COMPROMISE);
    poll(&b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_state(&g), TRANSACTION_REJECTED);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 0);
    CHECK_INT(gateway_audited(&g, "renewal.refused", "RENEWAL_REVOKED"), 1);
    end();
}

/* The same key, but not the certificate that was looked at. */
TEST(a_held_renewal_goes_on_for_its_own_certificate_alone)
{
    CHECK(begin(HOLDING));
    struct wish w = renewal("second");
    device_ask(&g, &w, &a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    make_known();
    w.type = SCEP_CERT_POLL;
    w.signer = device_signer(0);
    gateway_step(&g, 10 * 1000);
    device_ask(&g, &w, &b);
    CHECK(answer_is(&b, SCEP_FAILURE, FAIL_BAD_REQUEST));
    CHECK_INT(gateway_state(&g), TRANSACTION_PENDING);
    end();
}

static bool is_pending(void *context)
{
    (void)context;
    return gateway_state(&g) == TRANSACTION_PENDING;
}

/* The process died between its beginning and its being held: what takes it up must not enrol it. */
TEST(an_orphan_that_was_to_be_held_is_held)
{
    CHECK(begin_with(&(struct gateway_wish){.alias = HOLDING, .enroll = UNSAFE}));
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    obligations_stop(g.obligations);
    faulty_rule(&g.store, STORE_TRANSACTION_ADVANCE, FAULT_LOST_NOT_DONE, 1000);
    struct wish w = renewal("second");
    device_ask(&g, &w, &a);
    (void)gateway_settle(&g);
    CHECK_INT(gateway_state(&g), TRANSACTION_RECEIVED);
    gateway_stop(&g);
    gateway_start(&g);
    gateway_step(&g, 5 * 1000);
    CHECK(gateway_wait(&g, is_pending, NULL));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 0);
    make_known();
    poll(&b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(gateway_certificates(&g), 2);
    end();
}

RUNNER_MAIN()
