/* transaction.c: see transaction.h. */
#include "transaction/transaction.h"

#include <string.h>

#define TO(state) (1u << TRANSACTION_##state)

/* Row: the state it is in. Bits: where it may go. A move to itself renews a lease, a cookie or a delay; what
 * is finished stays as it is. A lost submission (ATTENTION) goes wherever a look-up or an operator finds that
 * it went. */
static const unsigned moves[] = {
    [TRANSACTION_RECEIVED] = TO(RECEIVED) | TO(PENDING) | TO(ISSUED) | TO(REJECTED) | TO(FAILED) |
                             TO(EXPIRED) | TO(ATTENTION) | TO(SUPERSEDED),
    [TRANSACTION_PENDING] =
        TO(PENDING) | TO(ISSUED) | TO(REJECTED) | TO(FAILED) | TO(EXPIRED) | TO(ATTENTION) | TO(SUPERSEDED),
    [TRANSACTION_ATTENTION] = TO(RECEIVED) | TO(PENDING) | TO(ISSUED) | TO(REJECTED) | TO(FAILED) |
                              TO(EXPIRED) | TO(ATTENTION) | TO(SUPERSEDED),
    [TRANSACTION_ISSUED] = 0,
    [TRANSACTION_REJECTED] = 0,
    [TRANSACTION_FAILED] = 0,
    [TRANSACTION_EXPIRED] = 0,
    [TRANSACTION_SUPERSEDED] = 0,
};
#define STATES (sizeof moves / sizeof moves[0])

bool transaction_may_move(enum transaction_state from, enum transaction_state to)
{
    return (size_t)from < STATES && (size_t)to < STATES && (moves[from] & 1u << to) != 0;
}

static enum transaction_match match_unfinished(const struct transaction_record *record, int64_t now)
{
    if (record->state != TRANSACTION_RECEIVED)
        return TRANSACTION_WAITING;
    return record->lease_until > now ? TRANSACTION_BUSY : TRANSACTION_ORPHANED;
}

enum transaction_match transaction_match(const struct transaction_record *record,
                                         const uint8_t *csr_info_sha256, int64_t now,
                                         int64_t retransmit_window)
{
    if (!record)
        return TRANSACTION_NEW;
    bool poll = !csr_info_sha256;
    bool same = poll || memcmp(record->csr_info_sha256, csr_info_sha256, sizeof record->csr_info_sha256) == 0;
    if (!transaction_finished(record->state))
        return same ? match_unfinished(record, now) : TRANSACTION_OTHER;
    bool fresh = poll || now - record->finished < retransmit_window || now < record->expires;
    return same && fresh ? TRANSACTION_ANSWER : TRANSACTION_NEW;
}
