/* test_order.c: what becomes of an operator's order. */
#include <criterion/criterion.h>
#include <string.h>

#include "challenge/challenge.h"

#define HOUR INT64_C(3600000)

static struct keys *ring;
static struct alias_settings demo;
static char demo_name[] = "demo";
static struct store_request request;
static char text[CHALLENGE_TEXT_SIZE], id[ID_TEXT_SIZE];
static struct error problem;

static void setup(void)
{
    const char *lines = "new:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
                        "old:101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f\n";
    cr_assert_eq(keys_create(&ring, bytes_of_text(lines), &problem), ERR_OK, "%s", problem.text);
    demo = (struct alias_settings){
        .name = demo_name,
        .challenge = {.type = CHALLENGE_ONE_TIME, .ttl = HOUR, .max_ttl = 24 * HOUR, .uses = 2},
    };
}

static void teardown(void)
{
    keys_free(ring);
}

TestSuite(order, .init = setup, .fini = teardown);

static enum error_code prepare(struct challenge_order order)
{
    return challenge_prepare(&request, text, id, &demo, &order, ring, &problem);
}

Test(order, an_empty_order_takes_the_defaults_of_the_alias)
{
    cr_assert_eq(prepare((struct challenge_order){0}), ERR_OK);
    const struct challenge_record *c = &request.challenge_create;
    cr_assert_eq(request.operation, STORE_CHALLENGE_CREATE);
    cr_assert_eq(strlen(request.id), 32);
    cr_assert_eq(strlen(text), 32);
    cr_assert_str_eq(c->id, id);
    cr_assert_eq(strlen(id), 32);
    cr_assert_str_eq(c->alias, "demo");
    cr_assert_str_eq(c->key_id, "new");
    cr_assert_eq(c->state, CHALLENGE_UNUSED);
    cr_assert_eq(c->uses, 2);
    cr_assert_eq(c->uses_left, 2);
    cr_assert_eq(c->expires, HOUR);
    cr_assert_str_eq(c->bind_cn, "");
    cr_assert_str_eq(c->bind_san, "");
    cr_assert_str_eq(c->bind_device, "");
    cr_assert_str_eq(c->bind_spki_sha256, "");
    cr_assert_str_eq(c->labels, "{}");
    cr_assert_str_eq(c->created_by, "");
    cr_assert_str_eq(c->first_transaction, "");
}

Test(order, the_hash_is_the_one_that_a_look_up_computes)
{
    cr_assert_eq(prepare((struct challenge_order){0}), ERR_OK);
    uint8_t hash[CHALLENGE_HASH_SIZE];
    cr_assert_eq(keys_challenge_hash(ring, 0, "demo", bytes_of_text(text), hash), ERR_OK);
    cr_assert_eq(memcmp(hash, request.challenge_create.hash, sizeof hash), 0);
}

Test(order, what_is_ordered_is_made)
{
    struct challenge_order order = {.ttl = 2 * HOUR,
                                    .uses = 5,
                                    .bind_cn = "host",
                                    .bind_san = "host.example",
                                    .bind_device = "SN1",
                                    .bind_spki_sha256 =
                                        "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
                                    .labels = "{\"a\":1}",
                                    .created_by = "root"};
    cr_assert_eq(prepare(order), ERR_OK);
    const struct challenge_record *c = &request.challenge_create;
    cr_assert_eq(c->expires, 2 * HOUR);
    cr_assert_eq(c->uses_left, 5);
    cr_assert_str_eq(c->bind_cn, "host");
    cr_assert_str_eq(c->bind_san, "host.example");
    cr_assert_str_eq(c->bind_device, "SN1");
    cr_assert_str_eq(c->bind_spki_sha256, order.bind_spki_sha256);
    cr_assert_str_eq(c->labels, "{\"a\":1}");
    cr_assert_str_eq(c->created_by, "root");
}

Test(order, two_challenges_differ)
{
    cr_assert_eq(prepare((struct challenge_order){0}), ERR_OK);
    char first[CHALLENGE_TEXT_SIZE], first_id[ID_TEXT_SIZE];
    memcpy(first, text, sizeof first);
    memcpy(first_id, id, sizeof first_id);
    cr_assert_eq(prepare((struct challenge_order){0}), ERR_OK);
    cr_assert_str_neq(text, first);
    cr_assert_str_neq(id, first_id);
}

Test(order, what_is_out_of_bounds_is_refused_with_a_sentence)
{
    static char large[300];
    memset(large, 'x', sizeof large - 1);
    const struct challenge_order bad[] = {
        {.ttl = 24 * HOUR + 1},
        {.ttl = -1},
        {.uses = -1},
        {.uses = 100001},
        {.bind_cn = large},
        {.bind_spki_sha256 = "abc"},
        {.bind_spki_sha256 = large},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        problem.text[0] = 0;
        cr_assert_eq(prepare(bad[i]), ERR_POLICY_REFUSED, "order %zu", i);
        cr_assert_gt(strlen(problem.text), 10);
        cr_assert_str_eq(text, "");
    }
    cr_assert_eq(prepare((struct challenge_order){.ttl = 24 * HOUR, .uses = 100000}), ERR_OK);
}

Test(order, other_types_of_alias_have_no_challenges_to_order)
{
    demo.challenge.type = CHALLENGE_STATIC;
    cr_assert_eq(prepare((struct challenge_order){0}), ERR_POLICY_REFUSED);
    cr_assert_not_null(strstr(problem.text, "demo"));
    demo.challenge.type = CHALLENGE_NONE;
    cr_assert_eq(prepare((struct challenge_order){0}), ERR_POLICY_REFUSED);
}
