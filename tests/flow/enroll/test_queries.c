/* test_queries.c: capabilities, CA certificates, and requests that never become a story. */
#include <openssl/pkcs7.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "flow/enroll/device.h"
#include "flow/enroll/scripted.h"
#include "support/runner.h"

static struct gateway g;
static struct answer a;
static struct response r;

static void end(void)
{
    answer_free(&a);
    response_free(&r);
    a = (struct answer){0};
    r = (struct response){0};
    gateway_close(&g);
}

static void request(const char *line, const char *body)
{
    struct client c;
    char text[1024];
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s", line,
             strlen(body), body);
    response_free(&r);
    client_connect(&c, g.base, g.port);
    client_send(&c, text);
    client_receive(&c, &r, !strncmp(line, "HEAD", 4));
    client_free(&c);
}

static int get(const char *target)
{
    char line[256];
    snprintf(line, sizeof line, "GET %s", target);
    request(line, "");
    return r.status;
}

static int post(const char *target, const char *body)
{
    char line[256];
    snprintf(line, sizeof line, "POST %s", target);
    request(line, body);
    return r.status;
}

TEST(capabilities_are_those_of_the_alias)
{
    gateway_open(&g, &(struct gateway_wish){0});
    CHECK_INT(get("/scep/demo?operation=GetCACaps"), 200);
    CHECK_TEXT(response_text(&r), gateway_alias(&g, "demo")->capabilities);
    CHECK(strstr(response_text(&r), "SCEPStandard"));
    CHECK(response_has(&r, "Content-Type: text/plain"));
    CHECK_INT(post("/scep/demo?operation=GetCACaps", ""), 405);
    end();
}

TEST(the_ca_certificates_begin_with_an_ra_that_opens_messages)
{
    gateway_open(&g, &(struct gateway_wish){0});
    CHECK_INT(get("/scep/demo?operation=GetCACert&message=demo"), 200);
    CHECK(response_has(&r, "Content-Type: application/x-x509-ca-ra-cert"));
    const uint8_t *at = r.body.data;
    CLEANUP(PKCS7) PKCS7 *bag = d2i_PKCS7(NULL, &at, (long)r.body.len);
    CHECK(bag && PKCS7_type_is_signed(bag));
    X509 *ra = scep_client_pick(bag->d.sign->cert, false);
    CHECK(ra && X509_cmp(ra, gateway_alias(&g, "demo")->ra->identities[0].certificate) == 0);
    end();
}

TEST(the_first_client_waits_for_the_ra_identity)
{
    gateway_open(&g, &(struct gateway_wish){.cold = true});
    CHECK(!gateway_alias(&g, "demo")->ra);
    CHECK_INT(get("/scep/demo?operation=GetCACert"), 200);
    CHECK(gateway_alias(&g, "demo")->ra);
    CHECK_INT((int)r.body.len, (int)gateway_alias(&g, "demo")->ra->ca.body.len);
    end();
}

TEST(without_an_ra_identity_a_message_is_put_off)
{
    gateway_open(&g, &(struct gateway_wish){.cold = true});
    CHECK_INT(post("/scep/demo?operation=PKIOperation", "0"), 503);
    CHECK(response_has(&r, "Retry-After: 5"));
    CHECK_INT(get("/scep/demo?operation=GetCACert"), 200); /* it is being made meanwhile */
    end();
}

TEST(an_unknown_alias_is_a_missing_page)
{
    gateway_open(&g, &(struct gateway_wish){0});
    CHECK_INT(get("/scep/nobody?operation=GetCACaps"), 404);
    CHECK_INT(post("/scep/nobody?operation=PKIOperation", "0"), 404);
    CHECK_INT(get("/elsewhere"), 404);
    CHECK_INT(gateway_audited(&g, "message.refused", "ALIAS_UNKNOWN"), 3);
    end();
}

TEST(an_unknown_operation_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    CHECK_INT(get("/scep/demo?operation=GetCertInitial"), 400);
    CHECK_INT(get("/scep/demo"), 400);
    CHECK_INT(gateway_audited(&g, "message.refused", "OPERATION_UNKNOWN"), 2);
    end();
}

/* Clients ask now and then: nothing that the audit trail has to remember. */
TEST(no_next_ca_is_a_missing_page)
{
    gateway_open(&g, &(struct gateway_wish){0});
    CHECK_INT(get("/scep/demo?operation=GetNextCACert"), 404);
    CHECK_INT(gateway_audited(&g, "message.refused", "NEXT_CA_NONE"), 0);
    end();
}

TEST(a_message_of_nothing_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    CHECK_INT(post("/scep/demo?operation=PKIOperation", ""), 400);
    CHECK_INT(get("/scep/demo?operation=PKIOperation"), 400);
    CHECK_INT(get("/scep/demo?operation=PKIOperation&message="), 400);
    CHECK_INT(gateway_audited(&g, "message.refused", "MESSAGE_EMPTY"), 3);
    CHECK_INT(get("/scep/demo?operation=PKIOperation&message=%21%21"), 400);
    CHECK_INT(gateway_audited(&g, "message.refused", "MESSAGE_ENCODING"), 1);
    end();
}

TEST(what_is_no_message_is_refused)
{
    gateway_open(&g, &(struct gateway_wish){0});
    CHECK_INT(post("/scep/demo?operation=PKIOperation", "good morning"), 400);
    CHECK_INT(gateway_audited(&g, "message.refused", "NOT_CMS"), 1);
    /* A CMS SignedData without a signer: nobody to answer. */
    static const uint8_t unsigned_data[] = {0x30, 0x23, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                            0x01, 0x07, 0x02, 0xa0, 0x16, 0x30, 0x14, 0x02, 0x01, 0x01,
                                            0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                            0xf7, 0x0d, 0x01, 0x07, 0x01, 0x31, 0x00};
    device_ask(&g, &(struct wish){.body = bytes_of(unsigned_data, sizeof unsigned_data)}, &a);
    CHECK(answer_is_http(&a, 400));
    CHECK_INT(gateway_audited(&g, "message.refused", NULL), 2);
    end();
}

TEST(get_for_messages_can_be_turned_off)
{
    gateway_open(&g, &(struct gateway_wish){.alias = "compat: {get_pki_operation: false}"});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g), .get = true}, &a);
    CHECK(answer_is_http(&a, 405));
    CHECK_INT(gateway_audited(&g, "message.refused", "METHOD_REFUSED"), 1);
    end();
}

TEST(a_post_without_operation_is_a_message)
{
    gateway_open(&g, &(struct gateway_wish){0});
    CHECK_INT(post("/scep/demo", "0"), 400);
    CHECK_INT(gateway_audited(&g, "message.refused", "NOT_CMS"), 1);
    end();
}

/* ---- too much ------------------------------------------------------------------------------------------ */

#define CALLS 24

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* Keeps the only worker until the test opens the gate. */
static void wait_at_gate(void *data)
{
    (void)data;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void nothing(void *data)
{
    (void)data;
}

TEST(over_the_bound_of_its_lane_an_alias_answers_503)
{
    static struct call calls[CALLS];
    int refused = 0, served = 0;
    gateway_open(
        &g, &(struct gateway_wish){.worker = "threads: 1, queue_per_alias: 1", .challenge = "type: none"});
    char ids[CALLS][16];
    struct alias *alias = alias_directory_find(g.directory, "demo");
    pthread_mutex_lock(&gate);
    CHECK_INT(pool_submit(alias->lane, (struct job){wait_at_gate, nothing, NULL}), ERR_OK);
    for (int i = 0; i < CALLS; i++) {
        snprintf(ids[i], sizeof ids[i], "burst-%d", i);
        call_start(&calls[i], &g, &(struct wish){.transaction = ids[i]});
    }
    for (int i = CALLS - 1; i >= 0; i--) { /* the first may have found room and waits for the worker */
        if (i == 0)
            pthread_mutex_unlock(&gate);
        call_finish(&calls[i], &a);
        if (a.status == 503 && strstr(a.http.head, "\r\nRetry-After: "))
            refused++;
        if (a.status == 200 && a.pki == SCEP_SUCCESS)
            served++;
        answer_free(&a);
    }
    a = (struct answer){0};
    CHECK_INT(refused + served, CALLS);
    CHECK(refused > 0);
    device_ask(&g, &(struct wish){.transaction = "afterwards"}, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    end();
}

/* ---- the end ------------------------------------------------------------------------------------------- */

TEST(while_draining_new_requests_get_503_and_running_ones_finish)
{
    gateway_open(&g, &(struct gateway_wish){0});
    struct call running;
    scripted_next((struct script){.held = true});
    call_start(&running, &g, &(struct wish){.challenge = gateway_challenge(&g)});
    while (!scripted_held())
        client_turn(g.base, 1);
    enroll_drain(g.enroll);
    CHECK_INT(get("/scep/demo?operation=GetCACaps"), 503);
    CHECK(response_has(&r, "Retry-After: 5"));
    CHECK_INT(post("/scep/demo?operation=PKIOperation", "0"), 503);
    CHECK(!enroll_idle(g.enroll));
    scripted_release();
    call_finish(&running, &a);
    CHECK(answer_is(&a, SCEP_SUCCESS, FAIL_NONE));
    CHECK(gateway_settle(&g));
    CHECK(enroll_idle(g.enroll));
    end();
}

/* A client that was told PENDING does not keep the gateway from waiting for its submission. */
TEST(draining_waits_for_a_submission_without_a_client)
{
    gateway_open(&g, &(struct gateway_wish){.enroll = "wait: 100ms, backend_deadline: 60s, lease: 90s"});
    scripted_next((struct script){.held = true});
    device_ask(&g, &(struct wish){.challenge = gateway_challenge(&g)}, &a);
    CHECK(answer_is(&a, SCEP_PENDING, FAIL_NONE));
    enroll_drain(g.enroll);
    client_turn(g.base, 50);
    CHECK(!enroll_idle(g.enroll));
    scripted_release();
    CHECK(gateway_settle(&g));
    CHECK_INT(gateway_certificates(&g), 1);
    end();
}

RUNNER_MAIN()
