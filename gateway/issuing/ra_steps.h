/* ra_steps.h: what the steps of an attempt share (ra_attempt.c looks at what there is, ra_chains.c asks for CA
 * certificates, ra_given.c loads what an administrator brought, ra_issue.c has a new identity made). */
#pragma once

#include "audit/audit.h"
#include "issuing/ra_attempt.h"
#include "issuing/ra_draft.h"
#include "issuing/ra_records.h"
#include "scep/certificate.h"

#define LEASE_NAME       "ra"
#define BACKEND_DEADLINE (30 * 1000)
#define ELSEWHERE_DELAY  3000 /* ms: somebody else makes it: look again */
#define CHAIN_MAX        8    /* of a stored identity */
#define AUTHORITIES      3    /* enum backend_authority */
#define COOKIE_MAX       (BACKEND_COOKIE_MAX + BACKEND_PLAN_MAX + 2)

struct chain { /* owned copies */
    struct bytes certificates[CHAIN_MAX];
    size_t count;
};

struct ra_attempt {
    struct ra_attempt_parts parts;
    struct alias *alias; /* a reference */
    ra_installed *installed;
    ra_ended *ended;
    void *context;
    struct ra_outcome outcome;
    bool only_look;

    struct store_request request; /* one store operation at a time */
    struct store_answer *stored;  /* the newest list */
    struct ra_pick present, next; /* of `stored` */
    int64_t unusable_until[2];    /* generations up to these did not load: of the present CA, of the next */
    int64_t loaded_generation;
    struct chain authorities[AUTHORITIES]; /* of the alias' own backend; empty: there is no such CA */
    enum backend_authority asked;
    bool knows_authorities;
    int64_t from; /* when the next one takes over; ms since 1970 */
    uint64_t claim;
    bool leased;

    enum backend_authority maker; /* whose identity is being made */
    unsigned made[AUTHORITIES];   /* roles that this attempt has made: once each, whatever comes back */
    struct ra_draft draft;
    char transaction[ID_TEXT_SIZE];
    struct backend_request ask;
    uint8_t plan[BACKEND_PLAN_MAX];
    struct buffer cookie;              /* the backend's */
    struct buffer kept;                /* plan and cookie as stored */
    struct chain chain;                /* of the new certificate */
    struct backend_instance *chain_of; /* who is asked for it */
    void (*chain_next)(struct ra_attempt *a);

    char *ca_key_pem[AUTHORITIES], *ca_certificate_pem[AUTHORITIES]; /* RA_FROM_CA */
    struct ra_set *set;                                              /* loaded by a worker */
    bool next_failed; /* the successor's did not load; the rest did */
    enum error_code code;
    struct error error;
    struct certificate_facts facts;
    struct certificate_record certificate;
    struct audit_details details;
    char generation_text[24]; /* names the obligation: the one that is being worked off is another row */
};

const struct alias_settings *attempt_settings(const struct ra_attempt *a);
void attempt_note(const struct ra_attempt *a, enum log_level level, const char *event, const char *sentence);

/* Each ends the step that calls it: nothing may touch the attempt afterwards. */
void attempt_finish(struct ra_attempt *a); /* with `outcome` as it is */
void attempt_finish_done(struct ra_attempt *a);
void attempt_finish_later(struct ra_attempt *a, int64_t again);
void attempt_finish_failed(struct ra_attempt *a, const char *sentence);
void attempt_job(struct ra_attempt *a, void (*run)(void *), void (*done)(void *)); /* on a worker */
/* Asks for the alias' own CAs into `authorities`. It goes on also when they are not told (knows_authorities). */
void attempt_ask_authorities(struct ra_attempt *a, void (*next)(struct ra_attempt *a));
/* Adds the chain of one of a backend's CAs to `chain`; of the present one where there is no other. */
void attempt_ask_chain(struct ra_attempt *a, struct backend_instance *of, enum backend_authority which,
                       void (*next)(struct ra_attempt *a));
void attempt_load_given(struct ra_attempt *a); /* from files, or the CA's own key */
void attempt_issue(struct ra_attempt *a);      /* under the lease: drafts, asks, records, installs */
void attempt_look_again(struct ra_attempt *a); /* one was made: another may be missing */

/* True when the attempt has ended here; to be asked first when an answer comes. */
bool attempt_stopped(struct ra_attempt *a);
bool attempt_store_failed(struct ra_attempt *a,
                          const struct store_answer *answer); /* the same, with a look at the outcome */

void attempt_install(struct ra_attempt *a); /* `set` becomes the alias' identity */
bool attempt_add_certificate(struct chain *c, struct backend_bytes der); /* a copy, once; false when full */
void attempt_clear_chain(struct chain *c);
/* On a worker: `set` becomes the one with the successor. Without `next` (NULL), or when that one cannot be used
 * (next_failed), clients are not told of it. */
void attempt_stage(struct ra_attempt *a, struct ra_set *next);
