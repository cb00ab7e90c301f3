/* sqlite_inside.h: what the files of the embedded store share: calls, the two threads, and the handlers of
 * the operations.
 *
 * To add an operation: a row in sqlite_operations.c and a handler in the file of its noun. A handler that
 * writes first looks at everything that could refuse, then writes, then sets `changed`: so a refusal never
 * leaves a half behind, and only a failing database undoes.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "store/answer.h"
#include "store/sqlite.h"
#include "store/sqlite_link.h"

struct sqlite_store;
struct sqlite_writer;
struct sqlite_reader;

/* An accepted request on its way; one thread at a time has it. */
struct sqlite_call {
    struct letter letter; /* first: the mailbox gives it back */
    struct sqlite_call *next;
    const struct store_request *request;
    store_done *done;
    void *context;
    struct store_answer *answer;

    bool changed;      /* it wrote: remembered by its operation id, with its events and obligations */
    bool quiet;        /* without its events and obligations */
    int64_t reference; /* where a repeat finds what to answer with */

    /* Where a long read stopped; it goes on after the others had their turn. */
    bool started;
    int64_t passed; /* sequence of the last row it looked at */
    int64_t at;
    uint8_t hash[32];
};

/* ---- queue and threads --------------------------------------------------------------------------------- */

struct sqlite_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct sqlite_call *first, **last;
    bool ended;
};

bool sqlite_queue_init(struct sqlite_queue *q);
void sqlite_queue_free(struct sqlite_queue *q);
void sqlite_queue_put(struct sqlite_queue *q, struct sqlite_call *call);
void sqlite_queue_end(struct sqlite_queue *q);
/* Waits for calls and takes at most `most`; NULL when none came within `wait` ms (< 0: forever) or the queue
 * has ended. */
struct sqlite_call *sqlite_queue_take(struct sqlite_queue *q, int most, int wait, bool *ended);

/* Can this side of the store do its work? Any thread asks. */
struct sqlite_health {
    pthread_mutex_t lock;
    atomic_bool broken;
    char problem[256];
};

void sqlite_health_broken(struct sqlite_health *h, const char *problem);
void sqlite_health_good(struct sqlite_health *h);

/* ---- the writer ---------------------------------------------------------------------------------------- */

/* The newest SQLITE_REMEMBERED operations that changed something, found by their ids (sqlite_memory.c). */
#define SQLITE_REMEMBERED 65536

struct sqlite_memory {
    uint64_t *prints; /* of the id in each slot; 0: empty */
    uint32_t *chain;  /* next slot with the same bucket, plus one */
    uint32_t *bucket; /* first slot, plus one */
    int64_t sequence; /* of the newest operation */
};

struct sqlite_writer {
    struct sqlite_store *store;
    struct sqlite_link link;
    struct sqlite_queue queue;
    struct sqlite_health health;
    pthread_t thread;
    bool running;

    /* Copies of what the database holds. Dropped by a rollback, read again at the next begin. */
    bool loaded;
    struct sqlite_memory memory;
    int64_t audit_sequence;
    uint8_t audit_hash[32];

    int64_t now;          /* of the call being carried out */
    int64_t swept_unused; /* no unused challenge expired before this is left */
};

bool sqlite_writer_start(struct sqlite_writer *w);
void sqlite_writer_join(struct sqlite_writer *w);

bool sqlite_memory_init(struct sqlite_memory *m);
void sqlite_memory_free(struct sqlite_memory *m);
void sqlite_memory_load(struct sqlite_writer *w);
void sqlite_memory_add(struct sqlite_writer *w, struct sqlite_call *c);
/* True when this operation id was carried out before: outcome, claim and `reference` are then as they were.
 */
bool sqlite_memory_recall(struct sqlite_writer *w, struct sqlite_call *c);

/* ---- the reader ---------------------------------------------------------------------------------------- */

struct sqlite_reader {
    struct sqlite_store *store;
    struct sqlite_link link;
    struct sqlite_queue queue;
    struct sqlite_health health;
    pthread_t thread;
    bool running;
};

bool sqlite_reader_start(struct sqlite_reader *r);
void sqlite_reader_join(struct sqlite_reader *r);

struct sqlite_store {
    struct store base;
    const struct clock *clock;
    struct mailbox *mailbox;
    char *path;
    int lock;
    bool closing;
    struct sqlite_writer writer;
    struct sqlite_reader reader;
};

/* To the loop thread, once. */
void sqlite_deliver(struct sqlite_store *s, struct sqlite_call *c);

/* One daemon per database: a lock that ends with the process, on PATH.lock. -1 and a sentence when somebody
 * has it. */
int sqlite_lock_take(const char *path, struct error *e);
void sqlite_lock_drop(int lock);

#define SQLITE_KEY_CHECK "master_key_check" /* the fact that says under which master key the store is */

struct sqlite_key_checks { /* of the master keys, newest first */
    const char *const *items;
    size_t count;
};

/* Makes or migrates the tables, checks whose database it is and under which master key. */
enum error_code sqlite_schema_apply(struct sqlite_link *l, const struct sqlite_key_checks *keys,
                                    struct error *e);
void sqlite_fact_put(struct sqlite_link *l, const char *name, struct bytes value);

/* ---- operations ---------------------------------------------------------------------------------------- */

enum sqlite_progress { SQLITE_READ_DONE, SQLITE_READ_MORE };

typedef void sqlite_write_handler(struct sqlite_writer *w, struct sqlite_call *c);
typedef enum sqlite_progress sqlite_read_handler(struct sqlite_reader *r, struct sqlite_call *c);

struct sqlite_operation {
    sqlite_read_handler *read;   /* on the reader, or else */
    sqlite_write_handler *write; /* on the writer */
    sqlite_write_handler *again; /* a repeat: adds the state as it is now; NULL: nothing to add */
};

const struct sqlite_operation *sqlite_operation(enum store_operation o);

sqlite_write_handler sqlite_challenge_create, sqlite_challenge_revoke, sqlite_challenge_again;
sqlite_read_handler sqlite_challenge_find, sqlite_challenge_list;
sqlite_read_handler sqlite_transaction_recall, sqlite_transaction_find, sqlite_transaction_list;
sqlite_write_handler sqlite_transaction_begin, sqlite_transaction_claim, sqlite_transaction_advance,
    sqlite_transaction_decide, sqlite_transaction_again;
sqlite_read_handler sqlite_certificate_find, sqlite_certificate_list;
sqlite_write_handler sqlite_certificate_revoke, sqlite_certificate_release, sqlite_certificate_again;
sqlite_read_handler sqlite_revoked_list, sqlite_crl_find;
sqlite_write_handler sqlite_crl_put;
sqlite_read_handler sqlite_ra_list;
sqlite_write_handler sqlite_ra_put;
sqlite_write_handler sqlite_lease_take, sqlite_lease_drop;
sqlite_write_handler sqlite_obligation_put, sqlite_obligation_claim, sqlite_obligation_done,
    sqlite_obligation_again;
sqlite_write_handler sqlite_audit_append;
sqlite_read_handler sqlite_audit_list, sqlite_audit_verify;
sqlite_write_handler sqlite_sweep, sqlite_sweep_again, sqlite_ping;
sqlite_read_handler sqlite_export, sqlite_sealed_list;
sqlite_write_handler sqlite_import, sqlite_reseal, sqlite_key_check;

/* ---- shared by handlers -------------------------------------------------------------------------------- */

/* `text` in the answer's arena, or `kept` when it is NULL or empty. */
const char *sqlite_keep_text(struct sqlite_writer *w, struct arena *arena, const char *text,
                             const char *kept);

/* Is a lease held now? Only by this open store: what a former process left is void. */
bool sqlite_lease_held(const struct sqlite_writer *w, int64_t until, int64_t owner);
/* Is the named lease held with this claim? */
bool sqlite_lease_mine(struct sqlite_writer *w, const char *alias, const char *name, uint64_t claim);

/* A challenge as begin and advance need it. */
struct sqlite_challenge {
    struct challenge_record record;
    int64_t sequence; /* 0: there is none */
};

void sqlite_challenge_load(struct sqlite_link *l, const char *alias, const char *id, struct arena *arena,
                           struct sqlite_challenge *out);
void sqlite_challenge_bind(struct sqlite_writer *w, struct sqlite_challenge *c, const char *transaction);
void sqlite_challenge_release(struct sqlite_writer *w, const char *alias, const char *id,
                              struct arena *arena);

/* Is the certificate recorded, or another one under its name? NULL: nothing is to be recorded. */
enum sqlite_presence { SQLITE_ABSENT, SQLITE_RECORDED, SQLITE_CLASH };
enum sqlite_presence sqlite_certificate_look(struct sqlite_writer *w,
                                             const struct certificate_record *certificate);
void sqlite_certificate_record(struct sqlite_writer *w, const struct certificate_record *certificate);

/* Certificates in one value: each a length (32 bits) and its DER. */
struct bytes sqlite_chain_pack(struct sqlite_link *l, struct arena *arena, const struct bytes *chain,
                               size_t count);
size_t sqlite_chain_unpack(struct bytes packed, struct bytes chain[8]);

void sqlite_obligation_write(struct sqlite_writer *w, const struct obligation_new *o);
void sqlite_obligation_clear(struct sqlite_writer *w, const char *alias, const char *kind,
                             const char *reference);

void sqlite_audit_load(struct sqlite_writer *w);
void sqlite_audit_write(struct sqlite_writer *w, const struct audit_event *event, int64_t at);
/* Deletes the oldest rows up to a time; the chain then begins at the last deleted one's hash. The number of
 * rows. */
int64_t sqlite_audit_prune(struct sqlite_writer *w, int64_t until, int64_t limit);

/* The row of a kind, as an export gives it, added to the answer. */
typedef void sqlite_row_add(struct query *row, struct store_answer *answer);
sqlite_row_add sqlite_challenge_add, sqlite_transaction_add, sqlite_certificate_add, sqlite_crl_add,
    sqlite_ra_add, sqlite_obligation_add, sqlite_audit_add;

/* Writes the record of an import request when it is ABSENT. */
typedef enum sqlite_presence sqlite_row_import(struct sqlite_writer *w, struct sqlite_call *c);
sqlite_row_import sqlite_challenge_import, sqlite_transaction_import, sqlite_certificate_import,
    sqlite_crl_import, sqlite_ra_import, sqlite_obligation_import;

/* A page of a list, scanned from the newest row on, some rows at a turn. */
struct sqlite_list {
    enum statement scan;   /* ?1: only rows with a sequence below it; column 0 is the sequence */
    enum statement record; /* ?1: the sequence of the row to add */
    bool (*match)(struct sqlite_reader *r, struct query *row, const struct store_list_filter *filter);
    sqlite_row_add *add;
};

enum sqlite_progress sqlite_list_page(struct sqlite_reader *r, struct sqlite_call *c,
                                      const struct sqlite_list *list);
bool sqlite_filter_name(const char *wanted, const char *have); /* NULL: anything; the whole of it */
bool sqlite_filter_text(const char *wanted,
                        struct bytes have); /* NULL: anything; a part, without regard to case */
