/* rekey.c: see rekey.h. */
#include "storage/rekey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/cleanup.h"
#include "store/ask.h"

#define PAGE       64
#define SEALED_MAX ((size_t)64 << 20)
#define WALKS_MAX  10 /* after so many somebody must be sealing under an older key */

/* One value of the page on its way. */
struct slot {
    struct rekey *rekey;
    struct ask ask;
    struct buffer fresh;
};

struct rekey {
    struct rekey_options options;
    struct rekey_report report;
    char by[64];
    struct audit_details details;

    struct store_request request; /* of the page */
    struct store_answer *page;
    char after[256];
    struct slot slots[PAGE];
    size_t open; /* slots that are on their way */
    int walks;
    bool found_older; /* in this walk */
    struct ask last;
};

static void next_page(struct rekey *r);
static void count_page(struct rekey *r);

/* ---- the end ------------------------------------------------------------------------------------------- */

static void end(struct rekey *r)
{
    r->report.running = false;
    if (r->options.ended)
        r->options.ended(r->options.context);
}

static void fail(struct rekey *r, const char *sentence)
{
    snprintf(r->report.problem, sizeof r->report.problem, "%s", sentence);
    end(r);
}

/* True, and over, when the store did not do its work or somebody asked to stop. */
static bool ends(struct rekey *r, const struct store_answer *answer)
{
    char sentence[sizeof r->report.problem];
    if (answer->outcome == STORE_UNAVAILABLE || answer->outcome == STORE_UNKNOWN) {
        snprintf(sentence, sizeof sentence,
                 "the store answered %s (%s); start it again, it goes on from there",
                 store_outcome_name(answer->outcome), answer->reason);
        fail(r, sentence);
        return true;
    }
    if (!r->options.stop || !r->options.stop(r->options.context))
        return false;
    fail(r, "the gateway is shutting down; start it again, it goes on from there");
    return true;
}

static void written(void *context, const struct store_answer *answer)
{
    struct rekey *r = context;
    if (!ends(r, answer))
        end(r);
}

/* Not in the same step: which key a shared store belongs to stands apart from every trail. */
static void write_event(struct rekey *r)
{
    audit_details_init(&r->details);
    audit_detail(&r->details, "by", r->by);
    audit_detail(&r->details, "key", keys_id(r->options.keys, 0));
    audit_detail_number(&r->details, "resealed", r->report.resealed);
    store_request_init(&r->last.request, STORE_AUDIT_APPEND);
    r->last.request.events[r->last.request.event_count++] =
        audit_event(AUDIT_STORE_REKEYED, "", "", "", "", audit_details_text(&r->details));
    ask_start(&r->last, r->options.base, r->options.store, written, r);
}

static void moved(void *context, const struct store_answer *answer)
{
    struct rekey *r = context;
    if (ends(r, answer))
        return;
    r->report.moved = answer->outcome == STORE_OK;
    if (r->report.moved)
        write_event(r);
    else
        fail(r, "the store did not take the newest master key for its own");
}

static void move_store(struct rekey *r)
{
    store_request_init(&r->last.request, STORE_KEY_CHECK);
    r->last.request.key_check = keys_check_value(r->options.keys);
    ask_start(&r->last, r->options.base, r->options.store, moved, r);
}

/* ---- challenges ---------------------------------------------------------------------------------------- */

static struct rekey_dependants *dependants_of(struct rekey_report *report, const char *key)
{
    for (size_t i = 0; i < report->dependant_count; i++)
        if (strcmp(report->dependants[i].key, key) == 0)
            return &report->dependants[i];
    if (report->dependant_count == REKEY_DEPENDANTS_MAX)
        return NULL;
    struct rekey_dependants *fresh = &report->dependants[report->dependant_count++];
    snprintf(fresh->key, sizeof fresh->key, "%s", key);
    return fresh;
}

static void count_challenge(struct rekey *r, const struct challenge_record *c, int64_t now)
{
    if (strcmp(c->key_id, keys_id(r->options.keys, 0)) == 0 || c->state != CHALLENGE_UNUSED ||
        c->expires <= now)
        return;
    struct rekey_dependants *d = dependants_of(&r->report, c->key_id);
    if (!d)
        return;
    d->challenges++;
    d->last_expires = c->expires > d->last_expires ? c->expires : d->last_expires;
}

static void counted(void *context, struct store_answer *answer)
{
    struct rekey *r = context;
    if (!ends(r, answer)) {
        for (size_t i = 0; i < answer->challenge_count; i++)
            count_challenge(r, &answer->challenges[i], answer->now);
        snprintf(r->after, sizeof r->after, "%s", answer->next);
        if (*r->after)
            count_page(r);
        else
            move_store(r);
    }
    store_answer_free(answer);
}

static void count_page(struct rekey *r)
{
    store_request_init(&r->request, STORE_EXPORT);
    r->request.export.kind = STORE_KIND_CHALLENGE;
    r->request.export.after = *r->after ? r->after : NULL;
    r->request.export.limit = 1000;
    store_submit(r->options.store, &r->request, counted, r);
}

/* ---- sealed values ------------------------------------------------------------------------------------- */

static void end_walk(struct rekey *r)
{
    r->after[0] = '\0';
    if (!r->found_older)
        count_page(r);
    else if (r->walks == WALKS_MAX)
        fail(r, "another gateway still seals under an older master key: give all of them the same key file, "
                "restart them, and start this again");
    else
        next_page(r);
}

static void page_done(struct rekey *r)
{
    store_answer_free(TAKE(r->page));
    if (r->report.problem[0]) { /* one of its values could not be written */
        end(r);
        return;
    }
    if (*r->after)
        next_page(r);
    else
        end_walk(r);
}

static void slot_done(struct slot *s)
{
    struct rekey *r = s->rekey;
    buffer_free(&s->fresh);
    if (--r->open == 0)
        page_done(r);
}

static void resealed(void *context, const struct store_answer *answer)
{
    struct slot *s = context;
    struct rekey *r = s->rekey;
    if (answer->outcome == STORE_OK)
        r->report.resealed++;
    else if (answer->outcome == STORE_UNAVAILABLE || answer->outcome == STORE_UNKNOWN)
        snprintf(r->report.problem, sizeof r->report.problem,
                 "the store answered %s (%s); start it again, it goes on from there",
                 store_outcome_name(answer->outcome), answer->reason);
    slot_done(s); /* STALE: the next walk finds it; NOT_FOUND: it is needed no more */
}

static bool seal_anew(struct rekey *r, const struct sealed_record *v, struct buffer *fresh)
{
    CLEANUP(secret) struct secret plain = {0};
    struct error e = {0};
    buffer_init(fresh, SEALED_MAX);
    if (keys_unseal(r->options.keys, v->kind, v->alias, v->record, v->value, &plain, &e) == ERR_OK &&
        keys_seal(r->options.keys, v->kind, v->alias, v->record, bytes_of(plain.data, plain.len), fresh,
                  &e) == ERR_OK)
        return true;
    buffer_free(fresh);
    return false;
}

/* One that stands under the newest key already needs nothing. */
static void look_at(struct rekey *r, const struct sealed_record *v, struct slot *s)
{
    bool first_walk = r->walks == 1;
    r->report.looked_at += first_walk;
    if (keys_sealed_under(r->options.keys, v->value) == 0)
        return;
    if (!seal_anew(r, v, &s->fresh)) {
        r->report.unreadable += first_walk;
        return;
    }
    r->found_older = true;
    s->rekey = r;
    store_request_init(&s->ask.request, STORE_RESEAL);
    s->ask.request.reseal.kind = v->kind;
    s->ask.request.reseal.alias = v->alias;
    s->ask.request.reseal.record = v->record;
    s->ask.request.reseal.old = v->value;
    s->ask.request.reseal.fresh = buffer_bytes(&s->fresh);
    r->open++;
    ask_start(&s->ask, r->options.base, r->options.store, resealed, s);
}

static void listed(void *context, struct store_answer *answer)
{
    struct rekey *r = context;
    if (ends(r, answer)) {
        store_answer_free(answer);
        return;
    }
    r->page = answer;
    snprintf(r->after, sizeof r->after, "%s", answer->next);
    r->open = 1; /* ours, so that the page is not done while it is begun */
    for (size_t i = 0; i < answer->sealed_count && i < PAGE; i++)
        look_at(r, &answer->sealed[i], &r->slots[i]);
    if (--r->open == 0)
        page_done(r);
}

static void next_page(struct rekey *r)
{
    if (!*r->after) {
        r->walks++;
        r->found_older = false;
    }
    store_request_init(&r->request, STORE_SEALED_LIST);
    r->request.sealed_list.after = *r->after ? r->after : NULL;
    r->request.sealed_list.limit = PAGE;
    store_submit(r->options.store, &r->request, listed, r);
}

/* ---- calls --------------------------------------------------------------------------------------------- */

struct rekey *rekey_start(const struct rekey_options *options)
{
    struct rekey *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->options = *options;
    r->report.running = true;
    snprintf(r->by, sizeof r->by, "%s", options->by ? options->by : "");
    next_page(r);
    return r;
}

const struct rekey_report *rekey_report(const struct rekey *r)
{
    return &r->report;
}

void rekey_free(struct rekey *r)
{
    if (!r)
        return;
    audit_details_free(&r->details);
    free(r);
}
