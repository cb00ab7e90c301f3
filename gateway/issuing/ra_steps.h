/* ra_steps.h: what the steps of an attempt share (ra_attempt.c looks at what there is, ra_issue.c has a new
 * one made). */
#pragma once

#include "audit/audit.h"
#include "issuing/ra_attempt.h"
#include "issuing/ra_draft.h"
#include "scep/certificate.h"

#define LEASE_NAME       "ra"
#define BACKEND_DEADLINE (30 * 1000)
#define ELSEWHERE_DELAY  3000 /* ms: somebody else makes it: look again */
#define CHAIN_MAX        8    /* of a stored identity */
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

    struct store_request request;            /* one store operation at a time */
    struct store_answer *stored;             /* the newest list */
    struct ra_record usable[RA_RECORDS_MAX]; /* of `stored` */
    unsigned roles[RA_RECORDS_MAX];          /* of the usable ones, enum ra_role */
    size_t usable_count;
    int64_t unusable_until; /* generations up to this one did not load */
    int64_t loaded_generation;
    uint64_t claim;
    bool leased;

    struct ra_draft draft;
    char transaction[ID_TEXT_SIZE];
    struct backend_request ask;
    uint8_t plan[BACKEND_PLAN_MAX];
    struct buffer cookie; /* the backend's */
    struct buffer kept;   /* plan and cookie as stored */
    struct chain chain;
    void (*chain_next)(struct ra_attempt *a);

    char *ca_key_pem, *ca_certificate_pem; /* RA_FROM_CA */
    struct ra_set *set;                    /* loaded or made by a worker */
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
void attempt_ask_chain(struct ra_attempt *a, struct backend_instance *of, void (*next)(struct ra_attempt *a));
void attempt_issue(struct ra_attempt *a);      /* under the lease: drafts, asks, records, installs */
void attempt_look_again(struct ra_attempt *a); /* one pair of two was made: the other may be missing */

/* True when the attempt has ended here; to be asked first when an answer comes. */
bool attempt_stopped(struct ra_attempt *a);
bool attempt_store_failed(struct ra_attempt *a,
                          const struct store_answer *answer); /* the same, with a look at the outcome */

void attempt_install(struct ra_attempt *a); /* `set` becomes the alias' identity */
bool attempt_add_certificate(struct chain *c, struct backend_bytes der); /* a copy, once; false when full */
