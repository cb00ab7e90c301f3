/* renewal.h: may the holder of this certificate have a new one? Pure: facts and rules in, a verdict out. */
#pragma once

#include "base/error.h"
#include "settings/snapshot.h"

enum renewal_issuer { RENEWAL_BY_NOBODY, RENEWAL_BY_OWN_CA, RENEWAL_BY_OTHER_CA };
enum renewal_list {
    RENEWAL_LIST_UNWANTED,
    RENEWAL_LIST_GOOD,
    RENEWAL_LIST_REVOKED,
    RENEWAL_LIST_OF_OTHERS, /* all are there, and none is of its CA */
    RENEWAL_LIST_UNKNOWN,
};

/* Of the certificate that signed the request. Times are ms since 1970. */
struct renewal_facts {
    bool self_signed;
    bool proxy;    /* one of the alias' proxy signers */
    bool is_ca;    /* by its basicConstraints */
    bool may_sign; /* by its keyUsage */
    bool recorded; /* this alias issued this very certificate to a client */
    bool revoked;  /* in the gateway's own record */
    enum renewal_issuer issuer;
    enum renewal_list list;
    int64_t unknown_since; /* RENEWAL_LIST_UNKNOWN, RENEWAL_LIST_OF_OTHERS */
    int64_t not_before, not_after;
    int64_t now;
    bool same_key, same_subject, same_sans; /* the request asks for what the certificate has */
};

enum renewal_decision {
    RENEWAL_REFUSED,
    RENEWAL_GRANTED,
    RENEWAL_HELD /* as long as revocation is unknown */
};

struct renewal_verdict {
    enum renewal_decision decision;
    enum error_code code; /* REFUSED: ERR_RENEWAL_*; ERR_OK otherwise */
    char reason[240];     /* REFUSED, HELD: a sentence for the audit trail */
};

void renewal_decide(const struct renewal_settings *rules, const struct renewal_facts *facts,
                    struct renewal_verdict *out);
/* Of one that was held: everything but revocation was judged when it came, and it came in time. */
void renewal_decide_again(const struct renewal_settings *rules, const struct renewal_facts *facts,
                          struct renewal_verdict *out);
