/* inside.h: what the operations of the Redis store share: calls, their steps, and the handlers.
 *
 * A submitted request becomes a call. Most are one script on the tag of one alias: a row in operations.c says
 * which, and how its arguments are made. The others are small state machines that send several commands, some at a
 * time, and end with redis_call_finish. Loop thread only.
 *
 * To add an operation: a row in operations.c, a script in lua/, and what the row names in the file of its noun.
 */
#pragma once

#include <hiredis/hiredis.h>

#include "store/answer.h"
#include "store/redis/known.h"
#include "store/redis/record.h"
#include "store/redis/reply.h"
#include "store/redis/router.h"

#define ALIASES_TAG  "i:aliases" /* "names": every alias that has anything */
#define DUE_TAG      "i:due"     /* "aliases": when each one's next obligation is due; a hint */
#define REPLICAS_TAG "i:replicas"
#define STORE_TAG    "i:store" /* what is said of the whole: version, key_check */
#define TAG_SIZE     (REDIS_BASE_SIZE)

/* What operations need of the open store. */
struct redis_store {
    struct store base;
    struct redis_router *router;
    char owner[ID_TEXT_SIZE]; /* of leases: a random id of this open store */
    int64_t place;            /* the newest in the order of all that is made that this process has seen */
    struct known known;       /* aliases that are in the index */
    char *healed;             /* the last alias whose hint was looked at; NULL: begin again */
    size_t calls;             /* not answered yet */
};

/* The router is the caller's. Before `free` every call has been answered. */
void redis_operations_init(struct redis_store *s);
void redis_operations_free(struct redis_store *s);

struct redis_operation;

struct redis_call {
    struct redis_store *store;
    const struct store_request *request;
    store_done *done;
    void *context;
    const struct redis_operation *operation;
    struct store_answer *answer;
    const char *alias;                     /* whose tag */
    const char *script;                    /* the operation's, unless that has several */
    void (*release)(struct redis_call *c); /* NULL, or: of what `work` has */
    void *work;                            /* of a state machine; freed with the call */

    bool failed;
    enum store_outcome failure;
    char problem[320];
};

/* ---- calls --------------------------------------------------------------------------------------------- */

/* `done` comes later, exactly once. Aborts with a sentence when there is no memory even to refuse. */
void redis_call_start(struct redis_store *s, const struct store_request *request, store_done *done,
                      void *context);
/* Gives the answer, or the refusal of the first failure. The call is gone then. */
void redis_call_finish(struct redis_call *c);
/* Carries out `script` on the alias' tag, and finishes. */
void redis_call_run(struct redis_call *c);
void redis_call_fail(struct redis_call *c, enum store_outcome outcome, const char *problem);
void *redis_allocate(size_t count, size_t size); /* zeroed; aborts with a sentence instead of NULL */
char *redis_copy_text(const char *text);
char *redis_arena_text(struct redis_call *c, const char *text);
struct bytes redis_arena_bytes(struct redis_call *c, struct bytes bytes);

/* ---- steps --------------------------------------------------------------------------------------------- */

/* `reply` is NULL when the step failed; unless it was sent with `may_fail`, the call has then failed, too. */
typedef void redis_step(struct redis_call *c, void *context, const struct redisReply *reply);

struct redis_errand {
    const char *script; /* NULL: the arguments are a whole command */
    const char *tag;
    bool durable;
    bool may_fail;
    redis_step *step;
    void *context;
};

/* Takes the arguments over. */
void redis_send(struct redis_call *c, const struct redis_errand *errand, struct arguments *a);
/* "a:ALIAS" */
void redis_alias_tag(const char *alias, char out[TAG_SIZE]);
/* Arguments that begin with what every script takes. `remembered`: with the operation's id. */
void redis_arguments(struct redis_call *c, struct arguments *a, bool remembered);
/* With the events and obligations of the request. */
void redis_put_along(struct redis_call *c, struct arguments *a);
/* "GROUP.NAME" arguments with the row's digest. */
void redis_put_event(struct arguments *a, const char *group, const struct audit_event *e);
void redis_event_digest(const struct audit_event *e, uint8_t out[32]);
/* Reads a reply into the answer, and fails the call when it cannot be. */
bool redis_read(struct redis_call *c, const char *alias, const struct redisReply *reply);
/* Puts the alias into the index unless this process did so lately; then calls `step`, with NULL when that failed. */
void redis_ensure_alias(struct redis_call *c, const char *alias, redis_step *step, void *context);
/* Says to the index of due times when the alias' next obligation is due. May fail: it is only a hint. */
void redis_send_hint(struct redis_call *c, const char *alias, int64_t due, redis_step *step, void *context);

/* ---- a walk over all aliases --------------------------------------------------------------------------- */

struct redis_walk;

/* One alias at which a walk is; `numbers` and `text` are the visitor's own. */
struct redis_visit {
    struct redis_walk *walk;
    char *alias;
    const char *kept; /* the alias in the call's arena, once something of it is kept */
    int64_t numbers[4];
    char *text;    /* freed with the visit */
    char link[41]; /* of an audit row */
    struct redis_visit *next;
};

struct redis_walk {
    struct redis_call *call;
    void (*visit)(struct redis_visit *v); /* sends, and in the end calls redis_visit_end */
    void (*ended)(struct redis_call *c);  /* after the last visit, also when the call has failed */
    bool (*hold)(struct redis_call *c);   /* NULL, or: no further visit now, until one has ended */
    bool (*enough)(struct redis_call *c); /* NULL, or: no further visit at all */
    const char *only;                     /* NULL, or: this alias and no other */
    const char *const *some; /* without `only`, and unless `some_count` is 0: these and no other */
    size_t some_count;
    const char *from; /* NULL, or: aliases behind this one; first of it when `inclusive` */
    bool inclusive;
    size_t most_at_once;
    int64_t most; /* aliases; 0: all */

    struct redis_visit *waiting, **waiting_end;
    char *last; /* alias of the newest page */
    size_t active;
    int64_t visited;
    bool asking, exhausted;
};

/* Fill the members above the line first. The walk lives in the call's work. */
void redis_walk_start(struct redis_walk *w);
void redis_visit_end(struct redis_visit *v);
void redis_walk_free(struct redis_walk *w);

/* ---- pages --------------------------------------------------------------------------------------------- */

#define PLACE_NEWEST (INT64_C(1) << 53)

/* A record that belongs on the page: where it stands in the order, whose it is, its id there. */
struct redis_place {
    int64_t place;
    uint64_t print; /* of the alias: parts places that are equal */
    const char *alias;
    struct bytes id;
};

/* The oldest or newest records of all aliases, as one list. */
struct redis_list_order {
    const struct record_kind *kind;
    const struct store_list_filter *filter; /* alias, tenant, state, text */
    const char *after;                      /* cursor; NULL or "": from the start */
    int limit;
    bool forward; /* from the oldest on */
};

/* Makes the list the call's work, and finishes the call. */
void redis_list_start(struct redis_call *c, const struct redis_list_order *order);
/* Reads the records at the places, in their order, and adds them to the answer; then `ended`, also after a failure.
 * Places and their aliases are borrowed until then. */
void redis_rows_read(struct redis_call *c, const struct record_kind *kind, const struct redis_place *places,
                     size_t count, void (*ended)(struct redis_call *c));
/* The places in a reply of page.lua or audit_page.lua, one at a time; false at the end. The id is borrowed. */
bool redis_next_place(struct redis_call *c, const struct redisReply *reply, size_t *index,
                      struct redis_place *out);
/* Gives it the visited alias, and an id that lives as long as the answer. */
void redis_keep_place(struct redis_visit *v, struct redis_place *place);

/* ---- operations ---------------------------------------------------------------------------------------- */

struct redis_operation {
    const char *script;                         /* of those that are one script */
    const char *(*alias)(struct redis_call *c); /* whose tag; NULL: of none */
    const char *tag;
    void (*arguments)(struct redis_call *c, struct arguments *a);
    void (*answered)(struct redis_call *c,
                     const struct redisReply *reply); /* NULL, or: completes the answer */
    void (*start)(struct redis_call *c);              /* of those that are more */
    bool writes;     /* remembered by its id; the alias gets into the index; LOST is UNKNOWN */
    bool unpromised; /* nothing stands on it: it does not wait for replicas */
};

const struct redis_operation *redis_operation(enum store_operation o);

typedef const char *redis_alias_of(struct redis_call *c);
typedef void redis_put_arguments(struct redis_call *c, struct arguments *a);
typedef void redis_complete(struct redis_call *c, const struct redisReply *reply);
typedef void redis_handler(struct redis_call *c);

redis_alias_of redis_challenge_create_alias, redis_challenge_find_alias, redis_challenge_revoke_alias;
redis_put_arguments redis_challenge_create, redis_challenge_find, redis_challenge_revoke;
redis_alias_of redis_recall_alias, redis_begin_alias, redis_claim_alias, redis_advance_alias,
    redis_decide_alias, redis_find_alias;
redis_put_arguments redis_recall, redis_begin, redis_claim, redis_advance, redis_decide, redis_find;
redis_complete redis_begun;
redis_alias_of redis_certificate_find_alias, redis_certificate_revoke_alias, redis_certificate_release_alias;
redis_put_arguments redis_certificate_find, redis_certificate_revoke, redis_certificate_release;
redis_handler redis_revoked_list;
redis_put_arguments redis_crl_find, redis_crl_put;
redis_alias_of redis_ra_list_alias, redis_ra_put_alias, redis_lease_alias;
redis_put_arguments redis_ra_put, redis_lease;
redis_alias_of redis_obligation_put_alias, redis_obligation_done_alias;
redis_put_arguments redis_obligation_done;
redis_handler redis_obligation_claim;
redis_alias_of redis_append_alias;
redis_handler redis_verify;
redis_handler redis_list;
redis_handler redis_sweep;
redis_alias_of redis_tally_alias;
redis_put_arguments redis_tally, redis_announce;
redis_complete redis_tallied;
redis_alias_of redis_reseal_alias;
redis_put_arguments redis_reseal;
redis_handler redis_sealed_list, redis_export;
redis_alias_of redis_import_alias;
redis_handler redis_import;
redis_put_arguments redis_import_arguments;
redis_handler redis_reindex;
redis_put_arguments redis_key_check;

/* ---- shared by handlers -------------------------------------------------------------------------------- */

/* "GROUP.NAME" arguments with its id; nothing when it is NULL. */
void redis_put_certificate(struct arguments *a, const char *group, const struct certificate_record *r);
/* Obligations in the answer from `first` on: from the row's KIND/REFERENCE to the whole of it. */
void redis_obligations_complete(struct redis_call *c, size_t first);
void redis_put_obligation_row(struct arguments *a, const char *kind, const char *reference);
/* "KIND/ALIAS/REFERENCE" apart; false when it is none. `kind` and `alias` are copied into the arena. */
bool redis_obligation_split(struct arena *arena, const char *id, const char **kind, const char **alias,
                            const char **reference);
