/* transfer.c: see transfer.h. The steps are a table; each ends by going on to the next, or by failing. */
#include "storage/transfer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/cleanup.h"
#include "storage/records.h"
#include "store/ask.h"

#define PAGE 256

/* One record of the page on its way. */
struct slot {
    struct transfer *transfer;
    struct ask ask;
};

struct transfer {
    struct transfer_options options;
    struct transfer_report report;
    size_t step;
    bool failed;

    struct ask ask; /* of a step that asks one thing */
    struct audit_details note;
    bool noted;              /* the target has our note already */
    struct digest_bag there; /* audit rows that the target has: an import cannot tell them from others */

    struct store_request request; /* of the page */
    struct store_answer *page;
    char after[512];
    void (*take_page)(struct transfer *t, const struct store_answer *page);
    struct slot slots[PAGE];
    size_t open;
};

static void next_step(struct transfer *t);

/* ---- the end ------------------------------------------------------------------------------------------- */

static void end(struct transfer *t)
{
    t->report.phase = TRANSFER_ENDED;
    digest_bag_free(&t->there);
    if (t->options.ended)
        t->options.ended(t->options.context);
}

/* The first problem is told. */
static void note_problem(struct transfer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note_problem(struct transfer *t, const char *format, ...)
{
    if (t->failed)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(t->report.problem, sizeof t->report.problem, format, args);
    va_end(args);
    t->failed = true;
}

/* Did the store do its work? */
static bool answers(struct transfer *t, const struct store *s, const struct store_answer *answer)
{
    if (answer->outcome != STORE_UNAVAILABLE && answer->outcome != STORE_UNKNOWN)
        return true;
    note_problem(t, "the %s answered %s (%s); start it again, it goes on from there",
                 s == t->options.from ? "source" : "target", store_outcome_name(answer->outcome),
                 answer->reason);
    return false;
}

static void heed_stop(struct transfer *t)
{
    if (t->options.stop && t->options.stop(t->options.context))
        note_problem(t, "stopped; start it again, it goes on from there");
}

static void go_on(struct transfer *t)
{
    heed_stop(t);
    if (t->failed)
        end(t);
    else
        next_step(t);
}

/* ---- pages ------------------------------------------------------------------------------------------- */

/* The row that the end of this transfer leaves: not of the source. */
static bool is_note(struct transfer *t, enum store_kind kind, const void *record)
{
    const struct audit_event *e = record;
    return kind == STORE_KIND_AUDIT && strcmp(e->event, audit_name(AUDIT_STORE_MIGRATED)) == 0 &&
           strcmp(e->details, audit_details_text(&t->note)) == 0;
}

static void read_page(struct transfer *t, struct store *s);

static void page_done(struct transfer *t, struct store *s)
{
    store_answer_free(TAKE(t->page));
    heed_stop(t);
    if (!t->failed && *t->after)
        read_page(t, s);
    else
        go_on(t);
}

static void took_page(struct transfer *t, struct store_answer *answer, struct store *s)
{
    t->page = answer;
    snprintf(t->after, sizeof t->after, "%s", answer->next);
    t->open = 1; /* ours, so that the page is not done while it is begun */
    heed_stop(t);
    if (answers(t, s, answer) && !t->failed)
        t->take_page(t, answer);
    if (--t->open == 0)
        page_done(t, s);
}

static void page_of_source(void *context, struct store_answer *answer)
{
    struct transfer *t = context;
    took_page(t, answer, t->options.from);
}

static void page_of_target(void *context, struct store_answer *answer)
{
    struct transfer *t = context;
    took_page(t, answer, t->options.to);
}

static void read_page(struct transfer *t, struct store *s)
{
    store_request_init(&t->request, STORE_EXPORT);
    t->request.export.kind = t->report.kind;
    t->request.export.after = *t->after ? t->after : NULL;
    t->request.export.limit = PAGE;
    store_submit(s, &t->request, s == t->options.from ? page_of_source : page_of_target, t);
}

/* All records of the present kind, a page at a time; then the next step. */
static void read_all(struct transfer *t, struct store *s,
                     void (*take_page)(struct transfer *t, const struct store_answer *page))
{
    t->after[0] = '\0';
    t->take_page = take_page;
    read_page(t, s);
}

/* ---- copying ------------------------------------------------------------------------------------------- */

static void imported(void *context, const struct store_answer *answer)
{
    struct slot *s = context;
    struct transfer *t = s->transfer;
    enum store_kind kind = t->report.kind;
    if (answer->outcome == STORE_OK)
        (*(answer->repeated ? &t->report.kinds[kind].there : &t->report.kinds[kind].copied))++;
    else if (answers(t, t->options.to, answer))
        note_problem(
            t,
            "the target has %s of alias %s that are not the source's (%s); migrate into an empty store, "
            "while no gateway works on either",
            record_kind_name(kind), record_alias(&s->ask.request), store_outcome_name(answer->outcome));
    if (--t->open == 0)
        page_done(t, t->options.from);
}

/* True when it needs no import. */
static bool is_there(struct transfer *t, enum store_kind kind, const void *record)
{
    struct digest d;
    if (kind != STORE_KIND_AUDIT)
        return false;
    if (!digest_of(&d, kind, record))
        note_problem(t, "out of memory");
    return t->failed || digest_bag_take(&t->there, &d);
}

static void copy_page(struct transfer *t, const struct store_answer *page)
{
    enum store_kind kind = t->report.kind;
    for (size_t i = 0; i < record_count(page, kind) && i < PAGE && !t->failed; i++) {
        const void *record = record_at(page, kind, i);
        struct slot *s = &t->slots[i];
        if (is_there(t, kind, record)) {
            t->report.kinds[kind].there++;
            continue;
        }
        s->transfer = t;
        record_import(&s->ask.request, kind, record);
        t->open++;
        ask_start(&s->ask, t->options.base, t->options.to, imported, s);
    }
}

static void collect_page(struct transfer *t, const struct store_answer *page)
{
    for (size_t i = 0; i < page->event_count; i++) {
        struct digest d;
        if (is_note(t, STORE_KIND_AUDIT, &page->events[i]))
            t->noted = true;
        else if (!digest_of(&d, STORE_KIND_AUDIT, &page->events[i]) || !digest_bag_put(&t->there, &d))
            note_problem(t, "out of memory");
    }
}

/* ---- comparing ----------------------------------------------------------------------------------------- */

static void sum_page(struct transfer *t, const struct store_answer *page, struct digest_sum *sum)
{
    enum store_kind kind = t->report.kind;
    for (size_t i = 0; i < record_count(page, kind); i++) {
        const void *record = record_at(page, kind, i);
        struct digest d;
        if (is_note(t, kind, record))
            continue;
        if (digest_of(&d, kind, record))
            digest_sum_add(sum, &d);
        else
            note_problem(t, "out of memory");
    }
}

static void sum_source(struct transfer *t, const struct store_answer *page)
{
    sum_page(t, page, &t->report.kinds[t->report.kind].from);
}

static void sum_target(struct transfer *t, const struct store_answer *page)
{
    sum_page(t, page, &t->report.kinds[t->report.kind].to);
}

/* ---- steps that ask one thing -------------------------------------------------------------------------- */

static void ask_source(struct transfer *t, enum store_operation operation, ask_done *done)
{
    store_request_init(&t->ask.request, operation);
    ask_start(&t->ask, t->options.base, t->options.from, done, t);
}

static void look_for_gateways(struct transfer *t, struct store *s, ask_done *done)
{
    static const char nobody[] = "00000000000000000000000000000000"; /* it only looks, and leaves at once */
    store_request_init(&t->ask.request, STORE_ANNOUNCE);
    t->ask.request.announce.replica = nobody;
    t->ask.request.announce.facts = "";
    ask_start(&t->ask, t->options.base, s, done, t);
}

static void gateways_found(struct transfer *t, const struct store *s, const struct store_answer *answer)
{
    if (answers(t, s, answer) && answer->replica_count > 0 && !t->options.force)
        note_problem(
            t, "%zu gateways work on the %s; stop them, or give --force and lose what they do meanwhile",
            answer->replica_count, s == t->options.from ? "source" : "target");
    go_on(t);
}

static void source_looked(void *context, const struct store_answer *answer)
{
    struct transfer *t = context;
    gateways_found(t, t->options.from, answer);
}

static void target_looked(void *context, const struct store_answer *answer)
{
    struct transfer *t = context;
    gateways_found(t, t->options.to, answer);
}

static void source_verified(void *context, const struct store_answer *answer)
{
    struct transfer *t = context;
    if (answers(t, t->options.from, answer) && answer->outcome != STORE_OK && !t->options.force)
        note_problem(t,
                     "row %lld of the source's audit trail does not fit its chain: somebody changed it; give "
                     "--force to take it over as it is",
                     (long long)answer->total);
    go_on(t);
}

static void head_found(void *context, const struct store_answer *answer)
{
    struct transfer *t = context;
    audit_detail(&t->note, "from", t->options.from_name);
    audit_detail_number(&t->note, "rows", answer->event_count > 0 ? answer->events[0].sequence : 0);
    audit_detail(&t->note, "head", answer->event_count > 0 ? answer->events[0].hash : "");
    answers(t, t->options.from, answer);
    go_on(t);
}

static void target_verified(void *context, const struct store_answer *answer)
{
    struct transfer *t = context;
    if (answers(t, t->options.to, answer) && answer->outcome != STORE_OK)
        note_problem(t, "row %lld of the target's audit trail does not fit its chain",
                     (long long)answer->total);
    t->report.verified = !t->failed;
    go_on(t);
}

static void note_written(void *context, const struct store_answer *answer)
{
    struct transfer *t = context;
    answers(t, t->options.to, answer);
    go_on(t);
}

/* ---- the steps ----------------------------------------------------------------------------------------- */

static void step_look_at_source(struct transfer *t)
{
    look_for_gateways(t, t->options.from, source_looked);
}

static void step_look_at_target(struct transfer *t)
{
    look_for_gateways(t, t->options.to, target_looked);
}

static void step_verify_source(struct transfer *t)
{
    ask_source(t, STORE_AUDIT_VERIFY, source_verified);
}

static void step_find_head(struct transfer *t)
{
    store_request_init(&t->ask.request, STORE_AUDIT_LIST);
    t->ask.request.list.limit = 1;
    ask_start(&t->ask, t->options.base, t->options.from, head_found, t);
}

static void step_collect_there(struct transfer *t)
{
    t->report.kind = STORE_KIND_AUDIT;
    read_all(t, t->options.to, collect_page);
}

static void step_copy(struct transfer *t)
{
    t->report.phase = TRANSFER_COPYING;
    read_all(t, t->options.from, copy_page);
}

static void step_sum_source(struct transfer *t)
{
    t->report.phase = TRANSFER_COMPARING;
    read_all(t, t->options.from, sum_source);
}

static void step_sum_target(struct transfer *t)
{
    read_all(t, t->options.to, sum_target);
}

static void step_compare(struct transfer *t)
{
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++) {
        const struct transfer_kind *k = &t->report.kinds[kind];
        if (!digest_sum_same(&k->from, &k->to))
            note_problem(
                t,
                "the %s differ: %lld in the source, %lld in the target%s; migrate into an empty store, "
                "while no gateway works on either",
                record_kind_name((enum store_kind)kind), (long long)k->from.count, (long long)k->to.count,
                k->from.count == k->to.count ? ", with other contents" : "");
    }
    go_on(t);
}

static void step_verify_target(struct transfer *t)
{
    store_request_init(&t->ask.request, STORE_AUDIT_VERIFY);
    ask_start(&t->ask, t->options.base, t->options.to, target_verified, t);
}

static void step_note(struct transfer *t)
{
    if (t->noted) {
        go_on(t);
        return;
    }
    store_request_init(&t->ask.request, STORE_AUDIT_APPEND);
    t->ask.request.event_count = 1;
    t->ask.request.events[0] =
        audit_event(AUDIT_STORE_MIGRATED, "", "", "", "", audit_details_text(&t->note));
    ask_start(&t->ask, t->options.base, t->options.to, note_written, t);
}

static const struct step {
    void (*run)(struct transfer *t);
    bool every_kind; /* once for each */
} steps[] = {
    {step_look_at_source, false}, {step_look_at_target, false}, {step_verify_source, false},
    {step_find_head, false},      {step_collect_there, false},  {step_copy, true},
    {step_sum_source, true},      {step_sum_target, true},      {step_compare, false},
    {step_verify_target, false},  {step_note, false},           {end, false},
};

static void next_step(struct transfer *t)
{
    if (steps[t->step].every_kind && t->report.kind + 1 < STORE_KIND_COUNT) {
        t->report.kind++;
    } else {
        t->step++;
        t->report.kind = (enum store_kind)0;
    }
    steps[t->step].run(t);
}

struct transfer *transfer_start(const struct transfer_options *options)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->options = *options;
    audit_details_init(&t->note);
    steps[0].run(t);
    return t;
}

const struct transfer_report *transfer_report(const struct transfer *t)
{
    return &t->report;
}

void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    digest_bag_free(&t->there);
    audit_details_free(&t->note);
    free(t);
}
