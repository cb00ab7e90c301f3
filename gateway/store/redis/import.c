/* import.c: records as another store had them; and values that are sealed again under another master key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/inside.h"

typedef const __typeof__(((struct store_request *)NULL)->import) request_import;

const char *redis_import_alias(struct redis_call *c)
{
    request_import *i = &c->request->import;
    switch (i->kind) {
    case STORE_KIND_CHALLENGE:
        return i->challenge->alias;
    case STORE_KIND_TRANSACTION:
        return i->transaction->key.alias;
    case STORE_KIND_CERTIFICATE:
        return i->certificate->alias;
    case STORE_KIND_RA:
        return i->ra->alias;
    case STORE_KIND_OBLIGATION:
        return i->obligation->alias;
    case STORE_KIND_CRL:
        return "";
    case STORE_KIND_AUDIT:
        return i->event->alias;
    case STORE_KIND_COUNT:
        break;
    }
    fprintf(stderr, "store: there is no kind %d to import\n", (int)i->kind);
    abort();
}

static void put_transaction(struct arguments *a, const struct transaction_record *t)
{
    struct transaction_record free_one = *t;
    uint8_t name[RECORD_NAME_SIZE];
    free_one.lease_until = 0; /* its holder is gone */
    record_put(a, "r", &record_transaction, &free_one);
    record_transaction_name(&t->key, name);
    record_put_grouped(a, "r", "key", bytes_of(name, sizeof name));
}

static void put_event(struct arguments *a, const struct audit_event *e)
{
    char at[24];
    int len = snprintf(at, sizeof at, "%lld", (long long)e->at);
    redis_put_event(a, "e1", e);
    record_put_grouped(a, "e1", "at", bytes_of(at, (size_t)len));
}

void redis_import_arguments(struct redis_call *c, struct arguments *a)
{
    request_import *i = &c->request->import;
    switch (i->kind) {
    case STORE_KIND_CHALLENGE:
        argument_text(a, "of", record_challenge.letter);
        record_put(a, "r", &record_challenge, i->challenge);
        break;
    case STORE_KIND_TRANSACTION:
        argument_text(a, "of", record_transaction.letter);
        put_transaction(a, i->transaction);
        break;
    case STORE_KIND_CERTIFICATE:
        argument_text(a, "of", record_certificate.letter);
        redis_put_certificate(a, "r", i->certificate);
        break;
    case STORE_KIND_RA:
        argument_text(a, "of", record_ra.letter);
        record_put(a, "r", &record_ra, i->ra);
        break;
    case STORE_KIND_OBLIGATION:
        redis_put_obligation_row(a, i->obligation->kind, i->obligation->reference);
        argument_number(a, "wanted", i->obligation->due);
        argument_number(a, "attempts", i->obligation->attempts);
        argument_text(a, "given_up", i->obligation->given_up ? "1" : "");
        break;
    case STORE_KIND_CRL:
        argument_text(a, "of", record_crl.letter);
        record_put(a, "r", &record_crl, i->crl);
        break;
    case STORE_KIND_AUDIT:
        put_event(a, i->event);
        break;
    case STORE_KIND_COUNT:
        break;
    }
}

void redis_import(struct redis_call *c)
{
    c->script = "import";
    if (c->request->import.kind == STORE_KIND_OBLIGATION)
        c->script = "import_obligation";
    else if (c->request->import.kind == STORE_KIND_AUDIT)
        c->script = "import_event";
    redis_call_run(c);
}

/* ---- another master key ---------------------------------------------------------------------------------- */

const char *redis_reseal_alias(struct redis_call *c)
{
    return c->request->reseal.alias;
}

void redis_reseal(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->reseal) *r = &c->request->reseal;
    bool ra = r->kind == SEAL_RA_KEY && strncmp(r->record, "ra-", 3) == 0;
    argument_text(a, "of", ra ? record_ra.letter : record_transaction.letter);
    if (ra)
        argument_text(a, "record", r->record + 3);
    else
        record_put_id(a, "record", r->record);
    argument_bytes(a, "old", r->old);
    argument_bytes(a, "fresh", r->fresh);
}

void redis_key_check(struct redis_call *c, struct arguments *a)
{
    argument_text(a, "check", c->request->key_check);
}
