/* renewal.c: see renewal.h. One function per rule, in the order in which a refusal names its reason. */
#include "policy/renewal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

struct judgement {
    const struct renewal_settings *rules;
    const struct renewal_facts *facts;
    struct renewal_verdict *verdict;
};

static void refuse(const struct judgement *j, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse(const struct judgement *j, enum error_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->verdict->reason, sizeof j->verdict->reason, format, args);
    va_end(args);
    j->verdict->decision = RENEWAL_REFUSED;
    j->verdict->code = code;
}

/* ---- whose certificate it is --------------------------------------------------------------------------- */

static bool is_of_ours(const struct judgement *j)
{
    const struct renewal_facts *f = j->facts;
    return f->recorded || f->issuer == RENEWAL_BY_OTHER_CA ||
           (f->issuer == RENEWAL_BY_OWN_CA && j->rules->unrecorded);
}

static void judge_signer(const struct judgement *j)
{
    const struct renewal_facts *f = j->facts;
    if (f->proxy)
        refuse(j, ERR_RENEWAL_SIGNER, "a proxy signer proves nothing for a renewal");
    else if (f->self_signed)
        refuse(j, ERR_RENEWAL_SIGNER, "the signer's certificate is self-signed");
    else if (!is_of_ours(j))
        refuse(j, ERR_RENEWAL_SIGNER, "the signer's certificate was not issued here%s",
               f->issuer == RENEWAL_BY_OWN_CA ? ", although by the same CA" : "");
    else if (f->is_ca)
        refuse(j, ERR_RENEWAL_SIGNER, "the signer's certificate is a CA's");
    else if (!f->may_sign)
        refuse(j, ERR_RENEWAL_SIGNER, "the key usage of the signer's certificate lacks digitalSignature");
}

/* ---- when ---------------------------------------------------------------------------------------------- */

static void judge_validity(const struct judgement *j)
{
    const struct renewal_facts *f = j->facts;
    char end[CLOCK_TEXT_SIZE];
    if (f->now < f->not_before)
        refuse(j, ERR_RENEWAL_SIGNER, "the signer's certificate is not valid before %s",
               clock_text(f->not_before, end));
    else if (f->now > f->not_after && f->now - f->not_after > j->rules->grace)
        refuse(j, ERR_RENEWAL_EXPIRED, "the signer's certificate expired at %s%s",
               clock_text(f->not_after, end), j->rules->grace ? ", longer ago than renewal.grace" : "");
}

/* When the window opens; the start of the life when there is none. */
static int64_t opening(const struct judgement *j)
{
    const struct renewal_settings *r = j->rules;
    const struct renewal_facts *f = j->facts;
    if (!r->last_percent && !r->last)
        return f->not_before;
    int64_t by_share = f->not_after - (f->not_after - f->not_before) / 100 * r->last_percent;
    int64_t by_time = f->not_after - r->last;
    return by_share < by_time ? by_share : by_time;
}

static void judge_window(const struct judgement *j)
{
    char text[CLOCK_TEXT_SIZE];
    if (j->facts->now < opening(j))
        refuse(j, ERR_RENEWAL_EARLY, "the certificate may be renewed from %s on",
               clock_text(opening(j), text));
}

/* ---- for what ------------------------------------------------------------------------------------------ */

static void judge_request(const struct judgement *j)
{
    const struct renewal_facts *f = j->facts;
    enum renewal_names names = j->rules->names;
    if (f->same_key && !j->rules->same_key)
        refuse(j, ERR_RENEWAL_CHANGED, "the request is for the old key, and renewal.same_key is false");
    else if (!f->same_subject && names != RENEWAL_NAMES_POLICY)
        refuse(j, ERR_RENEWAL_CHANGED, "the request has another subject than the old certificate");
    else if (!f->same_sans && names == RENEWAL_NAMES_SAME)
        refuse(j, ERR_RENEWAL_CHANGED,
               "the request has other subject alternative names than the old certificate");
}

/* ---- revocation ---------------------------------------------------------------------------------------- */

static void judge_revocation(const struct judgement *j)
{
    if (j->facts->revoked || j->facts->list == RENEWAL_LIST_REVOKED)
        refuse(j, ERR_RENEWAL_REVOKED, "the signer's certificate is revoked (%s)",
               j->facts->revoked ? "in the gateway's record" : "in its CA's list");
}

static bool allowed_for_a_time(const struct judgement *j)
{
    return j->rules->crl_unknown == RENEWAL_UNKNOWN_ALLOWED &&
           j->facts->now - j->facts->unknown_since <= j->rules->crl_allow_for;
}

/* What was issued here is in the gateway's own record; for others nobody but their CA can tell. */
static bool is_unknown(const struct renewal_facts *f)
{
    return f->list == RENEWAL_LIST_UNKNOWN || (f->list == RENEWAL_LIST_OF_OTHERS && !f->recorded);
}

/* The last rule, so that only what is good otherwise is held. */
static void judge_unknown(const struct judgement *j)
{
    char since[CLOCK_TEXT_SIZE];
    if (!is_unknown(j->facts) || allowed_for_a_time(j))
        return;
    refuse(j, ERR_RENEWAL_UNKNOWN,
           "there is no current revocation list for the signer's certificate since %s",
           clock_text(j->facts->unknown_since, since));
    if (j->rules->crl_unknown != RENEWAL_UNKNOWN_PENDING)
        return;
    j->verdict->decision = RENEWAL_HELD;
    j->verdict->code = ERR_OK;
}

typedef void rule(const struct judgement *j);

static void apply(rule *const *list, size_t count, const struct judgement *j)
{
    *j->verdict = (struct renewal_verdict){.decision = RENEWAL_GRANTED, .code = ERR_OK};
    for (size_t i = 0; i < count && j->verdict->decision == RENEWAL_GRANTED; i++)
        list[i](j);
}

void renewal_decide(const struct renewal_settings *rules, const struct renewal_facts *facts,
                    struct renewal_verdict *out)
{
    static rule *const list[] = {judge_signer, judge_revocation, judge_validity,
                                 judge_window, judge_request,    judge_unknown};
    apply(list, sizeof list / sizeof *list, &(struct judgement){rules, facts, out});
}

void renewal_decide_again(const struct renewal_settings *rules, const struct renewal_facts *facts,
                          struct renewal_verdict *out)
{
    static rule *const list[] = {judge_signer, judge_revocation, judge_unknown};
    apply(list, sizeof list / sizeof *list, &(struct judgement){rules, facts, out});
}
