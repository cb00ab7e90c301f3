/* test_renewal.c: the rules of renewal one by one: facts by hand, rules out of a settings text. */
#include <criterion/criterion.h>
#include <string.h>

#include "policy/renewal.h"
#include "settings/settings.h"

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)
#define NOW  (20000 * DAY)

static const struct settings_catalogue catalogue = {(struct backend_rows[]){{"test", "For tests.", NULL, 0}},
                                                    1};

/* The settings stay until the next call. */
static const struct renewal_settings *rules_of(const char *text)
{
    static struct gateway_settings *s;
    struct buffer yaml, problems;
    gateway_settings_unref(s);
    s = NULL;
    buffer_init(&yaml, 1 << 16);
    buffer_init(&problems, 1 << 16);
    buffer_format(&yaml,
                  "backends: {b: {type: test}}\naliases: {x: {backend: b, challenge: {type: one_time}, "
                  "renewal: {%s}}}\n",
                  text);
    settings_parse(&s, buffer_bytes(&yaml), "t", ".", &catalogue, &problems, NULL);
    cr_assert_not_null(s, "%s", (char *)problems.data);
    buffer_free(&yaml);
    buffer_free(&problems);
    return &s->aliases[0]->renewal;
}

/* One that every rule likes: issued here, half of its hundred days over. */
static struct renewal_facts good(void)
{
    return (struct renewal_facts){.recorded = true,
                                  .may_sign = true,
                                  .issuer = RENEWAL_BY_OWN_CA,
                                  .not_before = NOW - 50 * DAY,
                                  .not_after = NOW + 50 * DAY,
                                  .now = NOW,
                                  .same_subject = true,
                                  .same_sans = true};
}

static void decides(const char *rules, struct renewal_facts f, enum renewal_decision decision,
                    enum error_code code, const char *reason)
{
    struct renewal_verdict v;
    memset(&v, 0x55, sizeof v);
    renewal_decide(rules_of(rules), &f, &v);
    cr_expect_eq(v.decision, decision, "{%s}: %d, %s", rules, (int)v.decision, v.reason);
    cr_expect_eq(v.code, code, "{%s}: %d", rules, (int)v.code);
    cr_expect_not_null(strstr(v.reason, reason), "{%s}: %s", rules, v.reason);
    cr_expect_eq(v.reason[0] == '\0', decision == RENEWAL_GRANTED, "{%s}: %s", rules, v.reason);
}

static void grants(const char *rules, struct renewal_facts f)
{
    decides(rules, f, RENEWAL_GRANTED, ERR_OK, "");
}

static void refuses(const char *rules, struct renewal_facts f, enum error_code code, const char *reason)
{
    decides(rules, f, RENEWAL_REFUSED, code, reason);
}

Test(renewal, of_what_was_issued_here)
{
    struct renewal_facts f = good();
    grants("", f);
    f.issuer = RENEWAL_BY_NOBODY; /* its CA was followed by another since */
    grants("", f);
    f.recorded = false;
    refuses("", f, ERR_RENEWAL_SIGNER, "not issued here");
    f.issuer = RENEWAL_BY_OWN_CA;
    refuses("", f, ERR_RENEWAL_SIGNER, "although by the same CA");
    grants("unrecorded: true, crl: {when_unknown: allow}", f);
    f.issuer = RENEWAL_BY_OTHER_CA;
    grants("", f); /* that an issuer is named is the rule: trust.h */
}

Test(renewal, not_of_what_proves_nothing)
{
    struct renewal_facts f = good();
    f.proxy = true;
    refuses("", f, ERR_RENEWAL_SIGNER, "proxy");
    f = good();
    f.self_signed = true;
    refuses("", f, ERR_RENEWAL_SIGNER, "self-signed");
    f = good();
    f.is_ca = true;
    refuses("", f, ERR_RENEWAL_SIGNER, "a CA's");
    f = good();
    f.may_sign = false;
    refuses("", f, ERR_RENEWAL_SIGNER, "digitalSignature");
}

Test(renewal, validity_and_grace)
{
    struct renewal_facts f = good();
    f.now = f.not_after;
    grants("", f);
    f.now++;
    refuses("", f, ERR_RENEWAL_EXPIRED, "expired at");
    grants("grace: 1h", f);
    f.now = f.not_after + HOUR;
    grants("grace: 1h", f);
    f.now++;
    refuses("grace: 1h", f, ERR_RENEWAL_EXPIRED, "longer ago than renewal.grace");
    f.now = f.not_before - 1;
    refuses("grace: 1h", f, ERR_RENEWAL_SIGNER, "not valid before");
}

Test(renewal, window_by_share)
{
    struct renewal_facts f = good(); /* exactly half of its life */
    grants("last_percent: 50", f);
    refuses("last_percent: 49", f, ERR_RENEWAL_EARLY, "from ");
    f.now--;
    refuses("last_percent: 50", f, ERR_RENEWAL_EARLY, "from ");
    grants("last_percent: 100", f);
    f.now = f.not_after - DAY;
    grants("last_percent: 1", f);
}

Test(renewal, window_by_time)
{
    struct renewal_facts f = good();
    grants("last: 50d", f);
    refuses("last: 49d", f, ERR_RENEWAL_EARLY, "from ");
    f.now = f.not_after + HOUR; /* grace goes on behind the window */
    grants("last: 1d, grace: 1d", f);
}

Test(renewal, the_window_that_begins_earlier_counts)
{
    struct renewal_facts f = good();
    grants("last_percent: 50, last: 1d", f);
    grants("last_percent: 1, last: 50d", f);
    refuses("last_percent: 10, last: 30d", f, ERR_RENEWAL_EARLY, "from ");
}

Test(renewal, keys)
{
    struct renewal_facts f = good();
    f.same_key = true;
    grants("", f);
    refuses("same_key: false", f, ERR_RENEWAL_CHANGED, "old key");
    f.same_key = false;
    grants("same_key: false", f);
}

Test(renewal, names)
{
    struct renewal_facts f = good();
    f.same_sans = false;
    refuses("", f, ERR_RENEWAL_CHANGED, "alternative names");
    grants("names: subject", f);
    grants("names: policy", f);
    f.same_subject = false;
    refuses("names: same", f, ERR_RENEWAL_CHANGED, "subject");
    refuses("names: subject", f, ERR_RENEWAL_CHANGED, "subject");
    grants("names: policy", f);
}

Test(renewal, revoked)
{
    struct renewal_facts f = good();
    f.revoked = true;
    refuses("", f, ERR_RENEWAL_REVOKED, "gateway's record");
    f = good();
    f.list = RENEWAL_LIST_REVOKED;
    refuses("crl: {when_unknown: allow}", f, ERR_RENEWAL_REVOKED, "CA's list");
    f.now = f.not_after + DAY;
    refuses("", f, ERR_RENEWAL_REVOKED, "CA's list"); /* the weightier reason */
}

Test(renewal, unknown)
{
    struct renewal_facts f = good();
    f.list = RENEWAL_LIST_UNKNOWN;
    f.unknown_since = NOW - HOUR;
    refuses("", f, ERR_RENEWAL_UNKNOWN, "since");
    decides("crl: {when_unknown: pending}", f, RENEWAL_HELD, ERR_OK, "since");
    grants("crl: {when_unknown: allow}", f);
    grants("crl: {when_unknown: allow, allow_for: 1h}", f);
    refuses("crl: {when_unknown: allow, allow_for: 59m}", f, ERR_RENEWAL_UNKNOWN, "since");
    f.list = RENEWAL_LIST_GOOD;
    grants("", f);
    f.list = RENEWAL_LIST_OF_OTHERS; /* one that was issued here is in the record */
    grants("", f);
    f.recorded = false;
    f.issuer = RENEWAL_BY_OTHER_CA;
    refuses("", f, ERR_RENEWAL_UNKNOWN, "since");
    f = good();
    f.unknown_since = NOW - HOUR;
    f.list = RENEWAL_LIST_UNKNOWN;
    f.same_subject = false; /* only what is good otherwise waits */
    refuses("crl: {when_unknown: pending}", f, ERR_RENEWAL_CHANGED, "subject");
}

Test(renewal, what_was_held_is_judged_for_revocation_alone)
{
    struct renewal_verdict v;
    struct renewal_facts f = good();
    f.same_subject = f.same_sans = false; /* a poll carries no request */
    f.now = f.not_after + DAY;            /* it came in time */
    renewal_decide_again(rules_of(""), &f, &v);
    cr_expect_eq(v.decision, RENEWAL_GRANTED, "%s", v.reason);
    f.list = RENEWAL_LIST_UNKNOWN;
    renewal_decide_again(rules_of("crl: {when_unknown: pending}"), &f, &v);
    cr_expect_eq(v.decision, RENEWAL_HELD);
    f.revoked = true;
    renewal_decide_again(rules_of("crl: {when_unknown: pending}"), &f, &v);
    cr_expect_eq(v.code, ERR_RENEWAL_REVOKED);
    f = good();
    f.recorded = false;
    renewal_decide_again(rules_of(""), &f, &v);
    cr_expect_eq(v.code, ERR_RENEWAL_SIGNER);
}
