/* policy.h: may this request have a certificate? Pure: facts and rules in, a verdict with reasons out.
 *
 * Patterns are compiled once (PCRE2 with match limits, anchored at both ends). Thread-safe after creation.
 */
#pragma once

#include "scep/csr.h"
#include "settings/snapshot.h"

struct policy;

struct policy_facts {
    const struct csr *csr;
};

#define POLICY_REASONS_SIZE 1024

struct verdict {
    bool allowed;
    char reasons[POLICY_REASONS_SIZE]; /* one sentence each, separated by "; " */
};

enum error_code policy_create(struct policy **out, const struct policy_settings *rules, struct error *e);
void policy_free(struct policy *p); /* accepts NULL */
void policy_decide(const struct policy *p, const struct policy_facts *facts, struct verdict *out);
