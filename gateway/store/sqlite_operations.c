/* sqlite_operations.c: which handler carries out which operation. */
#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite_inside.h"

/* An embedded store has nobody to share with, and nothing beside its tables. */
static enum sqlite_progress nothing(struct sqlite_reader *r, struct sqlite_call *c)
{
    (void)r;
    c->answer->outcome = STORE_OK;
    return SQLITE_READ_DONE;
}

static const struct sqlite_operation operations[STORE_OPERATION_COUNT] = {
    [STORE_CHALLENGE_CREATE] = {.write = sqlite_challenge_create, .again = sqlite_challenge_again},
    [STORE_CHALLENGE_FIND] = {.read = sqlite_challenge_find},
    [STORE_CHALLENGE_LIST] = {.read = sqlite_challenge_list},
    [STORE_CHALLENGE_REVOKE] = {.write = sqlite_challenge_revoke, .again = sqlite_challenge_again},
    [STORE_TRANSACTION_RECALL] = {.read = sqlite_transaction_recall},
    [STORE_TRANSACTION_BEGIN] = {.write = sqlite_transaction_begin, .again = sqlite_transaction_again},
    [STORE_TRANSACTION_CLAIM] = {.write = sqlite_transaction_claim, .again = sqlite_transaction_again},
    [STORE_TRANSACTION_ADVANCE] = {.write = sqlite_transaction_advance, .again = sqlite_transaction_again},
    [STORE_TRANSACTION_DECIDE] = {.write = sqlite_transaction_decide, .again = sqlite_transaction_again},
    [STORE_TRANSACTION_FIND] = {.read = sqlite_transaction_find},
    [STORE_TRANSACTION_LIST] = {.read = sqlite_transaction_list},
    [STORE_CERTIFICATE_FIND] = {.read = sqlite_certificate_find},
    [STORE_CERTIFICATE_LIST] = {.read = sqlite_certificate_list},
    [STORE_CERTIFICATE_REVOKE] = {.write = sqlite_certificate_revoke, .again = sqlite_certificate_again},
    [STORE_CERTIFICATE_RELEASE] = {.write = sqlite_certificate_release, .again = sqlite_certificate_again},
    [STORE_REVOKED_LIST] = {.read = sqlite_revoked_list},
    [STORE_CRL_FIND] = {.read = sqlite_crl_find},
    [STORE_CRL_PUT] = {.write = sqlite_crl_put},
    [STORE_RA_LIST] = {.read = sqlite_ra_list},
    [STORE_RA_PUT] = {.write = sqlite_ra_put},
    [STORE_LEASE_TAKE] = {.write = sqlite_lease_take},
    [STORE_LEASE_DROP] = {.write = sqlite_lease_drop},
    [STORE_OBLIGATION_PUT] = {.write = sqlite_obligation_put},
    [STORE_OBLIGATION_CLAIM] = {.write = sqlite_obligation_claim, .again = sqlite_obligation_again},
    [STORE_OBLIGATION_DONE] = {.write = sqlite_obligation_done},
    [STORE_AUDIT_APPEND] = {.write = sqlite_audit_append},
    [STORE_AUDIT_LIST] = {.read = sqlite_audit_list},
    [STORE_AUDIT_VERIFY] = {.read = sqlite_audit_verify},
    [STORE_SWEEP] = {.write = sqlite_sweep, .again = sqlite_sweep_again},
    [STORE_PING] = {.write = sqlite_ping},
    [STORE_TALLY] = {.read = nothing},
    [STORE_ANNOUNCE] = {.read = nothing},
    [STORE_SEALED_LIST] = {.read = sqlite_sealed_list},
    [STORE_RESEAL] = {.write = sqlite_reseal},
    [STORE_EXPORT] = {.read = sqlite_export},
    [STORE_IMPORT] = {.write = sqlite_import},
    [STORE_REINDEX] = {.read = nothing},
    [STORE_KEY_CHECK] = {.write = sqlite_key_check},
};

const struct sqlite_operation *sqlite_operation(enum store_operation o)
{
    if ((unsigned)o < STORE_OPERATION_COUNT && (operations[o].read || operations[o].write))
        return &operations[o];
    fprintf(stderr, "store: operation %d does not exist\n", (int)o);
    abort();
}
