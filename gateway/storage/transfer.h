/* transfer.h: copies a store into another one, record by record, and then proves that both hold the same.
 *
 * Every kind is copied page by page; what is in the target already is passed over, so that one that ended in
 * the middle can be started again. Then both stores are read back: per kind, the number of records and a
 * checksum over all of them must be the same. Last, the target's audit trail is verified and gets a row that
 * says where the rows before it came from. Loop thread.
 */
#pragma once

#include "storage/digests.h"
#include "store/store.h"

struct transfer;

enum transfer_phase { TRANSFER_PREPARING, TRANSFER_COPYING, TRANSFER_COMPARING, TRANSFER_ENDED };

struct transfer_kind {
    int64_t copied;
    int64_t there; /* in the target already */
    struct digest_sum from, to;
};

struct transfer_report {
    enum transfer_phase phase;
    enum store_kind kind; /* that is being copied or read back */
    struct transfer_kind kinds[STORE_KIND_COUNT];
    bool verified;     /* both are the same, and the target's audit trail is whole */
    char problem[400]; /* a sentence; "" while there is none */
};

struct transfer_options { /* borrowed until it has ended */
    struct event_base *base;
    struct store *from, *to;
    const char *from_name; /* for the audit trail: "sqlite" */
    bool force; /* also when gateways are alive on either, or the source's audit trail is damaged */
    bool (*stop)(void *context); /* ends it at the next turn; NULL: never */
    void (*ended)(void *context);
    void *context;
};

/* NULL when out of memory. `ended` is never called inside. */
struct transfer *transfer_start(const struct transfer_options *options);
const struct transfer_report *transfer_report(const struct transfer *t);
void transfer_free(struct transfer *t); /* ended, or both stores closed; accepts NULL */
