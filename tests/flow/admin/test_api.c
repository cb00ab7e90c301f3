/* test_api.c: the management API as its callers see it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "challenge/challenge.h"
#include "flow/admin/rig.h"
#include "support/runner.h"

#define RIG(name)                                                                                            \
    struct rig name;                                                                                         \
    rig_init(&name)

/* Asks and checks status and code of a refusal. */
static bool refuses(struct rig *r, const char *method, const char *target, const char *body, int status,
                    const char *code)
{
    struct reply got;
    rig_ask(r, &got, method, target, body);
    bool right = got.status == status && strcmp(reply_text(&got, "code"), code) == 0 &&
                 reply_text(&got, "error")[0] != 0;
    if (!right)
        fprintf(stderr, "%s %s: %d %s\n", method, target, got.status, got.text);
    reply_free(&got);
    return right;
}

static bool says(struct rig *r, const char *target, const char *path, const char *text)
{
    struct reply got;
    rig_ask(r, &got, "GET", target, NULL);
    bool right = got.status == 200 && strcmp(reply_text(&got, path), text) == 0;
    if (!right)
        fprintf(stderr, "%s: %d %s\n", target, got.status, got.text);
    reply_free(&got);
    return right;
}

static bool counts(struct rig *r, const char *target, const char *path, int64_t count)
{
    struct reply got;
    rig_ask(r, &got, "GET", target, NULL);
    bool right = got.status == 200 && reply_number(&got, path) == count;
    if (!right)
        fprintf(stderr, "%s: %d %s\n", target, got.status, got.text);
    reply_free(&got);
    return right;
}

/* Is this text, presented to `alias`, what the store holds a hash of? */
static bool stored(struct rig *r, const char *alias, const char *challenge)
{
    struct store_request request;
    store_request_init(&request, STORE_CHALLENGE_FIND);
    request.challenge_find.alias = alias;
    request.challenge_find.hash_count = 1;
    if (keys_challenge_hash(r->keys, 0, alias, bytes_of_text(challenge), request.challenge_find.hashes[0]) !=
        ERR_OK)
        return false;
    struct store_answer *answer = rig_store(r, &request);
    bool found = answer->outcome == STORE_OK && answer->challenge_count == 1;
    store_answer_free(answer);
    return found;
}

TEST(a_challenge_is_made_listed_and_revoked)
{
    RIG(r);
    struct reply made, got;
    rig_ask(&r, &made, "POST", "/v1/challenges",
            "{\"alias\":\"DEMO\",\"ttl\":60,\"uses\":3,\"cn\":\"box.example\",\"device\":\"d1\",\"labels\":{"
            "\"ticket\":\"T-1\"}}");
    CHECK_INT(made.status, 201);
    CHECK(strstr(made.head, "Cache-Control: no-store") != NULL);
    CHECK_INT(strlen(reply_text(&made, "id")), 32);
    CHECK_INT(strlen(reply_text(&made, "challenge")), CHALLENGE_TEXT_SIZE - 1);
    CHECK_TEXT(reply_text(&made, "alias"), "demo");
    CHECK_INT(reply_number(&made, "uses"), 3);
    CHECK_INT(strlen(reply_text(&made, "expires")), 24);
    CHECK(stored(&r, "demo", reply_text(&made, "challenge")));

    rig_ask(&r, &got, "GET", "/v1/challenges?alias=Demo&state=unused", NULL);
    CHECK_INT(got.status, 200);
    CHECK_INT(reply_number(&got, "challenges"), 1);
    CHECK_TEXT(reply_text(&got, "challenges.0.id"), reply_text(&made, "id"));
    CHECK_TEXT(reply_text(&got, "challenges.0.expires"), reply_text(&made, "expires"));
    CHECK_TEXT(reply_text(&got, "challenges.0.bindings.cn"), "box.example");
    CHECK_TEXT(reply_text(&got, "challenges.0.bindings.device"), "d1");
    CHECK_TEXT(reply_text(&got, "challenges.0.labels.ticket"), "T-1");
    CHECK_INT(reply_number(&got, "challenges.0.uses_left"), 3);
    CHECK(strncmp(reply_text(&got, "challenges.0.created_by"), "uid:", 4) == 0);
    CHECK(strstr(got.text, reply_text(&made, "challenge")) == NULL);
    reply_free(&got);

    char target[128];
    snprintf(target, sizeof target, "/v1/challenges/Demo/%s", reply_text(&made, "id"));
    rig_ask(&r, &got, "DELETE", target, NULL);
    CHECK_INT(got.status, 200);
    CHECK_TEXT(reply_text(&got, "state"), "revoked");
    reply_free(&got);
    CHECK(counts(&r, "/v1/challenges?state=unused", "challenges", 0));
    CHECK(counts(&r, "/v1/challenges?state=revoked", "challenges", 1));
    reply_free(&made);
    rig_free(&r);
}

TEST(each_write_leaves_its_event)
{
    RIG(r);
    struct reply made, got;
    char target[128];
    rig_ask(&r, &made, "POST", "/v1/challenges",
            "{\"alias\":\"demo\",\"san\":\"a.example\",\"labels\":{\"a\":\"b\"}}");
    CHECK_INT(made.status, 201);
    snprintf(target, sizeof target, "/v1/challenges/demo/%s", reply_text(&made, "id"));
    rig_ask(&r, &got, "DELETE", target, NULL);
    CHECK_INT(got.status, 200);
    reply_free(&got);
    rig_ask(&r, &got, "GET", "/v1/audit?alias=demo&tenant=acme", NULL);
    CHECK_INT(reply_number(&got, "events"), 2);
    CHECK_TEXT(reply_text(&got, "events.0.event"), "challenge.revoked");
    CHECK_TEXT(reply_text(&got, "events.0.details.challenge"), reply_text(&made, "id"));
    CHECK(strncmp(reply_text(&got, "events.0.details.by"), "uid:", 4) == 0);
    CHECK_TEXT(reply_text(&got, "events.1.event"), "challenge.created");
    CHECK_TEXT(reply_text(&got, "events.1.details.challenge"), reply_text(&made, "id"));
    CHECK_TEXT(reply_text(&got, "events.1.details.san"), "a.example");
    CHECK_TEXT(reply_text(&got, "events.1.details.labels"), "{\"a\":\"b\"}");
    CHECK_INT(reply_number(&got, "events.1.details.uses"), 1);
    CHECK_TEXT(reply_text(&got, "events.1.tenant"), "acme");
    CHECK(strstr(got.text, reply_text(&made, "challenge")) == NULL);
    reply_free(&got);
    CHECK(counts(&r, "/v1/audit?text=created", "events", 1));
    rig_ask(&r, &got, "POST", "/v1/audit/verify", NULL);
    CHECK_INT(reply_number(&got, "intact"), 1);
    reply_free(&got);
    reply_free(&made);
    rig_free(&r);
}

TEST(many_challenges_come_at_once)
{
    RIG(r);
    struct reply got;
    rig_ask(&r, &got, "POST", "/v1/challenges", "{\"alias\":\"demo\",\"count\":150}");
    CHECK_INT(got.status, 201);
    CHECK_INT(reply_number(&got, "challenges"), 150);
    CHECK(strcmp(reply_text(&got, "challenges.0.challenge"), reply_text(&got, "challenges.149.challenge")) !=
          0);
    CHECK(stored(&r, "demo", reply_text(&got, "challenges.0.challenge")));
    CHECK(stored(&r, "demo", reply_text(&got, "challenges.149.challenge")));
    reply_free(&got);
    rig_ask(&r, &got, "POST", "/v1/challenges", "{\"alias\":\"demo\",\"count\":1}");
    CHECK_INT(reply_number(&got, "challenges"), 1);
    reply_free(&got);
    CHECK(counts(&r, "/v1/audit?limit=1000", "events", 151));
    rig_free(&r);
}

TEST(lists_come_in_pages)
{
    RIG(r);
    struct reply got;
    char target[160];
    rig_ask(&r, &got, "POST", "/v1/challenges", "{\"alias\":\"demo\",\"count\":5}");
    reply_free(&got);
    rig_ask(&r, &got, "GET", "/v1/challenges?limit=3", NULL);
    CHECK_INT(reply_number(&got, "challenges"), 3);
    snprintf(target, sizeof target, "/v1/challenges?limit=3&after=%s", reply_text(&got, "next"));
    reply_free(&got);
    rig_ask(&r, &got, "GET", target, NULL);
    CHECK_INT(reply_number(&got, "challenges"), 2);
    CHECK_TEXT(reply_text(&got, "next"), "");
    CHECK(strstr(got.text, "\"next\":null") != NULL);
    reply_free(&got);
    rig_free(&r);
}

TEST(an_order_is_checked)
{
    RIG(r);
    static const struct {
        const char *body;
        int status;
        const char *code;
    } rows[] = {
        {"", 400, "BAD_REQUEST"},
        {"[]", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\"", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"alias\":\"demo\"}", 400, "BAD_REQUEST"},
        {"{\"alias\":7}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"a/b\"}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"colour\":\"red\"}", 400, "UNKNOWN_MEMBER"},
        {"{\"alias\":\"demo\",\"ttl\":\"1h\"}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"ttl\":0}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"ttl\":1.5}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"uses\":-1}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"count\":1001}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"cn\":\"a\\u0000b\"}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"cn\":\"\"}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"spki_sha256\":\"00\"}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"labels\":[]}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"demo\",\"labels\":{\"a\":1}}", 400, "BAD_REQUEST"},
        {"{\"alias\":\"nobody\"}", 404, "ALIAS_UNKNOWN"},
        {"{\"alias\":\"fixed\"}", 409, "POLICY_REFUSED"},
        {"{\"alias\":\"demo\",\"ttl\":7201}", 409, "POLICY_REFUSED"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK(refuses(&r, "POST", "/v1/challenges", rows[i].body, rows[i].status, rows[i].code));
    struct reply got;
    rig_ask(&r, &got, "POST", "/v1/challenges", "{\"alias\":\"demo\",\"colour\":\"red\"}");
    CHECK(strstr(reply_text(&got, "error"), "\"colour\"") != NULL ||
          strstr(reply_text(&got, "error"), "colour"));
    reply_free(&got);
    char large[20000];
    memset(large, ' ', sizeof large - 1);
    large[sizeof large - 1] = 0;
    CHECK(refuses(&r, "POST", "/v1/challenges", large, 413, "TOO_LARGE"));
    CHECK_INT(r.flaky.submitted, 0);
    rig_free(&r);
}

TEST(paths_and_queries_are_checked)
{
    RIG(r);
    CHECK(refuses(&r, "GET", "/v1/nothing", NULL, 404, "NOT_FOUND"));
    CHECK(refuses(&r, "PUT", "/v1/challenges", "{}", 405, "METHOD_NOT_ALLOWED"));
    CHECK(refuses(&r, "GET", "/v1/status", "{}", 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/status?x=1", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/challenges?limit=0", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/challenges?limit=1001", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/challenges?limit=1x", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/challenges?alias=a%2Fb", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/challenges?alias=a&alias=b", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/challenges?state=%00", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/challenges?colour=red", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/challenges?after='--", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "DELETE", "/v1/challenges/demo/XYZ", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "DELETE", "/v1/challenges/demo/00000000000000000000000000000000", NULL, 404,
                  "NOT_FOUND"));
    CHECK(refuses(&r, "GET", "/v1/transactions/0", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/transactions/00000000000000000000000000000000", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/transactions/00000000000000000000000000000000?alias=demo", NULL, 404,
                  "NOT_FOUND"));
    CHECK(refuses(&r, "GET", "/v1/certificates/demo/0x", NULL, 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "GET", "/v1/certificates/demo/0a", NULL, 404, "NOT_FOUND"));
    CHECK(refuses(&r, "GET", "/v1/certificates/demo/0a?issuer=00", NULL, 400, "BAD_REQUEST"));
    rig_free(&r);
}

/* ---- a store that loses answers ------------------------------------------------------------------------ */

TEST(a_lost_answer_is_asked_for_again)
{
    RIG(r);
    struct reply got;
    r.flaky.unknown = 2;
    rig_ask(&r, &got, "POST", "/v1/challenges", "{\"alias\":\"demo\"}");
    CHECK_INT(got.status, 201);
    CHECK_INT(r.flaky.submitted, 3);
    CHECK(stored(&r, "demo", reply_text(&got, "challenge")));
    reply_free(&got);
    CHECK(counts(&r, "/v1/challenges", "challenges", 1)); /* carried out once */
    CHECK(counts(&r, "/v1/audit", "events", 1));
    rig_free(&r);
}

TEST(what_stays_unknown_is_not_promised)
{
    RIG(r);
    r.flaky.unknown = 100;
    CHECK(refuses(&r, "POST", "/v1/challenges", "{\"alias\":\"demo\"}", 503, "STORE_UNKNOWN"));
    r.flaky.unknown = 100;
    CHECK(refuses(&r, "GET", "/v1/challenges", NULL, 503, "STORE_UNKNOWN"));
    r.flaky.unknown = 0;
    rig_free(&r);
}

/* ---- transactions and certificates --------------------------------------------------------------------- */

#define TRANSACTION "0123456789abcdef0123456789abcdef"
#define ISSUER      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static uint64_t begin(struct rig *r)
{
    struct store_request request;
    store_request_init(&request, STORE_TRANSACTION_BEGIN);
    request.begin.record = (struct transaction_record){
        .id = TRANSACTION,
        .key = {.alias = "demo", .transaction_id = bytes_of("id \x01\\\xff", 6)},
        .sealed_csr = bytes_of("x", 1),
        .challenge_id = "",
        .subject = "CN=box,O=\xc3\xa9",
        .client = "192.0.2.1",
    };
    request.begin.lease = 60000;
    request.begin.retransmit_window = 60000;
    struct store_answer *answer = rig_store(r, &request);
    uint64_t claim = answer->outcome == STORE_MINE ? answer->claim : 0;
    store_answer_free(answer);
    return claim;
}

static bool issue(struct rig *r, uint64_t claim)
{
    struct store_request request;
    struct bytes chain[] = {bytes_of("\x30\x01\x00", 3), bytes_of("\x30\x02\x00\x00", 4)};
    struct certificate_record certificate = {.alias = "demo",
                                             .issuer_sha256 = ISSUER,
                                             .serial = "0abc",
                                             .transaction = TRANSACTION,
                                             .subject = "CN=box",
                                             .der = chain[0],
                                             .not_before = 1000,
                                             .not_after = 4102444800000};
    store_request_init(&request, STORE_TRANSACTION_ADVANCE);
    request.advance.alias = "demo";
    request.advance.record_id = TRANSACTION;
    request.advance.claim = claim;
    request.advance.state = TRANSACTION_ISSUED;
    request.advance.certificate = &certificate;
    request.advance.chain = chain;
    request.advance.chain_count = 2;
    request.advance.drop_lease = true;
    struct store_answer *answer = rig_store(r, &request);
    bool done = answer->outcome == STORE_OK;
    store_answer_free(answer);
    return done;
}

TEST(a_transaction_can_be_looked_at)
{
    RIG(r);
    struct reply got;
    uint64_t claim = begin(&r);
    CHECK(claim > 0);
    CHECK(says(&r, "/v1/transactions?alias=DEMO&state=received", "transactions.0.id", TRANSACTION));
    CHECK(issue(&r, claim));
    CHECK(counts(&r, "/v1/transactions?state=received", "transactions", 0));
    rig_ask(&r, &got, "GET", "/v1/transactions/" TRANSACTION "?alias=Demo", NULL);
    CHECK_INT(got.status, 200);
    CHECK_TEXT(reply_text(&got, "state"), "issued");
    CHECK_TEXT(reply_text(&got, "transaction_id"), "id \\x01\\x5c\\xff");
    CHECK_TEXT(reply_text(&got, "subject"), "CN=box,O=\xc3\xa9");
    CHECK_TEXT(reply_text(&got, "serial"), "0abc");
    CHECK_INT(strlen(reply_text(&got, "signer_spki_sha256")), 64);
    CHECK_INT(reply_number(&got, "chain"), 2);
    CHECK_TEXT(reply_text(&got, "chain.0"), "-----BEGIN CERTIFICATE-----\nMAEA\n-----END CERTIFICATE-----\n");
    CHECK(reply_text(&got, "finished")[0] != 0);
    reply_free(&got);
    rig_free(&r);
}

TEST(a_certificate_is_found_by_its_serial)
{
    RIG(r);
    CHECK(issue(&r, begin(&r)));
    CHECK(counts(&r, "/v1/certificates?alias=demo", "certificates", 1));
    CHECK(counts(&r, "/v1/certificates?alias=fixed", "certificates", 0));
    CHECK(says(&r, "/v1/certificates/Demo/0abc", "pem",
               "-----BEGIN CERTIFICATE-----\nMAEA\n-----END CERTIFICATE-----\n"));
    CHECK(says(&r, "/v1/certificates/demo/0abc?issuer=" ISSUER, "issuer_sha256", ISSUER));
    CHECK(refuses(&r, "GET", "/v1/certificates/demo/0ab", NULL, 404, "NOT_FOUND"));
    rig_free(&r);
}

/* ---- the process --------------------------------------------------------------------------------------- */

TEST(status_tells_who_serves_what)
{
    RIG(r);
    struct reply got;
    rig_give_ra(&r, "demo");
    rig_ask(&r, &got, "GET", "/v1/status", NULL);
    CHECK_INT(got.status, 200);
    CHECK_TEXT(reply_text(&got, "version"), SCEPGATE_VERSION);
    CHECK_INT(reply_number(&got, "pid"), getpid());
    CHECK(reply_number(&got, "uptime") >= 0);
    CHECK_INT(reply_number(&got, "store.ready"), 1);
    CHECK_TEXT(reply_text(&got, "store.type"), "sqlite");
    CHECK_TEXT(reply_text(&got, "replica"), "this-one");
    CHECK_INT(reply_number(&got, "replicas"), 1);
    CHECK_TEXT(reply_text(&got, "replicas.0.host"), "gate-2");
    CHECK_TEXT(reply_text(&got, "replicas.0.since"), "2023-11-14T22:13:20.000Z");
    CHECK_INT(reply_number(&got, "replicas.0.differences"), 2);
    CHECK_INT(reply_number(&got, "queues.worker_waiting"), 0);
    CHECK_INT(reply_number(&got, "aliases"), 3);
    reply_free(&got);
    rig_ask(&r, &got, "GET", "/v1/aliases", NULL);
    bool seen = false;
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "aliases.%d.name", i);
        if (strcmp(reply_text(&got, path), "demo") != 0)
            continue;
        seen = true;
        snprintf(path, sizeof path, "aliases.%d.ca_sha256", i);
        CHECK_TEXT(reply_text(&got, path), "cafe");
        snprintf(path, sizeof path, "aliases.%d.ra.ready", i);
        CHECK_INT(reply_number(&got, path), 1);
        snprintf(path, sizeof path, "aliases.%d.paths.0", i);
        CHECK_TEXT(reply_text(&got, path), "/scep/demo");
        snprintf(path, sizeof path, "aliases.%d.paths.2", i);
        CHECK_TEXT(reply_text(&got, path), "/certsrv/mscep/mscep.dll");
    }
    CHECK(seen);
    CHECK(strstr(got.text, "open sesame") == NULL);
    reply_free(&got);
    rig_free(&r);
}

TEST(reload_and_log_level_reach_the_server)
{
    RIG(r);
    struct reply got;
    rig_ask(&r, &got, "POST", "/v1/reload", NULL);
    CHECK_INT(got.status, 202);
    reply_free(&got);
    CHECK_INT(r.reloads, 1);
    rig_ask(&r, &got, "POST", "/v1/log-level", "{\"level\":\"debug\"}");
    CHECK_INT(got.status, 200);
    reply_free(&got);
    CHECK_INT(r.level, LOG_LEVEL_DEBUG);
    CHECK(refuses(&r, "POST", "/v1/log-level", "{\"level\":\"loud\"}", 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "POST", "/v1/log-level", "{}", 400, "BAD_REQUEST"));
    CHECK(refuses(&r, "POST", "/v1/reload", "{\"now\":true}", 400, "UNKNOWN_MEMBER"));
    r.draining = true;
    CHECK(refuses(&r, "POST", "/v1/reload", NULL, 503, "SHUTTING_DOWN"));
    CHECK_INT(r.reloads, 1);
    rig_free(&r);
}

/* ---- the public listener ------------------------------------------------------------------------------- */

static bool public_says(struct rig *r, const char *target, int status, const char *text)
{
    struct reply got;
    rig_ask_public(r, &got, "GET", target);
    bool right = got.status == status && strstr(got.text, text) != NULL;
    if (!right)
        fprintf(stderr, "%s: %d %s\n", target, got.status, got.text);
    reply_free(&got);
    return right;
}

TEST(readiness_names_each_problem)
{
    RIG(r);
    CHECK(public_says(&r, "/readyz", 503, "no alias has an RA certificate yet\n"));
    rig_give_ra(&r, "demo");
    CHECK(public_says(&r, "/readyz", 200, "ready\n"));
    r.flaky.down = true;
    CHECK(public_says(&r, "/readyz", 503, "store: the disk is full\n"));
    r.flaky.down = false;
    r.draining = true;
    CHECK(public_says(&r, "/readyz", 503, "the gateway is shutting down\n"));
    CHECK(public_says(&r, "/healthz", 200, "ok\n"));
    rig_free(&r);
}

TEST(metrics_are_fresh)
{
    RIG(r);
    rig_give_ra(&r, "demo");
    CHECK(public_says(&r, "/metrics", 200, "scepgate_aliases 3\n"));
    CHECK(public_says(&r, "/metrics", 200, "scepgate_store_ready 1\n"));
    CHECK(public_says(&r, "/metrics", 200, "scepgate_ra_not_after_seconds{alias=\"demo\"} 1900000000\n"));
    CHECK(public_says(&r, "/metrics", 200,
                      "scepgate_http_requests_total{operation=\"metrics\",status=\"200\"} 3\n"));
    r.flaky.down = true;
    CHECK(public_says(&r, "/metrics", 200, "scepgate_store_ready 0\n"));
    rig_free(&r);
}

TEST(strangers_reach_no_management)
{
    RIG(r);
    static const char *const targets[] = {"/v1/status", "/v1/challenges", "/v1/aliases",     "/v1/audit",
                                          "/v1/reload", "//v1/status",    "/v1/../v1/status"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        CHECK(public_says(&r, targets[i], 404, "NOT_FOUND"));
    struct reply got;
    rig_ask_public(&r, &got, "POST", "/v1/reload");
    CHECK_INT(got.status, 404);
    reply_free(&got);
    rig_ask_public(&r, &got, "HEAD", "/healthz");
    CHECK_INT(got.status, 200);
    reply_free(&got);
    CHECK_INT(r.reloads, 0);
    rig_free(&r);
}

/* Looks until it has ended. */
static void await(struct rig *r, const char *target, struct reply *out)
{
    for (rig_ask(r, out, "GET", target, NULL);
         out->status == 200 && json_is_true(json_object_get(out->json, "running"));
         rig_ask(r, out, "GET", target, NULL))
        reply_free(out);
}

TEST(a_store_is_resealed_while_it_is_served)
{
    RIG(r);
    struct reply got;
    struct store_request create;
    store_request_init(&create, STORE_CHALLENGE_CREATE);
    create.challenge_create = (struct challenge_record){.id = "0123456789abcdef0123456789abcdef",
                                                        .alias = "demo",
                                                        .key_id = "older",
                                                        .uses = 1,
                                                        .expires = 60000};
    store_answer_free(rig_store(&r, &create));
    rig_ask(&r, &got, "GET", "/v1/store/rekey", NULL);
    CHECK_INT(got.status, 200);
    CHECK(json_is_false(json_object_get(got.json, "running")));
    CHECK(json_is_false(json_object_get(got.json, "moved")));
    reply_free(&got);
    CHECK(refuses(&r, "POST", "/v1/store/rekey", "{\"key\":\"x\"}", 400, "UNKNOWN_MEMBER"));
    rig_ask(&r, &got, "POST", "/v1/store/rekey", NULL);
    CHECK_INT(got.status, 202);
    CHECK(json_is_true(json_object_get(got.json, "running")));
    reply_free(&got);
    await(&r, "/v1/store/rekey", &got);
    CHECK(json_is_true(json_object_get(got.json, "moved")));
    CHECK_TEXT(reply_text(&got, "key"), keys_id(r.keys, 0));
    CHECK_TEXT(reply_text(&got, "older_keys.0.key"), "older");
    CHECK_INT(reply_number(&got, "older_keys.0.challenges"), 1);
    CHECK_INT(strlen(reply_text(&got, "older_keys.0.last_expires")), 24);
    reply_free(&got);
    CHECK(admin_idle(r.admin));
    CHECK(says(&r, "/v1/audit", "events.0.event", "store.rekeyed"));
    char by[32];
    snprintf(by, sizeof by, "uid:%ld", (long)getuid());
    CHECK(says(&r, "/v1/audit", "events.0.details.by", by));
    rig_free(&r);
}

TEST(a_reindex_is_begun_once_and_told_about)
{
    RIG(r);
    struct reply got;
    r.flaky.unknown = 1; /* repeated after a moment, so that it is running still */
    rig_ask(&r, &got, "POST", "/v1/store/reindex", NULL);
    CHECK_INT(got.status, 202);
    reply_free(&got);
    CHECK(!admin_idle(r.admin));
    CHECK(refuses(&r, "POST", "/v1/store/reindex", NULL, 409, "CONFLICT"));
    await(&r, "/v1/store/reindex", &got);
    CHECK(json_is_true(json_object_get(got.json, "done")));
    CHECK(json_is_null(json_object_get(got.json, "problem")));
    reply_free(&got);
    r.flaky.unknown = 100;
    rig_ask(&r, &got, "POST", "/v1/store/reindex", NULL);
    CHECK_INT(got.status, 202);
    reply_free(&got);
    await(&r, "/v1/store/reindex", &got);
    CHECK(json_is_false(json_object_get(got.json, "done")));
    CHECK(strstr(reply_text(&got, "problem"), "start it again"));
    reply_free(&got);
    rig_free(&r);
}

RUNNER_MAIN()
