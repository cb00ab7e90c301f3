/* test_transaction.c: the moves between states, and what a request means to a stored transaction. */
#include <criterion/criterion.h>
#include <string.h>

#include "transaction/transaction.h"

#define NOW    INT64_C(1000000)
#define WINDOW INT64_C(5000)

static const enum transaction_state states[] = {
    TRANSACTION_RECEIVED, TRANSACTION_PENDING, TRANSACTION_ISSUED,    TRANSACTION_REJECTED,
    TRANSACTION_FAILED,   TRANSACTION_EXPIRED, TRANSACTION_ATTENTION, TRANSACTION_SUPERSEDED,
};
#define STATES (sizeof states / sizeof states[0])

Test(transaction, nothing_leaves_a_finished_state)
{
    for (size_t i = 0; i < STATES; i++)
        for (size_t k = 0; k < STATES; k++)
            if (transaction_finished(states[i]))
                cr_assert_not(transaction_may_move(states[i], states[k]), "%s -> %s",
                              transaction_state_name(states[i]), transaction_state_name(states[k]));
}

Test(transaction, every_unfinished_state_can_end_every_way)
{
    for (size_t i = 0; i < STATES; i++)
        for (size_t k = 0; k < STATES; k++)
            if (!transaction_finished(states[i]) && transaction_finished(states[k]))
                cr_assert(transaction_may_move(states[i], states[k]), "%s -> %s",
                          transaction_state_name(states[i]), transaction_state_name(states[k]));
}

Test(transaction, moves_between_unfinished_states)
{
    cr_assert(transaction_may_move(TRANSACTION_RECEIVED, TRANSACTION_PENDING));
    cr_assert(transaction_may_move(TRANSACTION_RECEIVED, TRANSACTION_ATTENTION));
    cr_assert(transaction_may_move(TRANSACTION_PENDING, TRANSACTION_PENDING));
    cr_assert(transaction_may_move(TRANSACTION_ATTENTION, TRANSACTION_RECEIVED));
    cr_assert_not(transaction_may_move(TRANSACTION_PENDING, TRANSACTION_RECEIVED));
    cr_assert_not(transaction_may_move((enum transaction_state)0, TRANSACTION_RECEIVED));
    cr_assert_not(transaction_may_move(TRANSACTION_RECEIVED, (enum transaction_state)0));
    cr_assert_not(transaction_may_move((enum transaction_state)99, TRANSACTION_RECEIVED));
    cr_assert_not(transaction_may_move(TRANSACTION_RECEIVED, (enum transaction_state)99));
}

static const uint8_t same[32] = {1};
static const uint8_t other[32] = {2};

static struct transaction_record record(enum transaction_state state)
{
    struct transaction_record r = {.state = state, .finished = transaction_finished(state) ? NOW - 1 : 0};
    memcpy(r.csr_info_sha256, same, sizeof same);
    return r;
}

static enum transaction_match match(const struct transaction_record *r, const uint8_t *csr)
{
    return transaction_match(r, csr, NOW, WINDOW);
}

Test(match, no_record_is_new)
{
    cr_assert_eq(match(NULL, same), TRANSACTION_NEW);
    cr_assert_eq(match(NULL, NULL), TRANSACTION_NEW);
}

Test(match, a_finished_one_answers_within_its_window)
{
    for (size_t i = 0; i < STATES; i++) {
        if (!transaction_finished(states[i]))
            continue;
        struct transaction_record r = record(states[i]);
        cr_assert_eq(match(&r, same), TRANSACTION_ANSWER);
        cr_assert_eq(match(&r, other), TRANSACTION_NEW);
        r.finished = NOW - WINDOW + 1;
        cr_assert_eq(match(&r, same), TRANSACTION_ANSWER);
        r.finished = NOW - WINDOW;
        cr_assert_eq(match(&r, same), TRANSACTION_NEW);
        cr_assert_eq(match(&r, NULL), TRANSACTION_ANSWER, "a poll is answered whatever its age");
    }
}

Test(match, a_received_one_is_busy_while_its_lease_lasts)
{
    struct transaction_record r = record(TRANSACTION_RECEIVED);
    r.lease_until = NOW + 1;
    cr_assert_eq(match(&r, same), TRANSACTION_BUSY);
    cr_assert_eq(match(&r, NULL), TRANSACTION_BUSY);
    r.lease_until = NOW;
    cr_assert_eq(match(&r, same), TRANSACTION_ORPHANED);
    r.lease_until = 0;
    cr_assert_eq(match(&r, NULL), TRANSACTION_ORPHANED);
}

Test(match, pending_and_attention_wait)
{
    const enum transaction_state waiting[] = {TRANSACTION_PENDING, TRANSACTION_ATTENTION};
    for (size_t i = 0; i < 2; i++) {
        struct transaction_record r = record(waiting[i]);
        cr_assert_eq(match(&r, same), TRANSACTION_WAITING);
        cr_assert_eq(match(&r, NULL), TRANSACTION_WAITING);
        r.lease_until = NOW + 1;
        cr_assert_eq(match(&r, same), TRANSACTION_WAITING);
    }
}

Test(match, another_csr_meets_an_unfinished_one)
{
    const enum transaction_state unfinished[] = {TRANSACTION_RECEIVED, TRANSACTION_PENDING,
                                                 TRANSACTION_ATTENTION};
    for (size_t i = 0; i < 3; i++) {
        struct transaction_record r = record(unfinished[i]);
        cr_assert_eq(match(&r, other), TRANSACTION_OTHER);
    }
}

/* Who was kept waiting may come for the outcome for as long as he could have been kept waiting. */
Test(transaction, an_outcome_is_kept_until_it_would_have_expired)
{
    struct transaction_record r = record(TRANSACTION_REJECTED);
    r.finished = NOW - 10 * WINDOW;
    r.expires = NOW + 1;
    cr_assert_eq(match(&r, same), TRANSACTION_ANSWER);
    cr_assert_eq(match(&r, other), TRANSACTION_NEW);
    r.expires = NOW;
    cr_assert_eq(match(&r, same), TRANSACTION_NEW);
    cr_assert_eq(match(&r, NULL), TRANSACTION_ANSWER);
}
