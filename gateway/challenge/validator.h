/* validator.h: what the validators of this room share. Private to the room.
 *
 * To add a validator: a file with a `validate` function, its row in challenge.c, its type in the settings.
 */
#pragma once

#include "challenge/challenge.h"

struct limiter;
struct sharing;

struct challenge_service {
    struct event_base *base;
    struct store *store;
    const struct keys *keys;
    const struct clock *clock;
    struct limiter *limiter;
    struct sharing *sharing;
};

/* One look at one challenge, from challenge_validate to its completion. */
struct validation {
    struct challenge_service *service;
    const struct alias_settings *settings; /* the caller holds the alias */
    const struct csr *csr;
    char client_address[64];
    char given_back[ID_TEXT_SIZE];
    bool used_is_good;
    challenge_done *done;
    void *context;
    struct challenge_verdict verdict;
    struct store_request request;
};

/* Fills code and text of the verdict. The text goes to log and audit: ids and names, never the challenge. */
void validation_decide(struct validation *v, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void validation_complete(struct validation *v); /* calls `done` and frees; not inside challenge_validate */
void validation_defer(struct validation *v);    /* the same in the next turn of the loop */

/* Each ends in exactly one of the two. The challenge is present and not empty but for none_validate. */
void one_time_validate(struct validation *v);
void fixed_validate(struct validation *v);
