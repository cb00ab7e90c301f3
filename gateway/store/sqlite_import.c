/* sqlite_import.c: one record of another store, exactly as it is there. */
#include "store/sqlite_inside.h"

/* Which of two rows is the same row cannot be seen: a repeat is known by its operation id. */
static enum sqlite_presence import_event(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct audit_event *e = c->request->import.event;
    sqlite_audit_write(w, e, e->at);
    return SQLITE_ABSENT;
}

static sqlite_row_import *const imports[STORE_KIND_COUNT] = {
    [STORE_KIND_CHALLENGE] = sqlite_challenge_import,
    [STORE_KIND_TRANSACTION] = sqlite_transaction_import,
    [STORE_KIND_CERTIFICATE] = sqlite_certificate_import,
    [STORE_KIND_RA] = sqlite_ra_import,
    [STORE_KIND_OBLIGATION] = sqlite_obligation_import,
    [STORE_KIND_CRL] = sqlite_crl_import,
    [STORE_KIND_AUDIT] = import_event,
};

void sqlite_import(struct sqlite_writer *w, struct sqlite_call *c)
{
    enum sqlite_presence presence = imports[c->request->import.kind](w, c);
    c->answer->outcome = presence == SQLITE_CLASH ? STORE_CONFLICT : STORE_OK;
    c->answer->repeated = presence == SQLITE_RECORDED;
    c->changed = presence == SQLITE_ABSENT;
}
