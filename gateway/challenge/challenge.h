/* challenge.h: is the challengePassword good? Validators look; they bind nothing (that is transaction
 * begin's).
 *
 * Loop thread. The completion is called exactly once, never inside challenge_validate; the caller holds the
 * alias until then. Refused, expired, reused and otherwise bound challenges count as failed attempts; a
 * missing one, a right one and an unreachable store do not.
 */
#pragma once

#include "alias/alias.h"
#include "scep/csr.h"
#include "store/store.h"

struct challenge_service;

struct challenge_facts {
    const struct csr *csr;      /* alive until the completion */
    const char *client_address; /* without port */
    bool used_is_good;          /* one that was used up passes, binds nothing and is no failed attempt */
    const char
        *given_back; /* id of a challenge that gets one use back when this request begins; NULL: none */
};

struct challenge_verdict {
    enum error_code code;            /* ERR_OK, ERR_CHALLENGE_*, ERR_STORE_UNAVAILABLE */
    char challenge_id[ID_TEXT_SIZE]; /* ERR_OK: to bind at begin, "" when there is none; else whose it was,
                                        when known */
    char bound_to[ID_TEXT_SIZE];     /* ERR_CHALLENGE_REUSED: the transaction that has it */
    char text[160];                  /* for log and audit */
};

typedef void challenge_done(void *context, const struct challenge_verdict *verdict);

struct challenge_service *challenge_service_create(struct event_base *base, struct store *store,
                                                   const struct keys *keys, const struct clock *clock);
void challenge_service_free(struct challenge_service *s); /* no validation is running */
void challenge_validate(struct challenge_service *s, struct alias *alias, const struct challenge_facts *facts,
                        challenge_done *done, void *context);
/* A refused challenge at begin counts as well. Limits are per alias and per source address (settings), and are
 * shared by the replicas of one store (limiter.h). */
void challenge_failed(struct challenge_service *s, const struct alias *alias, const char *client_address);

/* What an operator asks for; NULL members are free. `ttl` and `uses` 0: the alias' defaults. */
struct challenge_order {
    int64_t ttl;
    int uses;
    const char *bind_cn, *bind_san, *bind_device, *bind_spki_sha256;
    const char *labels; /* JSON object */
    const char *created_by;
};

#define CHALLENGE_TEXT_SIZE 33
/* Makes the secret (32 characters of a 32-letter alphabet without look-alikes: 160 bits) and fills a
 * STORE_CHALLENGE_CREATE request; the request borrows `id`, the order's texts, the alias' name and the key
 * ring. The text is shown to the operator once and never stored. ERR_POLICY_REFUSED with a sentence when the
 * alias does not use one-time challenges or the order is out of its bounds. */
enum error_code challenge_prepare(struct store_request *request, char text[CHALLENGE_TEXT_SIZE],
                                  char id[ID_TEXT_SIZE], const struct alias_settings *alias,
                                  const struct challenge_order *order, const struct keys *keys,
                                  struct error *e);
