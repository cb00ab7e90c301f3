/* approvals.c: /v1/transactions/ID/approve and /deny: a person's word on a request that waits for it. */
#include <inttypes.h>
#include <string.h>

#include "admin/endpoints.h"

#define REASON_MAX 255

/* What the reason is shown by: terminals, and clients that read failInfoText. */
static bool is_one_line(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    return true;
}

/* Reads who is meant and why; c->alias is set when it is served. False: answered. */
static bool read_decision(struct admin_call *c)
{
    const char *alias = NULL, *reason = NULL;
    const struct admin_member members[] = {
        {"alias", MEMBER_TEXT, &alias, .required = true, .min = 1, .max = 64},
        {"reason", MEMBER_TEXT, &reason, .min = 1, .max = REASON_MAX},
    };
    if (!admin_query_only(c, "") || !admin_hex(c, c->parameters[0], "transaction's id", 32, 32) ||
        !admin_members(c, members, 2) || !admin_alias_name(c, alias))
        return false;
    if (reason && !is_one_line(reason)) {
        admin_refuse(c, 400, "BAD_REQUEST", "\"reason\" must be one line");
        return false;
    }
    store_request_init(&c->ask.request, STORE_TRANSACTION_DECIDE);
    c->ask.request.decide.alias = admin_alias_known(c, alias);
    c->ask.request.decide.record_id = c->parameters[0];
    c->ask.request.decide.by = c->by;
    c->ask.request.decide.reason = reason;
    audit_detail(&c->details, "by", c->by);
    audit_detail(&c->details, "reason", reason);
    return true;
}

static void decided(struct admin_call *c, const struct store_answer *answer)
{
    const struct transaction_record *t = answer->transaction_count ? answer->transactions : NULL;
    if (answer->outcome == STORE_OK && t)
        admin_answer(c, 200, admin_transaction_detail(t));
    else if (answer->outcome == STORE_CONFLICT)
        admin_refuse(c, 409, "ALREADY_APPROVED", "%s has approved it already; another person must", c->by);
    else if (answer->outcome == STORE_STALE)
        admin_refuse(c, 409, "NOT_WAITING", "this request does not wait for a decision");
    else if (answer->outcome == STORE_FINISHED && t)
        admin_refuse(c, 409, "FINISHED", "this request has ended: it is %s",
                     transaction_state_name(t->state));
    else
        admin_refuse_outcome(c, answer, "transaction");
}

/* The event of the route, with the decision, and whatever else has to happen. */
static void ask(struct admin_call *c)
{
    struct store_request *r = &c->ask.request;
    r->events[r->event_count++] =
        audit_event(c->route->audit, r->decide.alias, c->alias ? c->alias->settings->tenant : "",
                    r->decide.record_id, c->x->client, audit_details_text(&c->details));
    admin_store(c, decided);
}

void admin_transactions_approve(struct admin_call *c)
{
    struct store_request *r = &c->ask.request;
    if (!read_decision(c))
        return;
    if (!c->alias) {
        admin_refuse(c, 404, "ALIAS_UNKNOWN",
                     "the alias is not served, so that nothing can be issued for it");
        return;
    }
    int64_t expiry = c->alias->settings->transaction.pending_expiry;
    r->decide.reason = NULL; /* why it was held stays in the record; why it was approved is in the trail */
    r->decide.expires_in = expiry;
    r->obligations[r->obligation_count++] =
        (struct obligation_new){r->decide.alias, "submission.resume", r->decide.record_id, 0};
    r->obligations[r->obligation_count++] =
        (struct obligation_new){r->decide.alias, "transaction.expire", r->decide.record_id, expiry};
    ask(c);
}

void admin_transactions_deny(struct admin_call *c)
{
    struct store_request *r = &c->ask.request;
    if (!read_decision(c))
        return;
    r->decide.deny = true;
    r->decide.error_name = error_info(ERR_REQUEST_DENIED)->name;
    r->decide.release_challenge = c->alias && c->alias->settings->challenge.release_on_rejection;
    if (!r->decide.reason)
        r->decide.reason = error_info(ERR_REQUEST_DENIED)->sentence;
    ask(c);
}
