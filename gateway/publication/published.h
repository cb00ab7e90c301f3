/* published.h: what is published about one CA: its certificate and its newest revocation list. Immutable, counted. */
#pragma once

#include "store/store.h"

#define PUBLISHED_NAME_SIZE 129 /* a subjectKeyIdentifier in hex */

struct published {
    char name[PUBLISHED_NAME_SIZE]; /* hex of the CA's subjectKeyIdentifier; "" when it has none */
    struct bytes certificate;       /* DER */
    int64_t not_before;             /* of the certificate; ms */
    struct bytes crl;               /* DER; empty while there is none */
    int64_t number, this_update, next_update;
    int64_t due; /* when the next list comes on schedule; ms */
    size_t entries;
    int references;
};

/* Copies everything; `list` is NULL while there is none. NULL when out of memory. */
struct published *published_create(const char *name, struct bytes certificate, int64_t not_before,
                                   const struct crl_record *list, int64_t due);
struct published *published_ref(struct published *p);
void published_unref(struct published *p); /* accepts NULL */

/* How many certificates a revocation list names; 0 also for what is none. Steps over the entries without decoding them. */
size_t published_count_entries(struct bytes crl);
