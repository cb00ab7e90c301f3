/* transaction.h: the one table of allowed moves between stable states, and how a move is asked of the store.
 * Pure. */
#pragma once

#include "store/store.h"

bool transaction_may_move(enum transaction_state from, enum transaction_state to);

/* "Same request?" for an answer of recall: what the story does with it (design, the transaction contract). */
enum transaction_match {
    TRANSACTION_NEW,     /* no generation, or the last one is over (another CSR, or beyond the window) */
    TRANSACTION_ANSWER,  /* finished, same CSR, within the window (or not past its `expires`): give the stored
                             outcome again */
    TRANSACTION_WAITING, /* pending: PENDING again, or ask the backend when its delay is over */
    TRANSACTION_BUSY,    /* received, under a lease: wait */
    TRANSACTION_ORPHANED, /* received, nobody's lease: begin takes it over */
    TRANSACTION_OTHER,    /* unfinished with another CSR: conflict, unless the alias supersedes */
};

/* `csr_info_sha256` NULL: a CertPoll, which addresses the newest generation whatever its CSR and age. */
enum transaction_match transaction_match(const struct transaction_record *record,
                                         const uint8_t *csr_info_sha256, int64_t now,
                                         int64_t retransmit_window);
