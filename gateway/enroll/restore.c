/* restore.c: unseal and parse, on a worker of the alias' lane. */
#include "enroll/restore.h"

#include <stdlib.h>
#include <string.h>

struct restore {
    const struct keys *keys;
    struct alias *alias;
    char record_id[ID_TEXT_SIZE];
    struct bytes sealed;
    int rsa_max_bits;
    struct csr *csr;
    struct error error;
    restore_done *done;
    void *context;
};

static void restore_run(void *data)
{
    struct restore *r = data;
    struct secret plain = {0};
    if (!r->sealed.len) {
        error_set(&r->error, ERR_INTERNAL, "the stored request was erased");
        return;
    }
    if (keys_unseal(r->keys, SEAL_CSR, r->alias->settings->name, r->record_id, r->sealed, &plain,
                    &r->error) == ERR_OK)
        csr_parse(&r->csr, bytes_of(plain.data, plain.len), NULL, (struct bytes){0}, r->rsa_max_bits,
                  &r->error);
    secret_free(&plain);
}

static void restore_finish(void *data)
{
    struct restore *r = data;
    r->done(r->context, r->csr, r->csr ? NULL : error_text(&r->error));
    alias_unref(r->alias);
    free((void *)r->sealed.data);
    free(r);
}

enum error_code restore_csr(struct enroll *service, struct alias *alias,
                            const struct transaction_record *record, restore_done *done, void *context)
{
    struct restore *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_OVERLOADED;
    r->keys = service->parts.keys;
    r->alias = alias_ref(alias);
    strncpy(r->record_id, record->id, sizeof r->record_id - 1);
    r->sealed = bytes_copy(record->sealed_csr);
    r->rsa_max_bits = alias->settings->policy.rsa_max_bits;
    r->done = done;
    r->context = context;
    enum error_code code = pool_submit(alias->lane, (struct job){restore_run, restore_finish, r});
    if (code != ERR_OK) {
        alias_unref(r->alias);
        free((void *)r->sealed.data);
        free(r);
    }
    return code;
}
