/* ra_attempt.c: how an alias gets its RA identity (ra_attempt.h).
 *
 *   files, ca:  ask who the CAs are (ra_chains.c) -> load (ra_given.c) -> install
 *   a look:     ask -> list -> load -> install
 *   backend:    the same; when an identity of the CA, or of the one that is staged behind it, is missing or
 *               beyond two thirds of its life: lease -> list again -> ra_issue.c
 */
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "issuing/ra_steps.h"

#define LEASE (3 * 60 * 1000) /* ms; outlasts an attempt; what others wait when a replica dies in one */

/* ---- beginning and end --------------------------------------------------------------------------------- */

const struct alias_settings *attempt_settings(const struct ra_attempt *a)
{
    return a->alias->settings;
}

void attempt_note(const struct ra_attempt *a, enum log_level level, const char *event, const char *sentence)
{
    struct log_scope scope = {.alias = attempt_settings(a)->name, .tenant = attempt_settings(a)->tenant};
    log_line(level, &scope, event, "%s", sentence);
}

static void wipe_text(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

static void end(struct ra_attempt *a)
{
    struct ra_outcome outcome = a->outcome;
    ra_ended *ended = a->ended;
    void *context = a->context;
    store_answer_free(a->stored);
    ra_draft_clear(&a->draft);
    buffer_free(&a->cookie);
    buffer_free(&a->kept);
    attempt_clear_chain(&a->chain);
    for (size_t i = 0; i < AUTHORITIES; i++) {
        attempt_clear_chain(&a->authorities[i]);
        wipe_text(a->ca_key_pem[i]);
        free(a->ca_certificate_pem[i]);
    }
    ra_set_unref(a->set);
    audit_details_free(&a->details);
    alias_unref(a->alias);
    free(a);
    ended(context, &outcome);
}

static void lease_dropped(void *context, struct store_answer *answer)
{
    store_answer_free(answer); /* a lease that could not be dropped runs out */
    end(context);
}

void attempt_finish(struct ra_attempt *a)
{
    if (!a->leased) {
        end(a);
        return;
    }
    store_request_init(&a->request, STORE_LEASE_DROP);
    a->request.lease.alias = attempt_settings(a)->name;
    a->request.lease.name = LEASE_NAME;
    a->request.lease.claim = a->claim;
    store_submit(a->parts.store, &a->request, lease_dropped, a);
}

void attempt_finish_done(struct ra_attempt *a)
{
    a->outcome.done = true;
    attempt_finish(a);
}

void attempt_finish_later(struct ra_attempt *a, int64_t again)
{
    a->outcome.quiet = true;
    a->outcome.again = again;
    attempt_finish(a);
}

void attempt_finish_failed(struct ra_attempt *a, const char *sentence)
{
    char text[600];
    snprintf(text, sizeof text, "no RA identity could be %s: %s",
             a->only_look   ? "looked for"
             : a->alias->ra ? "renewed"
                            : "made",
             sentence);
    attempt_note(a, a->only_look ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "ra.failed", text);
    attempt_finish(a);
}

void attempt_job(struct ra_attempt *a, void (*run)(void *), void (*done)(void *))
{
    if (pool_submit(a->parts.lane, (struct job){.run = run, .done = done, .data = a}) != ERR_OK)
        attempt_finish_failed(a, "the workers have too much to do");
}

/* True when the attempt has ended here. */
bool attempt_stopped(struct ra_attempt *a)
{
    if (!*a->parts.stopped)
        return false;
    end(a);
    return true;
}

bool attempt_store_failed(struct ra_attempt *a, const struct store_answer *answer)
{
    if (attempt_stopped(a))
        return true;
    if (answer->outcome != STORE_UNAVAILABLE && answer->outcome != STORE_UNKNOWN)
        return false;
    attempt_finish_failed(a,
                          answer->reason && *answer->reason ? answer->reason : "the store cannot be reached");
    return true;
}

void attempt_install(struct ra_attempt *a)
{
    alias_install_ra(a->alias, ra_set_ref(a->set));
    if (a->parts.metrics)
        metrics_set(a->parts.metrics, METRIC_RA_EXPIRY, (double)a->set->not_after / 1000,
                    METRIC_LABELS(attempt_settings(a)->name));
    if (a->installed)
        a->installed(a->context);
}

/* ---- the successor ------------------------------------------------------------------------------------- */

/* The first of them that the alias takes itself. */
static enum scep_digest announcement_digest(const struct ra_attempt *a)
{
    static const enum scep_digest preferred[] = {SCEP_DIGEST_SHA256, SCEP_DIGEST_SHA384, SCEP_DIGEST_SHA512};
    for (size_t i = 0; i < sizeof preferred / sizeof *preferred; i++)
        if (attempt_settings(a)->digests & preferred[i])
            return preferred[i];
    return SCEP_DIGEST_SHA1;
}

void attempt_stage(struct ra_attempt *a, struct ra_set *next)
{
    struct ra_staging staging = {.present = a->set,
                                 .next = next,
                                 .issuer = a->authorities[BACKEND_CA_NEXT].certificates[0],
                                 .from = a->from,
                                 .digest = announcement_digest(a)};
    struct ra_set *staged;
    enum error_code code = ra_set_stage(&staged, &staging, &a->error);
    if (code != ERR_OK && next) {
        a->next_failed = true;
        staging.next = NULL;
        code = ra_set_stage(&staged, &staging, NULL);
    }
    if (code != ERR_OK)
        return; /* out of memory: the round looks again */
    ra_set_unref(a->set);
    a->set = staged;
}

/* ---- from a backend: what the store holds -------------------------------------------------------------- */

static void decide(struct ra_attempt *a);
static void take_lease(struct ra_attempt *a);

static void run_load_stored(void *data)
{
    struct ra_attempt *a = data;
    struct ra_set *next = NULL;
    bool root = attempt_settings(a)->compat.root_in_get_ca_cert;
    a->next_failed = false;
    a->code = ra_from_records(&a->set, a->present.usable, a->present.count, a->parts.keys, root, &a->error);
    if (a->code != ERR_OK || !a->set || !a->authorities[BACKEND_CA_NEXT].count)
        return;
    a->next_failed =
        ra_from_records(&next, a->next.usable, a->next.count, a->parts.keys, root, &a->error) != ERR_OK;
    attempt_stage(a, next);
    ra_set_unref(next);
}

static int64_t newest_generation(const struct ra_attempt *a)
{
    int64_t newest = 0;
    for (size_t i = 0; i < a->present.count + a->next.count; i++) {
        const struct ra_record *r =
            i < a->present.count ? &a->present.usable[i] : &a->next.usable[i - a->present.count];
        newest = r->generation > newest ? r->generation : newest;
    }
    return newest;
}

static void note_unusable(struct ra_attempt *a, bool of_next)
{
    char text[600];
    struct ra_pick *p = of_next ? &a->next : &a->present;
    snprintf(text, sizeof text, "the stored RA identity%s cannot be used%s: %s",
             of_next ? " for the next CA" : "", a->only_look ? "" : ", a new one is made",
             error_text(&a->error));
    attempt_note(a, LOG_LEVEL_ERROR, "ra.unusable", text);
    for (size_t i = 0; i < p->count; i++)
        if (p->usable[i].generation > a->unusable_until[of_next])
            a->unusable_until[of_next] = p->usable[i].generation;
    *p = (struct ra_pick){0};
}

static void stored_loaded(void *data)
{
    struct ra_attempt *a = data;
    if (attempt_stopped(a))
        return;
    if (a->code == ERR_OK && a->set) {
        a->loaded_generation = newest_generation(a);
        attempt_install(a);
        if (a->next_failed)
            note_unusable(a, true);
    } else {
        note_unusable(a, false);
    }
    decide(a);
}

static void pick(struct ra_attempt *a)
{
    struct ra_records r = {.records = a->stored->ras,
                           .count = a->stored->ra_count,
                           .now = clock_realtime(a->parts.clock),
                           .unusable_until = {a->unusable_until[0], a->unusable_until[1]}};
    if (a->authorities[BACKEND_CA_CURRENT].count)
        r.present = a->authorities[BACKEND_CA_CURRENT].certificates[0];
    if (a->authorities[BACKEND_CA_NEXT].count)
        r.next = a->authorities[BACKEND_CA_NEXT].certificates[0];
    if (a->authorities[BACKEND_CA_PREVIOUS].count)
        r.previous = a->authorities[BACKEND_CA_PREVIOUS].certificates[0];
    ra_pick_present(&a->present, &r);
    ra_pick_next(&a->next, &r);
}

/* Has a look found what the alias has already? */
static bool is_known(const struct ra_attempt *a)
{
    const struct ra_set *here = a->alias->ra;
    const struct ra_record *opener = ra_pick_newest(&a->present, RA_OPENS, false);
    const struct ra_record *next =
        ra_pick_is_whole(&a->next) ? ra_pick_newest(&a->next, RA_OPENS, false) : NULL;
    return a->only_look && here && !here->next == !a->authorities[BACKEND_CA_NEXT].count &&
           ra_set_opens_with(here, opener->chain[0]) && (!next || ra_set_opens_with(here, next->chain[0]));
}

static void listed(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    store_answer_free(a->stored);
    a->stored = answer;
    if (attempt_store_failed(a, answer))
        return;
    pick(a);
    if (!ra_pick_is_whole(&a->present) || newest_generation(a) == a->loaded_generation || is_known(a)) {
        decide(a);
        return;
    }
    ra_set_unref(a->set);
    a->set = NULL;
    attempt_job(a, run_load_stored, stored_loaded);
}

static void list(struct ra_attempt *a)
{
    store_request_init(&a->request, STORE_RA_LIST);
    a->request.ra_list.alias = attempt_settings(a)->name;
    store_submit(a->parts.store, &a->request, listed, a);
}

/* Once in an attempt each: a certificate that is due for renewal while it is new (its CA ends soon) is no reason to
 * make another. */
static unsigned roles_to_make(struct ra_attempt *a, enum backend_authority which, const struct ra_pick *p)
{
    bool separate = attempt_settings(a)->ra.separate_signing;
    a->maker = which;
    return ra_pick_missing(p, separate, clock_realtime(a->parts.clock)) & ~a->made[which];
}

static void decide(struct ra_attempt *a)
{
    bool makes = !a->only_look && a->knows_authorities;
    a->draft.roles = makes ? roles_to_make(a, BACKEND_CA_CURRENT, &a->present) : 0;
    if (makes && !a->draft.roles && a->authorities[BACKEND_CA_NEXT].count)
        a->draft.roles = roles_to_make(a, BACKEND_CA_NEXT, &a->next);
    if (!a->only_look && !a->knows_authorities)
        attempt_finish_failed(a, "the backend did not tell its CA certificates");
    else if (!a->draft.roles)
        attempt_finish_done(a);
    else if (!a->leased)
        take_lease(a);
    else
        attempt_issue(a);
}

void attempt_look_again(struct ra_attempt *a)
{
    ra_draft_clear(&a->draft);
    attempt_clear_chain(&a->chain);
    buffer_reset(&a->cookie);
    buffer_reset(&a->kept);
    audit_details_free(&a->details);
    audit_details_init(&a->details);
    a->ask = (struct backend_request){0};
    list(a);
}

/* Under the lease the list is read again: what was missing may have been made meanwhile. */
static void lease_taken(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    bool failed = attempt_store_failed(a, answer), mine = answer->outcome == STORE_MINE;
    uint64_t claim = answer->claim;
    store_answer_free(answer);
    if (failed)
        return;
    a->leased = mine;
    a->claim = claim;
    if (mine)
        list(a);
    else
        attempt_finish_later(a, ELSEWHERE_DELAY);
}

static void take_lease(struct ra_attempt *a)
{
    store_request_init(&a->request, STORE_LEASE_TAKE);
    a->request.lease.alias = attempt_settings(a)->name;
    a->request.lease.name = LEASE_NAME;
    a->request.lease.duration = LEASE;
    store_submit(a->parts.store, &a->request, lease_taken, a);
}

/* ---- start --------------------------------------------------------------------------------------------- */

static struct ra_attempt *create(const struct ra_attempt_parts *parts, struct alias *alias, ra_ended *ended,
                                 void *context)
{
    struct ra_attempt *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->parts = *parts;
    a->alias = alias_ref(alias);
    a->ended = ended;
    a->context = context;
    buffer_init(&a->cookie, COOKIE_MAX);
    buffer_init(&a->kept, COOKIE_MAX);
    audit_details_init(&a->details);
    return a;
}

struct ra_attempt *ra_attempt_look(const struct ra_attempt_parts *parts, struct alias *alias, ra_ended *ended,
                                   void *context)
{
    struct ra_attempt *a = create(parts, alias, ended, context);
    if (!a)
        return NULL;
    a->only_look = true;
    attempt_ask_authorities(a, list);
    return a;
}

struct ra_attempt *ra_attempt_start(const struct ra_attempt_parts *parts, struct alias *alias,
                                    ra_installed *installed, ra_ended *ended, void *context)
{
    struct ra_attempt *a = create(parts, alias, ended, context);
    if (!a)
        return NULL;
    a->installed = installed;
    attempt_ask_authorities(a, alias->settings->ra.from == RA_FROM_BACKEND ? list : attempt_load_given);
    return a;
}
