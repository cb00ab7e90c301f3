/* outcome.h: what a client may be told of a transaction, copied out of the store or of a submission's result.
 */
#pragma once

#include "audit/audit.h"
#include "scep/certificate.h"
#include "scep/seal.h"
#include "store/store.h"

struct outcome {
    enum scep_pki_status status;
    enum error_code error;                     /* FAILURE */
    char reason[256];                          /* FAILURE: what a person said to it; "" */
    struct bytes chain[SCEP_CERTIFICATES_MAX]; /* SUCCESS: owned DER, the issued certificate first */
    size_t chain_count;
    struct bytes crl; /* SUCCESS of a GetCRL, instead of certificates: owned DER */
    char serial[CERTIFICATE_SERIAL_SIZE];
};

void outcome_clear(struct outcome *o);
void outcome_fail(struct outcome *o, enum error_code error);
void outcome_pending(struct outcome *o);
/* False, and a FAILURE, when out of memory. */
bool outcome_of_chain(struct outcome *o, const struct bytes *chain, size_t count, const char *serial);
bool outcome_of_crl(struct outcome *o, struct bytes crl);
bool outcome_of_record(struct outcome *o, const struct transaction_record *record);
