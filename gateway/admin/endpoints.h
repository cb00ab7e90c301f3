/* endpoints.h: the handlers that routes.c names, and what their files share. Room-internal. */
#pragma once

#include "admin/call.h"

/* health.c */
void admin_health(struct admin_call *c);
void admin_ready(struct admin_call *c);
void admin_metrics(struct admin_call *c);
/* orders.c */
void admin_challenges_create(struct admin_call *c);
/* challenges.c */
void admin_challenges_list(struct admin_call *c);
void admin_challenges_revoke(struct admin_call *c);
/* transactions.c */
void admin_transactions_list(struct admin_call *c);
void admin_transactions_find(struct admin_call *c);
json_t *admin_transaction_detail(const struct transaction_record *t);
/* approvals.c */
void admin_transactions_approve(struct admin_call *c);
void admin_transactions_deny(struct admin_call *c);
/* certificates.c */
void admin_certificates_list(struct admin_call *c);
void admin_certificates_find(struct admin_call *c);
json_t *admin_certificate_summary(const struct certificate_record *r);
/* Looks for the certificate whose alias and serial the path has; answers by itself when there is none. */
void admin_certificate_look(struct admin_call *c, admin_found *then);
/* revocations.c */
void admin_certificates_revoke(struct admin_call *c);
void admin_certificates_hold(struct admin_call *c);
void admin_certificates_release(struct admin_call *c);
/* trail.c */
void admin_audit_list(struct admin_call *c);
void admin_audit_verify(struct admin_call *c);
/* status.c */
void admin_status(struct admin_call *c);
void admin_aliases(struct admin_call *c);
/* upkeep.c */
void admin_rekey_begin(struct admin_call *c);
void admin_rekey_look(struct admin_call *c);
void admin_reindex_begin(struct admin_call *c);
void admin_reindex_look(struct admin_call *c);
/* control.c */
void admin_reload(struct admin_call *c);
void admin_log_level(struct admin_call *c);

/* ---- input.c: what callers send, checked; each answers 400 by itself and gives false ------------------- */

enum admin_member_type { MEMBER_TEXT, MEMBER_NUMBER, MEMBER_OBJECT };

struct admin_member {
    const char *name;
    enum admin_member_type type;
    void *out; /* const char **, int64_t *, json_t **; borrowed from the body; untouched when absent */
    bool required;
    int64_t min, max; /* numbers; text: length */
};

bool admin_members(struct admin_call *c, const struct admin_member *members, size_t count);
/* Query parameters as a list filter; `names` says which ones this list takes. */
bool admin_list_filter(struct admin_call *c, const char *names);
const char *admin_query(const struct admin_call *c, const char *name); /* NULL when absent */
bool admin_query_only(struct admin_call *c, const char *names);        /* words separated by spaces */
bool admin_alias_name(struct admin_call *c, const char *text);
/* The name as the settings write it, because stores compare letters; c->alias is set when it is served. Never
 * fails: records outlive their alias. */
const char *admin_alias_known(struct admin_call *c, const char *name);
bool admin_hex(struct admin_call *c, const char *text, const char *what, size_t min,
               size_t max); /* lower-case digits */

/* ---- output.c ------------------------------------------------------------------------------------------ */

json_t *admin_time(int64_t realtime_ms);  /* RFC 3339; null for 0 */
json_t *admin_text(const char *text);     /* "" for NULL; bytes that are no UTF-8 escaped */
json_t *admin_bytes_text(struct bytes b); /* printable ASCII as it is, "\\xHH" otherwise */
json_t *admin_hex_text(struct bytes b);
json_t *admin_pem(struct bytes der); /* a certificate */
/* Answers {"NAME": list, "next": cursor or null}; takes `list`. */
void admin_answer_list(struct admin_call *c, const char *name, json_t *list,
                       const struct store_answer *answer);
