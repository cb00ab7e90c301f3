/* filled.c: see filled.h. */
#include "flow/store/filled.h"

#include <stdio.h>
#include <stdlib.h>

static void ask_or_end(struct bench *b, struct store_request *r, enum store_outcome wanted)
{
    enum store_outcome have = bench_outcome(b, r);
    if (have == wanted)
        return;
    fprintf(stderr, "operation %d answered %s\n", r->operation, store_outcome_name(have));
    exit(2);
}

static void fill_challenges(struct bench *b)
{
    for (int i = 1; i <= 4; i++) {
        struct store_request create = bench_challenge("alpha", i, i);
        create.challenge_create.bind_cn = "device";
        create.challenge_create.labels = "{\"rack\":\"7\"}";
        create.challenge_create.created_by = "uid:0";
        ask_or_end(b, &create, STORE_OK);
    }
    struct store_request other = bench_challenge("beta", 1, 1), revoke;
    ask_or_end(b, &other, STORE_OK);
    store_request_init(&revoke, STORE_CHALLENGE_REVOKE);
    revoke.challenge_revoke.alias = "alpha";
    revoke.challenge_revoke.challenge_id = bench_id("challenge", 4);
    ask_or_end(b, &revoke, STORE_OK);
}

/* Device 1 has its certificate, 2 waits for the backend, 3 is being submitted, 4 failed, and 1 came again. */
static void fill_transactions(struct bench *b)
{
    for (int i = 1; i <= 4; i++) {
        struct store_request begin = bench_begin("alpha", i, i, i < 4 ? i : 0);
        begin.begin.record.renews = i == 2 ? bench_certificate("alpha", 77, i).serial : "";
        ask_or_end(b, &begin, STORE_MINE);
    }
    atomic_fetch_add(b->now, 1000);
    struct certificate_record certificate = bench_certificate("alpha", 1, 1);
    struct bytes chain[] = {certificate.der, bytes_of_text("the CA")};
    struct store_request issue = bench_advance("alpha", 1, 1, TRANSACTION_ISSUED);
    issue.advance.certificate = &certificate;
    issue.advance.chain = chain;
    issue.advance.chain_count = 2;
    issue.advance.erase_csr = true;
    ask_or_end(b, &issue, STORE_OK);
    struct store_request pend = bench_advance("alpha", 2, 1, TRANSACTION_PENDING);
    pend.advance.cookie = bytes_of("\0cookie", 7);
    pend.advance.poll_delay = MINUTE;
    pend.advance.expires_in = DAY;
    ask_or_end(b, &pend, STORE_OK);
    struct store_request fail = bench_advance("alpha", 4, 1, TRANSACTION_FAILED);
    fail.advance.error_name = "BACKEND_MISCONFIGURED";
    fail.advance.reason = "no template";
    ask_or_end(b, &fail, STORE_OK);
    atomic_fetch_add(b->now, 11 * MINUTE);
    struct store_request again = bench_begin("alpha", 1, 5, 0);
    ask_or_end(b, &again, STORE_MINE);
}

static void fill_ra(struct bench *b)
{
    struct store_request take, put;
    store_request_init(&take, STORE_LEASE_TAKE);
    take.lease.alias = "alpha";
    take.lease.name = "ra";
    take.lease.duration = MINUTE;
    struct store_answer *a = bench_ask(b, &take);
    struct certificate_record certificate = bench_certificate("alpha", 2, 0);
    certificate.transaction = "";
    for (int generation = 1; generation <= 2; generation++) {
        store_request_init(&put, STORE_RA_PUT);
        put.ra_put.record = (struct ra_record){.alias = "alpha",
                                               .generation = generation,
                                               .sealed_key = bytes_of_text("sealed key"),
                                               .cookie = bytes_of_text("later"),
                                               .not_before = BENCH_START,
                                               .not_after = BENCH_START + DAY};
        put.ra_put.record.chain[0] = certificate.der;
        put.ra_put.record.chain_count = generation == 1;
        put.ra_put.certificate = generation == 1 ? &certificate : NULL;
        put.ra_put.lease_name = "ra";
        put.ra_put.lease_claim = a->claim;
        ask_or_end(b, &put, STORE_OK);
    }
    store_answer_free(a);
    struct store_request revoke;
    store_request_init(&revoke, STORE_CERTIFICATE_REVOKE);
    revoke.certificate_revoke.alias = "alpha";
    revoke.certificate_revoke.issuer_sha256 = "aa11";
    revoke.certificate_revoke.serial = certificate.serial;
    revoke.certificate_revoke.reason = 4;
    ask_or_end(b, &revoke, STORE_OK);
}

static void fill_crls(struct bench *b)
{
    for (int ca = 1; ca <= 3; ca++) {
        struct store_request put;
        store_request_init(&put, STORE_CRL_PUT);
        put.crl_put = (struct crl_record){.ca_sha256 = bench_id("ca", ca),
                                          .number = 10 * ca,
                                          .der = bytes_of_text("a CRL"),
                                          .this_update = BENCH_START,
                                          .next_update = BENCH_START + ca * DAY};
        ask_or_end(b, &put, STORE_OK);
    }
}

/* One waits, one is being worked on, one was given up. */
static void fill_obligations(struct bench *b)
{
    static const int64_t delays[] = {DAY, 1, 0};
    struct store_request claim, done;
    for (int i = 2; i >= 0; i--) {
        struct store_request put;
        store_request_init(&put, STORE_OBLIGATION_PUT);
        put.obligation_put = (struct obligation_new){"alpha", "ra.renew", bench_id("need", i), delays[i]};
        ask_or_end(b, &put, STORE_OK);
        if (i == 0)
            continue;
        atomic_fetch_add(b->now, 1);
        store_request_init(&claim, STORE_OBLIGATION_CLAIM);
        claim.obligation_claim.limit = 1;
        claim.obligation_claim.lease = MINUTE;
        struct store_answer *a = bench_ask(b, &claim);
        store_request_init(&done, STORE_OBLIGATION_DONE);
        done.obligation_done.id = a->obligation_count ? a->obligations[0].id : "";
        done.obligation_done.claim = a->claim;
        done.obligation_done.again_after = -1;
        if (i == 2)
            ask_or_end(b, &done, STORE_OK);
        store_answer_free(a);
    }
}

void filled_append(struct bench *b, const char *event)
{
    struct store_request r;
    store_request_init(&r, STORE_AUDIT_APPEND);
    r.event_count = 1;
    r.events[0] = (struct audit_event){.event = event,
                                       .alias = "alpha",
                                       .tenant = "one",
                                       .transaction = bench_id("record", 1),
                                       .client = "192.0.2.1",
                                       .details = "{\"a\":1}"};
    ask_or_end(b, &r, STORE_OK);
    atomic_fetch_add(b->now, 1);
}

void filled_open(struct bench *b)
{
    bench_open(b);
    fill_challenges(b);
    fill_transactions(b);
    fill_ra(b);
    fill_obligations(b);
    fill_crls(b);
    filled_append(b, "request.accepted");
    filled_append(b, "certificate.issued");
    filled_append(b, "certificate.issued");
}

const size_t filled_rows[STORE_KIND_COUNT] = {5, 5, 2, 2, 3, 3, 3};
