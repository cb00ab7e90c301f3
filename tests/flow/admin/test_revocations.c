/* test_revocations.c: certificates are revoked, held and released through the API. */
#include <stdio.h>
#include <string.h>

#include "flow/admin/rig.h"
#include "support/runner.h"

#define ISSUER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define OTHER  "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define ONE    "/v1/certificates/Demo/0abc"

static bool record(struct rig *r, const char *serial, const char *issuer, const char *transaction,
                   int64_t not_after)
{
    struct store_request request;
    struct certificate_record certificate = {.alias = "demo",
                                             .issuer_sha256 = issuer,
                                             .serial = serial,
                                             .transaction = transaction,
                                             .subject = "CN=box",
                                             .der = bytes_of("\x30\x01\x00", 3),
                                             .not_before = 1000,
                                             .not_after = not_after,
                                             .recorded = 1000};
    store_request_init(&request, STORE_IMPORT);
    request.import.kind = STORE_KIND_CERTIFICATE;
    request.import.certificate = &certificate;
    struct store_answer *answer = rig_store(r, &request);
    bool done = answer->outcome == STORE_OK;
    store_answer_free(answer);
    return done;
}

#define FAR 4102444800000
#define ID  "0123456789abcdef0123456789abcdef"

static bool begin(struct rig *r)
{
    rig_init(r);
    return record(r, "0abc", ISSUER, ID, FAR);
}

static bool refuses(struct rig *r, const char *target, const char *body, int status, const char *code,
                    const char *part)
{
    struct reply got;
    rig_ask(r, &got, "POST", target, body);
    bool right = got.status == status && strcmp(reply_text(&got, "code"), code) == 0 &&
                 strstr(reply_text(&got, "error"), part);
    if (!right)
        fprintf(stderr, "%s: %d %s\n", target, got.status, got.text);
    reply_free(&got);
    return right;
}

static bool changes(struct rig *r, const char *target, const char *body, const char *reason,
                    const char *warning)
{
    struct reply got;
    rig_ask(r, &got, "POST", target, body);
    bool right =
        got.status == 200 && strcmp(reply_text(&got, "reason"), reason) == 0 &&
        (*warning ? strstr(reply_text(&got, "warning"), warning) != NULL : !*reply_text(&got, "warning"));
    if (!right)
        fprintf(stderr, "%s: %d %s\n", target, got.status, got.text);
    reply_free(&got);
    return right;
}

/* Its newest event, and the obligation that goes with it. */
static bool left(struct rig *r, const char *event, const char *part)
{
    struct store_request request;
    store_request_init(&request, STORE_AUDIT_LIST);
    request.list.limit = 1;
    struct store_answer *answer = rig_store(r, &request);
    bool right = answer->event_count == 1 && strcmp(answer->events[0].event, event) == 0 &&
                 strcmp(answer->events[0].alias, "demo") == 0 &&
                 strcmp(answer->events[0].transaction, ID) == 0 && strstr(answer->events[0].details, part) &&
                 strstr(answer->events[0].details, "\"by\":\"uid:") &&
                 strstr(answer->events[0].details, "\"serial\":\"0abc\"");
    store_answer_free(answer);
    store_request_init(&request, STORE_OBLIGATION_CLAIM);
    request.obligation_claim.limit = 10;
    request.obligation_claim.lease = 60000;
    answer = rig_store(r, &request);
    right = right && answer->obligation_count == 1 &&
            strcmp(answer->obligations[0].kind, "crl.publish") == 0 &&
            strcmp(answer->obligations[0].alias, "demo") == 0 &&
            strcmp(answer->obligations[0].reference, ISSUER) == 0;
    store_answer_free(answer);
    return right;
}

TEST(a_certificate_is_revoked_with_its_event_and_obligation)
{
    struct rig r;
    CHECK(begin(&r));
    CHECK(changes(&r, ONE "/revoke", "{\"reason\":\"keycompromise\"}", "keyCompromise", ""));
    CHECK(left(&r, "certificate.revoked", "\"reason\":\"keyCompromise\""));
    CHECK(refuses(&r, ONE "/revoke", NULL, 409, "ALREADY_REVOKED", "keyCompromise"));
    CHECK(refuses(&r, ONE "/hold", NULL, 409, "ALREADY_REVOKED", "for good"));
    CHECK(refuses(&r, ONE "/release", NULL, 409, "ALREADY_REVOKED", "for good"));
    rig_free(&r);
}

TEST(a_hold_is_released_or_made_final)
{
    struct rig r;
    CHECK(begin(&r));
    CHECK(refuses(&r, ONE "/release", NULL, 409, "NOT_HELD", "not on hold"));
    CHECK(changes(&r, ONE "/hold", "{}", "certificateHold", ""));
    CHECK(left(&r, "certificate.held", "\"subject\":\"CN=box\""));
    CHECK(refuses(&r, ONE "/hold", NULL, 409, "ALREADY_HELD", "on hold since"));
    CHECK(changes(&r, ONE "/release", NULL, "", ""));
    CHECK(left(&r, "certificate.released", "\"issuer\":\"" ISSUER "\""));
    CHECK(changes(&r, ONE "/hold?issuer=" ISSUER, NULL, "certificateHold", ""));
    CHECK(changes(&r, ONE "/revoke?issuer=" ISSUER, NULL, "unspecified", ""));
    rig_free(&r);
}

TEST(wrong_orders_change_nothing_and_say_why)
{
    struct rig r;
    CHECK(begin(&r));
    CHECK(refuses(&r, ONE "/revoke", "{\"reason\":\"cACompromise\"}", 400, "BAD_REASON", "another CA"));
    CHECK(refuses(&r, ONE "/revoke", "{\"reason\":\"certificateHold\"}", 400, "BAD_REASON",
                  "hold the certificate"));
    CHECK(refuses(&r, ONE "/revoke", "{\"reason\":\"removeFromCRL\"}", 400, "BAD_REASON", "release"));
    CHECK(refuses(&r, ONE "/revoke", "{\"reason\":\"mood\"}", 400, "BAD_REASON", "cessationOfOperation"));
    CHECK(refuses(&r, ONE "/revoke", "{\"reason\":4}", 400, "BAD_REQUEST", "text"));
    CHECK(refuses(&r, ONE "/hold", "{\"reason\":\"superseded\"}", 400, "UNKNOWN_MEMBER", "reason"));
    CHECK(refuses(&r, ONE "/release", "{\"x\":1}", 400, "UNKNOWN_MEMBER", "x"));
    CHECK(refuses(&r, "/v1/certificates/demo/0abd/revoke", NULL, 404, "NOT_FOUND", "no such certificate"));
    CHECK(refuses(&r, "/v1/certificates/fixed/0abc/revoke", NULL, 404, "NOT_FOUND", "no such certificate"));
    CHECK(refuses(&r, "/v1/certificates/demo/0abc/revoke?issuer=" OTHER, NULL, 404, "NOT_FOUND",
                  "certificate"));
    CHECK(refuses(&r, "/v1/certificates/demo/0x/revoke", NULL, 400, "BAD_REQUEST", "serial"));
    CHECK(refuses(&r, ONE "/revoke?force=1", NULL, 400, "BAD_REQUEST", "force"));
    struct reply got;
    rig_ask(&r, &got, "GET", ONE, NULL);
    CHECK(json_is_null(json_object_get(got.json, "revoked")) &&
          json_is_null(json_object_get(got.json, "reason")));
    reply_free(&got);
    rig_free(&r);
}

TEST(one_of_two_with_the_same_serial_is_named_by_its_issuer)
{
    struct rig r;
    CHECK(begin(&r));
    CHECK(record(&r, "0abc", OTHER, ID, FAR));
    CHECK(refuses(&r, ONE "/revoke", NULL, 409, "AMBIGUOUS", "issuer"));
    CHECK(changes(&r, ONE "/revoke?issuer=" OTHER, NULL, "unspecified", ""));
    CHECK(changes(&r, ONE "/hold?issuer=" ISSUER, NULL, "certificateHold", ""));
    rig_free(&r);
}

TEST(what_an_operator_should_know_is_a_warning)
{
    struct rig r;
    CHECK(begin(&r));
    CHECK(record(&r, "0aa1", ISSUER, "", FAR));
    CHECK(record(&r, "0aa2", ISSUER, ID, 2000));
    CHECK(changes(&r, "/v1/certificates/demo/0aa1/hold", NULL, "certificateHold", "gateway itself signs"));
    CHECK(changes(&r, "/v1/certificates/demo/0aa1/release", NULL, "", ""));
    CHECK(changes(&r, "/v1/certificates/demo/0aa2/revoke", NULL, "unspecified", "has expired"));
    rig_free(&r);
}

TEST(a_lost_answer_is_asked_for_again_and_revokes_once)
{
    struct rig r;
    CHECK(begin(&r));
    r.flaky.unknown = 1; /* of the look */
    CHECK(changes(&r, ONE "/hold?issuer=" ISSUER, NULL, "certificateHold", ""));
    CHECK(changes(&r, ONE "/release", NULL, "", ""));
    size_t before = r.flaky.submitted;
    r.flaky.unknown = 2; /* and of the change, whose repeat finds it done */
    CHECK(changes(&r, ONE "/hold", NULL, "certificateHold", ""));
    CHECK_INT(r.flaky.submitted, before + 4);
    CHECK(refuses(&r, ONE "/hold", NULL, 409, "ALREADY_HELD", "on hold"));
    rig_free(&r);
}
