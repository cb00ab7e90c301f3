/* test_authorities.c: a CA and the one that is staged behind it: settings, the switch, and plans that outlive it. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backends/local_ca/authorities.h"
#include "backends/local_ca/ca_files.h"
#include "backends/local_ca/certificate.h"
#include "backends/local_ca/own.h"
#include "unit/local_ca/host.h"

extern const struct backend_type local_ca_type;

#define DAY 86400000LL

struct paths {
    char certificate[256], key[256], from[40];
};

static const char *moment_text(char out[40], int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
    return out;
}

static int64_t now(void)
{
    return (int64_t)time(NULL) * 1000;
}

/* A folder of its own, because each host makes and drops one. */
static void make_ca(struct paths *p, const char *folder, const char *name, int64_t validity)
{
    char sentence[320] = "";
    struct problem problem = {.text = sentence, .size = sizeof sentence};
    snprintf(p->certificate, sizeof p->certificate, "%s/%s.pem", folder, name);
    snprintf(p->key, sizeof p->key, "%s/%s-key.pem", folder, name);
    char subject[64];
    snprintf(subject, sizeof subject, "CN=%s", name);
    struct ca_order order = {.key_type = "ec-p256",
                             .subject = subject,
                             .validity = validity,
                             .key_path = p->key,
                             .certificate_path = p->certificate};
    cr_assert(ca_create(&order, &problem), "%s", sentence);
}

struct bench {
    struct backend_host *host;
    void *ca;
    struct host_result result;
    char problem[512];
    struct host_value values[6];
    size_t value_count;
};

static char folder[] = "/tmp/authorities-XXXXXX";

static void make_folder(void)
{
    memset(folder + sizeof folder - 7, 'X', 6);
    cr_assert(mkdtemp(folder));
}

static void drop_folder(void)
{
    char command[64];
    host_time = 0;
    snprintf(command, sizeof command, "rm -r %s", folder);
    FILE *done = popen(command, "r");
    cr_assert(done && pclose(done) == 0);
}

TestSuite(authorities, .init = make_folder, .fini = drop_folder);

/* `first` is in charge; `next` (may be NULL) follows it. */
static bool open_bench(struct bench *b, const struct paths *first, const struct paths *next)
{
    *b = (struct bench){.values = {{"certificate", first->certificate}, {"key", first->key}},
                        .value_count = 2};
    if (next) {
        b->values[b->value_count++] = (struct host_value){"successor.certificate", next->certificate};
        b->values[b->value_count++] = (struct host_value){"successor.key", next->key};
        b->values[b->value_count++] = (struct host_value){"successor.from", next->from};
    }
    b->host = host_create(b->values, b->value_count);
    b->ca = host_open(b->host, b->problem, sizeof b->problem);
    return b->ca != NULL;
}

static void close_bench(struct bench *b)
{
    host_result_clear(&b->result);
    if (b->ca)
        local_ca_type.close(b->ca);
    host_destroy(b->host);
}

static enum backend_verdict ask(struct bench *b, enum backend_authority which)
{
    host_result_clear(&b->result);
    cr_assert(local_ca_type.ca_chain(b->ca, which, host_completed, &b->result));
    host_run(b->host);
    cr_assert_eq(b->result.calls, 1);
    return b->result.verdict;
}

/* Does this CA's chain begin with the certificate of that file? */
static bool is_at(struct bench *b, enum backend_authority which, const struct paths *p)
{
    if (ask(b, which) != BACKEND_ISSUED)
        return false;
    OWN(BIO) BIO *file = BIO_new_file(p->certificate, "r");
    OWN(X509) X509 *wanted = PEM_read_bio_X509(file, NULL, NULL, NULL);
    const unsigned char *at = b->result.chain[0];
    OWN(X509) X509 *got = d2i_X509(NULL, &at, (long)b->result.lens[0]);
    return X509_cmp(wanted, got) == 0;
}

Test(authorities, moments)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2030-01-31T12:00:00Z", 1896091200},
        {"2030-01-31t12:00:00z", 1896091200},
        {"2030-01-31T13:30:00+01:30", 1896091200},
        {"2030-01-31T11:00:00-01:00", 1896091200},
        {"2028-02-29T00:00:00Z", 1835395200},
        {"2030-02-29T00:00:00Z", -1},
        {"2030-01-31", -1},
        {"2030-01-31T12:00:00", -1},
        {"2030-01-31 12:00:00Z", -1},
        {"2030-01-31T12:00:00Zulu", -1},
        {"2030-01-31T12:00:00+1:30", -1},
        {"2030-13-31T12:00:00Z", -1},
        {"tomorrow", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = 0;
        bool read = moment_read(&ms, rows[i].text);
        cr_assert_eq(read, rows[i].seconds >= 0, "%s", rows[i].text);
        cr_assert(!read || ms == rows[i].seconds * 1000, "%s: %lld", rows[i].text, (long long)ms);
    }
}

Test(authorities, who_is_in_charge_when)
{
    struct paths a, b;
    struct bench n;
    make_ca(&a, folder, "first", 100 * DAY);
    make_ca(&b, folder, "second", 1000 * DAY);
    moment_text(b.from, now() + 10 * DAY);
    cr_assert(open_bench(&n, &a, &b), "%s", n.problem);
    cr_assert(is_at(&n, BACKEND_CA_CURRENT, &a));
    cr_assert(is_at(&n, BACKEND_CA_NEXT, &b));
    cr_assert_eq(ask(&n, BACKEND_CA_PREVIOUS), BACKEND_REJECTED);
    cr_assert(strstr(host_logged(n.host), "is staged and takes over"));
    host_time = now() + 11 * DAY;
    cr_assert(is_at(&n, BACKEND_CA_CURRENT, &b));
    cr_assert(is_at(&n, BACKEND_CA_PREVIOUS, &a));
    cr_assert_eq(ask(&n, BACKEND_CA_NEXT), BACKEND_REJECTED);
    char *key, *certificate, problem[128];
    cr_assert(!local_ca_type.ca_key(n.ca, BACKEND_CA_NEXT, &key, &certificate));
    host_time = now() + 200 * DAY; /* the first has expired: that is nobody's trouble */
    cr_assert(local_ca_type.health(n.ca, problem, sizeof problem));
    close_bench(&n);
    cr_assert(open_bench(&n, &a, &b), "%s", n.problem);
    close_bench(&n);
}

static void refused(const struct paths *a, const struct paths *b, const char *sentence)
{
    struct bench n;
    cr_assert(!open_bench(&n, a, b), "opened, although %s", sentence);
    cr_assert(strstr(n.problem, sentence), "%s", n.problem);
    close_bench(&n);
}

Test(authorities, sentences)
{
    struct paths a, b, mixed, brief;
    make_ca(&a, folder, "first", 100 * DAY);
    make_ca(&b, folder, "second", 1000 * DAY);
    make_ca(&brief, folder, "brief", 5 * DAY);
    moment_text(b.from, now() + 10 * DAY);
    mixed = b;
    snprintf(mixed.key, sizeof mixed.key, "%s", a.key);
    refused(&a, &mixed, "the successor: the CA certificate");
    refused(&a, &mixed, "do not belong together");
    mixed = a;
    snprintf(mixed.from, sizeof mixed.from, "%s", b.from);
    refused(&a, &mixed, "the very CA that it shall follow");
    snprintf(brief.from, sizeof brief.from, "%s", b.from);
    refused(&a, &brief, "has expired at successor.from");
    mixed = b;
    snprintf(mixed.from, sizeof mixed.from, "%s", "in ten days");
    refused(&a, &mixed, "\"in ten days\" is no time like");
    moment_text(mixed.from, now() + 101 * DAY);
    refused(&a, &mixed, "lies after the end of the CA certificate");
    moment_text(mixed.from, now() - 10 * DAY);
    refused(&a, &mixed, "is not valid yet at successor.from");
    mixed = b;
    snprintf(mixed.key, sizeof mixed.key, "%s", "/nowhere/key.pem");
    refused(&a, &mixed, "cannot read /nowhere/key.pem");
    struct host_value values[] = {{"certificate", a.certificate}, {"key", a.key}, {"successor.key", b.key}};
    struct backend_host *host = host_create(values, 3);
    char problem[512];
    cr_assert_null(host_open(host, problem, sizeof problem));
    cr_assert(strstr(problem, "belong together: successor.certificate is missing"), "%s", problem);
    host_destroy(host);
}

struct wish {
    EVP_PKEY *key;
    unsigned char *spki;
    uint8_t plan[BACKEND_PLAN_MAX];
    struct backend_request request;
};

static void make_wish(struct wish *w)
{
    static const uint8_t subject[] = {0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06,
                                      0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 'x'};
    *w = (struct wish){.key = EVP_EC_gen("P-256")};
    w->request = (struct backend_request){.transaction = "t", .alias = "a", .tenant = ""};
    w->request.spki.len = (size_t)i2d_PUBKEY(w->key, &w->spki);
    w->request.spki.data = w->spki;
    w->request.subject = (struct backend_bytes){subject, sizeof subject};
}

static void drop_wish(struct wish *w)
{
    EVP_PKEY_free(w->key);
    OPENSSL_free(w->spki);
}

static size_t plan(struct bench *b, struct wish *w)
{
    w->request.plan.data = w->plan;
    return w->request.plan.len = local_ca_type.prepare(b->ca, &w->request, w->plan);
}

static bool issued_by(struct bench *b, const struct wish *w, const struct paths *p)
{
    host_result_clear(&b->result);
    cr_assert(local_ca_type.enroll(b->ca, &w->request, host_completed, &b->result));
    host_run(b->host);
    if (b->result.verdict != BACKEND_ISSUED)
        return false;
    OWN(BIO) BIO *file = BIO_new_file(p->certificate, "r");
    OWN(X509) X509 *ca = PEM_read_bio_X509(file, NULL, NULL, NULL);
    const unsigned char *at = b->result.chain[0];
    OWN(X509) X509 *got = d2i_X509(NULL, &at, (long)b->result.lens[0]);
    bool signed_by = X509_verify(got, X509_get0_pubkey(ca)) == 1;
    ERR_clear_error();
    return signed_by;
}

Test(authorities, a_plan_fixes_the_ca)
{
    struct paths a, b;
    struct bench n;
    struct wish old, next, plain;
    make_ca(&a, folder, "first", 100 * DAY);
    make_ca(&b, folder, "second", 1000 * DAY);
    moment_text(b.from, now() + 10 * DAY);
    cr_assert(open_bench(&n, &a, &b), "%s", n.problem);
    make_wish(&old), make_wish(&next), make_wish(&plain);
    cr_assert(plan(&n, &old));
    cr_assert_eq(ask(&n, BACKEND_CA_NEXT), BACKEND_ISSUED);
    uint8_t issuer[2048];
    size_t issuer_len = n.result.lens[0];
    memcpy(issuer, n.result.chain[0], issuer_len);
    next.request.issuer = (struct backend_bytes){issuer, issuer_len};
    cr_assert(plan(&n, &next));
    issuer[issuer_len - 1] ^= 1; /* nobody's */
    plain.request.issuer = next.request.issuer;
    cr_assert_eq(plan(&n, &plain), 0);
    plain.request.issuer.len = 0;
    for (int after = 0; after < 2; after++) {
        cr_assert(issued_by(&n, &old, &a));
        cr_assert(issued_by(&n, &next, &b));
        cr_assert(plan(&n, &plain));
        cr_assert(issued_by(&n, &plain, after ? &b : &a));
        host_time = now() + 11 * DAY;
    }
    close_bench(&n);
    host_time = 0;
    cr_assert(open_bench(&n, &a, NULL), "%s", n.problem); /* the successor was withdrawn */
    cr_assert(issued_by(&n, &old, &a));
    cr_assert(!issued_by(&n, &next, &b));
    cr_assert_eq(n.result.verdict, BACKEND_MISCONFIGURED);
    cr_assert(strstr(n.result.reason, "in the settings no more"), "%s", n.result.reason);
    old.plan[0] = 1; /* as the version before planned, which knew one CA */
    old.request.plan.len = PLAN_SIZE - AUTHORITY_ID_SIZE;
    cr_assert(issued_by(&n, &old, &a));
    close_bench(&n);
    drop_wish(&old), drop_wish(&next), drop_wish(&plain);
}
