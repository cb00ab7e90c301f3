/* restore.h: the sealed CSR of a stored transaction, opened and parsed again on a worker. */
#pragma once

#include "enroll/service.h"
#include "scep/csr.h"

/* `csr` is the callee's; NULL with a sentence in `problem` when the CSR was erased, does not open, or does
 * not parse. */
typedef void restore_done(void *context, struct csr *csr, const char *problem);

/* Copies what it needs of the record. `done` is called once, on the loop thread, never inside. */
enum error_code restore_csr(struct enroll *service, struct alias *alias,
                            const struct transaction_record *record, restore_done *done, void *context);
