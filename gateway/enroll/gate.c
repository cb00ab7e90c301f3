/* gate.c: see gate.h. */
#include "enroll/gate.h"

#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"

/* "Nothing was submitted yet": submission.h. */
static const uint8_t unsubmitted[] = {'E'};

typedef struct arena ARENA;
DEFINE_CLEANUP(ARENA, ARENA *, arena_free)

static enum backend_challenge challenge_of(const struct enrolment *e)
{
    if (e->challenge.code == ERR_CHALLENGE_MISSING)
        return BACKEND_CHALLENGE_MISSING;
    return e->alias->settings->challenge.type == CHALLENGE_NONE ? BACKEND_CHALLENGE_UNASKED
                                                                : BACKEND_CHALLENGE_GOOD;
}

/* False when out of memory. */
static bool name_texts(const struct csr *csr, ARENA *arena, const char *names[CSR_SANS_MAX])
{
    for (size_t i = 0; i < csr->san_count; i++) {
        const struct san_entry *san = &csr->sans[i];
        size_t size = strlen(san_kind_name(san->kind)) + strlen(san->value) + 2;
        char *text = arena_alloc(arena, size);
        if (!text)
            return false;
        snprintf(text, size, "%s:%s", san_kind_name(san->kind), san->value);
        names[i] = text;
    }
    return true;
}

enum step_result gate_ask(struct enrolment *e, const struct backend_request *request)
{
    const struct csr *csr = e->opening.message->csr;
    const char *names[CSR_SANS_MAX];
    CLEANUP(ARENA) ARENA *arena = arena_create();
    if (e->admitted)
        return STEP_NEXT;
    if (e->alias->gate) {
        if (!arena || !name_texts(csr, arena, names))
            return enrolment_fail(e, ERR_OVERLOADED, "out of memory");
        struct backend_facts facts = {.renewal = e->renewal == RENEWAL_PROVED,
                                      .challenge = challenge_of(e),
                                      .subject = csr->subject_text,
                                      .names = names,
                                      .name_count = csr->san_count};
        backend_admit(e->alias->gate, request, &facts, &e->admission);
    }
    e->admitted = true;
    if (e->challenge.code != ERR_OK && !e->admission.hold)
        return enrolment_fail(e, e->challenge.code, "%s", e->challenge.text);
    return STEP_NEXT;
}

static void add_obligation(struct enrolment *e, const char *kind, int64_t delay)
{
    e->request.obligations[e->request.obligation_count++] = (struct obligation_new){
        .alias = e->alias->settings->name, .kind = kind, .reference = e->record_id, .delay = delay};
}

void gate_fill_begin(struct enrolment *e)
{
    const struct alias_settings *a = e->alias->settings;
    struct transaction_record *record = &e->request.begin.record;
    if (!e->admission.hold) {
        e->request.begin.pass_limit = e->admission.pass_limit;
        e->request.begin.pass_period = e->admission.pass_period;
        add_obligation(e, "submission.resume", e->settings->enroll.lease);
        return;
    }
    record->approvals_needed = e->admission.approvals;
    record->reason = e->admission.reason;
    if (!record->cookie
             .len) /* a renewal that waits for its revocation state does so after the approval, too */
        record->cookie = bytes_of(unsubmitted, sizeof unsubmitted);
    e->request.begin.expires_in = a->transaction.pending_expiry;
    audit_details_free(&e->held_details);
    audit_details_init(&e->held_details);
    audit_detail(&e->held_details, "reason", e->admission.reason);
    audit_detail_number(&e->held_details, "approvals", e->admission.approvals);
    e->request.events[e->request.event_count++] =
        audit_event(AUDIT_REQUEST_HELD, a->name, a->tenant, e->record_id, e->client,
                    audit_details_text(&e->held_details));
    add_obligation(e, "transaction.expire", a->transaction.pending_expiry);
    add_obligation(e, "approval.announce", 0);
}

void gate_limit_reached(struct enrolment *e)
{
    e->admission.hold = true;
    e->admission.reason = e->admission.limit_reason;
    if (e->admission.approvals < 1)
        e->admission.approvals = 1;
}

bool gate_holds(const struct enrolment *e, const struct transaction_record *begun)
{
    return e->admission.hold && begun && !strcmp(begun->id, e->record_id);
}
