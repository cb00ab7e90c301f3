/* audit.h: the audit trail's vocabulary (events.def). The trail itself is rows of the store, each chained to
 * the one before.
 *
 * An event that belongs to a store operation travels with it in the same atomic step; others are appended
 * alone.
 */
#pragma once

#include "store/store.h"

enum audit_code {
#define EVENT(code, name, help) AUDIT_##code,
#include "audit/events.def"
#undef EVENT
    AUDIT_COUNT
};

const char *audit_name(enum audit_code code);
const char *audit_help(enum audit_code code);

/* `details` as a JSON object in a fixed buffer: audit_detail(&d, "serial", text). Values are escaped and
 * shortened to 512 bytes. */
struct audit_details {
    struct buffer json;
};

void audit_details_init(struct audit_details *d);
void audit_detail(struct audit_details *d, const char *name, const char *value); /* NULL value: left out */
void audit_detail_number(struct audit_details *d, const char *name, int64_t value);
const char *audit_details_text(struct audit_details *d); /* closes the object; valid until free */
void audit_details_free(struct audit_details *d);

/* Borrowed members; the caller keeps them alive as long as the request they go into. */
struct audit_event audit_event(enum audit_code code, const char *alias, const char *tenant,
                               const char *transaction, const char *client, const char *details);
