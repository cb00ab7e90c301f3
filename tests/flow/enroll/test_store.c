/* test_store.c: a store that loses answers, refuses, or dies between two operations. One request stays one
 * certificate. */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "enroll/trail.h"
#include "flow/enroll/device.h"
#include "flow/enroll/scripted.h"
#include "support/runner.h"

#define LEASE_OVER  (3600 * 1000)
#define SHORT_WAIT  "wait: 300ms"
#define SHORT_LEASE "wait: 100ms, backend_deadline: 500ms, lease: 1s"

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

static bool is_issued(void *context)
{
    (void)context;
    return gateway_state(&g) == TRANSACTION_ISSUED;
}

static bool one_certificate(void)
{
    return answer_is(&a, SCEP_SUCCESS, FAIL_NONE) && gateway_certificates(&g) == 1 &&
           gateway_transactions(&g) == 1 && gateway_audited(&g, "certificate.issued", NULL) == 1 &&
           gateway_audited(&g, "request.accepted", NULL) == 1;
}

/* ---- lost answers -------------------------------------------------------------------------------------- */

static void lose(enum store_operation operation, enum fault fault)
{
    begin(&(struct gateway_wish){0});
    faulty_rule(&g.store, operation, fault, 3);
    ask(&a);
}

TEST(begin_is_repeated_under_its_id_when_it_was_done)
{
    lose(STORE_TRANSACTION_BEGIN, FAULT_LOST_DONE);
    CHECK(one_certificate());
    CHECK_INT(g.store.asked[STORE_TRANSACTION_BEGIN], 4);
    CHECK_INT(g.store.other_ids[STORE_TRANSACTION_BEGIN], 0);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_uses_left(&g), 0);
    end();
}

TEST(begin_is_repeated_under_its_id_when_it_was_not_done)
{
    lose(STORE_TRANSACTION_BEGIN, FAULT_LOST_NOT_DONE);
    CHECK(one_certificate());
    CHECK_INT(g.store.other_ids[STORE_TRANSACTION_BEGIN], 0);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    end();
}

TEST(the_record_is_repeated_under_its_id_when_it_was_done)
{
    lose(STORE_TRANSACTION_ADVANCE, FAULT_LOST_DONE);
    CHECK(one_certificate());
    CHECK_INT(g.store.other_ids[STORE_TRANSACTION_ADVANCE], 0);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    end();
}

TEST(the_record_is_repeated_under_its_id_when_it_was_not_done)
{
    lose(STORE_TRANSACTION_ADVANCE, FAULT_LOST_NOT_DONE);
    CHECK(one_certificate());
    CHECK_INT(g.store.other_ids[STORE_TRANSACTION_ADVANCE], 0);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    end();
}

TEST(a_store_that_is_away_for_a_moment_is_waited_for)
{
    lose(STORE_TRANSACTION_RECALL, FAULT_UNAVAILABLE);
    CHECK(one_certificate());
    end();
}

TEST(a_claim_is_repeated_under_its_id)
{
    begin(&(struct gateway_wish){0});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "c", .delay = 1000});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    gateway_step(&g, 60000);
    faulty_rule(&g.store, STORE_TRANSACTION_CLAIM, FAULT_LOST_DONE, 2);
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(g.store.asked[STORE_TRANSACTION_CLAIM], 3);
    CHECK_INT(scripted.calls[SCRIPTED_POLL], 1);
    end();
}

/* ---- away ---------------------------------------------------------------------------------------------- */

static void away(enum store_operation operation)
{
    begin(&(struct gateway_wish){.enroll = SHORT_WAIT});
    faulty_rule(&g.store, operation, FAULT_UNAVAILABLE, 1000);
    ask(&a);
    faulty_rule(&g.store, operation, FAULT_NONE, 0);
}

static bool refused_and_untouched(void)
{
    return answer_is_http(&a, 503) && strstr(a.http.head, "\r\nRetry-After: 5\r\n") &&
           gateway_transactions(&g) == 0 && gateway_uses_left(&g) == 1 && gateway_certificates(&g) == 0 &&
           scripted.calls[SCRIPTED_ENROLL] == 0 && gateway_audited(&g, "request.accepted", NULL) == 0;
}

static bool served_again(void)
{
    ask(&a);
    return one_certificate();
}

TEST(a_store_that_cannot_recall_gives_503)
{
    away(STORE_TRANSACTION_RECALL);
    CHECK(refused_and_untouched());
    CHECK(served_again());
    end();
}

TEST(a_store_that_cannot_find_challenges_gives_503)
{
    away(STORE_CHALLENGE_FIND);
    CHECK(refused_and_untouched());
    CHECK(served_again());
    end();
}

TEST(a_store_that_cannot_begin_gives_503)
{
    away(STORE_TRANSACTION_BEGIN);
    CHECK(refused_and_untouched());
    CHECK(served_again());
    end();
}

TEST(a_store_that_is_not_ready_gives_503_at_once)
{
    begin(&(struct gateway_wish){0});
    g.store.not_ready = true;
    ask(&a);
    CHECK(refused_and_untouched());
    CHECK_INT(g.store.asked[STORE_TRANSACTION_RECALL], 0);
    g.store.not_ready = false;
    CHECK(served_again());
    end();
}

/* The time that the store takes to refuse counts: nobody is held much longer than enroll.wait. */
TEST(a_store_that_is_slow_to_refuse_gives_503_in_time)
{
    begin(&(struct gateway_wish){.enroll = SHORT_WAIT});
    faulty_rule(&g.store, STORE_TRANSACTION_RECALL, FAULT_SLOW, 1000);
    ask(&a);
    CHECK(refused_and_untouched());
    CHECK_INT(g.store.asked[STORE_TRANSACTION_RECALL], 1);
    end();
}

/* ---- a store with a clock of its own ------------------------------------------------------------------- */

TEST(a_challenge_is_good_by_the_clock_of_the_store)
{
    begin(&(struct gateway_wish){.challenge = "type: one_time, ttl: 1h"});
    gateway_step(&g, 2 * 3600 * 1000);
    atomic_store(&g.store_behind, 2 * 3600 * 1000);
    ask(&a);
    CHECK(one_certificate());
    end();
}

TEST(a_pending_request_is_due_by_the_clock_of_the_store)
{
    begin(&(struct gateway_wish){0});
    scripted_offers(0, true, false);
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "c", .delay = 60 * 1000});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    gateway_step(&g, 3600 * 1000);
    atomic_store(&g.store_behind, 3600 * 1000);
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_POLL], 0);
    atomic_store(&g.store_behind, 0);
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK_INT(scripted.calls[SCRIPTED_POLL], 1);
    end();
}

/* ---- an RA identity that another replica made ---------------------------------------------------------- */

/* Another replica's parts on the same store: its maker renews the identity of `demo`; ours does not notice. */
static struct alias *renewed_elsewhere(struct ra_maker **maker)
{
    struct error e = {0};
    struct alias *ours = gateway_alias(&g, "demo"), *theirs;
    if (alias_create(&theirs, ours->settings, g.pool, &e) != ERR_OK)
        exit(2);
    theirs->backend = ours->backend;
    theirs->ra_backend = ours->ra_backend;
    *maker = ra_maker_create(g.base, g.store.real, g.keys, g.pool, &g.clock, g.metrics);
    gateway_step(&g, 250LL * 86400 * 1000); /* of 365 days */
    ra_maker_ensure(*maker, theirs, NULL, NULL);
    while (!theirs->ra || theirs->ra->count < 2)
        event_base_loop(g.base, EVLOOP_ONCE);
    return theirs;
}

TEST(a_message_for_an_identity_that_another_replica_made_is_served)
{
    struct ra_maker *maker;
    gateway_open(&g, &(struct gateway_wish){0});
    struct alias *theirs = renewed_elsewhere(&maker);
    w = (struct wish){.challenge = gateway_challenge(&g), .recipient = theirs->ra->identities[0].certificate};
    CHECK_INT(gateway_alias(&g, "demo")->ra->count, 1);
    unsigned asked = g.store.asked[STORE_RA_LIST];
    ask(&a);
    CHECK(one_certificate());
    CHECK_INT(g.store.asked[STORE_RA_LIST], asked + 1);
    CHECK_INT(gateway_alias(&g, "demo")->ra->count, 2);
    while (!ra_maker_idle(maker))
        event_base_loop(g.base, EVLOOP_ONCE);
    ra_maker_free(maker);
    alias_unref(theirs);
    end();
}

TEST(a_message_for_an_identity_of_nobody_is_looked_for_and_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    w = (struct wish){.challenge = gateway_challenge(&g), .recipient = device_signer(1)};
    unsigned asked = g.store.asked[STORE_RA_LIST];
    ask(&a);
    CHECK(answer_is_http(&a, 200)); /* a CertRep, signed by one whom this client does not know */
    CHECK_INT(gateway_audited(&g, "message.refused", "RECIPIENT_UNKNOWN"), 1);
    CHECK_INT(g.store.asked[STORE_RA_LIST], asked + 1);
    struct call calls[8];
    for (size_t i = 0; i < 8; i++)
        call_start(&calls[i], &g, &w);
    for (size_t i = 0; i < 8; i++) {
        call_finish(&calls[i], &b);
        CHECK(answer_is_http(&b, 200));
        answer_free(&b);
        b = (struct answer){0};
    }
    CHECK(g.store.asked[STORE_RA_LIST] <= asked + 4); /* a look a second, however slow the machine */
    CHECK_INT(gateway_audited(&g, "message.refused", "RECIPIENT_UNKNOWN"), 9);
    CHECK_INT(gateway_uses_left(&g), 1);
    end();
}

TEST(a_message_for_an_unknown_identity_gives_503_while_the_store_is_away)
{
    gateway_open(&g, &(struct gateway_wish){0});
    w = (struct wish){.challenge = gateway_challenge(&g), .recipient = device_signer(1)};
    faulty_rule(&g.store, STORE_RA_LIST, FAULT_UNAVAILABLE, 1);
    ask(&a);
    CHECK(refused_and_untouched());
    end();
}

/* Nothing is promised while it is not known whether the record was made. */
TEST(an_outcome_that_cannot_be_recorded_is_pending)
{
    begin(&(struct gateway_wish){.enroll = "wait: 15s, backend_deadline: 500ms, lease: 1s"});
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    obligations_stop(g.obligations);
    faulty_rule(&g.store, STORE_TRANSACTION_ADVANCE, FAULT_LOST_NOT_DONE, 1000);
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK(gateway_settle(&g));
    CHECK_INT(gateway_state(&g), TRANSACTION_RECEIVED);
    CHECK_INT(gateway_certificates(&g), 0);
    end();
}

/* A row of the audit trail is offered again; strangers cannot pile them up. */
TEST(audit_rows_wait_for_the_store_and_have_a_bound)
{
    begin(&(struct gateway_wish){0});
    faulty_rule(&g.store, STORE_AUDIT_APPEND, FAULT_LOST_DONE, 2);
    ask(&a);
    w.challenge = "a guess";
    w.transaction = "t2";
    ask(&a);
    CHECK_INT(gateway_audited(&g, "challenge.refused", NULL), 1);
    CHECK_INT(g.store.asked[STORE_AUDIT_APPEND], 3);
    CHECK(!gateway_leaks(&g, "audit.lost"));
    faulty_rule(&g.store, STORE_AUDIT_APPEND, FAULT_HELD, 5000);
    for (int i = 0; i < 4097; i++) {
        struct audit_details details;
        audit_details_init(&details);
        trail_append(g.enroll, AUDIT_MESSAGE_REFUSED, NULL, "", "a stranger", &details);
    }
    CHECK_INT(faulty_held(&g.store), 4096);
    CHECK(gateway_leaks(&g, "audit.lost"));
    while (faulty_held(&g.store))
        faulty_release(&g.store);
    faulty_rule(&g.store, STORE_AUDIT_APPEND, FAULT_NONE, 0);
    end();
}

/* ---- orphans ------------------------------------------------------------------------------------------- */

/* A transaction that was begun, and whose result never reached the store. */
static void leave_an_orphan(void)
{
    obligations_stop(g.obligations); /* or it would be taken up here when its lease is over */
    faulty_rule(&g.store, STORE_TRANSACTION_ADVANCE, FAULT_LOST_NOT_DONE, 1000);
    ask(&a);
    (void)gateway_settle(&g);
}

TEST(an_orphan_is_finished_after_a_restart_without_its_client)
{
    begin(&(struct gateway_wish){.enroll = SHORT_LEASE});
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    leave_an_orphan();
    struct scripted before = scripted;
    CHECK_INT(gateway_state(&g), TRANSACTION_RECEIVED);
    gateway_stop(&g);
    gateway_start(&g);
    gateway_step(&g, LEASE_OVER);
    CHECK(gateway_wait(&g, is_issued, NULL));
    CHECK_TEXT(scripted.transaction, before.transaction);
    CHECK(!memcmp(scripted.plan, before.plan, sizeof before.plan));
    CHECK_INT(scripted.prepared, 1);
    ask(&a);
    CHECK(one_certificate());
    end();
}

TEST(an_orphan_is_taken_up_by_its_client)
{
    begin(&(struct gateway_wish){.enroll = SHORT_LEASE});
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    leave_an_orphan();
    gateway_stop(&g);
    gateway_start(&g);
    ask(&a);
    CHECK(gateway_wait(&g, is_issued, NULL));
    ask(&a);
    CHECK(one_certificate());
    CHECK_INT(scripted.prepared, 1);
    end();
}

TEST(a_poll_takes_up_an_orphan_with_the_stored_request)
{
    begin(&(struct gateway_wish){.enroll = "wait: 3s, backend_deadline: 500ms, lease: 1s"});
    scripted_offers(BACKEND_SAFE_TO_REPEAT, false, false);
    leave_an_orphan();
    gateway_stop(&g);
    gateway_start(&g);
    device_ask(&g, &(struct wish){.type = SCEP_CERT_POLL}, &b);
    CHECK(gateway_wait(&g, is_issued, NULL));
    ask(&a);
    CHECK(one_certificate());
    end();
}

TEST(an_orphan_is_not_submitted_again_where_that_is_not_safe)
{
    begin(&(struct gateway_wish){.enroll = SHORT_LEASE});
    scripted_offers(0, false, true);
    leave_an_orphan();
    gateway_stop(&g);
    gateway_start(&g);
    gateway_step(&g, LEASE_OVER);
    CHECK(gateway_wait(&g, is_issued, NULL));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(scripted.calls[SCRIPTED_LOOK_UP], 1);
    ask(&a);
    CHECK(one_certificate());
    end();
}

static bool needs_attention(void *context)
{
    (void)context;
    return gateway_state(&g) == TRANSACTION_ATTENTION;
}

TEST(an_orphan_that_nobody_can_look_up_needs_attention)
{
    begin(&(struct gateway_wish){.enroll = SHORT_LEASE});
    leave_an_orphan();
    gateway_stop(&g);
    gateway_start(&g);
    gateway_step(&g, LEASE_OVER);
    CHECK(gateway_wait(&g, needs_attention, NULL));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    CHECK_INT(gateway_audited(&g, "request.attention", NULL), 1);
    end();
}

/* The backend was away, is asked again, and the gateway dies before the answer is recorded. */
TEST(a_second_submission_that_is_lost_is_not_made_a_third_time)
{
    begin(&(struct gateway_wish){.enroll = SHORT_LEASE});
    scripted_offers(0, false, true);
    scripted_next((struct script){.verdict = BACKEND_UNAVAILABLE, .delay = 1000, .reason = "away"});
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK(gateway_settle(&g));
    gateway_step(&g, LEASE_OVER);
    scripted_next((struct script){.held = true});
    struct call c;
    call_start(&c, &g, &w);
    while (!scripted_held())
        client_turn(g.base, 1);
    faulty_rule(&g.store, STORE_TRANSACTION_ADVANCE, FAULT_LOST_NOT_DONE, 1000);
    scripted_release();
    answer_free(&a);
    call_finish(&c, &a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    CHECK(gateway_settle(&g));
    gateway_stop(&g);
    gateway_start(&g);
    gateway_step(&g, LEASE_OVER);
    ask(&a);
    CHECK(gateway_wait(&g, is_issued, NULL));
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 2);
    CHECK_INT(scripted.calls[SCRIPTED_LOOK_UP], 1);
    end();
}

/* ---- what the store keeps ------------------------------------------------------------------------------ */

TEST(a_finished_certificate_survives_a_restart)
{
    begin(&(struct gateway_wish){0});
    ask(&a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    gateway_stop(&g);
    gateway_start(&g);
    ask(&b);
    CHECK(answer_is(&b, SCEP_SUCCESS, FAIL_NONE));
    CHECK_TEXT(b.serial, a.serial);
    CHECK_INT(scripted.calls[SCRIPTED_ENROLL], 1);
    end();
}

TEST(a_challenge_is_never_kept_in_clear)
{
    begin(&(struct gateway_wish){0});
    scripted_offers(0, true, false);
    char finished[64], pending[64], guess[] = "canary-of-a-guess";
    snprintf(finished, sizeof finished, "%s", w.challenge);
    ask(&a);
    snprintf(pending, sizeof pending, "%s", gateway_challenge(&g));
    scripted_next((struct script){.verdict = BACKEND_PENDING, .cookie = "canary-cookie", .delay = 60000});
    w = (struct wish){.challenge = pending, .cn = "canary-subject", .transaction = "t2", .key = 1};
    ask(&a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    w = (struct wish){.challenge = guess, .transaction = "t3", .key = 2};
    ask(&a);
    CHECK(gateway_settle(&g));
    for (int stopped = 0; stopped < 2; stopped++) {
        CHECK(!gateway_leaks(&g, finished));
        CHECK(!gateway_leaks(&g, pending));
        CHECK(!gateway_leaks(&g, guess));
        CHECK(gateway_leaks(&g, "canary-subject")); /* the search would find it */
        gateway_stop(&g);
        if (!stopped)
            gateway_start(&g);
    }
    gateway_start(&g);
    end();
}

RUNNER_MAIN()
