/* ra_attempt.c: how an alias gets its RA identity (ra_attempt.h).
 *
 *   files, ca:  ask the CA's chain -> load -> install
 *   a look:     list -> load -> install
 *   backend:    the same; when it is missing or beyond two thirds of its life: lease -> list
 * again -> ra_issue.c
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

static void chain_clear(struct chain *c)
{
    for (size_t i = 0; i < c->count; i++)
        free((void *)(uintptr_t)c->certificates[i].data);
    c->count = 0;
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
    chain_clear(&a->chain);
    wipe_text(a->ca_key_pem);
    free(a->ca_certificate_pem);
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

/* ---- chains of CAs ------------------------------------------------------------------------------------- */

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

/* Without its chain a backend is as good as unavailable; what an answer brought already stays. */
static void chain_told(void *context, const struct backend_result *result)
{
    struct ra_attempt *a = context;
    bool kept = result->verdict == BACKEND_ISSUED;
    if (attempt_stopped(a))
        return;
    for (size_t i = 0; kept && i < result->chain_count; i++)
        kept = attempt_add_certificate(&a->chain, result->chain[i]);
    if (kept)
        a->chain_next(a);
    else
        attempt_finish_failed(a, result->verdict == BACKEND_ISSUED
                                     ? "the chain of CA certificates is too long"
                                     : "the backend did not tell its CA certificates");
}

void attempt_ask_chain(struct ra_attempt *a, struct backend_instance *of, void (*next)(struct ra_attempt *a))
{
    a->chain_next = next;
    backend_ask_chain(of, BACKEND_CA_CURRENT, BACKEND_DEADLINE, chain_told, a);
}

/* ---- from files, from the CA --------------------------------------------------------------------------- */

static void run_load_given(void *data)
{
    struct ra_attempt *a = data;
    const struct alias_settings *s = attempt_settings(a);
    struct ra_given given = {.chain = a->chain.certificates,
                             .chain_count = a->chain.count,
                             .root_in_body = s->compat.root_in_get_ca_cert};
    if (s->ra.from == RA_FROM_FILES) {
        const struct ra_files opens = {.certificate = s->ra.certificate, .key = s->ra.key};
        const struct ra_files signs = {.certificate = s->ra.signing_certificate, .key = s->ra.signing_key};
        a->code =
            ra_from_files(&a->set, &opens, *s->ra.signing_certificate ? &signs : NULL, &given, &a->error);
        return;
    }
    struct ra_pem pem = {.certificate = bytes_of_text(a->ca_certificate_pem),
                         .certificate_name = "the CA certificate",
                         .key = bytes_of_text(a->ca_key_pem),
                         .key_name = "the CA key"};
    /* The chain begins with the CA, which is the RA here. */
    size_t above = a->chain.count ? 1 : 0;
    given.chain += above;
    given.chain_count -= above;
    a->code = ra_from_pem(&a->set, &pem, NULL, &given, &a->error);
}

static void given_loaded(void *data)
{
    struct ra_attempt *a = data;
    if (attempt_stopped(a))
        return;
    if (a->code != ERR_OK) {
        char text[560];
        snprintf(text, sizeof text, "%s%s", error_text(&a->error),
                 attempt_settings(a)->ra.from == RA_FROM_CA
                     ? " (a local_ca made with `answers_scep: true` can be used)"
                     : "");
        attempt_finish_failed(a, text);
        return;
    }
    if (a->set->not_after <= clock_realtime(a->parts.clock))
        attempt_note(a, LOG_LEVEL_ERROR, "ra.expired",
                     "the RA certificate has expired; clients will refuse it: bring a renewed one");
    attempt_install(a);
    attempt_finish_done(a);
}

static void load_given(struct ra_attempt *a)
{
    attempt_job(a, run_load_given, given_loaded);
}

static void take_ca(struct ra_attempt *a)
{
    struct backend_instance *i = a->alias->backend;
    const struct backend_type *type = backend_instance_type(i);
    if (!type->ca_key || !type->ca_key(backend_instance_opened(i), BACKEND_CA_CURRENT, &a->ca_key_pem,
                                       &a->ca_certificate_pem)) {
        attempt_finish_failed(a, "the backend does not give its CA key away; choose another ra.from");
        return;
    }
    attempt_note(
        a, LOG_LEVEL_WARNING, "ra.is_ca",
        "the CA's own key opens and signs SCEP messages (ra.from: ca); a key of its own is safer (ra.from: "
        "backend)");
    load_given(a);
}

/* ---- from a backend: what the store holds -------------------------------------------------------------- */

static void decide(struct ra_attempt *a);
static void take_lease(struct ra_attempt *a);

/* The newest usable one that is for all of `roles`, and, when `alone`, for nothing else. */
static const struct ra_record *newest_for(const struct ra_attempt *a, unsigned roles, bool alone)
{
    for (size_t i = 0; i < a->usable_count; i++)
        if (alone ? a->roles[i] == roles : (a->roles[i] & roles) == roles)
            return &a->usable[i];
    return NULL;
}

/* What has to be made: what is missing or beyond two thirds of its life. 0: nothing. */
static unsigned roles_to_make(const struct ra_attempt *a)
{
    static const unsigned together[] = {RA_BOTH, RA_BOTH}, apart[] = {RA_OPENS, RA_SIGNS};
    const unsigned *wanted = attempt_settings(a)->ra.separate_signing ? apart : together;
    int64_t now = clock_realtime(a->parts.clock);
    for (size_t i = 0; i < 2; i++) {
        const struct ra_record *r = newest_for(a, wanted[i], true);
        if (!r || now >= ra_renewal_time(r->not_before, r->not_after))
            return wanted[i];
    }
    return 0;
}

static void run_load_stored(void *data)
{
    struct ra_attempt *a = data;
    a->code = ra_from_records(&a->set, a->usable, a->usable_count, a->parts.keys,
                              attempt_settings(a)->compat.root_in_get_ca_cert, &a->error);
}

static void stored_loaded(void *data)
{
    struct ra_attempt *a = data;
    if (attempt_stopped(a))
        return;
    if (a->code == ERR_OK && a->set) {
        a->loaded_generation = a->usable[0].generation;
        attempt_install(a);
    } else {
        char text[600];
        snprintf(text, sizeof text, "the stored RA identity cannot be used%s: %s",
                 a->only_look ? "" : ", a new one is made", error_text(&a->error));
        attempt_note(a, LOG_LEVEL_ERROR, "ra.unusable", text);
        a->unusable_until = a->usable[0].generation;
        a->usable_count = 0;
    }
    decide(a);
}

/* The certified and unexpired ones, newest first. */
static void pick_usable(struct ra_attempt *a)
{
    int64_t now = clock_realtime(a->parts.clock);
    a->usable_count = 0;
    for (size_t i = 0; i < a->stored->ra_count && a->usable_count < RA_RECORDS_MAX; i++) {
        const struct ra_record *r = &a->stored->ras[i];
        if (r->chain_count == 0 || r->not_after <= now || r->generation <= a->unusable_until)
            continue;
        a->roles[a->usable_count] = ra_record_roles(r);
        a->usable[a->usable_count++] = *r;
    }
}

/* Is there one that opens, and one that signs? */
static bool is_whole(const struct ra_attempt *a)
{
    return newest_for(a, RA_OPENS, false) && newest_for(a, RA_SIGNS, false);
}

/* Has a look found what the alias has already? */
static bool is_known(const struct ra_attempt *a)
{
    uint8_t newest[SHA256_DIGEST_LENGTH];
    const struct ra_set *present = a->alias->ra;
    if (!a->only_look || !present)
        return false;
    const struct ra_record *opener = newest_for(a, RA_OPENS, false);
    SHA256(opener->chain[0].data, opener->chain[0].len, newest);
    return memcmp(newest, present->current_sha256, sizeof newest) == 0;
}

static void listed(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    store_answer_free(a->stored);
    a->stored = answer;
    if (attempt_store_failed(a, answer))
        return;
    pick_usable(a);
    if (!is_whole(a) || a->usable[0].generation == a->loaded_generation || is_known(a)) {
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

static void decide(struct ra_attempt *a)
{
    a->draft.roles = a->only_look ? 0 : roles_to_make(a);
    if (!a->draft.roles)
        attempt_finish_done(a);
    else if (!a->leased)
        take_lease(a);
    else
        attempt_issue(a);
}

void attempt_look_again(struct ra_attempt *a)
{
    ra_draft_clear(&a->draft);
    chain_clear(&a->chain);
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
    list(a);
    return a;
}

struct ra_attempt *ra_attempt_start(const struct ra_attempt_parts *parts, struct alias *alias,
                                    ra_installed *installed, ra_ended *ended, void *context)
{
    struct ra_attempt *a = create(parts, alias, ended, context);
    if (!a)
        return NULL;
    a->installed = installed;
    switch (alias->settings->ra.from) {
    case RA_FROM_BACKEND:
        list(a);
        break;
    case RA_FROM_FILES:
        attempt_ask_chain(a, alias->backend, load_given);
        break;
    case RA_FROM_CA:
        attempt_ask_chain(a, alias->backend, take_ca);
        break;
    }
    return a;
}
