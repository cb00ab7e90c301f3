/* store.c: see store.h. What every implementation shares: dispatch, names, requests. */
#include "store/store.h"

#include <string.h>

#include "base/arena.h"

void store_request_init(struct store_request *r, enum store_operation operation)
{
    memset(r, 0, sizeof *r);
    r->operation = operation;
    random_id(r->id);
}

void store_submit(struct store *s, const struct store_request *r, store_done *done, void *context)
{
    s->type->submit(s, r, done, context);
}

int64_t store_revoked_age(int64_t certificate_age)
{
    if (certificate_age < 0 || certificate_age > STORE_REVOKED_KEPT)
        return certificate_age;
    return STORE_REVOKED_KEPT;
}

bool store_ready(const struct store *s, char *problem, size_t size)
{
    return s->type->ready(s, problem, size);
}

void store_close(struct store *s)
{
    if (s)
        s->type->close(s);
}

void store_answer_free(struct store_answer *a)
{
    if (a)
        arena_free(a->arena); /* the answer itself lives in it */
}

const char *store_outcome_name(enum store_outcome o)
{
    static const char *const names[] = {
        [STORE_OK] = "ok",
        [STORE_NOT_FOUND] = "not_found",
        [STORE_CONFLICT] = "conflict",
        [STORE_MINE] = "mine",
        [STORE_RUNNING] = "running",
        [STORE_FINISHED] = "finished",
        [STORE_TAKEN] = "taken",
        [STORE_FULL] = "full",
        [STORE_STALE] = "stale",
        [STORE_UNAVAILABLE] = "unavailable",
        [STORE_UNKNOWN] = "unknown",
    };
    return (size_t)o < sizeof names / sizeof *names ? names[o] : "?";
}

const char *transaction_state_name(enum transaction_state s)
{
    static const char *const names[] = {
        [0] = "?",
        [TRANSACTION_RECEIVED] = "received",
        [TRANSACTION_PENDING] = "pending",
        [TRANSACTION_ISSUED] = "issued",
        [TRANSACTION_REJECTED] = "rejected",
        [TRANSACTION_FAILED] = "failed",
        [TRANSACTION_EXPIRED] = "expired",
        [TRANSACTION_ATTENTION] = "attention",
        [TRANSACTION_SUPERSEDED] = "superseded",
    };
    return (size_t)s < sizeof names / sizeof *names ? names[s] : "?";
}

const char *transaction_decision_name(enum transaction_decision d)
{
    static const char *const names[] = {
        [DECISION_NONE] = "none",
        [DECISION_AWAITED] = "awaited",
        [DECISION_APPROVED] = "approved",
        [DECISION_DENIED] = "denied",
    };
    return (size_t)d < sizeof names / sizeof *names ? names[d] : "?";
}

const char *challenge_state_name(enum challenge_state s)
{
    static const char *const names[] = {
        [0] = "?",
        [CHALLENGE_UNUSED] = "unused",
        [CHALLENGE_USED] = "used",
        [CHALLENGE_REVOKED] = "revoked",
    };
    return (size_t)s < sizeof names / sizeof *names ? names[s] : "?";
}
