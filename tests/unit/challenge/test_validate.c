/* test_validate.c: the verdicts of each validator, their order, the limiter at work, asynchrony. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "challenge/challenge.h"
#include "support/fake_store.h"
#include "support/runner.h"

#define CANARY "canary-challenge-7Q"
#define NOW    INT64_C(1700000000000)

static struct event_base *base;
static struct fake_store fake;
static struct keys *ring;
static struct challenge_service *service;
static struct alias_settings settings;
static char demo_name[] = "demo";
static struct alias alias;
static struct csr csr;
static struct challenge_verdict verdict;
static int completions;
static int64_t steady;

static int64_t read_realtime(void *context)
{
    (void)context;
    return NOW;
}

static int64_t read_monotonic(void *context)
{
    (void)context;
    return steady;
}

static const struct clock stopped = {read_realtime, read_monotonic, NULL};

/* What the store holds: one challenge, under the old key of the ring. */
static struct challenge_record stored;
static enum store_outcome outcome;
static size_t hashes_asked;

static void answer(struct fake_store *f, const struct store_request *r, struct store_answer *a)
{
    (void)f;
    if (r->operation == STORE_TALLY) /* of an embedded store */
        return;
    a->outcome = outcome;
    a->now = clock_realtime(&stopped);
    a->reason = outcome == STORE_OK ? "" : "the store is on fire";
    hashes_asked = r->challenge_find.hash_count;
    if (outcome != STORE_OK)
        return;
    bool known = false;
    for (size_t i = 0; i < r->challenge_find.hash_count; i++)
        known |= memcmp(r->challenge_find.hashes[i], stored.hash, sizeof stored.hash) == 0;
    known &= strcmp(r->challenge_find.alias, stored.alias) == 0;
    a->outcome = known ? STORE_OK : STORE_NOT_FOUND;
    a->challenges = &stored;
    a->challenge_count = known;
}

static void begin(enum challenge_type type)
{
    const char *lines = "new:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
                        "old:101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f\n";
    base = event_base_new();
    fake_store_init(&fake, base);
    fake.answer = answer;
    if (keys_create(&ring, bytes_of_text(lines), NULL) != ERR_OK)
        abort();
    service = challenge_service_create(base, &fake.store, ring, &stopped);
    settings = (struct alias_settings){
        .name = demo_name, .challenge = {.type = type, .failure_limit = 3, .failure_window = 60000}};
    secret_set(&settings.challenge.secret.value, CANARY, strlen(CANARY));
    alias = (struct alias){.settings = &settings};
    csr = (struct csr){.has_challenge = true};
    stored = (struct challenge_record){.id = "0123456789abcdef0123456789abcdef",
                                       .alias = "demo",
                                       .state = CHALLENGE_UNUSED,
                                       .uses = 1,
                                       .uses_left = 1,
                                       .expires = NOW + 1,
                                       .bind_cn = "",
                                       .bind_san = "",
                                       .bind_device = "",
                                       .bind_spki_sha256 = "",
                                       .first_transaction = ""};
    keys_challenge_hash(ring, 1, "demo", bytes_of_text(CANARY), stored.hash);
    outcome = STORE_OK;
    steady = 0;
}

static void end(void)
{
    challenge_service_free(service);
    secret_free(&settings.challenge.secret.value);
    secret_free(&csr.challenge);
    keys_free(ring);
    event_base_free(base);
}

static void take_verdict(void *context, const struct challenge_verdict *v)
{
    (void)context;
    completions++;
    verdict = *v;
}

/* The verdict on `challenge`; ERR_INTERNAL when it came inside the call, not at all, twice, or with the
 * secret in its text. */
static enum error_code validate_from(const char *challenge, const char *address)
{
    char passing[64];
    snprintf(passing, sizeof passing, "%s", address);
    secret_set(&csr.challenge, challenge, strlen(challenge));
    struct challenge_facts facts = {&csr, passing};
    completions = 0;
    challenge_validate(service, &alias, &facts, take_verdict, NULL);
    memset(passing, 'x', sizeof passing); /* the address may go, the CSR stays */
    if (completions != 0)
        return ERR_INTERNAL;
    for (int i = 0; i < 5; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    if (completions != 1 || strstr(verdict.text, CANARY))
        return ERR_INTERNAL;
    return verdict.code;
}

static enum error_code validate(const char *challenge)
{
    return validate_from(challenge, "192.0.2.1");
}

TEST(none_asks_for_nothing)
{
    begin(CHALLENGE_NONE);
    CHECK_INT(validate("whatever"), ERR_OK);
    csr.has_challenge = false;
    CHECK_INT(validate("-"), ERR_OK);
    CHECK_TEXT(verdict.challenge_id, "");
    end();
}

TEST(static_wants_exactly_its_secret)
{
    begin(CHALLENGE_STATIC);
    CHECK_INT(validate(CANARY), ERR_OK);
    CHECK_TEXT(verdict.challenge_id, "");
    CHECK_INT(validate("canary"), ERR_CHALLENGE_REFUSED);
    CHECK_INT(validate(CANARY "x"), ERR_CHALLENGE_REFUSED);
    CHECK_INT(fake.asked[STORE_CHALLENGE_FIND], 0);
    end();
}

TEST(an_unset_static_secret_lets_nobody_in)
{
    begin(CHALLENGE_STATIC);
    secret_free(&settings.challenge.secret.value);
    CHECK_INT(validate("x"), ERR_CHALLENGE_REFUSED);
    CHECK_INT(validate(""), ERR_CHALLENGE_MISSING);
    end();
}

TEST(a_missing_challenge_is_named_so_and_is_no_failed_attempt)
{
    const enum challenge_type types[] = {CHALLENGE_STATIC, CHALLENGE_ONE_TIME};
    for (int i = 0; i < 2; i++) {
        begin(types[i]);
        for (int k = 0; k < 10; k++)
            CHECK_INT(validate(""), ERR_CHALLENGE_MISSING);
        csr.has_challenge = false;
        CHECK_INT(validate(CANARY), ERR_CHALLENGE_MISSING);
        csr.has_challenge = true;
        CHECK_INT(validate(CANARY), ERR_OK);
        end();
    }
}

TEST(one_time_finds_a_challenge_under_any_key_of_the_ring)
{
    begin(CHALLENGE_ONE_TIME);
    CHECK_INT(validate(CANARY), ERR_OK);
    CHECK_INT(hashes_asked, 2);
    CHECK_TEXT(verdict.challenge_id, stored.id);
    CHECK_TEXT(verdict.bound_to, "");
    keys_challenge_hash(ring, 0, "demo", bytes_of_text(CANARY), stored.hash);
    CHECK_INT(validate(CANARY), ERR_OK);
    CHECK_INT(validate("wrong"), ERR_CHALLENGE_REFUSED);
    CHECK_TEXT(verdict.challenge_id, "");
    end();
}

TEST(a_challenge_of_another_alias_is_unknown_here)
{
    begin(CHALLENGE_ONE_TIME);
    stored.alias = "other";
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_REFUSED);
    end();
}

TEST(the_causes_come_in_their_order)
{
    begin(CHALLENGE_ONE_TIME);
    settings.challenge.failure_limit = 0;
    stored.bind_cn = "host";
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    stored.expires = NOW;
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_EXPIRED);
    stored.uses_left = 0;
    stored.state = CHALLENGE_USED;
    stored.first_transaction = "fedcba9876543210fedcba9876543210";
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_REUSED);
    CHECK_TEXT(verdict.bound_to, stored.first_transaction);
    CHECK_TEXT(verdict.challenge_id, stored.id);
    stored.state = CHALLENGE_REVOKED;
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_REFUSED);
    CHECK_TEXT(verdict.bound_to, "");
    end();
}

TEST(a_used_challenge_with_a_use_left_is_good)
{
    begin(CHALLENGE_ONE_TIME);
    stored.state = CHALLENGE_USED;
    stored.uses = 3;
    stored.uses_left = 1;
    stored.first_transaction = "fedcba9876543210fedcba9876543210";
    CHECK_INT(validate(CANARY), ERR_OK);
    end();
}

TEST(a_cn_binding_covers_every_cn)
{
    begin(CHALLENGE_ONE_TIME);
    settings.challenge.failure_limit = 0;
    stored.bind_cn = "Host.Example";
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    csr.fields[0] = (struct subject_field){"O", "host.example"};
    csr.field_count = 1;
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    csr.fields[1] = (struct subject_field){"CN", "host.EXAMPLE"};
    csr.field_count = 2;
    CHECK_INT(validate(CANARY), ERR_OK);
    csr.fields[2] = (struct subject_field){"CN", "admin"};
    csr.field_count = 3;
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    end();
}

TEST(a_san_binding_needs_that_name)
{
    begin(CHALLENGE_ONE_TIME);
    settings.challenge.failure_limit = 0;
    stored.bind_san = "host.example";
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    csr.sans[0] = (struct san_entry){SAN_DNS, "www.example"};
    csr.sans[1] = (struct san_entry){SAN_URI, "HOST.example"};
    csr.san_count = 2;
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    csr.sans[0] = (struct san_entry){SAN_DNS, "HOST.example"};
    CHECK_INT(validate(CANARY), ERR_OK);
    csr.sans[2] = (struct san_entry){SAN_DNS, "admin.example"}; /* must not ride along */
    csr.san_count = 3;
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    end();
}

TEST(a_device_binding_reads_three_fields)
{
    const char *const names[] = {"serialNumber", "UID", "unstructuredName"};
    for (int i = 0; i < 3; i++) {
        begin(CHALLENGE_ONE_TIME);
        stored.bind_device = "SN-1";
        csr.fields[0] = (struct subject_field){"CN", "SN-1"};
        csr.fields[1] = (struct subject_field){names[i], "SN-2"};
        csr.field_count = 2;
        CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
        csr.fields[1].value = "SN-1";
        CHECK_INT(validate(CANARY), ERR_OK);
        csr.fields[2] = (struct subject_field){names[i], "SN-2"};
        csr.field_count = 3;
        CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
        csr.fields[2].name = names[(i + 1) % 3];
        CHECK_INT(validate(CANARY), ERR_OK);
        end();
    }
}

TEST(a_key_binding_compares_the_hash)
{
    begin(CHALLENGE_ONE_TIME);
    for (int i = 0; i < 32; i++)
        csr.spki_sha256[i] = (uint8_t)(i * 7);
    stored.bind_spki_sha256 = "00070E151C232A31383F464D545B626970777e858c939aa1a8afb6bdc4cbd2d8";
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    stored.bind_spki_sha256 = "00070E151C232A31383F464D545B626970777e858c939aa1a8afb6bdc4cbd2d9";
    CHECK_INT(validate(CANARY), ERR_OK);
    end();
}

TEST(every_binding_must_hold)
{
    begin(CHALLENGE_ONE_TIME);
    stored.bind_cn = "host";
    stored.bind_device = "SN-1";
    csr.fields[0] = (struct subject_field){"CN", "host"};
    csr.field_count = 1;
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_BINDING);
    csr.fields[1] = (struct subject_field){"UID", "SN-1"};
    csr.field_count = 2;
    CHECK_INT(validate(CANARY), ERR_OK);
    end();
}

TEST(a_store_that_does_not_answer_blames_no_client)
{
    const enum store_outcome outcomes[] = {STORE_UNAVAILABLE, STORE_UNKNOWN};
    for (int i = 0; i < 2; i++) {
        begin(CHALLENGE_ONE_TIME);
        outcome = outcomes[i];
        for (int k = 0; k < 10; k++)
            CHECK_INT(validate("wrong"), ERR_STORE_UNAVAILABLE);
        CHECK_TEXT(verdict.text, "the store is on fire");
        outcome = STORE_OK;
        CHECK_INT(validate(CANARY), ERR_OK);
        end();
    }
}

TEST(a_limited_address_is_refused_without_a_look)
{
    begin(CHALLENGE_ONE_TIME);
    for (int i = 0; i < 3; i++)
        CHECK_INT(validate("wrong"), ERR_CHALLENGE_REFUSED);
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_LIMITED);
    CHECK_INT(fake.asked[STORE_CHALLENGE_FIND], 3);
    CHECK_INT(validate_from(CANARY, "192.0.2.2"), ERR_OK);
    steady = 3 * 60000;
    CHECK_INT(validate(CANARY), ERR_OK);
    end();
}

TEST(a_right_challenge_is_no_failed_attempt)
{
    begin(CHALLENGE_STATIC);
    CHECK_INT(validate("wrong"), ERR_CHALLENGE_REFUSED);
    CHECK_INT(validate("wrong"), ERR_CHALLENGE_REFUSED);
    for (int i = 0; i < 10; i++)
        CHECK_INT(validate(CANARY), ERR_OK);
    CHECK_INT(validate("wrong"), ERR_CHALLENGE_REFUSED);
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_LIMITED);
    end();
}

TEST(what_begin_refuses_counts_as_well)
{
    begin(CHALLENGE_ONE_TIME);
    for (int i = 0; i < 3; i++)
        challenge_failed(service, &alias, "192.0.2.1");
    CHECK_INT(validate(CANARY), ERR_CHALLENGE_LIMITED);
    CHECK_INT(validate_from(CANARY, "192.0.2.2"), ERR_OK);
    end();
}

TEST(guesses_sent_at_once_are_counted_one_by_one)
{
    begin(CHALLENGE_STATIC);
    secret_set(&csr.challenge, "wrong", 5);
    struct challenge_facts facts = {&csr, "192.0.2.1"};
    completions = 0;
    for (int i = 0; i < 3; i++)
        challenge_validate(service, &alias, &facts, take_verdict, NULL);
    struct secret right = csr.challenge;
    csr.challenge = settings.challenge.secret.value;
    challenge_validate(service, &alias, &facts, take_verdict, NULL);
    csr.challenge = right;
    CHECK_INT(completions, 0);
    for (int i = 0; i < 5; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    CHECK_INT(completions, 4);
    CHECK_INT(verdict.code, ERR_CHALLENGE_LIMITED);
    end();
}

RUNNER_MAIN()
