/* trail.h: audit rows that belong to no other store operation: appended alone, not waited for. Loop thread.
 */
#pragma once

#include "audit/audit.h"
#include "enroll/service.h"

/* Everything is copied. `details` is closed and freed. A row that the store cannot take is logged instead. */
void trail_append(struct enroll *service, enum audit_code code, const struct alias *alias,
                  const char *transaction, const char *client, struct audit_details *details);
