/* agreement.h: what gateways that share a store must have in common, piece by piece, in a form that can be
 * digested and compared.
 *
 * Rows marked SETTING_LOCAL are left out. A file's content counts, not its path; where a secret comes from does
 * not count either. Blocking (reads files): call from a worker.
 */
#pragma once

#include "base/bytes.h"
#include "settings/snapshot.h"

/* `name` for people: "`retention.audit`", "alias `demo`", "backend `ca`: `profile.validity`". `value` can hold
 * secrets; both live for the call. */
typedef void agreement_visit(void *context, const char *name, struct bytes value);

/* More aliases than this make one piece together. */
#define AGREEMENT_ALIASES_MAX 1000

/* false when out of memory. */
bool settings_agreement(const struct gateway_settings *s, agreement_visit *visit, void *context);
