/* reply.h: what a script's reply says: names and values. Everything is checked: a reply of another form is an
 * error with a sentence, never a crash. Borrowed from hiredis for the time of the callback.
 */
#pragma once

#include "base/error.h"
#include "store/answer.h"

struct redisReply;

#define REPLY_NUMBER_SIZE 24

/* A text or a number as bytes; `number` is room for the latter. False for anything else. */
bool reply_bytes(const struct redisReply *r, struct bytes *out, char number[REPLY_NUMBER_SIZE]);
/* Decimal, 64 bits, with nothing else in it. */
bool bytes_number(struct bytes text, int64_t *out);

/* The value of a name; NULL when it is not there. */
const struct redisReply *reply_find(const struct redisReply *r, const char *name);
int64_t reply_number(const struct redisReply *r, const char *name, int64_t otherwise);
/* Elements of the array under a name; 0 when it is not there. */
size_t reply_count(const struct redisReply *r, const char *name, struct redisReply *const **elements);

/* Adds what the reply says to the answer: outcome, claim, time, rows of every kind. `alias` is whose tag it
 * came from. False, with a sentence, when it is not what a script says. */
bool reply_read(const struct redisReply *r, const char *alias, struct store_answer *answer, struct error *e);
