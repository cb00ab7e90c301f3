/* outcome.c: from stored states to the three answers of RFC 8894 section 3.3.2. */
#include "enroll/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void outcome_clear(struct outcome *o)
{
    for (size_t i = 0; i < o->chain_count; i++)
        free((void *)o->chain[i].data);
    free((void *)o->crl.data);
    *o = (struct outcome){0};
}

void outcome_fail(struct outcome *o, enum error_code error)
{
    outcome_clear(o);
    o->status = SCEP_FAILURE;
    o->error = error;
}

void outcome_pending(struct outcome *o)
{
    outcome_clear(o);
    o->status = SCEP_PENDING;
}

bool outcome_of_chain(struct outcome *o, const struct bytes *chain, size_t count, const char *serial)
{
    outcome_clear(o);
    for (size_t i = 0; i < count && i < SCEP_CERTIFICATES_MAX; i++) {
        o->chain[i] = bytes_copy(chain[i]);
        if (!o->chain[i].data) {
            outcome_fail(o, ERR_INTERNAL); /* zeroed would be a SUCCESS */
            return false;
        }
        o->chain_count = i + 1;
    }
    o->status = SCEP_SUCCESS;
    strncpy(o->serial, serial, sizeof o->serial - 1);
    return true;
}

bool outcome_of_crl(struct outcome *o, struct bytes crl)
{
    outcome_clear(o);
    o->crl = bytes_copy(crl);
    if (!o->crl.data) {
        outcome_fail(o, ERR_INTERNAL);
        return false;
    }
    o->status = SCEP_SUCCESS;
    return true;
}

static enum error_code error_named(const char *name, enum error_code fallback)
{
    for (int code = 1; code < ERR_COUNT; code++)
        if (!strcmp(error_info(code)->name, name))
            return code;
    return fallback;
}

/* What a backend or the gateway said stays with the operators; what a person said to a denial was said to the
 * client. */
static void fail_as_rejected(struct outcome *o, const struct transaction_record *record)
{
    outcome_fail(o, error_named(record->error_name, ERR_BACKEND_REJECTED));
    if (record->decision == DECISION_DENIED)
        snprintf(o->reason, sizeof o->reason, "%s", record->reason);
}

bool outcome_of_record(struct outcome *o, const struct transaction_record *record)
{
    switch (record->state) {
    case TRANSACTION_ISSUED:
        return outcome_of_chain(o, record->chain, record->chain_count, record->serial);
    case TRANSACTION_REJECTED:
        fail_as_rejected(o, record);
        return true;
    case TRANSACTION_FAILED:
        outcome_fail(o, error_named(record->error_name, ERR_BACKEND_BROKEN));
        return true;
    case TRANSACTION_EXPIRED:
        outcome_fail(o, ERR_TRANSACTION_EXPIRED);
        return true;
    case TRANSACTION_SUPERSEDED:
        outcome_fail(o, ERR_TRANSACTION_CONFLICT);
        return true;
    case TRANSACTION_RECEIVED:
    case TRANSACTION_PENDING:
    case TRANSACTION_ATTENTION:
        break;
    }
    outcome_pending(o);
    return true;
}
