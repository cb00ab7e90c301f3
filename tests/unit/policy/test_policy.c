/* test_policy.c: verdicts and their reasons. Rules come from a settings text, requests are made by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/policy.h"
#include "settings/settings.h"

static const struct settings_catalogue catalogue = {(struct backend_rows[]){{"test", "For tests.", NULL, 0}},
                                                    1};

/* A policy out of `policy: {…}` of an alias. */
static struct policy *policy_of(const char *rules)
{
    struct buffer text, problems;
    struct gateway_settings *s;
    struct policy *p = NULL;
    struct error e = {0};
    buffer_init(&text, 1 << 16);
    buffer_init(&problems, 1 << 16);
    buffer_format(&text,
                  "backends: {b: {type: test}}\naliases: {x: {backend: b, challenge: {type: one_time}, "
                  "policy: {%s}}}\n",
                  rules);
    settings_parse(&s, buffer_bytes(&text), "t", ".", &catalogue, &problems, NULL);
    cr_assert_not_null(s, "%s", (char *)problems.data);
    cr_assert_eq(policy_create(&p, &s->aliases[0]->policy, &e), ERR_OK, "%s", e.text);
    gateway_settings_unref(s); /* a policy keeps what it needs */
    buffer_free(&text);
    buffer_free(&problems);
    return p;
}

static struct csr request(void)
{
    return (struct csr){
        .key = {.kind = KEY_RSA, .bits = 2048}, .fields = {{"CN", "a.example.com"}}, .field_count = 1};
}

static void add_field(struct csr *c, const char *name, const char *value)
{
    c->fields[c->field_count++] = (struct subject_field){name, value};
}

static void add_san(struct csr *c, enum san_kind kind, const char *value)
{
    c->sans[c->san_count++] = (struct san_entry){kind, value};
}

static void decides(const char *rules, const struct csr *c, const char *reasons)
{
    struct policy *p = policy_of(rules);
    struct policy_facts facts = {.csr = c};
    struct verdict v;
    memset(&v, 0x55, sizeof v);
    policy_decide(p, &facts, &v);
    cr_expect_str_eq(v.reasons, reasons, "{%s}: %s", rules, v.reasons);
    cr_expect_eq(v.allowed, reasons[0] == '\0', "{%s}", rules);
    policy_free(p);
}

Test(keys, sizes)
{
    struct csr c = request();
    decides("", &c, "");
    c.key.bits = 2047;
    decides("", &c, "an RSA key of 2047 bits is not allowed (2048 to 8192 are)");
    c.key.bits = 8193;
    decides("", &c, "an RSA key of 8193 bits is not allowed (2048 to 8192 are)");
    c.key.bits = 8192;
    decides("", &c, "");
    c.key.bits = 1024;
    decides("keys: {rsa_min_bits: 1024}", &c, "");
}

Test(keys, types_and_curves)
{
    struct csr c = request();
    decides("keys: {types: ec}", &c, "keys of type rsa are not allowed");
    c.key = (struct key_facts){.kind = KEY_EC, .bits = 256, .curve = "P-256"};
    decides("", &c, "");
    decides("keys: {types: rsa}", &c, "keys of type ec are not allowed");
    decides("keys: {curves: [P-384]}", &c, "the curve P-256 is not allowed");
    c.key.curve = "secp256k1";
    decides("", &c, "the curve secp256k1 is not allowed");
    decides("keys: {curves: secp256k1}", &c, "");
    c.key.curve = NULL;
    decides("", &c, "the curve without a name is not allowed");
    c.key = (struct key_facts){.kind = KEY_ED25519, .bits = 256};
    decides("", &c, "keys of type ed25519 are not allowed");
    decides("keys: {types: [ed25519]}", &c, "");
    c.key.kind = KEY_DSA;
    decides("keys: {types: [rsa, ec, ed25519]}", &c, "keys of type dsa are not allowed");
    c.key.kind = KEY_OTHER;
    decides("keys: {types: [rsa, ec, ed25519]}", &c, "keys of type other are not allowed");
}

Test(subject, required_forbidden_and_counted)
{
    struct csr c = request();
    decides("subject: {CN: {required: true}}", &c, "");
    decides("subject: {O: {required: true}}", &c, "subject field O is required");
    decides("subject: {CN: {forbidden: true}}", &c, "subject field CN is forbidden");
    add_field(&c, "CN", "b.example.com");
    decides("subject: {CN: {max: 1}}", &c, "subject field CN appears 2 times, but at most 1 are allowed");
    decides("subject: {CN: {max: 2}}", &c, "");
    decides("subject: {CN: {forbidden: true}}", &c, "subject field CN is forbidden");
}

Test(subject, patterns_hold_at_both_ends_and_for_every_value)
{
    struct csr c = request();
    decides("subject: {CN: {patterns: ['.*\\.example\\.com']}}", &c, "");
    decides("subject: {CN: {patterns: ['example']}}", &c,
            "subject field CN \"a.example.com\" does not match any allowed pattern");
    decides("subject: {CN: {patterns: ['a']}}", &c,
            "subject field CN \"a.example.com\" does not match any allowed pattern");
    decides("subject: {CN: {patterns: ['a|a.example.com']}}", &c, "");
    decides("subject: {CN: {patterns: [x, 'a\\.example\\.com']}}", &c, "");
    add_field(&c, "CN", "evil");
    decides("subject: {CN: {patterns: ['.*\\.example\\.com']}}", &c,
            "subject field CN \"evil\" does not match any allowed pattern");
    c.fields[1].value = "b.example.com\n";
    decides("subject: {CN: {patterns: ['.*\\.example\\.com$']}}", &c,
            "subject field CN \"b.example.com\\x0a\" does not match any allowed pattern");
}

Test(subject, other_fields)
{
    struct csr c = request();
    add_field(&c, "O", "Acme");
    decides("other_subject_fields: false, subject: {CN: {}}", &c, "subject field O is not allowed");
    decides("other_subject_fields: false, subject: {CN: {}, O: {}}", &c, "");
}

Test(subject, names_have_many_spellings)
{
    struct csr c = request();
    decides("subject: {commonName: {patterns: x}}", &c,
            "subject field CN \"a.example.com\" does not match any allowed pattern");
    decides("subject: {2.5.4.3: {forbidden: true}}", &c, "subject field CN is forbidden");
    add_field(&c, "1.2.3.4.5", "private");
    decides("subject: {1.2.3.4.5: {forbidden: true}}", &c, "subject field 1.2.3.4.5 is forbidden");
}

Test(subject, empty)
{
    struct csr c = request();
    c.field_count = 0;
    decides("", &c, "the request names nobody: it has neither a subject nor a subject alternative name");
    add_san(&c, SAN_DNS, "a.example.com");
    decides("", &c, "");
    decides("empty_subject: false", &c, "an empty subject is not allowed");
}

Test(sans, kinds)
{
    struct csr c = request();
    for (enum san_kind k = SAN_DNS; k <= SAN_UPN; k++)
        add_san(&c, k, "x");
    decides("", &c, "");
    add_san(&c, SAN_DIRECTORY, "CN=x");
    add_san(&c, SAN_OTHER, "1.2.3");
    decides(
        "", &c,
        "subject alternative name directory is not allowed; subject alternative name other is not allowed");
    decides("other_san_kinds: true", &c, "");
    c.san_count = 2;
    decides("san: {dns: {}}", &c, "subject alternative name email is not allowed");
}

Test(sans, every_kind_has_the_name_that_settings_use)
{
    for (enum san_kind k = SAN_DNS; k < SAN_KIND_COUNT; k++) {
        struct csr c = request();
        char rules[128];
        add_san(&c, k, "value");
        snprintf(rules, sizeof rules, "san: {%s: {patterns: value}}", san_kind_name(k));
        decides(rules, &c, "");
    }
}

Test(reasons, all_are_given)
{
    struct csr c = request();
    c.key.bits = 512;
    add_san(&c, SAN_DNS, "evil.example.org");
    decides("subject: {O: {required: true}}, san: {dns: {patterns: '.*\\.example\\.com'}}", &c,
            "an RSA key of 512 bits is not allowed (2048 to 8192 are); subject field O is required; "
            "subject alternative name dns \"evil.example.org\" does not match any allowed pattern");
}

Test(reasons, stay_in_their_room)
{
    struct policy *p = policy_of("san: {dns: {patterns: none}}");
    struct csr c = request();
    struct policy_facts facts = {.csr = &c};
    struct verdict v;
    char value[300];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < CSR_SANS_MAX; i++)
        add_san(&c, SAN_DNS, value);
    policy_decide(p, &facts, &v);
    cr_expect_not(v.allowed);
    size_t len = strnlen(v.reasons, sizeof v.reasons);
    cr_assert_lt(len, sizeof v.reasons);
    cr_expect_str_eq(v.reasons + len - 5, "; …", "%s", v.reasons);
    policy_free(p);
}

Test(patterns, that_explode_are_no_match, .timeout = 30)
{
    struct csr c = request();
    char value[80]; /* short enough for the limit of depth, far too long for that of matches */
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    c.fields[0].value = value;
    struct policy *p = policy_of("subject: {CN: {patterns: ['(a|aa)+[bc]']}}");
    struct verdict v;
    policy_decide(p, &(struct policy_facts){.csr = &c}, &v);
    cr_expect_not(v.allowed);
    policy_free(p);
}

Test(patterns, that_are_wrong_are_refused)
{
    char wrong[] = "a(", *bad[] = {wrong};
    char name[] = "CN", no_name[] = "wombat field";
    struct pattern_rule rule = {.name = name, .patterns = {bad, 1}};
    struct policy_settings rules = {.subject_fields = &rule, .subject_field_count = 1};
    struct policy *p;
    struct error e = {0};
    cr_expect_eq(policy_create(&p, &rules, &e), ERR_SETTINGS_INVALID);
    cr_expect_null(p);
    cr_expect_not_null(strstr(e.text, "the pattern \"a(\" is wrong at character 3"));
    rule = (struct pattern_rule){.name = no_name};
    cr_expect_eq(policy_create(&p, &rules, &e), ERR_SETTINGS_INVALID);
    cr_expect_not_null(strstr(e.text, "\"wombat field\" is no subject field"));
}
