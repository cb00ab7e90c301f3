/* test_repeat.c: lost completions, repeats, and many requests at once, against any store. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(a_repeat_after_other_operations_gives_the_first_answer)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 2), begin = bench_begin("alpha", 1, 1, 1);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE); /* say that this answer was lost */
    struct store_request pend = bench_advance("alpha", 1, 1, TRANSACTION_PENDING);
    pend.advance.cookie = bytes_of_text("first");
    CHECK_INT(bench_outcome(&b, &pend), STORE_OK);
    struct store_request pend_again = bench_advance("alpha", 1, 1, TRANSACTION_PENDING);
    pend_again.advance.cookie = bytes_of_text("second");
    CHECK_INT(bench_outcome(&b, &pend_again), STORE_OK);

    struct store_answer *a = bench_ask(&b, &begin);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK_INT(a->claim, 1);
    CHECK(a->repeated);
    CHECK_INT(a->transactions[0].state, TRANSACTION_PENDING); /* as it is now */
    store_answer_free(a);
    a = bench_ask(&b, &pend); /* must not bring the first cookie back */
    CHECK_INT(a->outcome, STORE_OK);
    CHECK(a->repeated);
    CHECK(bytes_equal(a->transactions[0].cookie, bytes_of_text("second")));
    store_answer_free(a);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    bench_close(&b);
}

TEST(a_repeat_after_a_restart_gives_the_first_answer)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0);
    begin.event_count = 1;
    begin.events[0] = (struct audit_event){.event = "request.accepted", .alias = "alpha"};
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    bench_reopen(&b);
    struct store_answer *a = bench_ask(&b, &begin);
    CHECK_INT(a->outcome, STORE_MINE);
    CHECK(a->repeated);
    store_answer_free(a);
    struct store_request events;
    store_request_init(&events, STORE_AUDIT_LIST);
    events.list.limit = 10;
    a = bench_ask(&b, &events);
    CHECK_INT(a->event_count, 1);
    store_answer_free(a);
    bench_close(&b);
}

TEST(the_same_operation_twice_in_one_batch_is_done_once)
{
    struct bench b;
    bench_open(&b);
    struct bench_tally tally = {0};
    struct store_request create = bench_challenge("alpha", 1, 5), begin = bench_begin("alpha", 1, 1, 1);
    store_submit(b.store, &create, bench_tally, &tally);
    for (int i = 0; i < 3; i++)
        store_submit(b.store, &begin, bench_tally, &tally);
    while (tally.answered < 4)
        bench_turn(&b);
    CHECK_INT(tally.outcomes[STORE_MINE], 3);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 4);
    bench_close(&b);
}

/* Every operation that writes is repeated with its id, and must be found done. */
TEST(every_write_is_idempotent)
{
    struct bench b;
    bench_open(&b);
    struct store_request r[4];
    store_request_init(&r[0], STORE_LEASE_TAKE);
    r[0].lease.alias = "alpha";
    r[0].lease.name = "ra";
    r[0].lease.duration = MINUTE;
    store_request_init(&r[1], STORE_OBLIGATION_PUT);
    r[1].obligation_put = (struct obligation_new){"alpha", "ra.renew", "", 0};
    store_request_init(&r[2], STORE_OBLIGATION_CLAIM);
    r[2].obligation_claim.limit = 5;
    r[2].obligation_claim.lease = MINUTE;
    store_request_init(&r[3], STORE_AUDIT_APPEND);
    r[3].event_count = 1;
    r[3].events[0] = (struct audit_event){.event = "gateway.started"};
    for (int i = 0; i < 4; i++) {
        struct store_answer *first = bench_ask(&b, &r[i]), *second = bench_ask(&b, &r[i]);
        CHECK(!first->repeated);
        CHECK(second->repeated);
        CHECK_INT(second->outcome, first->outcome);
        CHECK_INT(second->claim, first->claim);
        CHECK_INT(second->obligation_count, first->obligation_count);
        store_answer_free(first);
        store_answer_free(second);
    }
    struct store_request events;
    store_request_init(&events, STORE_AUDIT_LIST);
    events.list.limit = 10;
    struct store_answer *a = bench_ask(&b, &events);
    CHECK_INT(a->event_count, 1);
    store_answer_free(a);
    bench_close(&b);
}

/* What an invariant of the whole contract looks like: 64 devices race for a challenge of ten uses. */
TEST(a_race_for_a_challenge_has_as_many_winners_as_uses)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 10);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    struct bench_tally tally = {0};
    struct store_request begin[64];
    char records[64][ID_TEXT_SIZE], transactions[64][ID_TEXT_SIZE];
    for (int i = 0; i < 64; i++) {
        begin[i] = bench_begin("alpha", i + 1, i + 1, 1);
        snprintf(records[i], ID_TEXT_SIZE, "%s", begin[i].begin.record.id);
        snprintf(transactions[i], ID_TEXT_SIZE, "%s", bench_id("transaction", i + 1));
        begin[i].begin.record.id = records[i];
        begin[i].begin.record.key.transaction_id = bytes_of_text(transactions[i]);
        begin[i].begin.record.challenge_id = create.challenge_create.id;
        store_submit(b.store, &begin[i], bench_tally, &tally);
    }
    while (tally.answered < 64)
        bench_turn(&b);
    CHECK_INT(tally.outcomes[STORE_MINE], 10);
    CHECK_INT(tally.outcomes[STORE_TAKEN], 54);
    bench_close(&b);
}

static void look_up(void *context, struct store_answer *answer);

struct chase {
    struct bench *b;
    struct store_request begin, find;
    char id[ID_TEXT_SIZE], transaction[ID_TEXT_SIZE];
    int missed, done;
};

static void found(void *context, struct store_answer *answer)
{
    struct chase *c = context;
    c->missed += answer->outcome != STORE_OK;
    c->done++;
    store_answer_free(answer);
}

static void look_up(void *context, struct store_answer *answer)
{
    struct chase *c = context;
    store_answer_free(answer);
    store_submit(c->b->store, &c->find, found, c);
}

TEST(a_read_sees_what_was_answered_before_it)
{
    struct bench b;
    bench_open(&b);
    struct chase *chase = calloc(200, sizeof *chase);
    int done = 0, missed = 0;
    for (int i = 0; i < 200; i++) {
        struct chase *c = &chase[i];
        c->b = &b;
        c->begin = bench_begin("alpha", i, i, 0);
        snprintf(c->id, sizeof c->id, "%s", bench_id("record", i));
        snprintf(c->transaction, sizeof c->transaction, "%s", bench_id("transaction", i));
        c->begin.begin.record.id = c->id;
        c->begin.begin.record.key.transaction_id = bytes_of_text(c->transaction);
        c->find = bench_find("alpha", i);
        c->find.transaction_find.record_id = c->id;
        store_submit(b.store, &c->begin, look_up, c);
    }
    while (done < 200) {
        bench_turn(&b);
        done = missed = 0;
        for (int i = 0; i < 200; i++) {
            done += chase[i].done;
            missed += chase[i].missed;
        }
    }
    free(chase);
    CHECK_INT(missed, 0);
    bench_close(&b);
}

/* Closing finishes what was accepted, and a completion that asks for more gets an answer too. */
static void ask_more(void *context, struct store_answer *answer)
{
    struct chase *c = context;
    store_answer_free(answer);
    store_submit(c->b->store, &c->find, found, c);
}

TEST(closing_answers_everything)
{
    struct bench b;
    bench_open(&b);
    struct bench_tally tally = {0};
    struct store_request ping;
    store_request_init(&ping, STORE_PING);
    struct chase c = {.b = &b, .begin = bench_begin("alpha", 1, 1, 0), .find = bench_find("alpha", 1)};
    for (int i = 0; i < 50; i++)
        store_submit(b.store, &ping, bench_tally, &tally);
    store_submit(b.store, &c.begin, ask_more, &c);
    CHECK_INT(tally.answered, 0); /* never inside store_submit */
    store_close(b.store);
    CHECK_INT(tally.outcomes[STORE_OK], 50);
    CHECK_INT(c.done, 1);
    b.store = NULL;
    bench_close(&b);
}
