/* test_calls.c: backends opened from settings, and calls that end exactly once whatever a backend does. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "flow/issuing/fake_backend.h"
#include "flow/issuing/rig.h"
#include "support/runner.h"

#define ONE_CA "backends:\n  own: {type: local_ca, key_type: ec-p256}\n"

struct got {
    int calls;
    enum backend_verdict verdict;
    bool lost;
    size_t chain_count, crl_len;
    char reason[128];
    bool inside; /* set by the test around backend_call */
    bool called_inside;
};

static void done(void *context, const struct backend_result *r)
{
    struct got *g = context;
    g->calls++;
    g->called_inside |= g->inside;
    g->verdict = r->verdict;
    g->lost = backend_call_lost(r);
    g->chain_count = r->chain_count;
    g->crl_len = r->crl.len;
    snprintf(g->reason, sizeof g->reason, "%s", r->reason ? r->reason : "");
}

static const struct backend_request request = {.transaction = "t", .alias = "a", .tenant = ""};

static struct got call(struct rig *r, struct backend_instance *i, enum backend_call_kind kind,
                       int64_t deadline)
{
    struct got g = {.inside = true};
    backend_call(i, kind, &request, (struct backend_bytes){0}, deadline, done, &g);
    g.inside = false;
    while (!g.calls)
        rig_turn(r);
    return g;
}

static struct got ask_chain(struct rig *r, struct backend_instance *i, enum backend_authority which)
{
    struct got g = {.inside = true};
    backend_ask_chain(i, which, 60000, done, &g);
    g.inside = false;
    while (!g.calls)
        rig_turn(r);
    return g;
}

static struct got ask_crl(struct rig *r, struct backend_instance *i, const struct backend_crl_request *order)
{
    struct got g = {.inside = true};
    backend_ask_crl(i, order, 60000, done, &g);
    g.inside = false;
    while (!g.calls)
        rig_turn(r);
    return g;
}

TEST(verdicts_reach_the_caller)
{
    struct rig r;
    struct fake f = {0};
    rig_open(&r, "");
    struct backend_instance *i = fake_open(r.backends, &fake_type, "fake", &f);
    const struct {
        enum fake_mode mode;
        enum backend_verdict verdict;
        const char *reason;
    } rows[] = {
        {FAKE_REJECT, BACKEND_REJECTED, "the test says so"},
        {FAKE_PEND, BACKEND_PENDING, "the test says so"},
        {FAKE_UNAVAILABLE, BACKEND_UNAVAILABLE, "the test says so"},
        {FAKE_REFUSE, BACKEND_UNAVAILABLE, "could not be started"},
        {FAKE_INSIDE, BACKEND_MISCONFIGURED, "inside its start function"},
        {FAKE_NOTHING, BACKEND_MISCONFIGURED, "without a certificate"},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        f.mode = rows[n].mode;
        struct got g = call(&r, i, BACKEND_CALL_ENROLL, 60000);
        CHECK_INT(g.calls, 1);
        CHECK(!g.called_inside);
        CHECK_INT(g.verdict, rows[n].verdict);
        CHECK(!g.lost);
        CHECK(strstr(g.reason, rows[n].reason));
        CHECK_INT(backends_running(r.backends), 0);
    }
    CHECK_INT(f.waiting, 0);
    rig_close(&r);
}

TEST(deadline_cancels_and_says_lost)
{
    struct rig r;
    struct fake f = {.mode = FAKE_SILENT};
    rig_open(&r, "");
    struct backend_instance *i = fake_open(r.backends, &fake_type, "fake", &f);
    struct got g = call(&r, i, BACKEND_CALL_ENROLL, 20);
    CHECK_INT(g.calls, 1);
    CHECK_INT(g.verdict, BACKEND_UNAVAILABLE);
    CHECK(g.lost);
    CHECK_TEXT(g.reason, "timeout");
    CHECK_INT(f.cancelled, 1);
    CHECK_INT(f.waiting, 0);
    rig_close(&r);
}

TEST(late_answer_of_a_backend_that_cannot_cancel_is_dropped)
{
    struct rig r;
    struct fake f = {.mode = FAKE_SILENT};
    rig_open(&r, "");
    struct backend_instance *i = fake_open(r.backends, &fake_deaf_type, "deaf", &f);
    struct got g = call(&r, i, BACKEND_CALL_ENROLL, 20);
    CHECK(g.lost);
    CHECK_INT(f.waiting, 1);
    fake_release(&f, BACKEND_REJECTED);
    CHECK_INT(g.calls, 1);
    CHECK_INT(f.waiting, 0);
    f.mode = FAKE_SILENT; /* and one that never comes is freed with the rest */
    g = call(&r, i, BACKEND_CALL_ENROLL, 20);
    CHECK(g.lost);
    struct backend_op *op = f.held[0];
    rig_close(&r);
    free(op);
}

TEST(answer_before_the_deadline_is_the_only_one)
{
    struct rig r;
    struct fake f = {.mode = FAKE_SILENT};
    struct got g = {0};
    rig_open(&r, "");
    struct backend_instance *i = fake_open(r.backends, &fake_type, "fake", &f);
    backend_call(i, BACKEND_CALL_ENROLL, &request, (struct backend_bytes){0}, 50, done, &g);
    CHECK_INT(backends_running(r.backends), 1);
    fake_release(&f, BACKEND_REJECTED);
    CHECK_INT(g.calls, 1);
    struct got other = call(&r, i, BACKEND_CALL_ENROLL, 100); /* its deadline comes after the first one's */
    CHECK(other.lost);
    CHECK_INT(g.calls, 1);
    CHECK_INT(g.verdict, BACKEND_REJECTED);
    rig_close(&r);
}

TEST(missing_calls_are_refused_politely)
{
    struct rig r;
    rig_open(&r, ONE_CA);
    struct backend_instance *i = backends_find(r.backends, "own");
    struct got g = call(&r, i, BACKEND_CALL_POLL, 1000);
    CHECK(!g.called_inside);
    CHECK_INT(g.verdict, BACKEND_MISCONFIGURED);
    rig_close(&r);
}

TEST(local_ca_answers_through_the_host)
{
    struct rig r;
    char problem[128], path[256];
    struct stat s;
    rig_open(&r, ONE_CA);
    struct backend_instance *i = backends_find(r.backends, "own");
    CHECK(i && !backends_find(r.backends, "other"));
    CHECK_TEXT(backend_instance_name(i), "own");
    CHECK_TEXT(backend_instance_type(i)->name, "local_ca");
    CHECK(backend_instance_healthy(i, problem, sizeof problem));
    snprintf(path, sizeof path, "%s/backends/own", r.folder);
    CHECK(stat(path, &s) == 0 && (s.st_mode & 0777) == 0700);
    struct got g = ask_chain(&r, i, BACKEND_CA_CURRENT);
    CHECK(!g.called_inside);
    CHECK_INT(g.verdict, BACKEND_ISSUED);
    CHECK_INT(g.chain_count, 1);
    CHECK_INT(ask_chain(&r, i, BACKEND_CA_NEXT).verdict, BACKEND_REJECTED);
    CHECK_INT(ask_chain(&r, i, BACKEND_CA_PREVIOUS).verdict, BACKEND_REJECTED);
    struct buffer text;
    buffer_init(&text, 1 << 20);
    metrics_write(r.metrics, &text);
    CHECK(strstr((const char *)text.data,
                 "scepgate_backend_seconds_count{backend=\"own\",verdict=\"issued\"} 1"));
    buffer_free(&text);
    rig_close(&r);
}

struct issued {
    int calls, verified;
    X509 *ca;
};

static void verify(void *context, const struct backend_result *r)
{
    struct issued *n = context;
    const unsigned char *at = r->chain_count ? r->chain[0].data : NULL;
    X509 *certificate = at ? d2i_X509(NULL, &at, (long)r->chain[0].len) : NULL;
    n->calls++;
    n->verified += certificate && X509_verify(certificate, X509_get0_pubkey(n->ca)) == 1;
    X509_free(certificate);
}

static void keep_ca(void *context, const struct backend_result *r)
{
    struct issued *n = context;
    const unsigned char *at = r->chain[0].data;
    n->ca = d2i_X509(NULL, &at, (long)r->chain[0].len);
}

/* One CA key under several workers at once. */
TEST(many_certificates_at_once)
{
    enum { MANY = 60 };
    struct rig r;
    struct issued n = {0};
    unsigned char *spki = NULL;
    static uint8_t plans[MANY][BACKEND_PLAN_MAX];
    static const uint8_t subject[] = {0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06,
                                      0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 'x'};
    struct backend_request asks[MANY];
    rig_open(&r, "backends:\n  own: {type: local_ca, key_type: rsa-2048}\n");
    struct backend_instance *i = backends_find(r.backends, "own");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    int spki_len = i2d_PUBKEY(key, &spki);
    backend_ask_chain(i, BACKEND_CA_CURRENT, 60000, keep_ca, &n);
    while (!n.ca)
        rig_turn(&r);
    for (int k = 0; k < MANY; k++) {
        asks[k] = request;
        asks[k].subject = (struct backend_bytes){subject, sizeof subject};
        asks[k].spki = (struct backend_bytes){spki, (size_t)spki_len};
        int len = backend_prepare(i, &asks[k], plans[k]);
        CHECK(len > 0);
        asks[k].plan = (struct backend_bytes){plans[k], (size_t)len};
        backend_call(i, BACKEND_CALL_ENROLL, &asks[k], (struct backend_bytes){0}, 60000, verify, &n);
    }
    CHECK_INT(backends_running(r.backends), MANY);
    while (n.calls < MANY)
        rig_turn(&r);
    CHECK_INT(n.verified, MANY);
    X509_free(n.ca);
    EVP_PKEY_free(key);
    OPENSSL_free(spki);
    rig_close(&r);
}

TEST(work_that_outlives_its_instance_ends_quietly)
{
    struct rig r;
    struct got g = {0};
    rig_open(&r, ONE_CA);
    backend_ask_chain(backends_find(r.backends, "own"), BACKEND_CA_CURRENT, 60000, done, &g);
    rig_close(&r); /* backends first, then the pool delivers */
    CHECK_INT(g.calls, 0);
}

TEST(local_ca_gives_a_revocation_list_through_the_host)
{
    struct rig r;
    rig_open(&r, ONE_CA);
    struct backend_instance *i = backends_find(r.backends, "own");
    struct got g = ask_crl(&r, i, &(struct backend_crl_request){.number = 1});
    CHECK(!g.called_inside);
    CHECK_INT(g.verdict, BACKEND_ISSUED);
    CHECK(g.crl_len > 0 && g.chain_count == 0);
    struct backend_crl_request foreign = {.issuer = {(const uint8_t *)"x", 1}, .number = 2};
    CHECK_INT(ask_crl(&r, i, &foreign).verdict, BACKEND_REJECTED);
    rig_close(&r);
}

TEST(a_backend_without_lists_says_so)
{
    struct rig r;
    struct fake f = {.mode = FAKE_ISSUE};
    rig_open(&r, ONE_CA);
    struct backend_instance *i = fake_open(r.backends, &fake_type, "fake", &f);
    CHECK_INT(ask_crl(&r, i, &(struct backend_crl_request){.number = 1}).verdict, BACKEND_MISCONFIGURED);
    rig_close(&r);
}

TEST(reload_opens_what_is_new_or_changed)
{
    struct rig r;
    struct error e = {0};
    rig_open(&r, ONE_CA);
    struct backend_instance *own = backends_find(r.backends, "own");
    CHECK_INT(rig_reload(&r, ONE_CA "  more: {type: local_ca, key_type: ec-p256}\n", &e), ERR_OK);
    CHECK(backends_find(r.backends, "own") == own);
    CHECK(backends_find(r.backends, "more") != NULL);
    CHECK_INT(rig_reload(&r, "backends:\n  own: {type: local_ca, key_type: ec-p256, digest: sha384}\n", &e),
              ERR_OK);
    CHECK(backends_find(r.backends, "own") != own);
    rig_close(&r);
}

TEST(reload_that_fails_changes_nothing)
{
    struct rig r;
    struct error e = {0};
    rig_open(&r, ONE_CA);
    CHECK(rig_reload(&r,
                     "backends:\n  first: {type: local_ca, key_type: ec-p256}\n"
                     "  bad: {type: local_ca, create: false}\n",
                     &e) != ERR_OK);
    CHECK(strstr(e.text, "\"bad\"") && strstr(e.text, "test.yaml") && strstr(e.text, "create"));
    CHECK(backends_find(r.backends, "first") == NULL);
    CHECK(backends_find(r.backends, "own") != NULL);
    rig_close(&r);
}

TEST(unhealthy_says_why)
{
    struct rig r;
    struct fake f = {.mode = FAKE_UNAVAILABLE};
    char problem[64] = "";
    rig_open(&r, "");
    struct backend_instance *i = fake_open(r.backends, &fake_type, "fake", &f);
    CHECK(!backend_instance_healthy(i, problem, sizeof problem));
    CHECK_TEXT(problem, "the test says so");
    CHECK(backend_instance_healthy(fake_open(r.backends, &fake_deaf_type, "deaf", &f), problem,
                                   sizeof problem));
    rig_close(&r);
}

RUNNER_MAIN()
