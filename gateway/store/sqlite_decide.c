/* sqlite_decide.c: a person's word on a transaction that waits for it. */
#include <stdio.h>
#include <string.h>

#include "store/sqlite_transaction.h"

static bool has_approved(const struct transaction_record *r, const char *by)
{
    size_t len = strlen(by);
    for (const char *at = r->approved_by; *at; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == len && strncmp(at, by, len) == 0)
            return true;
        at += word;
    }
    return false;
}

static int approvals(const struct transaction_record *r)
{
    int count = *r->approved_by != '\0';
    for (const char *at = r->approved_by; *at; at++)
        count += *at == ' ';
    return count;
}

static void approve(struct sqlite_writer *w, struct sqlite_call *c, struct transaction_record *r)
{
    const __typeof__(c->request->decide) *d = &c->request->decide;
    char all[512];
    int len = snprintf(all, sizeof all, "%s%s%s", r->approved_by, *r->approved_by ? " " : "", d->by);
    if (len < 0 || (size_t)len >= sizeof all) {
        link_fail(&w->link, SQLITE_TOOBIG);
        return;
    }
    r->approved_by = sqlite_keep_text(w, c->answer->arena, all, "");
    if (d->expires_in > 0)
        r->expires = w->now + d->expires_in;
    if (approvals(r) < r->approvals_needed)
        return;
    r->decision = DECISION_APPROVED;
    r->next_poll = w->now;
    r->claim++;
    r->lease_until = 0;
}

static void deny(struct sqlite_writer *w, struct sqlite_call *c, struct sqlite_transaction *t)
{
    const __typeof__(c->request->decide) *d = &c->request->decide;
    struct transaction_record *r = t->record;
    r->decision = DECISION_DENIED;
    r->error_name = sqlite_keep_text(w, c->answer->arena, d->error_name, r->error_name);
    r->reason = sqlite_keep_text(w, c->answer->arena, d->reason, r->reason);
    r->sealed_csr = bytes_of(NULL, 0);
    if (d->release_challenge)
        sqlite_transaction_release(w, t, c->answer->arena);
    sqlite_transaction_finish(w, t, TRANSACTION_REJECTED);
}

void sqlite_transaction_decide(struct sqlite_writer *w, struct sqlite_call *c)
{
    const __typeof__(c->request->decide) *d = &c->request->decide;
    struct sqlite_transaction t;
    sqlite_transaction_by_id(&w->link, d->alias, d->record_id, c->answer, &t);
    if (!t.record) {
        c->answer->outcome = STORE_NOT_FOUND;
    } else if (transaction_finished(t.record->state)) {
        c->answer->outcome = STORE_FINISHED;
    } else if (t.record->decision != DECISION_AWAITED) {
        c->answer->outcome = STORE_STALE;
    } else if (!d->deny && has_approved(t.record, d->by)) {
        c->answer->outcome = STORE_CONFLICT;
    } else {
        t.record->updated = w->now;
        if (d->deny)
            deny(w, c, &t);
        else
            approve(w, c, t.record);
        sqlite_transaction_save(w, &t);
        c->answer->outcome = STORE_OK;
        c->changed = true;
        c->reference = t.sequence;
    }
}
