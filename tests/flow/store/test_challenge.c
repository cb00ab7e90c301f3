/* test_challenge.c: challenges of any store: create, find, list, revoke, and what binding makes of them. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>

TEST(a_challenge_is_found_by_one_of_its_hashes)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 2), find;
    create.challenge_create.bind_cn = "device-1";
    create.challenge_create.labels = "{\"asset\":\"7\"}";
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    store_request_init(&find, STORE_CHALLENGE_FIND);
    find.challenge_find.alias = "alpha";
    find.challenge_find.hash_count = 2;
    memcpy(find.challenge_find.hashes[1], create.challenge_create.hash, CHALLENGE_HASH_SIZE);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->challenge_count, 1);
    const struct challenge_record *r = a->challenges;
    CHECK_TEXT(r->id, create.challenge_create.id);
    CHECK_TEXT(r->alias, "alpha");
    CHECK_TEXT(r->key_id, "key-1");
    CHECK_TEXT(r->bind_cn, "device-1");
    CHECK_TEXT(r->bind_san, "");
    CHECK_TEXT(r->labels, "{\"asset\":\"7\"}");
    CHECK_INT(r->state, CHALLENGE_UNUSED);
    CHECK_INT(r->uses, 2);
    CHECK_INT(r->uses_left, 2);
    CHECK_INT(r->created, BENCH_START);
    CHECK_INT(r->expires, BENCH_START + 60 * MINUTE);
    store_answer_free(a);

    find.challenge_find.alias = "beta"; /* tenants share nothing */
    CHECK_INT(bench_outcome(&b, &find), STORE_NOT_FOUND);
    find.challenge_find.alias = "alpha";
    find.challenge_find.hash_count = 1;
    CHECK_INT(bench_outcome(&b, &find), STORE_NOT_FOUND);
    bench_close(&b);
}

TEST(the_same_hash_is_refused_under_one_alias_only)
{
    struct bench b;
    bench_open(&b);
    struct store_request first = bench_challenge("alpha", 1, 1), second = bench_challenge("alpha", 2, 1);
    memcpy(second.challenge_create.hash, first.challenge_create.hash, CHALLENGE_HASH_SIZE);
    CHECK_INT(bench_outcome(&b, &first), STORE_OK);
    CHECK_INT(bench_outcome(&b, &second), STORE_CONFLICT);
    second.challenge_create.alias = "beta";
    CHECK_INT(bench_outcome(&b, &second), STORE_OK);
    bench_close(&b);
}

TEST(a_repeated_create_makes_one)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 1);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    struct store_answer *again = bench_ask(&b, &create);
    CHECK_INT(again->outcome, STORE_OK);
    CHECK(again->repeated);
    CHECK_INT(again->challenge_count, 1);
    store_answer_free(again);
    struct store_request other = create;
    store_request_init(&other, STORE_CHALLENGE_CREATE);
    other.challenge_create = create.challenge_create;
    CHECK_INT(bench_outcome(&b, &other), STORE_CONFLICT);
    bench_close(&b);
}

TEST(each_generation_takes_one_use)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 2);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    struct store_request one = bench_begin("alpha", 1, 1, 1), two = bench_begin("alpha", 2, 2, 1);
    struct store_request three = bench_begin("alpha", 3, 3, 1);
    CHECK_INT(bench_outcome(&b, &one), STORE_MINE);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    CHECK_INT(bench_outcome(&b, &one), STORE_MINE); /* a repeat takes none */
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    CHECK_INT(bench_outcome(&b, &two), STORE_MINE);
    struct store_answer *a = bench_ask(&b, &three);
    CHECK_INT(a->outcome, STORE_TAKEN);
    CHECK_INT(a->challenge_count, 1);
    CHECK_INT(a->challenges[0].state, CHALLENGE_USED);
    CHECK_TEXT(a->challenges[0].first_transaction, bench_id("record", 1));
    CHECK_INT(a->transaction_count, 0);
    store_answer_free(a);
    struct store_request find = bench_find("alpha", 3);
    CHECK_INT(bench_outcome(&b, &find), STORE_NOT_FOUND);
    bench_close(&b);
}

TEST(an_expired_or_revoked_or_unknown_challenge_is_taken)
{
    struct bench b;
    bench_open(&b);
    struct store_request one = bench_challenge("alpha", 1, 1), two = bench_challenge("alpha", 2, 1), revoke;
    CHECK_INT(bench_outcome(&b, &one), STORE_OK);
    CHECK_INT(bench_outcome(&b, &two), STORE_OK);
    store_request_init(&revoke, STORE_CHALLENGE_REVOKE);
    revoke.challenge_revoke.alias = "alpha";
    revoke.challenge_revoke.challenge_id = bench_id("challenge", 2);
    CHECK_INT(bench_outcome(&b, &revoke), STORE_OK);
    struct store_request begin = bench_begin("alpha", 1, 1, 2);
    struct store_answer *a = bench_ask(&b, &begin);
    CHECK_INT(a->outcome, STORE_TAKEN);
    CHECK_INT(a->challenges[0].state, CHALLENGE_REVOKED);
    store_answer_free(a);

    begin = bench_begin("alpha", 1, 1, 3); /* never made, or deleted since */
    a = bench_ask(&b, &begin);
    CHECK_INT(a->outcome, STORE_TAKEN);
    CHECK_INT(a->challenge_count, 1);
    CHECK(a->challenges[0].expires <= BENCH_START);
    store_answer_free(a);

    begin = bench_begin("beta", 1, 1, 1); /* another alias' challenge */
    CHECK_INT(bench_outcome(&b, &begin), STORE_TAKEN);

    atomic_store(b.now, BENCH_START + 60 * MINUTE); /* the end is not within */
    begin = bench_begin("alpha", 1, 1, 1);
    CHECK_INT(bench_outcome(&b, &begin), STORE_TAKEN);
    atomic_store(b.now, BENCH_START + 60 * MINUTE - 1); /* a step back: the store's clock decides */
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    bench_close(&b);
}

TEST(revoking_what_is_not_there_is_not_found)
{
    struct bench b;
    bench_open(&b);
    struct store_request revoke;
    store_request_init(&revoke, STORE_CHALLENGE_REVOKE);
    revoke.challenge_revoke.alias = "alpha";
    revoke.challenge_revoke.challenge_id = bench_id("challenge", 2);
    CHECK_INT(bench_outcome(&b, &revoke), STORE_NOT_FOUND);
    bench_close(&b);
}

TEST(a_released_use_can_be_used_again_unless_revoked)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 1);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    struct store_request begin = bench_begin("alpha", 1, 1, 1);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_request reject = bench_advance("alpha", 1, 1, TRANSACTION_REJECTED);
    reject.advance.release_challenge = true;
    CHECK_INT(bench_outcome(&b, &reject), STORE_OK);
    CHECK_INT(bench_outcome(&b, &reject), STORE_OK); /* once, not twice */
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    begin = bench_begin("alpha", 2, 2, 1);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);

    struct store_request revoke;
    store_request_init(&revoke, STORE_CHALLENGE_REVOKE);
    revoke.challenge_revoke.alias = "alpha";
    revoke.challenge_revoke.challenge_id = bench_id("challenge", 1);
    CHECK_INT(bench_outcome(&b, &revoke), STORE_OK);
    reject = bench_advance("alpha", 2, 1, TRANSACTION_REJECTED);
    reject.advance.release_challenge = true;
    CHECK_INT(bench_outcome(&b, &reject), STORE_OK);
    begin = bench_begin("alpha", 3, 3, 1);
    CHECK_INT(bench_outcome(&b, &begin), STORE_TAKEN);
    bench_close(&b);
}

static void list_into(struct bench *b, struct store_request *r, int *seen, int *pages)
{
    char cursor[1024] = "";
    do {
        r->list.after = *cursor ? cursor : NULL;
        struct store_answer *a = bench_ask(b, r);
        CHECK_INT(a->outcome, STORE_OK);
        CHECK(a->challenge_count <= (size_t)r->list.limit);
        *seen += (int)a->challenge_count;
        (*pages)++;
        snprintf(cursor, sizeof cursor, "%s", a->next);
        store_answer_free(a);
    } while (*cursor);
}

TEST(lists_come_newest_first_in_pages_with_filters)
{
    struct bench b;
    bench_open(&b);
    for (int i = 1; i <= 25; i++) {
        struct store_request create = bench_challenge(i % 5 ? "alpha" : "beta", i, 1);
        create.challenge_create.bind_cn = i == 7 ? "Printer Seven" : "";
        CHECK_INT(bench_outcome(&b, &create), STORE_OK);
        atomic_fetch_add(b.now, 1);
    }
    struct store_request r;
    store_request_init(&r, STORE_CHALLENGE_LIST);
    r.list.limit = 10;
    struct store_answer *a = bench_ask(&b, &r);
    CHECK_TEXT(a->challenges[0].id, bench_id("challenge", 25));
    CHECK_TEXT(a->challenges[9].id, bench_id("challenge", 16));
    store_answer_free(a);
    int seen = 0, pages = 0;
    list_into(&b, &r, &seen, &pages);
    CHECK_INT(seen, 25);
    CHECK_INT(pages, 3);
    seen = pages = 0;
    r.list.limit = 5;
    r.list.alias = "beta";
    list_into(&b, &r, &seen, &pages);
    CHECK_INT(seen, 5);
    CHECK_INT(pages, 1); /* nothing behind the fifth */
    seen = 0;
    r.list.alias = NULL;
    r.list.text = "printer";
    list_into(&b, &r, &seen, &pages);
    CHECK_INT(seen, 1);
    seen = 0;
    r.list.text = NULL;
    r.list.state = "used";
    list_into(&b, &r, &seen, &pages);
    CHECK_INT(seen, 0);
    r.list.state = "no such state";
    list_into(&b, &r, &seen, &pages);
    CHECK_INT(seen, 0);
    bench_close(&b);
}
