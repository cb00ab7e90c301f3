/* sqlite_transaction.h: a generation as the files of the embedded store work on it: read, changed in place,
 * written back. */
#pragma once

#include "store/sqlite_inside.h"

struct sqlite_transaction {
    struct transaction_record *record; /* in the answer; NULL: there is none */
    int64_t sequence;
    int64_t key;        /* of the index, when it was looked for by its key */
    struct bytes chain; /* the record's, as one value */
};

/* Reads the present row into the answer. `lease_until` is 0 where the lease is not of this open store. */
void sqlite_transaction_read(struct query *row, struct store_answer *answer, struct sqlite_transaction *out);
/* The newest generation of a key; needs no write. */
void sqlite_transaction_newest(struct sqlite_link *l, const struct transaction_key *key,
                               struct store_answer *answer, struct sqlite_transaction *out);
void sqlite_transaction_by_id(struct sqlite_link *l, const char *alias, const char *id,
                              struct store_answer *answer, struct sqlite_transaction *out);
/* An unfinished renewal of that certificate other than the one in that row. */
void sqlite_transaction_renewing(struct sqlite_link *l, const char *alias, const char *serial,
                                 int64_t but_not, struct store_answer *answer,
                                 struct sqlite_transaction *out);

/* A new row with exactly these members; `out->key` of sqlite_transaction_newest. The number of the row. */
int64_t sqlite_transaction_insert(struct sqlite_writer *w, int64_t key, const struct transaction_record *r,
                                  struct bytes chain);

void sqlite_transaction_lease(struct sqlite_writer *w, struct sqlite_transaction *t, int64_t lease);
/* Ends it in `state`: no lease, no obligations that only make sense while it runs. */
void sqlite_transaction_finish(struct sqlite_writer *w, struct sqlite_transaction *t,
                               enum transaction_state state);
void sqlite_transaction_release(struct sqlite_writer *w, struct sqlite_transaction *t, struct arena *arena);
void sqlite_transaction_save(struct sqlite_writer *w, const struct sqlite_transaction *t);
