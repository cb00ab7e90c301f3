/* records.c: see records.h. */
#include "storage/records.h"

#include <stdlib.h>

const char *record_kind_name(enum store_kind kind)
{
    static const char *const names[STORE_KIND_COUNT] = {
        [STORE_KIND_CHALLENGE] = "challenges",     [STORE_KIND_TRANSACTION] = "transactions",
        [STORE_KIND_CERTIFICATE] = "certificates", [STORE_KIND_RA] = "RA identities",
        [STORE_KIND_OBLIGATION] = "obligations",   [STORE_KIND_CRL] = "CRLs",
        [STORE_KIND_AUDIT] = "audit rows",
    };
    return names[kind];
}

size_t record_count(const struct store_answer *a, enum store_kind kind)
{
    const size_t counts[STORE_KIND_COUNT] = {
        [STORE_KIND_CHALLENGE] = a->challenge_count,
        [STORE_KIND_TRANSACTION] = a->transaction_count,
        [STORE_KIND_CERTIFICATE] = a->certificate_count,
        [STORE_KIND_RA] = a->ra_count,
        [STORE_KIND_OBLIGATION] = a->obligation_count,
        [STORE_KIND_CRL] = a->crl_count,
        [STORE_KIND_AUDIT] = a->event_count,
    };
    return counts[kind];
}

const void *record_at(const struct store_answer *a, enum store_kind kind, size_t i)
{
    switch (kind) {
    case STORE_KIND_CHALLENGE:
        return &a->challenges[i];
    case STORE_KIND_TRANSACTION:
        return &a->transactions[i];
    case STORE_KIND_CERTIFICATE:
        return &a->certificates[i];
    case STORE_KIND_RA:
        return &a->ras[i];
    case STORE_KIND_OBLIGATION:
        return &a->obligations[i];
    case STORE_KIND_CRL:
        return &a->crls[i];
    case STORE_KIND_AUDIT:
        return &a->events[i];
    case STORE_KIND_COUNT:
        break;
    }
    abort();
}

void record_import(struct store_request *r, enum store_kind kind, const void *record)
{
    store_request_init(r, STORE_IMPORT);
    r->import.kind = kind;
    r->import.challenge = kind == STORE_KIND_CHALLENGE ? record : NULL;
    r->import.transaction = kind == STORE_KIND_TRANSACTION ? record : NULL;
    r->import.certificate = kind == STORE_KIND_CERTIFICATE ? record : NULL;
    r->import.ra = kind == STORE_KIND_RA ? record : NULL;
    r->import.obligation = kind == STORE_KIND_OBLIGATION ? record : NULL;
    r->import.crl = kind == STORE_KIND_CRL ? record : NULL;
    r->import.event = kind == STORE_KIND_AUDIT ? record : NULL;
}

const char *record_alias(const struct store_request *r)
{
    switch (r->import.kind) {
    case STORE_KIND_CHALLENGE:
        return r->import.challenge->alias;
    case STORE_KIND_TRANSACTION:
        return r->import.transaction->key.alias;
    case STORE_KIND_CERTIFICATE:
        return r->import.certificate->alias;
    case STORE_KIND_RA:
        return r->import.ra->alias;
    case STORE_KIND_OBLIGATION:
        return r->import.obligation->alias;
    default:
        return "";
    }
}
