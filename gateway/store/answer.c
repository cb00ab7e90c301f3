/* answer.c: see answer.h. */
#include "store/answer.h"

#include <string.h>

struct store_answer *answer_create(void)
{
    struct arena *arena = arena_create();
    struct store_answer *a = arena ? arena_alloc(arena, sizeof *a) : NULL;
    if (!a) {
        arena_free(arena);
        return NULL;
    }
    a->arena = arena;
    answer_reset(a);
    return a;
}

void answer_reset(struct store_answer *a)
{
    *a = (struct store_answer){.arena = a->arena, .reason = "", .next = ""};
}

void answer_refuse(struct store_answer *a, enum store_outcome outcome, const char *reason)
{
    answer_reset(a);
    a->outcome = outcome;
    const char *copy = arena_text(a->arena, reason);
    a->reason = copy ? copy : "the store is out of memory";
}

/* The arrays double: one that is full has a power of two of items, or none. */
static void *grow(struct arena *arena, const void *items, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return (void *)items;
    void *larger = arena_alloc(arena, (count ? 2 * count : 1) * size);
    if (larger && count)
        memcpy(larger, items, count * size);
    return larger;
}

#define DEFINE_ADD(noun, type, array, count)                                                                 \
    type *answer_add_##noun(struct store_answer *a)                                                          \
    {                                                                                                        \
        type *items = grow(a->arena, a->array, a->count, sizeof *items);                                     \
        if (!items)                                                                                          \
            return NULL;                                                                                     \
        a->array = items;                                                                                    \
        return &items[a->count++];                                                                           \
    }

DEFINE_ADD(transaction, struct transaction_record, transactions, transaction_count)
DEFINE_ADD(challenge, struct challenge_record, challenges, challenge_count)
DEFINE_ADD(certificate, struct certificate_record, certificates, certificate_count)
DEFINE_ADD(revocation, struct revocation, revocations, revocation_count)
DEFINE_ADD(crl, struct crl_record, crls, crl_count)
DEFINE_ADD(ra, struct ra_record, ras, ra_count)
DEFINE_ADD(obligation, struct obligation, obligations, obligation_count)
DEFINE_ADD(event, struct audit_event, events, event_count)
DEFINE_ADD(sealed, struct sealed_record, sealed, sealed_count)
DEFINE_ADD(tally, struct tally_record, tallies, tally_count)
DEFINE_ADD(replica, struct replica_record, replicas, replica_count)
