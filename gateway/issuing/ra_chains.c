/* ra_chains.c: certificates of CAs, for an attempt (ra_steps.h). */
#include <stdlib.h>

#include "base/clock.h"
#include "issuing/ra_steps.h"

bool attempt_add_certificate(struct chain *c, struct backend_bytes der)
{
    for (size_t i = 0; i < c->count; i++)
        if (bytes_equal(c->certificates[i], bytes_of(der.data, der.len)))
            return true;
    struct bytes copy = c->count < CHAIN_MAX ? bytes_copy(bytes_of(der.data, der.len)) : (struct bytes){0};
    if (!copy.data)
        return false;
    c->certificates[c->count++] = copy;
    return true;
}

void attempt_clear_chain(struct chain *c)
{
    for (size_t i = 0; i < c->count; i++)
        free((void *)(uintptr_t)c->certificates[i].data);
    c->count = 0;
}

static bool keep(struct chain *c, const struct backend_result *result)
{
    bool kept = true;
    for (size_t i = 0; kept && i < result->chain_count; i++)
        kept = attempt_add_certificate(c, result->chain[i]);
    return kept;
}

/* ---- the chain of one CA ------------------------------------------------------------------------------- */

/* Without its chain a backend is as good as unavailable; what an answer brought already stays. */
static void chain_told(void *context, const struct backend_result *result)
{
    struct ra_attempt *a = context;
    if (attempt_stopped(a))
        return;
    if (result->verdict != BACKEND_ISSUED)
        attempt_finish_failed(a, "the backend did not tell its CA certificates");
    else if (!keep(&a->chain, result))
        attempt_finish_failed(a, "the chain of CA certificates is too long");
    else
        a->chain_next(a);
}

/* A backend that knows one CA alone certifies the successor's RA as well. */
static void other_told(void *context, const struct backend_result *result)
{
    struct ra_attempt *a = context;
    if (result->verdict != BACKEND_REJECTED)
        chain_told(a, result);
    else if (!attempt_stopped(a))
        backend_ask_chain(a->chain_of, BACKEND_CA_CURRENT, BACKEND_DEADLINE, chain_told, a);
}

void attempt_ask_chain(struct ra_attempt *a, struct backend_instance *of, enum backend_authority which,
                       void (*next)(struct ra_attempt *a))
{
    a->chain_of = of;
    a->chain_next = next;
    backend_ask_chain(of, which, BACKEND_DEADLINE, which == BACKEND_CA_CURRENT ? chain_told : other_told, a);
}

/* ---- all CAs of the alias' backend --------------------------------------------------------------------- */

/* The present CA became the one before while we asked. */
static bool switched_meanwhile(const struct ra_attempt *a)
{
    const struct chain *present = &a->authorities[BACKEND_CA_CURRENT],
                       *before = &a->authorities[BACKEND_CA_PREVIOUS];
    return present->count && before->count && bytes_equal(present->certificates[0], before->certificates[0]);
}

static void authority_told(void *context, const struct backend_result *result)
{
    struct ra_attempt *a = context;
    if (attempt_stopped(a))
        return;
    bool answered = result->verdict == BACKEND_ISSUED ||
                    (result->verdict == BACKEND_REJECTED && a->asked != BACKEND_CA_CURRENT);
    if (result->verdict == BACKEND_ISSUED)
        answered = keep(&a->authorities[a->asked], result);
    if (result->verdict == BACKEND_ISSUED && a->asked == BACKEND_CA_NEXT)
        a->from = clock_realtime(a->parts.clock) + result->delay;
    if (answered && switched_meanwhile(a)) {
        for (size_t i = 0; i < AUTHORITIES; i++)
            attempt_clear_chain(&a->authorities[i]);
        attempt_ask_authorities(a, a->chain_next);
        return;
    }
    a->knows_authorities = answered && a->asked == BACKEND_CA_PREVIOUS;
    if (!answered || a->asked == BACKEND_CA_PREVIOUS) {
        a->chain_next(a);
        return;
    }
    a->asked = a->asked == BACKEND_CA_CURRENT ? BACKEND_CA_NEXT : BACKEND_CA_PREVIOUS;
    backend_ask_chain(a->alias->backend, a->asked, BACKEND_DEADLINE, authority_told, a);
}

void attempt_ask_authorities(struct ra_attempt *a, void (*next)(struct ra_attempt *a))
{
    a->chain_next = next;
    a->asked = BACKEND_CA_CURRENT;
    backend_ask_chain(a->alias->backend, a->asked, BACKEND_DEADLINE, authority_told, a);
}
