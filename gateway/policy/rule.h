/* rule.h: rules about named values (subject fields, kinds of SAN), compiled. Immutable and thread-safe after
 * creation. */
#pragma once

#include "base/error.h"
#include "settings/snapshot.h"

struct rule_list;

struct named_value {
    const char *name;
    const char *value;
};

/* Sentences, as many as fit. */
struct reasons {
    char *text;
    size_t size, used;
    size_t count;
};

void reason(struct reasons *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `what` names the values in sentences ("subject field"); static memory. With `canonical` names become
 * OpenSSL's short ones. */
struct rule_terms {
    const char *what;
    bool canonical;
    bool others; /* names without a rule are allowed */
};

enum error_code rule_list_create(struct rule_list **out, const struct pattern_rule *rules, size_t count,
                                 const struct rule_terms *terms, struct error *e);
void rule_list_free(struct rule_list *l); /* accepts NULL */
void rule_list_apply(const struct rule_list *l, const struct named_value *values, size_t count,
                     struct reasons *out);
