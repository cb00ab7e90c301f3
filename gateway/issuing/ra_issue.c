/* ra_issue.c: a new RA identity from a backend, under the lease:
 *
 *   draft (key, request) -> ask who shall issue -> keep the draft -> ask the backend -> ask the chains -> check
 *   -> keep -> look again, which installs it and finds what else is missing
 *
 * The draft is in the store before the backend is asked, so that a crash or a pending answer continues with
 * the same key and plan.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "issuing/ra_steps.h"

#define RENEWAL_MARGIN                                                                                       \
    1000 /* ms; so that the renewal does not come a moment too early and find nothing to do */

/* ---- from a backend: the draft ------------------------------------------------------------------------- */

static void ask_backend(struct ra_attempt *a);
static void keep_draft(struct ra_attempt *a, store_done *done);
static void plan(struct ra_attempt *a);

/* Plan and cookie in one stored value: two bytes of the plan's length, the plan, the cookie. */
static void unpack_kept(struct ra_attempt *a, struct bytes kept)
{
    size_t plan = kept.len >= 2 ? (size_t)kept.data[0] << 8 | kept.data[1] : 0;
    if (plan > BACKEND_PLAN_MAX || kept.len < 2 + plan)
        return;
    memcpy(a->plan, kept.data + 2, plan);
    a->ask.plan = (struct backend_bytes){.data = a->plan, .len = plan};
    buffer_append(&a->cookie, kept.data + 2 + plan, kept.len - 2 - plan);
}

static void pack_kept(struct ra_attempt *a)
{
    buffer_reset(&a->kept);
    buffer_append(&a->kept, (uint8_t[]){(uint8_t)(a->ask.plan.len >> 8), (uint8_t)a->ask.plan.len}, 2);
    buffer_append(&a->kept, a->ask.plan.data, a->ask.plan.len);
    buffer_append(&a->kept, a->cookie.data, a->cookie.len);
}

/* The same for every repeat of a generation, as a backend may rely on. */
static void name_transaction(struct ra_attempt *a)
{
    char text[160];
    uint8_t hash[EVP_MAX_MD_SIZE] = {0};
    int len =
        snprintf(text, sizeof text, "ra %s %lld", attempt_settings(a)->name, (long long)a->draft.generation);
    EVP_Digest(text, (size_t)len, hash, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < (ID_TEXT_SIZE - 1) / 2; i++)
        snprintf(a->transaction + 2 * i, 3, "%02x", hash[i]);
}

static void run_draft(void *data)
{
    struct ra_attempt *a = data;
    a->code = ra_draft_make(&a->draft, &a->error);
}

static struct backend_bytes backend_bytes_of(const struct buffer *b)
{
    return (struct backend_bytes){.data = b->data, .len = b->len};
}

static void draft_kept(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    bool failed = attempt_store_failed(a, answer), mine = answer->outcome == STORE_OK;
    store_answer_free(answer);
    if (failed)
        return;
    if (mine)
        ask_backend(a);
    else
        attempt_finish_later(a, ELSEWHERE_DELAY);
}

static void draft_made(void *data)
{
    struct ra_attempt *a = data;
    if (attempt_stopped(a))
        return;
    bool planned = a->ask.plan.len > 0 || a->cookie.len > 0;
    if (a->code != ERR_OK) {
        attempt_finish_failed(a, error_text(&a->error));
        return;
    }
    a->ask.transaction = a->transaction;
    a->ask.alias = attempt_settings(a)->name;
    a->ask.tenant = attempt_settings(a)->tenant;
    a->ask.purpose = a->draft.roles == RA_OPENS   ? BACKEND_FOR_RA_OPENING
                     : a->draft.roles == RA_SIGNS ? BACKEND_FOR_RA_SIGNING
                                                  : BACKEND_FOR_RA;
    a->ask.csr = backend_bytes_of(&a->draft.csr);
    a->ask.subject = backend_bytes_of(&a->draft.subject);
    a->ask.spki = backend_bytes_of(&a->draft.spki);
    a->ask.max_validity = attempt_settings(a)->ra.lifetime;
    if (planned)
        ask_backend(a);
    else if (a->maker == BACKEND_CA_NEXT)
        attempt_ask_chain(a, a->alias->ra_backend, BACKEND_CA_NEXT, plan);
    else
        plan(a);
}

/* For the successor's RA the chain was asked before, and begins with who shall issue. */
static void plan(struct ra_attempt *a)
{
    if (a->chain.count)
        a->ask.issuer = (struct backend_bytes){a->chain.certificates[0].data, a->chain.certificates[0].len};
    int len = backend_prepare(a->alias->ra_backend, &a->ask, a->plan);
    a->ask.issuer = (struct backend_bytes){0};
    attempt_clear_chain(&a->chain);
    if (len < 0) {
        attempt_finish_failed(a, "the backend could not prepare a certificate");
        return;
    }
    a->ask.plan = (struct backend_bytes){.data = a->plan, .len = (size_t)len};
    keep_draft(a, draft_kept);
}

void attempt_issue(struct ra_attempt *a)
{
    const struct ra_record *newest = a->stored->ra_count > 0 ? &a->stored->ras[0] : NULL;
    a->draft.keys = a->parts.keys;
    a->draft.settings = attempt_settings(a);
    a->draft.generation = newest ? newest->generation + 1 : 1;
    if (newest && newest->chain_count == 0) { /* an attempt that did not get to its end */
        a->draft.generation = newest->generation;
        a->draft.stored_key = newest->sealed_key;
        unpack_kept(a, newest->cookie);
    }
    name_transaction(a);
    attempt_job(a, run_draft, draft_made);
}

static void fill_put(struct ra_attempt *a)
{
    store_request_init(&a->request, STORE_RA_PUT);
    a->request.ra_put.lease_name = LEASE_NAME;
    a->request.ra_put.lease_claim = a->claim;
    a->request.ra_put.record = (struct ra_record){
        .alias = attempt_settings(a)->name,
        .generation = a->draft.generation,
        .sealed_key = buffer_bytes(&a->draft.sealed_key),
    };
}

static void keep_draft(struct ra_attempt *a, store_done *done)
{
    pack_kept(a);
    fill_put(a);
    a->request.ra_put.record.cookie = buffer_bytes(&a->kept);
    if (a->kept.failed)
        attempt_finish_failed(a, "out of memory");
    else
        store_submit(a->parts.store, &a->request, done, a);
}

/* ---- from a backend: the answer ------------------------------------------------------------------------ */

static void check_made(struct ra_attempt *a);

static void pending_kept(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    bool failed = attempt_store_failed(a, answer);
    store_answer_free(answer);
    if (!failed)
        attempt_finish(a);
}

static void keep_pending(struct ra_attempt *a, const struct backend_result *result)
{
    buffer_reset(&a->cookie);
    buffer_append(&a->cookie, result->cookie.data, result->cookie.len);
    a->outcome.quiet = true;
    a->outcome.again = result->delay > 0 ? result->delay : BACKEND_DEADLINE;
    attempt_note(a, LOG_LEVEL_INFO, "ra.pending", "the backend keeps the RA's request for later");
    keep_draft(a, pending_kept);
}

/* The next attempt asks anew, with the same key. */
static void forget_plan(struct ra_attempt *a, const struct backend_result *result)
{
    char text[400];
    snprintf(text, sizeof text, "no RA identity could be made: the backend refused the RA's request: %.300s",
             result->reason ? result->reason : "no reason given");
    attempt_note(a, LOG_LEVEL_ERROR, "ra.failed", text);
    a->ask.plan.len = 0;
    buffer_reset(&a->cookie);
    keep_draft(a, pending_kept);
}

static void ask_own_chain(struct ra_attempt *a)
{
    /* Clients also need the CA of their own certificates when another one certified the RA. */
    if (a->alias->backend && a->alias->backend != a->alias->ra_backend)
        attempt_ask_chain(a, a->alias->backend, a->maker, check_made);
    else
        check_made(a);
}

/* The plan of a draft that somebody left may be another CA's than the one that is wanted now. */
static void tell_maker(struct ra_attempt *a, const struct backend_result *result)
{
    if (a->alias->backend != a->alias->ra_backend || result->chain_count < 2)
        return;
    struct bytes issuer = bytes_of(result->chain[1].data, result->chain[1].len);
    for (size_t i = 0; i < AUTHORITIES; i++)
        if (a->authorities[i].count && bytes_equal(a->authorities[i].certificates[0], issuer))
            a->maker = (enum backend_authority)i;
}

static const char *reason_of(const struct backend_result *result)
{
    return result->reason && *result->reason ? result->reason : "the backend cannot serve";
}

static void answered(void *context, const struct backend_result *result)
{
    struct ra_attempt *a = context;
    bool kept = true;
    if (attempt_stopped(a))
        return;
    switch (result->verdict) {
    case BACKEND_ISSUED:
        for (size_t i = 0; kept && i < result->chain_count; i++)
            kept = attempt_add_certificate(&a->chain, result->chain[i]);
        tell_maker(a, result);
        if (kept)
            attempt_ask_chain(a, a->alias->ra_backend, a->maker, ask_own_chain);
        else
            attempt_finish_failed(a, "out of memory");
        return;
    case BACKEND_PENDING:
        keep_pending(a, result);
        return;
    case BACKEND_REJECTED:
        forget_plan(a, result);
        return;
    case BACKEND_MISCONFIGURED:
        if (a->draft.stored_key.len && a->ask.plan.len && !a->cookie.len) {
            forget_plan(a, result); /* perhaps of a CA that is gone */
            return;
        }
        attempt_finish_failed(a, reason_of(result));
        return;
    case BACKEND_UNAVAILABLE:
        attempt_finish_failed(a, reason_of(result));
        return;
    }
}

static void ask_backend(struct ra_attempt *a)
{
    const struct backend_type *type = backend_instance_type(a->alias->ra_backend);
    bool repeat = a->draft.stored_key.len > 0;
    enum backend_call_kind kind = BACKEND_CALL_ENROLL;
    if (a->cookie.len > 0)
        kind = BACKEND_CALL_POLL;
    else if (repeat && !(type->flags & BACKEND_SAFE_TO_REPEAT) && type->look_up)
        kind = BACKEND_CALL_LOOK_UP;
    backend_call(a->alias->ra_backend, kind, &a->ask, backend_bytes_of(&a->cookie), BACKEND_DEADLINE,
                 answered, a);
}

/* ---- from a backend: check, keep, install -------------------------------------------------------------- */

static void run_check(void *data)
{
    struct ra_attempt *a = data;
    a->code = certificate_read(&a->facts, a->chain.certificates[0], &a->error);
    if (a->code == ERR_OK)
        a->code = ra_draft_check(&a->draft, a->chain.certificates, a->chain.count, &a->error);
}

static void made_kept(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    bool failed = attempt_store_failed(a, answer);
    enum store_outcome outcome = answer->outcome;
    store_answer_free(answer);
    if (failed)
        return;
    if (outcome != STORE_OK) { /* the lease ran out, and somebody else went on from the draft */
        attempt_finish_later(a, ELSEWHERE_DELAY);
        return;
    }
    char text[200];
    snprintf(text, sizeof text, "the alias has a new RA identity%s, generation %lld, serial %s",
             a->maker == BACKEND_CA_NEXT ? " for the next CA" : "", (long long)a->draft.generation,
             a->facts.serial);
    attempt_note(a, LOG_LEVEL_INFO, "ra.made", text);
    a->made[a->maker] |= a->draft.roles;
    attempt_look_again(a);
}

static void keep_made(struct ra_attempt *a)
{
    const struct alias_settings *s = attempt_settings(a);
    int64_t due = ra_renewal_time(a->facts.not_before, a->facts.not_after) - clock_realtime(a->parts.clock);
    fill_put(a);
    struct ra_record *r = &a->request.ra_put.record;
    memcpy(r->chain, a->chain.certificates, a->chain.count * sizeof *r->chain);
    r->chain_count = a->chain.count;
    r->not_before = a->facts.not_before;
    r->not_after = a->facts.not_after;
    a->certificate = (struct certificate_record){
        .alias = s->name,
        .issuer_sha256 = a->facts.issuer_sha256,
        .serial = a->facts.serial,
        .transaction = "",
        .subject = a->facts.subject,
        .der = a->chain.certificates[0],
        .not_before = a->facts.not_before,
        .not_after = a->facts.not_after,
    };
    a->request.ra_put.certificate = &a->certificate;
    snprintf(a->generation_text, sizeof a->generation_text, "%lld", (long long)a->draft.generation);
    audit_detail(&a->details, "serial", a->facts.serial);
    audit_detail_number(&a->details, "not_after", a->facts.not_after);
    audit_detail(&a->details, "authority", a->maker == BACKEND_CA_NEXT ? "next" : NULL);
    a->request.events[a->request.event_count++] =
        audit_event(AUDIT_RA_MADE, s->name, s->tenant, "", "", audit_details_text(&a->details));
    a->request.obligations[a->request.obligation_count++] =
        (struct obligation_new){.alias = s->name,
                                .kind = "ra.renew",
                                .reference = a->generation_text,
                                .delay = (due > 0 ? due : 0) + RENEWAL_MARGIN};
    store_submit(a->parts.store, &a->request, made_kept, a);
}

static void checked(void *data)
{
    struct ra_attempt *a = data;
    if (attempt_stopped(a))
        return;
    if (a->code != ERR_OK)
        attempt_finish_failed(a, error_text(&a->error));
    else if (a->facts.not_after <= clock_realtime(a->parts.clock))
        attempt_finish_failed(a, "the backend gave a certificate that has expired already");
    else
        keep_made(a);
}

static void check_made(struct ra_attempt *a)
{
    attempt_job(a, run_check, checked);
}
