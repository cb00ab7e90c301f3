/* authority.h: one CA whose list is kept: look into the store - collect what is revoked - have it signed - put it
 * into the store. Room-internal, loop thread.
 */
#pragma once

#include "publication/publisher.h"

#define DIGEST_TEXT_SIZE 65

struct authority;

/* A run of work is covered when its collection began after the change that caused it: causes and collections draw
 * numbers from one counter. */
struct authority_owner {
    const struct publisher_parts *parts;
    uint64_t counter;
    size_t running; /* authorities that wait for store or backend */
    bool stopped;
    /* A list was taken over, made or refused, or could not be made. */
    void (*settled)(struct authority_owner *owner, struct authority *a, bool failed);
};

enum authority_phase {
    AUTHORITY_IDLE,
    AUTHORITY_LOOKING,
    AUTHORITY_COLLECTING,
    AUTHORITY_SIGNING,
    AUTHORITY_PUTTING
};

struct authority {
    struct authority_owner *owner;
    struct authority *next;
    struct backend_instance *instance; /* borrowed; the newest of the backend's name */
    enum backend_authority which;
    bool seen; /* by the round that asks the backend for its CAs */
    bool gone; /* dropped while busy; frees itself */
    bool signs;
    bool refused; /* the backend makes no list for this CA */
    char ca_sha256[DIGEST_TEXT_SIZE];
    char issuer_sha256[DIGEST_TEXT_SIZE];
    struct bytes subject;     /* owned; Name */
    struct published *public; /* owned */
    uint64_t covered;         /* causes up to this one are in `public` */
    int64_t interval;

    enum authority_phase phase;
    bool looked;      /* the store was asked since the last failure */
    int64_t look_at;  /* monotonic */
    int64_t retry_at; /* monotonic; 0: no failure */
    int failures;
    uint64_t collection; /* its number */
    int64_t number;      /* of the list that is being made */
    int64_t ended_after;
    char *cursor;
    struct backend_revocation *revocations;
    size_t count, capacity;
    uint8_t *der;
    char *details; /* of the audit event */
    struct crl_record record;
    struct store_request request;
};

/* NULL when the certificate cannot be read or memory is out. */
struct authority *authority_create(struct authority_owner *owner, struct backend_instance *instance,
                                   struct bytes certificate);
void authority_drop(struct authority *a); /* now, or when its work is over */
void authority_free(struct authority *a); /* its completions will not come any more */
bool authority_is(const struct authority *a, struct bytes certificate);
/* Does what is due. `wanted`: something changed that its list does not have. */
void authority_work(struct authority *a, bool wanted);
