/* policy.c: the verdict on a request: key, subject, subject alternative names. */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "policy/rule.h"
#include "settings/shown.h"

struct policy {
    unsigned key_kinds; /* bits of enum key_kind */
    int rsa_min_bits, rsa_max_bits;
    char **curves;
    size_t curve_count;
    bool empty_subject;
    struct rule_list *subject, *sans;
};

static const struct key_name {
    const char *name;
    enum key_kind kind;
} key_names[] = {{"rsa", KEY_RSA}, {"ec", KEY_EC}, {"ed25519", KEY_ED25519}};

static enum error_code allow_keys(struct policy *p, const struct policy_settings *rules, struct error *e)
{
    for (size_t i = 0; i < rules->key_types.count; i++) {
        unsigned bit = 0;
        for (size_t k = 0; k < sizeof key_names / sizeof key_names[0]; k++) {
            if (strcmp(rules->key_types.items[i], key_names[k].name) == 0)
                bit = 1u << key_names[k].kind;
        }
        if (!bit)
            return error_set(e, ERR_SETTINGS_INVALID, "there is no key type \"%s\"",
                             rules->key_types.items[i]);
        p->key_kinds |= bit;
    }
    p->rsa_min_bits = rules->rsa_min_bits;
    p->rsa_max_bits = rules->rsa_max_bits;
    p->curves = calloc(rules->curves.count + 1, sizeof *p->curves);
    for (size_t i = 0; p->curves && i < rules->curves.count; i++) {
        p->curves[i] = strdup(rules->curves.items[i]);
        if (!p->curves[i])
            return error_set(e, ERR_INTERNAL, "out of memory");
        p->curve_count++;
    }
    return p->curves ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
}

enum error_code policy_create(struct policy **out, const struct policy_settings *rules, struct error *e)
{
    const struct rule_terms fields = {
        .what = "subject field", .canonical = true, .others = rules->other_subject_fields};
    const struct rule_terms kinds = {.what = "subject alternative name", .others = rules->other_san_kinds};
    *out = NULL;
    struct policy *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(e, ERR_INTERNAL, "out of memory");
    p->empty_subject = rules->empty_subject;
    enum error_code code = allow_keys(p, rules, e);
    if (code == ERR_OK)
        code = rule_list_create(&p->subject, rules->subject_fields, rules->subject_field_count, &fields, e);
    if (code == ERR_OK)
        code = rule_list_create(&p->sans, rules->san_kinds, rules->san_kind_count, &kinds, e);
    if (code == ERR_OK)
        *out = p;
    else
        policy_free(p);
    return code;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->curve_count; i++)
        free(p->curves[i]);
    free(p->curves);
    rule_list_free(p->subject);
    rule_list_free(p->sans);
    free(p);
}

static bool curve_allowed(const struct policy *p, const char *curve)
{
    bool allowed = false;
    for (size_t i = 0; curve && !allowed && i < p->curve_count; i++)
        allowed = strcmp(p->curves[i], curve) == 0;
    return allowed;
}

static void decide_key(const struct policy *p, const struct key_facts *key, struct reasons *out)
{
    char text[SHOWN_SIZE];
    if (!(p->key_kinds & 1u << key->kind))
        reason(out, "keys of type %s are not allowed", key_kind_name(key->kind));
    else if (key->kind == KEY_RSA && (key->bits < p->rsa_min_bits || key->bits > p->rsa_max_bits))
        reason(out, "an RSA key of %d bits is not allowed (%d to %d are)", key->bits, p->rsa_min_bits,
               p->rsa_max_bits);
    else if (key->kind == KEY_EC && !curve_allowed(p, key->curve))
        reason(out, "the curve %s is not allowed", key->curve ? shown(text, key->curve) : "without a name");
}

static void decide_subject(const struct policy *p, const struct csr *csr, struct reasons *out)
{
    struct named_value values[CSR_FIELDS_MAX];
    for (size_t i = 0; i < csr->field_count; i++)
        values[i] = (struct named_value){.name = csr->fields[i].name, .value = csr->fields[i].value};
    if (csr->field_count == 0 && csr->san_count == 0)
        reason(out, "the request names nobody: it has neither a subject nor a subject alternative name");
    else if (csr->field_count == 0 && !p->empty_subject)
        reason(out, "an empty subject is not allowed");
    rule_list_apply(p->subject, values, csr->field_count, out);
}

static void decide_sans(const struct policy *p, const struct csr *csr, struct reasons *out)
{
    struct named_value values[CSR_SANS_MAX];
    for (size_t i = 0; i < csr->san_count; i++)
        values[i] =
            (struct named_value){.name = san_kind_name(csr->sans[i].kind), .value = csr->sans[i].value};
    rule_list_apply(p->sans, values, csr->san_count, out);
}

void policy_decide(const struct policy *p, const struct policy_facts *facts, struct verdict *out)
{
    struct reasons reasons = {.text = out->reasons, .size = sizeof out->reasons};
    out->reasons[0] = '\0';
    decide_key(p, &facts->csr->key, &reasons);
    decide_subject(p, facts->csr, &reasons);
    decide_sans(p, facts->csr, &reasons);
    out->allowed = reasons.count == 0;
}
