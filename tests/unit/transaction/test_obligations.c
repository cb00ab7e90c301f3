/* test_obligations.c: claiming, handing out, back-off, giving up, lost answers and the end. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fake_store.h"
#include "support/runner.h"
#include "transaction/obligations.h"

static struct event_base *base;
static struct fake_store fake;
static struct obligations *o;

/* The script: rows that the next claims hand out, and what the next answers are. */
static struct obligation rows[200];
static char ids[200][16];
static int row_count, rows_given;
static enum store_outcome next_claim, next_done;
static char claim_ids[16][ID_TEXT_SIZE], done_ids[16][ID_TEXT_SIZE];
static int claims, dones;
static bool stop_at_claim; /* the runner is stopped while its claim is with the store */
static struct {
    char id[16];
    uint64_t claim;
    int64_t again_after;
} done[300];

static void answer_claim(const struct store_request *r, struct store_answer *a)
{
    if (claims < 16)
        snprintf(claim_ids[claims], ID_TEXT_SIZE, "%s", r->id);
    claims++;
    if (stop_at_claim)
        obligations_stop(o);
    a->outcome = next_claim;
    next_claim = STORE_OK;
    if (a->outcome != STORE_OK)
        return;
    int left = row_count - rows_given;
    int count = left < r->obligation_claim.limit ? left : r->obligation_claim.limit;
    a->obligations = rows + rows_given;
    a->obligation_count = (size_t)count;
    rows_given += count;
}

static void answer(struct fake_store *f, const struct store_request *r, struct store_answer *a)
{
    (void)f;
    if (r->operation == STORE_OBLIGATION_CLAIM) {
        answer_claim(r, a);
        return;
    }
    if (dones < 16)
        snprintf(done_ids[dones], ID_TEXT_SIZE, "%s", r->id);
    snprintf(done[dones].id, sizeof done[dones].id, "%s", r->obligation_done.id);
    done[dones].claim = r->obligation_done.claim;
    done[dones++].again_after = r->obligation_done.again_after;
    a->outcome = next_done;
    next_done = STORE_OK;
}

static void add_row(const char *kind, int attempts)
{
    snprintf(ids[row_count], sizeof ids[0], "row-%d", row_count);
    rows[row_count] = (struct obligation){.id = ids[row_count],
                                          .alias = "demo",
                                          .kind = kind,
                                          .reference = "",
                                          .attempts = attempts,
                                          .claim = (uint64_t)row_count + 100};
    row_count++;
}

static int handled;
static int64_t verdict; /* of the handler */
static bool hold;       /* the handler says nothing */

static void handle(void *context, const struct obligation *row)
{
    (void)context;
    handled++;
    if (!hold)
        obligations_finish(o, row->id, row->claim, verdict);
}

static void begin(void)
{
    base = event_base_new();
    fake_store_init(&fake, base);
    fake.answer = answer;
    o = obligations_create(base, &fake.store);
    obligations_handle(o, "test.kind", handle, NULL);
    row_count = rows_given = claims = dones = handled = 0;
    next_claim = next_done = STORE_OK;
    verdict = 0;
    hold = stop_at_claim = false;
}

static void turn_until_dones(int count)
{
    while (dones < count || fake.open > 0)
        event_base_loop(base, EVLOOP_ONCE);
}

static void turn_until_claims(int count)
{
    while (claims < count || fake.open > 0)
        event_base_loop(base, EVLOOP_ONCE);
}

static void end(void)
{
    obligations_stop(o);
    while (!obligations_idle(o))
        event_base_loop(base, EVLOOP_ONCE);
    obligations_free(o);
    event_base_free(base);
}

TEST(a_due_row_is_handled_once_and_recorded)
{
    begin();
    add_row("test.kind", 1);
    CHECK_INT(claims, 0);
    obligations_start(o);
    CHECK_INT(claims, 0);
    turn_until_dones(1);
    CHECK_INT(handled, 1);
    CHECK_TEXT(done[0].id, "row-0");
    CHECK_INT(done[0].claim, 100);
    CHECK_INT(done[0].again_after, 0);
    turn_until_claims(2);
    CHECK_INT(dones, 1);
    CHECK_INT(handled, 1);
    CHECK(strcmp(claim_ids[0], claim_ids[1]) != 0);
    end();
}

TEST(a_full_batch_is_followed_by_the_next_at_once)
{
    begin();
    for (int i = 0; i < 40; i++)
        add_row("test.kind", 1);
    obligations_start(o);
    /* No timer is due in these turns but those of zero length: a period between batches would leave the loop
     * empty-handed. */
    for (int i = 0; i < 200 && dones < 40; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    CHECK_INT(dones, 40);
    CHECK_INT(handled, 40);
    CHECK_INT(claims, 3);
    end();
}

TEST(a_failure_comes_again_later_and_later_and_is_given_up)
{
    begin();
    verdict = -1;
    const int attempts[] = {0, 1, 3, 9, 12, 19, 20, 25};
    for (int i = 0; i < 8; i++)
        add_row("test.kind", attempts[i]);
    obligations_start(o);
    turn_until_dones(8);
    const int64_t longest[] = {1000, 2000, 8000, 512000, 600000, 600000};
    for (int i = 0; i < 6; i++)
        CHECK(done[i].again_after <= longest[i] && done[i].again_after > longest[i] * 3 / 4 - 1);
    CHECK_INT(done[6].again_after, -1);
    CHECK_INT(done[7].again_after, -1);
    end();
}

TEST(a_handler_may_name_its_own_delay)
{
    begin();
    verdict = 12345;
    add_row("test.kind", 25);
    obligations_start(o);
    turn_until_dones(1);
    CHECK_INT(done[0].again_after, 12345);
    end();
}

TEST(a_kind_without_handler_is_put_back)
{
    begin();
    add_row("test.unknown", 30);
    obligations_start(o);
    turn_until_dones(1);
    CHECK_INT(handled, 0);
    CHECK_INT(done[0].again_after, 60000);
    end();
}

TEST(a_lost_done_is_repeated_with_the_same_operation)
{
    begin();
    next_done = STORE_UNKNOWN;
    add_row("test.kind", 1);
    obligations_start(o);
    turn_until_dones(2);
    CHECK_INT(handled, 1);
    CHECK_TEXT(done_ids[0], done_ids[1]);
    CHECK_TEXT(done[1].id, "row-0");
    end();
}

TEST(a_lost_claim_is_repeated_with_the_same_operation)
{
    begin();
    next_claim = STORE_UNKNOWN;
    add_row("test.kind", 1);
    obligations_start(o);
    turn_until_dones(1);
    CHECK_TEXT(claim_ids[0], claim_ids[1]);
    CHECK_INT(handled, 1);
    end();
}

TEST(a_row_claimed_again_keeps_its_handler_and_takes_the_newer_claim)
{
    begin();
    hold = true;
    add_row("test.kind", 1);
    add_row("test.kind", 2);
    snprintf(ids[1], sizeof ids[1], "row-0");
    row_count = 1;
    obligations_start(o);
    turn_until_claims(1);
    row_count = 2;
    turn_until_claims(2);
    CHECK_INT(handled, 1);
    obligations_finish(o, "row-0", 999, 0); /* nobody's claim */
    CHECK_INT(fake.asked[STORE_OBLIGATION_DONE], 0);
    obligations_finish(o, "row-0", 100, 0);
    turn_until_dones(1);
    CHECK_INT(done[0].claim, 101);
    obligations_finish(o, "row-0", 100, 0); /* a second time */
    CHECK_INT(fake.asked[STORE_OBLIGATION_DONE], 1);
    end();
}

/* Its attempts begin anew: something changed after the handler was called, which may not have seen it. */
TEST(a_row_put_anew_while_it_is_in_hand_comes_once_more)
{
    begin();
    hold = true;
    add_row("test.kind", 1);
    obligations_start(o);
    turn_until_claims(1);
    CHECK_INT(handled, 1);
    add_row("test.kind", 1);
    rows[1].id = rows[0].id;
    turn_until_claims(2);
    CHECK_INT(handled, 1);
    obligations_finish(o, rows[0].id, rows[0].claim, 0);
    turn_until_dones(1);
    CHECK_INT(done[0].claim, (int64_t)rows[1].claim);
    CHECK_INT(done[0].again_after, 1);
    end();
}

TEST(what_is_in_hand_is_bounded)
{
    begin();
    hold = true;
    for (int i = 0; i < 100; i++)
        add_row("test.kind", 1);
    obligations_start(o);
    for (int i = 0; i < 300; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    CHECK_INT(handled, 64);
    CHECK_INT(claims, 4);
    for (int i = 0; i < 64; i++)
        obligations_finish(o, ids[i], rows[i].claim, 0);
    turn_until_dones(64);
    hold = false;
    turn_until_dones(100);
    CHECK_INT(handled, 100);
    end();
}

TEST(stopping_claims_no_more_and_waits_for_what_is_in_hand)
{
    begin();
    hold = true;
    add_row("test.kind", 1);
    CHECK(obligations_idle(o));
    obligations_start(o);
    turn_until_claims(1);
    obligations_stop(o);
    CHECK(!obligations_idle(o));
    obligations_finish(o, "row-0", 100, 0);
    CHECK(!obligations_idle(o));
    turn_until_dones(1);
    CHECK(obligations_idle(o));
    CHECK_INT(claims, 1);
    end();
}

TEST(rows_that_arrive_after_the_stop_go_to_another_replica)
{
    begin();
    stop_at_claim = true;
    add_row("test.kind", 1);
    obligations_start(o);
    turn_until_dones(1);
    CHECK_INT(handled, 0);
    CHECK_INT(done[0].again_after, 1);
    end();
}

TEST(stopping_drops_a_done_that_waits_to_be_repeated)
{
    begin();
    next_done = STORE_UNAVAILABLE;
    add_row("test.kind", 1);
    obligations_start(o);
    turn_until_dones(1);
    CHECK(!obligations_idle(o));
    obligations_stop(o);
    CHECK(obligations_idle(o));
    end();
}

RUNNER_MAIN()
