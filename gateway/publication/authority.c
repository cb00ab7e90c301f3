/* authority.c: see authority.h. Every way ends in finish(). */
#include "publication/authority.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/audit.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"

#define LOOK_PERIOD      3000 /* ms between looks for lists of other replicas */
#define PAGE             500
#define REVOCATIONS_MAX  1000000
#define BACKEND_DEADLINE (60 * 1000)
#define BACKOFF_FIRST    1000
#define BACKOFF_MAX      (5 * 60 * 1000)
#define CLOCK_PATIENCE   5000 /* ms that a clock may be behind that of the replica which made the last list */
#define CONTEST_PAUSE    250  /* ms at most, after another replica was faster */

static int64_t now_of(const struct authority *a)
{
    return clock_realtime(a->owner->parts->clock);
}

static int64_t ticks_of(const struct authority *a)
{
    return clock_monotonic(a->owner->parts->clock);
}

static uint32_t chance(uint32_t below)
{
    uint32_t value = 0;
    (void)secret_random(&value, sizeof value); /* without it, just no jitter */
    return below ? value % below : 0;
}

/* ---- life ---------------------------------------------------------------------------------------------- */

static void digest_text(char out[DIGEST_TEXT_SIZE], const struct bytes *parts, size_t count)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    CLEANUP(EVP_MD_CTX) EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(context, parts[i].data, parts[i].len) == 1;
    out[0] = '\0';
    if (!good || EVP_DigestFinal_ex(context, digest, NULL) != 1)
        return;
    for (size_t i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void name_of(char out[PUBLISHED_NAME_SIZE], X509 *certificate)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(certificate);
    size_t len = id ? (size_t)ASN1_STRING_length(id) : 0;
    out[0] = '\0';
    for (size_t i = 0; len <= (PUBLISHED_NAME_SIZE - 1) / 2 && i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", ASN1_STRING_get0_data(id)[i]);
}

static int64_t ms_of(const ASN1_TIME *t)
{
    struct tm parts;
    return t && ASN1_TIME_to_tm(t, &parts) ? (int64_t)timegm(&parts) * 1000 : 0;
}

static bool read_certificate(struct authority *a, struct bytes der)
{
    const uint8_t *at = der.data, *name = NULL;
    size_t name_len = 0;
    unsigned char *spki = NULL;
    char public_name[PUBLISHED_NAME_SIZE];
    CLEANUP(X509) X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    int spki_len = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki) : 0;
    bool good = spki_len > 0 && X509_NAME_get0_der(X509_get_subject_name(certificate), &name, &name_len);
    if (good) {
        a->subject = bytes_copy(bytes_of(name, name_len));
        digest_text(a->issuer_sha256, &a->subject, 1);
        digest_text(a->ca_sha256, (struct bytes[]){a->subject, bytes_of(spki, (size_t)spki_len)}, 2);
        name_of(public_name, certificate);
        a->public = published_create(public_name, der, ms_of(X509_get0_notBefore(certificate)), NULL, 0);
        good = a->public && a->subject.data && a->ca_sha256[0] && a->issuer_sha256[0];
    }
    OPENSSL_free(spki);
    ERR_clear_error();
    return good;
}

struct authority *authority_create(struct authority_owner *owner, struct backend_instance *instance,
                                   struct bytes certificate)
{
    struct authority *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->owner = owner;
    a->instance = instance;
    const struct backend_type *type = backend_instance_type(instance);
    a->signs = type->crl && type->crl_interval;
    if (read_certificate(a, certificate))
        return a;
    authority_free(a);
    return NULL;
}

static void forget_work(struct authority *a)
{
    free(a->revocations);
    free(a->der);
    free(a->details);
    free(a->cursor);
    a->revocations = NULL;
    a->der = NULL;
    a->details = a->cursor = NULL;
    a->count = a->capacity = 0;
}

void authority_free(struct authority *a)
{
    forget_work(a);
    free((void *)(uintptr_t)a->subject.data);
    published_unref(a->public);
    free(a);
}

void authority_drop(struct authority *a)
{
    a->gone = true;
    if (a->phase == AUTHORITY_IDLE)
        authority_free(a);
}

bool authority_is(const struct authority *a, struct bytes certificate)
{
    return bytes_equal(a->public->certificate, certificate);
}

/* ---- the end of every piece of work -------------------------------------------------------------------- */

static void finish(struct authority *a, bool failed)
{
    a->phase = AUTHORITY_IDLE;
    a->owner->running--;
    forget_work(a);
    if (a->gone) {
        authority_free(a);
        return;
    }
    a->look_at = ticks_of(a) + LOOK_PERIOD - (int64_t)chance(LOOK_PERIOD / 4);
    a->owner->settled(a->owner, a, failed);
}

static void fail(struct authority *a, const char *reason)
{
    int64_t delay = a->failures < 9 ? (int64_t)BACKOFF_FIRST << a->failures : BACKOFF_MAX;
    if (delay > BACKOFF_MAX)
        delay = BACKOFF_MAX;
    if (a->failures++ == 0 && !a->gone)
        log_line(LOG_LEVEL_WARNING, NULL, "crl.failed",
                 "the revocation list of backend %s's CA is not renewed: %s; it is tried again",
                 backend_instance_name(a->instance), reason);
    metrics_add(a->owner->parts->metrics, METRIC_CRL_FAILURES, 1,
                METRIC_LABELS(backend_instance_name(a->instance)));
    a->retry_at = ticks_of(a) + delay - (int64_t)chance((uint32_t)(delay / 4));
    a->looked = false;
    finish(a, true);
}

static void note_success(struct authority *a)
{
    if (a->failures)
        log_line(LOG_LEVEL_INFO, NULL, "crl.recovered",
                 "the revocation list of backend %s's CA is renewed again",
                 backend_instance_name(a->instance));
    a->failures = 0;
    a->retry_at = 0;
}

static void show(const struct authority *a)
{
    const char *const *labels = METRIC_LABELS(backend_instance_name(a->instance), a->public->name);
    struct metrics *m = a->owner->parts->metrics;
    int64_t from = a->public->this_update / 1000, until = a->public->next_update / 1000;
    metrics_set(m, METRIC_CRL_NUMBER, (double)a->public->number, labels);
    metrics_set(m, METRIC_CRL_ENTRIES, (double)a->public->entries, labels);
    metrics_set(m, METRIC_CRL_THIS_UPDATE, (double)from, labels);
    metrics_set(m, METRIC_CRL_NEXT_UPDATE, (double)until, labels);
}

/* A little earlier than the interval says, so that replicas and CAs do not all come at once. */
static int64_t due_after(const struct authority *a, int64_t this_update)
{
    return this_update + a->interval - (int64_t)chance((uint32_t)(a->interval / 20));
}

static bool install(struct authority *a, const struct crl_record *list)
{
    struct published *fresh = published_create(a->public->name, a->public->certificate, a->public->not_before,
                                               list, due_after(a, list->this_update));
    if (!fresh)
        return false;
    published_unref(a->public);
    a->public = fresh;
    show(a);
    return true;
}

/* ---- put ----------------------------------------------------------------------------------------------- */

static void put_done(void *context, struct store_answer *answer)
{
    struct authority *a = context;
    enum store_outcome outcome = answer->outcome;
    bool good = false;
    if (outcome == STORE_OK)
        good = install(a, &a->record);
    else if (outcome == STORE_STALE && answer->crl_count)
        good = install(a, &answer->crls[0]);
    if (good && outcome == STORE_OK) {
        a->covered = a->collection;
        log_line(LOG_LEVEL_INFO, NULL, "crl.published",
                 "revocation list %" PRId64 " of backend %s's CA has %zu entries, %zu bytes",
                 a->public->number, backend_instance_name(a->instance), a->public->entries,
                 a->public->crl.len);
    }
    if (good) {
        note_success(a);
        if (outcome == STORE_STALE) /* another replica was faster, and may not have seen what we have */
            a->retry_at = ticks_of(a) + 1 + (int64_t)chance(CONTEST_PAUSE);
        store_answer_free(answer);
        finish(a, false);
        return;
    }
    char reason[200];
    snprintf(reason, sizeof reason, "the store does not take it (%s) %s", store_outcome_name(outcome),
             answer->reason ? answer->reason : "");
    store_answer_free(answer);
    fail(a, reason);
}

static bool set_details(struct authority *a, size_t entries)
{
    struct audit_details details;
    audit_details_init(&details);
    audit_detail(&details, "backend", backend_instance_name(a->instance));
    audit_detail(&details, "ca", a->public->name);
    audit_detail_number(&details, "number", a->record.number);
    audit_detail_number(&details, "entries", (int64_t)entries);
    a->details = strdup(audit_details_text(&details));
    audit_details_free(&details);
    return a->details != NULL;
}

static void put(struct authority *a)
{
    a->phase = AUTHORITY_PUTTING;
    store_request_init(&a->request, STORE_CRL_PUT);
    a->request.crl_put = a->record;
    a->request.events[0] = audit_event(AUDIT_CRL_PUBLISHED, "", "", "", "", a->details);
    a->request.event_count = 1;
    store_submit(a->owner->parts->store, &a->request, put_done, a);
}

/* ---- sign ---------------------------------------------------------------------------------------------- */

static void refuse(struct authority *a, const char *reason)
{
    log_line(LOG_LEVEL_WARNING, NULL, "crl.refused", "there is no revocation list of backend %s's CA: %s",
             backend_instance_name(a->instance), reason ? reason : "no reason given");
    a->refused = true;
    note_success(a);
    finish(a, false);
}

static void signed_list(void *context, const struct backend_result *result)
{
    struct authority *a = context;
    if (result->verdict == BACKEND_REJECTED) {
        refuse(a, result->reason);
        return;
    }
    if (result->verdict != BACKEND_ISSUED) {
        fail(a, result->reason && *result->reason ? result->reason : "the backend does not make it");
        return;
    }
    struct bytes der = bytes_copy(bytes_of(result->crl.data, result->crl.len));
    a->der = (uint8_t *)(uintptr_t)der.data;
    a->record = (struct crl_record){.ca_sha256 = a->ca_sha256,
                                    .number = a->number,
                                    .der = der,
                                    .this_update = result->this_update,
                                    .next_update = result->next_update};
    if (!der.data || !set_details(a, published_count_entries(der)))
        fail(a, "out of memory");
    else
        put(a);
}

static void sign(struct authority *a)
{
    const struct bytes *certificate = &a->public->certificate;
    struct backend_crl_request request = {.issuer = {certificate->data, certificate->len},
                                          .number = a->number,
                                          .revocations = a->revocations,
                                          .count = a->count};
    a->phase = AUTHORITY_SIGNING;
    backend_ask_crl(a->instance, &request, BACKEND_DEADLINE, signed_list, a);
}

/* ---- collect ------------------------------------------------------------------------------------------- */

static bool read_serial(struct backend_revocation *out, const char *hex)
{
    char text[2 * BACKEND_SERIAL_MAX + 2];
    int len = snprintf(text, sizeof text, "%s%s", strlen(hex) % 2 ? "0" : "", hex);
    struct buffer octets;
    buffer_init(&octets, BACKEND_SERIAL_MAX);
    bool good = len > 0 && (size_t)len < sizeof text && codec_unhex(&octets, text) && !octets.failed;
    size_t zeros = 0;
    while (good && zeros < octets.len && octets.data[zeros] == 0)
        zeros++;
    if (good && octets.len > zeros) {
        out->serial_len = (uint8_t)(octets.len - zeros);
        memcpy(out->serial, octets.data + zeros, out->serial_len);
    }
    buffer_free(&octets);
    return good;
}

static bool make_room(struct authority *a, size_t more)
{
    if (a->count + more <= a->capacity)
        return true;
    size_t capacity = a->capacity ? 2 * a->capacity : PAGE;
    while (capacity < a->count + more)
        capacity *= 2;
    struct backend_revocation *grown = realloc(a->revocations, capacity * sizeof *grown);
    if (!grown)
        return false;
    a->revocations = grown;
    a->capacity = capacity;
    return true;
}

/* NULL, or what is wrong: a list that leaves somebody out is worse than an old one. */
static const char *take_page(struct authority *a, const struct store_answer *page)
{
    if (a->count + page->revocation_count > REVOCATIONS_MAX)
        return "more than a million certificates are revoked";
    if (!make_room(a, page->revocation_count))
        return "out of memory";
    for (size_t i = 0; i < page->revocation_count; i++) {
        const struct revocation *from = &page->revocations[i];
        struct backend_revocation *to = &a->revocations[a->count];
        *to = (struct backend_revocation){.at = from->revoked, .reason = (uint8_t)from->reason};
        if (!read_serial(to, from->serial))
            return "the store has a serial number that no certificate can have";
        a->count++;
    }
    return NULL;
}

static void ask_page(struct authority *a);

static void page_done(void *context, struct store_answer *answer)
{
    struct authority *a = context;
    char reason[200];
    const char *problem = NULL;
    if (answer->outcome != STORE_OK) {
        snprintf(reason, sizeof reason, "the store does not say what is revoked (%s) %s",
                 store_outcome_name(answer->outcome), answer->reason ? answer->reason : "");
        problem = reason;
    } else {
        problem = take_page(a, answer);
    }
    free(a->cursor);
    a->cursor = NULL;
    bool more = !problem && answer->next && *answer->next;
    if (more && !(a->cursor = strdup(answer->next)))
        problem = "out of memory";
    store_answer_free(answer);
    if (problem)
        fail(a, problem);
    else if (a->gone || a->owner->stopped)
        finish(a, false);
    else if (more)
        ask_page(a);
    else
        sign(a);
}

static void ask_page(struct authority *a)
{
    store_request_init(&a->request, STORE_REVOKED_LIST);
    a->request.revoked_list.issuer_sha256 = a->issuer_sha256;
    a->request.revoked_list.ended_after = a->ended_after;
    a->request.revoked_list.after = a->cursor;
    a->request.revoked_list.limit = PAGE;
    store_submit(a->owner->parts->store, &a->request, page_done, a);
}

/* Who has ended stays on the list until it was on one that came on schedule after the end (RFC 5280 section 3.3). */
static void collect(struct authority *a)
{
    a->ended_after = now_of(a) - a->interval;
    if (a->public->this_update && a->public->this_update < a->ended_after)
        a->ended_after = a->public->this_update;
    if (a->ended_after < now_of(a) - STORE_REVOKED_KEPT)
        a->ended_after = now_of(a) - STORE_REVOKED_KEPT;
    a->number = a->public->number + 1;
    a->collection = ++a->owner->counter;
    a->phase = AUTHORITY_COLLECTING;
    a->owner->running++;
    ask_page(a);
}

/* ---- look ---------------------------------------------------------------------------------------------- */

static void look_done(void *context, struct store_answer *answer)
{
    struct authority *a = context;
    char reason[200];
    bool answered = answer->outcome == STORE_OK || answer->outcome == STORE_NOT_FOUND;
    bool taken = true;
    if (answer->outcome == STORE_OK && answer->crl_count && answer->crls[0].number > a->public->number)
        taken = install(a, &answer->crls[0]);
    snprintf(reason, sizeof reason, "the store does not say what there is (%s) %s",
             store_outcome_name(answer->outcome), answer->reason ? answer->reason : "");
    store_answer_free(answer);
    if (!answered || !taken) {
        fail(a, answered ? "out of memory" : reason);
        return;
    }
    a->looked = true;
    finish(a, false);
}

static void look(struct authority *a)
{
    a->phase = AUTHORITY_LOOKING;
    a->owner->running++;
    store_request_init(&a->request, STORE_CRL_FIND);
    a->request.crl_find.ca_sha256 = a->ca_sha256;
    a->request.crl_find.known_number = a->public->number;
    store_submit(a->owner->parts->store, &a->request, look_done, a);
}

/* ---- what is due --------------------------------------------------------------------------------------- */

/* If-Modified-Since knows whole seconds: two lists of one second would pass for the same (RFC 9110 section 13.1.3). It
 * also lets changes that come together share a list. */
static bool must_wait(const struct authority *a)
{
    int64_t now = now_of(a) / 1000, last = a->public->this_update / 1000;
    return a->public->crl.len && now <= last && last - now <= CLOCK_PATIENCE / 1000;
}

/* Nothing is due. What failed before has come right by itself, or by another replica. */
static void rest(struct authority *a, int64_t ticks)
{
    note_success(a);
    if (ticks >= a->look_at)
        look(a);
}

void authority_work(struct authority *a, bool wanted)
{
    int64_t ticks = ticks_of(a);
    if (a->phase != AUTHORITY_IDLE || a->owner->stopped || !a->signs || a->refused || ticks < a->retry_at)
        return;
    a->interval = backend_instance_type(a->instance)->crl_interval(backend_instance_opened(a->instance));
    /* A staged CA that has issued nothing yet has a list nevertheless: it is cheap, and nobody has to ask. */
    if (!a->looked)
        look(a);
    else if (wanted || !a->public->crl.len || now_of(a) >= a->public->due) {
        if (!must_wait(a))
            collect(a);
    } else {
        rest(a, ticks);
    }
}
