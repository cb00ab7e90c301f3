/* store.h: the store contract. Domain operations, all asynchronous, all idempotent by operation id.
 *
 * How to use: fill a `struct store_request`, keep it and everything it points to alive, call store_submit;
 * `done` is called exactly once, on the loop thread, never inside store_submit, and owns the answer
 * (store_answer_free). The answer and all it points to is one allocation.
 *
 * Outcomes: OK; NOT_FOUND; the refusals named at each operation; UNAVAILABLE (nothing was done); UNKNOWN (it
 * may have been done: promise nothing, repeat with the same operation id). A durable write is on disk before
 * OK is given. Times are ms since 1970 by the store's own clock; leases, expiry and due times are compared
 * with that clock.
 *
 * A repeat with the same operation id gives the answer of the first, with the state as it is now; one that
 * was refused changed nothing and is judged anew. A store remembers a change for 15 minutes, or remembers its
 * newest 65536 changes, across restarts.
 *
 * A lease belongs to the open store that took it. When that is closed or dies, an embedded store lets the next
 * one take it at once; a shared one, which cannot know, when it runs out.
 *
 * Every key of one alias can live under one hash tag; what spans aliases is a secondary index.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"
#include "store/keys.h"
#include "store/revocation.h"

struct store;
struct clock;
struct event_base;

/* ---- records ------------------------------------------------------------------------------------------- */

#define TALLY_KEY_SIZE 16

/* Stable states only; the transition table is in transaction/transaction.c. */
enum transaction_state {
    TRANSACTION_RECEIVED = 1, /* accepted, being submitted under a lease */
    TRANSACTION_PENDING,      /* the backend said pending; `cookie`, `next_poll`; or `decision` is awaited */
    TRANSACTION_ISSUED,
    TRANSACTION_REJECTED,  /* by the backend or an operator */
    TRANSACTION_FAILED,    /* misconfigured or broken backend */
    TRANSACTION_EXPIRED,   /* pending for too long */
    TRANSACTION_ATTENTION, /* a lost submission that must not be repeated blindly */
    TRANSACTION_SUPERSEDED,
};

static inline bool transaction_finished(enum transaction_state s)
{
    return s == TRANSACTION_ISSUED || s == TRANSACTION_REJECTED || s == TRANSACTION_FAILED ||
           s == TRANSACTION_EXPIRED || s == TRANSACTION_SUPERSEDED;
}

/* What people have to say to a transaction. */
enum transaction_decision {
    DECISION_NONE,     /* nobody is asked */
    DECISION_AWAITED,  /* no backend gets it before `approvals_needed` people have approved it */
    DECISION_APPROVED, /* by all who were needed */
    DECISION_DENIED,
};

/* alias, transactionID and signer key name a list of generations, at most one of them unfinished. */
struct transaction_key {
    const char *alias;
    struct bytes transaction_id;
    uint8_t signer_spki_sha256[32];
};

struct transaction_record {
    const char *id; /* of the generation: 32 hex digits; `transaction` of backend.h */
    struct transaction_key key;
    int64_t generation;
    enum transaction_state state;
    uint64_t claim;      /* number of the newest claim */
    int64_t lease_until; /* 0: nobody works on it */
    uint8_t csr_info_sha256[32];
    uint8_t recipient_sha256[32]; /* RA certificate that it was sent to: recorded, not part of the key */
    struct bytes sealed_csr;      /* erased when no answer needs it */
    struct bytes plan;            /* of backend.prepare */
    struct bytes cookie;
    int64_t next_poll;
    const char *challenge_id; /* "" without one */
    bool challenge_bound;     /* it has one use of that challenge */
    const char *renews;       /* hex serial of the certificate whose renewal this is; "" */
    const char *subject;      /* RFC 2253 */
    const char *client;       /* address of the first message */
    const char *error_name;   /* row of error.def, for REJECTED and FAILED; "" otherwise */
    const char *reason;       /* for the operator; "" otherwise */
    const char *serial;       /* hex, ISSUED */
    struct bytes chain[8];    /* DER, ISSUED */
    size_t chain_count;
    int64_t created, updated, finished, expires; /* `expires`: of a pending one */
    enum transaction_decision decision;
    int approvals_needed;
    const char *approved_by; /* words, in their order, separated by spaces; "" */
    bool limited;            /* begun under a `pass_limit`: counts against it */
};

enum challenge_state { CHALLENGE_UNUSED = 1, CHALLENGE_USED, CHALLENGE_REVOKED };

struct challenge_record {
    const char *id; /* 32 hex digits; how operators name it */
    const char *alias;
    uint8_t hash[CHALLENGE_HASH_SIZE];
    const char *key_id; /* master key that the hash was made under */
    enum challenge_state state;
    int uses, uses_left;
    int64_t created, expires;
    /* bindings; "" when free */
    const char *bind_cn, *bind_san, *bind_device, *bind_spki_sha256;
    const char *labels; /* JSON object */
    const char *created_by;
    const char *first_transaction; /* record id of the first that it was bound to; "" */
};

struct certificate_record {
    const char *alias;
    const char *issuer_sha256; /* hex, of the issuer Name's DER */
    const char *serial;        /* hex, lower case, no leading zeros beyond one byte */
    const char *transaction;   /* record id; "" for an RA certificate */
    const char *subject;
    struct bytes der;
    int64_t not_before, not_after;
    int64_t recorded, revoked; /* revoked: 0 when not; of one that was held first: since it is held */
    int revocation_reason;     /* enum revocation_reason */
};

/* A revoked certificate as a CRL lists it. */
struct revocation {
    const char *serial; /* hex */
    int64_t revoked;
    int reason; /* enum revocation_reason */
};

/* The newest CRL of a CA, for all replicas. */
struct crl_record {
    const char *
        ca_sha256; /* hex, of the CA's Name and SubjectPublicKeyInfo, DER: a renewed certificate is the same CA */
    int64_t number; /* from 1 on; it only rises */
    struct bytes der;
    int64_t this_update, next_update; /* ms, as the CRL says */
};

/* RA identities of an alias, newest generation first. */
struct ra_record {
    const char *alias;
    int64_t generation;
    struct bytes sealed_key; /* PKCS#8, SEAL_RA_KEY; record id is "ra-GENERATION" */
    struct bytes chain[8];   /* DER, RA certificate first; none while it is being made */
    size_t chain_count;
    struct bytes cookie; /* of a backend that answered pending */
    int64_t not_before, not_after;
};

struct obligation {
    const char *id; /* kind and reference make it: one per pair */
    const char *alias;
    const char
        *kind; /* "submission.resume", "transaction.expire", "ra.renew", "retention.sweep", "crl.publish" */
    const char *reference; /* transaction record id, "" … */
    int64_t due;
    int attempts;
    uint64_t claim;
    bool given_up;
};

struct audit_event {
    const char *event; /* row of audit/events.def */
    const char *alias;
    const char *tenant;
    const char *transaction; /* record id or "" */
    const char *client;
    const char *details; /* JSON object; no secrets */
    /* filled by the store: */
    int64_t sequence; /* from 1 on, within its chain */
    int64_t at;
    const char *
        hash; /* over the previous row's hash and this row, hex. One chain; in a shared store one per alias */
};

/* A value under a master key, for `store rekey`. */
struct sealed_record {
    enum seal_kind kind;
    const char *alias;
    const char *record; /* what it is bound to: keys_unseal */
    struct bytes value;
};

/* Refused challenges of one key within a window (challenge/limiter.h). */
struct tally_record {
    uint8_t key[TALLY_KEY_SIZE];
    int64_t present; /* of all replicas in the window that the store's clock is in */
    int64_t before;  /* in the window before it */
};

/* Another gateway process that uses the same store. */
struct replica_record {
    const char *id;
    const char *facts; /* what it announced */
    int64_t seen;
};

/* ---- requests ------------------------------------------------------------------------------------------ */

enum store_operation {
    /* challenges */
    STORE_CHALLENGE_CREATE, /* -> OK | CONFLICT (hash exists) */
    STORE_CHALLENGE_FIND,   /* by alias and hashes -> challenges[0] | NOT_FOUND; whatever its state */
    STORE_CHALLENGE_LIST,
    STORE_CHALLENGE_REVOKE, /* -> OK | NOT_FOUND */
    /* transactions */
    STORE_TRANSACTION_RECALL, /* read: newest generation of a key -> transactions[0] | NOT_FOUND */
    STORE_TRANSACTION_BEGIN,  /* see below */
    STORE_TRANSACTION_CLAIM,  /* take an unfinished one's lease -> MINE | RUNNING | FINISHED | NOT_FOUND */
    /* -> OK | STALE | FINISHED (it already ended) | NOT_FOUND | CONFLICT (the serial is another
       certificate's) */
    STORE_TRANSACTION_ADVANCE,
    STORE_TRANSACTION_FIND, /* by record id */
    STORE_TRANSACTION_LIST,
    /* certificates */
    STORE_CERTIFICATE_FIND, /* by alias, issuer, serial */
    STORE_CERTIFICATE_LIST,
    /* Revokes or, with REASON_CERTIFICATE_HOLD, holds; one that is held may be revoked for good, and stays
     * revoked since it was held. -> OK, with the record | NOT_FOUND | CONFLICT (revoked for good, or held and
     * asked to hold again): certificates[0] */
    STORE_CERTIFICATE_REVOKE,
    /* -> OK, with the record | NOT_FOUND | STALE (it is not on hold): certificates[0] */
    STORE_CERTIFICATE_RELEASE,
    /* the revoked ones of an issuer, held ones among them, in pages over all aliases -> OK, revocations[], `next` */
    STORE_REVOKED_LIST,
    /* CRLs: of the alias "" */
    STORE_CRL_FIND, /* -> OK, crls[0] (none when its number is `known_number`) | NOT_FOUND */
    STORE_CRL_PUT,  /* -> OK | STALE (the stored number is not smaller): crls[0] */
    /* RA identity */
    STORE_RA_LIST, /* of an alias */
    STORE_RA_PUT,  /* insert or replace a generation, and its certificate -> OK | STALE (lease lost) */
    /* leases on names */
    STORE_LEASE_TAKE, /* -> MINE | RUNNING (somebody else's) */
    STORE_LEASE_DROP, /* -> OK */
    /* obligations */
    STORE_OBLIGATION_PUT,   /* -> OK */
    STORE_OBLIGATION_CLAIM, /* due ones -> obligations[] */
    STORE_OBLIGATION_DONE,  /* finished, or again at a time, or given up -> OK | STALE */
    /* housekeeping */
    STORE_AUDIT_APPEND,
    STORE_AUDIT_LIST,
    /* walks every chain -> OK, `total` = their rows ever | CONFLICT with `total` = sequence of the first bad row,
     * `reason` = in which chain, when there are several */
    STORE_AUDIT_VERIFY,
    /* deletes what retention says, in bounded steps -> OK, `total` = rows deleted. A revoked certificate stays
     * for STORE_REVOKED_KEPT after its end, whatever retention says. */
    STORE_SWEEP,
    STORE_PING, /* a durable write -> OK */
    /* replicas: what an embedded store has nobody to share with answers OK with no rows */
    STORE_TALLY,    /* adds to counters -> OK, tallies[] in the order of the request; not durable */
    STORE_ANNOUNCE, /* says that this process is alive -> OK, replicas[]: the others */
    /* operation: all rows of a kind, oldest first, in pages */
    STORE_SEALED_LIST, /* -> OK, sealed[], `next` */
    STORE_RESEAL,      /* -> OK | STALE (the value is another one now) | NOT_FOUND */
    STORE_EXPORT,      /* -> OK, the kind's records, `next` */
    STORE_IMPORT,      /* -> OK (`repeated`: it was there already) | CONFLICT (another one is there) */
    STORE_REINDEX,     /* rebuilds what spans aliases -> OK, `total` = aliases */
    STORE_KEY_CHECK,   /* from now on it belongs to this master key, as if it had been made under it -> OK */
    STORE_TRANSACTION_DECIDE, /* see below */
    STORE_OPERATION_COUNT
};

enum store_outcome {
    STORE_OK = 0,
    STORE_NOT_FOUND,
    STORE_CONFLICT, /* begin: another CSR is unfinished under this key, or see `alone`: transactions[0] */
    STORE_MINE,     /* begin, claim, lease: yours, with `claim` */
    STORE_RUNNING,  /* begin, claim, lease: somebody holds the lease */
    STORE_FINISHED, /* begin, claim, advance: transactions[0] holds the outcome */
    STORE_TAKEN,    /* begin: the challenge has no use left, is revoked or expired; see challenges[0] */
    STORE_FULL,     /* begin: `pass_limit` is reached */
    STORE_STALE, /* a newer claim exists; decide: it waits for no decision; release: not on hold; CRL: not newer */
    STORE_UNAVAILABLE,
    STORE_UNKNOWN,
};

struct obligation_new {
    const char *alias, *kind, *reference;
    int64_t delay; /* from the store's now */
};

#define STORE_EVENTS_MAX      4
#define STORE_OBLIGATIONS_MAX 4
#define STORE_HASHES_MAX      KEYS_MAX

#define STORE_TALLIES_MAX 64

/* ms. A certificate has to be on one CRL that was made after its end (RFC 5280, 3.3): `ended_after` may be so
 * long ago, and is always whole. */
#define STORE_REVOKED_KEPT (INT64_C(31) * 86400000)

/* What is exported and imported. Named leases are not: their holders are gone. */
enum store_kind {
    STORE_KIND_CHALLENGE,
    STORE_KIND_TRANSACTION,
    STORE_KIND_CERTIFICATE,
    STORE_KIND_RA,
    STORE_KIND_OBLIGATION,
    STORE_KIND_CRL,
    STORE_KIND_AUDIT, /* in the order of their times; sequence and hash are made anew on import */
    STORE_KIND_COUNT
};

struct store_list_filter {
    const char *alias;  /* NULL: all */
    const char *tenant; /* audit only */
    const char
        *state; /* NULL: all; name of the state; certificates: valid, expired, revoked; transactions also
                           "waiting": pending, and its decision AWAITED */
    const char *text; /* NULL: all; part of subject, transactionID text, or event name */
    /* transactions only: any of these aliases (0: all), and when they were created; 0: whenever */
    const char *const *aliases;
    size_t alias_count;
    int64_t created_from, created_until;
    const char *after; /* cursor of the previous page; NULL: from the newest */
    int limit;         /* 1..1000 */
};

struct store_request {
    enum store_operation operation;
    char id[ID_TEXT_SIZE]; /* operation id; store_request_init makes one */

    /* Written with the operation, in the same atomic step. */
    struct audit_event events[STORE_EVENTS_MAX];
    size_t event_count;
    struct obligation_new obligations[STORE_OBLIGATIONS_MAX];
    size_t obligation_count;

    union {
        struct challenge_record challenge_create; /* `expires` is relative: ms from the store's now */
        struct {
            const char *alias;
            uint8_t hashes[STORE_HASHES_MAX][CHALLENGE_HASH_SIZE];
            size_t hash_count;
        } challenge_find;
        struct {
            const char *alias, *challenge_id;
        } challenge_revoke;

        struct transaction_key recall;

        /* One atomic step: find the generation; same CSR and finished within the window -> FINISHED; same CSR
         * unfinished and leased, or with its decision AWAITED -> RUNNING, otherwise -> MINE with the stored
         * record; another CSR unfinished -> CONFLICT, or with `supersede` ends it (releasing its challenge) and
         * goes on; with `alone`: another key's generation that renews the same certificate is unfinished ->
         * CONFLICT; bind the challenge (one use per generation) or TAKEN; create the generation as RECEIVED;
         * take the lease -> MINE.
         * A generation that issued the very certificate that is renewed now is no earlier copy of this
         * request: it counts as one of another CSR. Events and obligations are written only when a generation
         * is created.
         * "Finished within the window" is also what has not reached its `expires`: whom it kept waiting may
         * come for the outcome as long as he could have been kept waiting.
         * With `approvals_needed` in the record it is created as PENDING, its decision AWAITED, without a
         * lease -> MINE, with the record; `reason` is stored as well.
         * With `pass_limit` FULL, and nothing done, when so many generations of the alias were created with a
         * `pass_limit` within `pass_period`. */
        struct {
            /* id, key, hashes, sealed_csr, plan, cookie, challenge_id, renews, subject, client;
             * approvals_needed, reason */
            struct transaction_record record;
            bool alone;
            int64_t expires_in; /* with approvals_needed: relative */
            int pass_limit;     /* 0: none */
            int64_t pass_period;
            int64_t retransmit_window;
            bool supersede;
            int64_t lease;
        } begin;

        struct {
            const char *alias, *record_id;
            int64_t lease;
        } claim;

        /* Moves a claimed transaction. Members that are NULL, empty or 0 leave the stored value. */
        struct {
            const char *alias, *record_id;
            uint64_t claim;
            enum transaction_state state;
            struct bytes cookie;
            struct bytes plan;
            int64_t poll_delay; /* PENDING: next_poll = now + poll_delay */
            int64_t expires_in; /* PENDING: relative, only set when the record has none yet */
            const char *error_name, *reason;
            /* ISSUED: recorded in the same step; `recorded` is filled in */
            const struct certificate_record *certificate;
            const struct bytes *chain;
            size_t chain_count;
            bool release_challenge; /* gives the use back */
            bool erase_csr;
            bool drop_lease;      /* PENDING and finished states: true */
            int64_t extend_lease; /* > 0: lease_until = now + this */
        } advance;

        /* A person's word on a transaction that waits for it. One approval of several is noted and changes
         * nothing else but `expires`; the last one makes it APPROVED, due at once, and nobody's: its claim
         * grows, so that whoever holds its lease is stale. A denial ends it as REJECTED. Events and
         * obligations are written with either. -> OK, with the record | CONFLICT (this person has approved it
         * already) | STALE (it waits for no decision) | FINISHED (it has ended) | NOT_FOUND */
        struct {
            const char *alias, *record_id;
            const char *by; /* who: one word, at most 64 bytes */
            bool deny;
            int64_t expires_in; /* approval: `expires` anew, from now; 0: as it is */
            /* denial: */
            const char *error_name, *reason;
            bool release_challenge;
        } decide;

        struct {
            const char *alias, *record_id;
        } transaction_find;

        struct {
            const char *alias, *issuer_sha256, *serial;
        } certificate_find;
        struct {
            const char *alias, *issuer_sha256, *serial;
            int reason; /* enum revocation_reason */
        } certificate_revoke;
        struct {
            const char *alias, *issuer_sha256, *serial;
        } certificate_release;
        struct {
            const char *issuer_sha256;
            int64_t ended_after; /* only those whose not_after is not before this */
            const char *after;   /* cursor; NULL: from the start */
            int limit;           /* 1..1000 */
        } revoked_list;

        struct {
            const char *ca_sha256;
            int64_t known_number; /* 0: none */
        } crl_find;
        struct crl_record crl_put;

        struct {
            const char *alias;
        } ra_list;
        struct {
            struct ra_record record;
            const struct certificate_record *certificate; /* NULL while there is none */
            const char *lease_name;                       /* must be held with this claim */
            uint64_t lease_claim;
        } ra_put;

        struct {
            const char *alias, *name;
            int64_t duration;
            uint64_t claim; /* drop: the one taken; take: 0, or the one to extend */
        } lease;

        struct obligation_new obligation_put;
        struct {
            int limit;
            int64_t lease;
        } obligation_claim;
        struct {
            const char *id;
            uint64_t claim;
            int64_t again_after; /* 0: finished, deleted; > 0: due again after this; < 0: given up, kept */
        } obligation_done;

        struct {
            /* ages; < 0: for ever */
            int64_t unused_challenge, used_challenge, finished_transaction, certificate, audit;
            int limit;
        } sweep;

        struct {
            const char *alias;
            int64_t window; /* ms; windows begin at multiples of it on the store's clock */
            struct {
                uint8_t key[TALLY_KEY_SIZE];
                int64_t add; /* 0: only asks */
            } entries[STORE_TALLIES_MAX];
            size_t count;
        } tally;
        struct {
            const char *replica; /* id of this process */
            const char *facts;
            int64_t life; /* it counts as gone when it has not announced itself for so long; 0: it leaves */
        } announce;

        struct {
            const char *after; /* cursor; NULL: from the start */
            int limit;
        } sealed_list;
        struct {
            enum seal_kind kind;
            const char *alias, *record;
            struct bytes old, fresh;
        } reseal;
        struct {
            enum store_kind kind;
            const char *after;
            int limit;
        } export;
        /* The member of its kind; times, claims and states exactly as they are. A transaction's lease and an
         * obligation's claim are not carried over: their holders are gone. */
        struct {
            enum store_kind kind;
            const struct challenge_record *challenge;
            const struct transaction_record *transaction;
            const struct certificate_record *certificate;
            const struct ra_record *ra;
            const struct obligation *obligation;
            const struct crl_record *crl;
            const struct audit_event *event; /* a repeat is known by its operation id alone */
        } import;
        struct {
            const char *const *aliases; /* that the settings name: put into the index of aliases, too */
            size_t alias_count;
        } reindex;
        const char *key_check; /* keys_check_value; what opening the store compares */

        struct store_list_filter list;
    };
};

struct store_answer {
    enum store_outcome outcome;
    const char *reason; /* UNAVAILABLE, UNKNOWN: a sentence for the log; mostly "" otherwise */
    uint64_t claim;     /* MINE */
    bool repeated;      /* this operation id had been carried out before */
    int64_t now;        /* the store's clock when it answered: what its times are compared with */
    int64_t total;
    const struct transaction_record *transactions;
    size_t transaction_count;
    const struct challenge_record *challenges;
    size_t challenge_count;
    const struct certificate_record *certificates;
    size_t certificate_count;
    const struct revocation *revocations;
    size_t revocation_count;
    const struct crl_record *crls;
    size_t crl_count;
    const struct ra_record *ras; /* newest first */
    size_t ra_count;
    const struct obligation *obligations;
    size_t obligation_count;
    const struct audit_event *events;
    size_t event_count;
    const struct sealed_record *sealed;
    size_t sealed_count;
    const struct tally_record *tallies;
    size_t tally_count;
    const struct replica_record *replicas;
    size_t replica_count;
    const char *next; /* cursor of the next page; "" at the end */
    struct arena *arena;
};

typedef void store_done(void *context, struct store_answer *answer);

/* ---- calls --------------------------------------------------------------------------------------------- */

/* What an implementation provides; `struct store` begins with a pointer to this. */
struct store_type {
    void (*submit)(struct store *s, const struct store_request *request, store_done *done, void *context);
    bool (*ready)(const struct store *s, char *problem, size_t size); /* false: PKIOperation answers 503 */
    void (*close)(struct store *s); /* finishes what was accepted, delivers the completions, frees */
};

struct store {
    const struct store_type *type;
};

/* The age at which a sweep deletes revoked certificates, of that at which it deletes others. */
int64_t store_revoked_age(int64_t certificate_age);
/* Zeroes the request and gives it a fresh operation id. */
void store_request_init(struct store_request *r, enum store_operation operation);
void store_submit(struct store *s, const struct store_request *r, store_done *done, void *context);
bool store_ready(const struct store *s, char *problem, size_t size);
void store_close(struct store *s);              /* accepts NULL */
void store_answer_free(struct store_answer *a); /* accepts NULL */
const char *store_outcome_name(enum store_outcome o);
const char *transaction_state_name(enum transaction_state s);       /* "received", … */
const char *transaction_decision_name(enum transaction_decision d); /* "none", "awaited", … */
const char *challenge_state_name(enum challenge_state s);
