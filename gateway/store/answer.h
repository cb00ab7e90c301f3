/* answer.h: how an implementation of the store builds an answer: everything in one arena, which the answer
 * lives in too.
 *
 * A record that is added is zeroed, and stays where it is only until the next one of its kind. NULL when out
 * of memory.
 */
#pragma once

#include "base/arena.h"
#include "store/store.h"

struct store_answer *answer_create(void);
/* Back to an empty answer; what it had allocated stays in the arena until it is freed. */
void answer_reset(struct store_answer *a);
/* UNAVAILABLE or UNKNOWN, with nothing but the reason. Never fails. */
void answer_refuse(struct store_answer *a, enum store_outcome outcome, const char *reason);

struct transaction_record *answer_add_transaction(struct store_answer *a);
struct challenge_record *answer_add_challenge(struct store_answer *a);
struct certificate_record *answer_add_certificate(struct store_answer *a);
struct revocation *answer_add_revocation(struct store_answer *a);
struct crl_record *answer_add_crl(struct store_answer *a);
struct ra_record *answer_add_ra(struct store_answer *a);
struct obligation *answer_add_obligation(struct store_answer *a);
struct audit_event *answer_add_event(struct store_answer *a);
struct sealed_record *answer_add_sealed(struct store_answer *a);
struct tally_record *answer_add_tally(struct store_answer *a);
struct replica_record *answer_add_replica(struct store_answer *a);
