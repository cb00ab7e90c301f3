/* resume.h: obligations of transactions: finish an orphaned submission, expire a pending request. Loop
 * thread. */
#pragma once

#include "enroll/service.h"

/* Registers the handlers of "submission.resume" and "transaction.expire". */
void resume_register(struct enroll *service);
