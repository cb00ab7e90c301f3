/* ra_attempt.c: how an alias gets its RA identity (ra_attempt.h).
 *
 *   files, ca:  ask the CA's chain -> load -> install
 *   backend:    list -> load -> install; when it is missing or beyond two thirds of its life:
 *               lease -> list again -> draft (key, request) -> keep the draft -> ask the backend -> ask the
 * chains
 *               -> check -> keep -> install -> give the lease back
 *
 * The draft is in the store before the backend is asked, so that a crash or a pending answer continues with
 * the same key and plan.
 */
#include "issuing/ra_attempt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "issuing/ra_draft.h"
#include "scep/certificate.h"

#define LEASE_NAME       "ra"
#define LEASE            (10 * 60 * 1000) /* outlasts key generation and every deadline of an attempt */
#define BACKEND_DEADLINE (30 * 1000)
#define ELSEWHERE_DELAY  3000 /* somebody else makes it: look again */
#define RENEWAL_MARGIN   1000 /* so that the renewal does not come a moment too early and find nothing to do \
                               */
#define CHAIN_MAX  8          /* of a stored identity */
#define COOKIE_MAX (BACKEND_COOKIE_MAX + BACKEND_PLAN_MAX + 2)

struct chain { /* owned copies */
    struct bytes certificates[CHAIN_MAX];
    size_t count;
};

struct ra_attempt {
    struct ra_attempt_parts parts;
    struct alias *alias; /* a reference */
    ra_installed *installed;
    ra_ended *ended;
    void *context;
    struct ra_outcome outcome;

    struct store_request request;                 /* one store operation at a time */
    struct store_answer *stored;                  /* the newest list */
    struct ra_record usable[SCEP_RECIPIENTS_MAX]; /* of `stored` */
    size_t usable_count;
    int64_t loaded_generation;
    uint64_t claim;
    bool leased;

    struct ra_draft draft;
    char transaction[ID_TEXT_SIZE];
    struct backend_request ask;
    uint8_t plan[BACKEND_PLAN_MAX];
    struct buffer cookie; /* the backend's */
    struct buffer kept;   /* plan and cookie as stored */
    struct chain chain;
    void (*chain_next)(struct ra_attempt *a);

    char *ca_key_pem, *ca_certificate_pem; /* RA_FROM_CA */
    struct ra_set *set;                    /* loaded or made by a worker */
    enum error_code code;
    struct error error;
    struct certificate_facts facts;
    struct certificate_record certificate;
    struct audit_details details;
    char generation_text[24]; /* names the obligation: the one that is being worked off is another row */
};

/* ---- beginning and end ----------------------------------------------------------------------------------
 */

static const struct alias_settings *settings_of(const struct ra_attempt *a)
{
    return a->alias->settings;
}

static void note(const struct ra_attempt *a, enum log_level level, const char *event, const char *sentence)
{
    struct log_scope scope = {.alias = settings_of(a)->name, .tenant = settings_of(a)->tenant};
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

static void finish(struct ra_attempt *a)
{
    if (!a->leased) {
        end(a);
        return;
    }
    store_request_init(&a->request, STORE_LEASE_DROP);
    a->request.lease.alias = settings_of(a)->name;
    a->request.lease.name = LEASE_NAME;
    a->request.lease.claim = a->claim;
    store_submit(a->parts.store, &a->request, lease_dropped, a);
}

static void finish_done(struct ra_attempt *a)
{
    a->outcome.done = true;
    finish(a);
}

static void finish_later(struct ra_attempt *a, int64_t again)
{
    a->outcome.quiet = true;
    a->outcome.again = again;
    finish(a);
}

static void finish_failed(struct ra_attempt *a, const char *sentence)
{
    char text[600];
    snprintf(text, sizeof text, "no RA identity could be %s: %s", a->alias->ra ? "renewed" : "made",
             sentence);
    note(a, LOG_LEVEL_ERROR, "ra.failed", text);
    finish(a);
}

static void job(struct ra_attempt *a, void (*run)(void *), void (*done)(void *))
{
    if (pool_submit(a->parts.lane, (struct job){.run = run, .done = done, .data = a}) != ERR_OK)
        finish_failed(a, "the workers have too much to do");
}

/* True when the attempt has ended here. */
static bool stopped(struct ra_attempt *a)
{
    if (!*a->parts.stopped)
        return false;
    end(a);
    return true;
}

static bool store_failed(struct ra_attempt *a, const struct store_answer *answer)
{
    if (stopped(a))
        return true;
    if (answer->outcome != STORE_UNAVAILABLE && answer->outcome != STORE_UNKNOWN)
        return false;
    finish_failed(a, answer->reason && *answer->reason ? answer->reason : "the store cannot be reached");
    return true;
}

static void install(struct ra_attempt *a)
{
    alias_install_ra(a->alias, ra_set_ref(a->set));
    if (a->parts.metrics)
        metrics_set(a->parts.metrics, METRIC_RA_EXPIRY, (double)(a->set->not_after / 1000),
                    METRIC_LABELS(settings_of(a)->name));
    if (a->installed)
        a->installed(a->context);
}

/* ---- chains of CAs --------------------------------------------------------------------------------------
 */

static bool chain_add(struct chain *c, struct backend_bytes der)
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
    if (stopped(a))
        return;
    for (size_t i = 0; kept && i < result->chain_count; i++)
        kept = chain_add(&a->chain, result->chain[i]);
    if (kept)
        a->chain_next(a);
    else
        finish_failed(a, result->verdict == BACKEND_ISSUED ? "the chain of CA certificates is too long"
                                                           : "the backend did not tell its CA certificates");
}

static void ask_chain(struct ra_attempt *a, struct backend_instance *of, void (*next)(struct ra_attempt *a))
{
    a->chain_next = next;
    backend_call(of, BACKEND_CALL_CA_CHAIN, NULL, (struct backend_bytes){0}, BACKEND_DEADLINE, chain_told, a);
}

/* ---- from files, from the CA ----------------------------------------------------------------------------
 */

static void run_load_given(void *data)
{
    struct ra_attempt *a = data;
    const struct alias_settings *s = settings_of(a);
    bool root = s->compat.root_in_get_ca_cert;
    if (s->ra.from == RA_FROM_FILES) {
        a->code = ra_from_files(&a->set, s->ra.certificate, s->ra.key, a->chain.certificates, a->chain.count,
                                root, &a->error);
        return;
    }
    struct ra_pem pem = {.certificate = bytes_of_text(a->ca_certificate_pem),
                         .certificate_name = "the CA certificate",
                         .key = bytes_of_text(a->ca_key_pem),
                         .key_name = "the CA key"};
    /* The chain begins with the CA, which is the RA here. */
    size_t above = a->chain.count ? 1 : 0;
    a->code =
        ra_from_pem(&a->set, &pem, a->chain.certificates + above, a->chain.count - above, root, &a->error);
}

static void given_loaded(void *data)
{
    struct ra_attempt *a = data;
    if (stopped(a))
        return;
    if (a->code != ERR_OK) {
        char text[560];
        snprintf(text, sizeof text, "%s%s", error_text(&a->error),
                 settings_of(a)->ra.from == RA_FROM_CA
                     ? " (a local_ca made with `answers_scep: true` can be used)"
                     : "");
        finish_failed(a, text);
        return;
    }
    if (a->set->not_after <= clock_realtime(a->parts.clock))
        note(a, LOG_LEVEL_ERROR, "ra.expired",
             "the RA certificate has expired; clients will refuse it: bring a renewed one");
    install(a);
    finish_done(a);
}

static void load_given(struct ra_attempt *a)
{
    job(a, run_load_given, given_loaded);
}

static void take_ca(struct ra_attempt *a)
{
    struct backend_instance *i = a->alias->backend;
    const struct backend_type *type = backend_instance_type(i);
    if (!type->ca_key || !type->ca_key(backend_instance_opened(i), &a->ca_key_pem, &a->ca_certificate_pem)) {
        finish_failed(a, "the backend does not give its CA key away; choose another ra.from");
        return;
    }
    note(a, LOG_LEVEL_WARNING, "ra.is_ca",
         "the CA's own key opens and signs SCEP messages (ra.from: ca); a key of its own is safer (ra.from: "
         "backend)");
    load_given(a);
}

/* ---- from a backend: what the store holds ---------------------------------------------------------------
 */

static void decide(struct ra_attempt *a);
static void take_lease(struct ra_attempt *a);
static void make_draft(struct ra_attempt *a);

static bool is_due(const struct ra_attempt *a)
{
    const struct ra_record *r = &a->usable[0];
    int64_t life = r->not_after - r->not_before;
    return clock_realtime(a->parts.clock) >= r->not_before + life / 3 * 2;
}

static void run_load_stored(void *data)
{
    struct ra_attempt *a = data;
    a->code = ra_from_records(&a->set, a->usable, a->usable_count, a->parts.keys,
                              settings_of(a)->compat.root_in_get_ca_cert, &a->error);
}

static void stored_loaded(void *data)
{
    struct ra_attempt *a = data;
    if (stopped(a))
        return;
    if (a->code == ERR_OK && a->set) {
        a->loaded_generation = a->usable[0].generation;
        install(a);
    } else {
        char text[600];
        snprintf(text, sizeof text, "the stored RA identity cannot be used, a new one is made: %s",
                 error_text(&a->error));
        note(a, LOG_LEVEL_ERROR, "ra.unusable", text);
        a->usable_count = 0;
    }
    decide(a);
}

/* The certified and unexpired ones, newest first. */
static void pick_usable(struct ra_attempt *a)
{
    int64_t now = clock_realtime(a->parts.clock);
    a->usable_count = 0;
    for (size_t i = 0; i < a->stored->ra_count && a->usable_count < SCEP_RECIPIENTS_MAX; i++) {
        const struct ra_record *r = &a->stored->ras[i];
        if (r->chain_count > 0 && r->not_after > now)
            a->usable[a->usable_count++] = *r;
    }
}

static void listed(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    store_answer_free(a->stored);
    a->stored = answer;
    if (store_failed(a, answer))
        return;
    pick_usable(a);
    if (a->usable_count == 0 || a->usable[0].generation == a->loaded_generation) {
        decide(a);
        return;
    }
    ra_set_unref(a->set);
    a->set = NULL;
    job(a, run_load_stored, stored_loaded);
}

static void list(struct ra_attempt *a)
{
    store_request_init(&a->request, STORE_RA_LIST);
    a->request.ra_list.alias = settings_of(a)->name;
    store_submit(a->parts.store, &a->request, listed, a);
}

static void decide(struct ra_attempt *a)
{
    if (a->usable_count > 0 && !is_due(a))
        finish_done(a);
    else if (!a->leased)
        take_lease(a);
    else
        make_draft(a);
}

/* Under the lease the list is read again: what was missing may have been made meanwhile. */
static void lease_taken(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    bool failed = store_failed(a, answer), mine = answer->outcome == STORE_MINE;
    uint64_t claim = answer->claim;
    store_answer_free(answer);
    if (failed)
        return;
    a->leased = mine;
    a->claim = claim;
    if (mine)
        list(a);
    else
        finish_later(a, ELSEWHERE_DELAY);
}

static void take_lease(struct ra_attempt *a)
{
    store_request_init(&a->request, STORE_LEASE_TAKE);
    a->request.lease.alias = settings_of(a)->name;
    a->request.lease.name = LEASE_NAME;
    a->request.lease.duration = LEASE;
    store_submit(a->parts.store, &a->request, lease_taken, a);
}

/* ---- from a backend: the draft --------------------------------------------------------------------------
 */

static void ask_backend(struct ra_attempt *a);
static void keep_draft(struct ra_attempt *a, store_done *done);

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
    int len = snprintf(text, sizeof text, "ra %s %lld", settings_of(a)->name, (long long)a->draft.generation);
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
    bool failed = store_failed(a, answer), mine = answer->outcome == STORE_OK;
    store_answer_free(answer);
    if (failed)
        return;
    if (mine)
        ask_backend(a);
    else
        finish_later(a, ELSEWHERE_DELAY);
}

static void draft_made(void *data)
{
    struct ra_attempt *a = data;
    if (stopped(a))
        return;
    bool planned = a->ask.plan.len > 0 || a->cookie.len > 0;
    if (a->code != ERR_OK) {
        finish_failed(a, error_text(&a->error));
        return;
    }
    a->ask.transaction = a->transaction;
    a->ask.alias = settings_of(a)->name;
    a->ask.tenant = settings_of(a)->tenant;
    a->ask.purpose = BACKEND_FOR_RA;
    a->ask.csr = backend_bytes_of(&a->draft.csr);
    a->ask.subject = backend_bytes_of(&a->draft.subject);
    a->ask.spki = backend_bytes_of(&a->draft.spki);
    a->ask.max_validity = settings_of(a)->ra.lifetime;
    if (planned) {
        ask_backend(a);
        return;
    }
    int len = backend_prepare(a->alias->ra_backend, &a->ask, a->plan);
    if (len < 0) {
        finish_failed(a, "the backend could not prepare a certificate");
        return;
    }
    a->ask.plan = (struct backend_bytes){.data = a->plan, .len = (size_t)len};
    keep_draft(a, draft_kept);
}

static void make_draft(struct ra_attempt *a)
{
    const struct ra_record *newest = a->stored->ra_count > 0 ? &a->stored->ras[0] : NULL;
    a->draft.keys = a->parts.keys;
    a->draft.settings = settings_of(a);
    a->draft.generation = newest ? newest->generation + 1 : 1;
    if (newest && newest->chain_count == 0) { /* an attempt that did not get to its end */
        a->draft.generation = newest->generation;
        a->draft.stored_key = newest->sealed_key;
        unpack_kept(a, newest->cookie);
    }
    name_transaction(a);
    job(a, run_draft, draft_made);
}

static void fill_put(struct ra_attempt *a)
{
    store_request_init(&a->request, STORE_RA_PUT);
    a->request.ra_put.lease_name = LEASE_NAME;
    a->request.ra_put.lease_claim = a->claim;
    a->request.ra_put.record = (struct ra_record){
        .alias = settings_of(a)->name,
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
        finish_failed(a, "out of memory");
    else
        store_submit(a->parts.store, &a->request, done, a);
}

/* ---- from a backend: the answer -------------------------------------------------------------------------
 */

static void check_made(struct ra_attempt *a);

static void pending_kept(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    bool failed = store_failed(a, answer);
    store_answer_free(answer);
    if (!failed)
        finish(a);
}

static void keep_pending(struct ra_attempt *a, const struct backend_result *result)
{
    buffer_reset(&a->cookie);
    buffer_append(&a->cookie, result->cookie.data, result->cookie.len);
    a->outcome.quiet = true;
    a->outcome.again = result->delay > 0 ? result->delay : BACKEND_DEADLINE;
    note(a, LOG_LEVEL_INFO, "ra.pending", "the backend keeps the RA's request for later");
    keep_draft(a, pending_kept);
}

/* The next attempt asks anew, with the same key. */
static void forget_plan(struct ra_attempt *a, const struct backend_result *result)
{
    char text[400];
    snprintf(text, sizeof text, "no RA identity could be made: the backend refused the RA's request: %.300s",
             result->reason ? result->reason : "no reason given");
    note(a, LOG_LEVEL_ERROR, "ra.failed", text);
    a->ask.plan.len = 0;
    buffer_reset(&a->cookie);
    keep_draft(a, pending_kept);
}

static void ask_own_chain(struct ra_attempt *a)
{
    /* Clients also need the CA of their own certificates when another one certified the RA. */
    if (a->alias->backend && a->alias->backend != a->alias->ra_backend)
        ask_chain(a, a->alias->backend, check_made);
    else
        check_made(a);
}

static void answered(void *context, const struct backend_result *result)
{
    struct ra_attempt *a = context;
    bool kept = true;
    if (stopped(a))
        return;
    switch (result->verdict) {
    case BACKEND_ISSUED:
        for (size_t i = 0; kept && i < result->chain_count; i++)
            kept = chain_add(&a->chain, result->chain[i]);
        if (kept)
            ask_chain(a, a->alias->ra_backend, ask_own_chain);
        else
            finish_failed(a, "out of memory");
        return;
    case BACKEND_PENDING:
        keep_pending(a, result);
        return;
    case BACKEND_REJECTED:
        forget_plan(a, result);
        return;
    case BACKEND_UNAVAILABLE:
    case BACKEND_MISCONFIGURED:
        finish_failed(a, result->reason && *result->reason ? result->reason : "the backend cannot serve");
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

/* ---- from a backend: check, keep, install ---------------------------------------------------------------
 */

static void run_check(void *data)
{
    struct ra_attempt *a = data;
    struct ra_set *fresh = NULL;
    a->code = certificate_read(&a->facts, a->chain.certificates[0], &a->error);
    if (a->code == ERR_OK)
        a->code =
            ra_draft_finish(&fresh, &a->draft, a->chain.certificates, a->chain.count, a->set, &a->error);
    ra_set_unref(a->set);
    a->set = fresh;
}

static void made_kept(void *context, struct store_answer *answer)
{
    struct ra_attempt *a = context;
    bool failed = store_failed(a, answer);
    enum store_outcome outcome = answer->outcome;
    store_answer_free(answer);
    if (failed)
        return;
    if (outcome != STORE_OK) { /* the lease ran out, and somebody else went on from the draft */
        finish_later(a, ELSEWHERE_DELAY);
        return;
    }
    char text[200];
    snprintf(text, sizeof text, "the alias has a new RA identity, generation %lld, serial %s",
             (long long)a->draft.generation, a->facts.serial);
    note(a, LOG_LEVEL_INFO, "ra.made", text);
    install(a);
    finish_done(a);
}

static void keep_made(struct ra_attempt *a)
{
    const struct alias_settings *s = settings_of(a);
    int64_t now = clock_realtime(a->parts.clock), life = a->facts.not_after - a->facts.not_before;
    int64_t due = a->facts.not_before + life / 3 * 2 - now;
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
    if (stopped(a))
        return;
    if (a->code != ERR_OK)
        finish_failed(a, error_text(&a->error));
    else if (a->facts.not_after <= clock_realtime(a->parts.clock))
        finish_failed(a, "the backend gave a certificate that has expired already");
    else
        keep_made(a);
}

static void check_made(struct ra_attempt *a)
{
    job(a, run_check, checked);
}

/* ---- start ----------------------------------------------------------------------------------------------
 */

struct ra_attempt *ra_attempt_start(const struct ra_attempt_parts *parts, struct alias *alias,
                                    ra_installed *installed, ra_ended *ended, void *context)
{
    struct ra_attempt *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->parts = *parts;
    a->alias = alias_ref(alias);
    a->installed = installed;
    a->ended = ended;
    a->context = context;
    buffer_init(&a->cookie, COOKIE_MAX);
    buffer_init(&a->kept, COOKIE_MAX);
    audit_details_init(&a->details);
    switch (alias->settings->ra.from) {
    case RA_FROM_BACKEND:
        list(a);
        break;
    case RA_FROM_FILES:
        ask_chain(a, alias->backend, load_given);
        break;
    case RA_FROM_CA:
        ask_chain(a, alias->backend, take_ca);
        break;
    }
    return a;
}
