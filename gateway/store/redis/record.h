/* record.h: how records look in Redis: one table of fields per kind, for arguments and replies alike.
 *
 * In Redis a field is a text; empty texts and zeros are left out. Ids of 32 hex digits are kept as their 16
 * bytes. What comes from Redis is checked: a field of another form is an error, an unknown one (of a newer
 * program) is passed over. The alias is not stored with a record; its key has it.
 */
#pragma once

#include "store/answer.h"
#include "store/redis/arguments.h"

struct redisReply;

struct record_field;

struct record_kind {
    const char *noun;   /* for sentences */
    const char *rows;   /* name of its rows in a reply */
    const char *letter; /* names it to scripts; NULL: they do not ask */
    const struct record_field *fields;
    size_t field_count, size;
    size_t alias; /* offset of the alias that its key has */
    bool has_alias;
    void *(*add)(struct store_answer *answer);
};

extern const struct record_kind record_challenge, record_transaction, record_certificate, record_revocation,
    record_crl, record_ra, record_obligation, record_event, record_replica, record_tally;
extern const struct record_kind *const record_kinds[];
extern const size_t record_kind_count;

/* "GROUP.NAME" value for every field that is not empty. */
void record_put(struct arguments *a, const char *group, const struct record_kind *kind, const void *record);
/* An id in the form in which Redis has it. */
void record_put_id(struct arguments *a, const char *name, const char *id);
void record_put_chain(struct arguments *a, const char *group, const struct bytes *chain, size_t count);
void record_put_grouped(struct arguments *a, const char *group, const char *name, struct bytes value);

/* Reads a row (names and values) into `record`, which is zeroed before. Everything is copied into the arena.
 * False, with a sentence, when a field is missing or odd. */
bool record_read(const struct record_kind *kind, const struct redisReply *row, const char *alias,
                 struct arena *arena, void *record, struct error *e);

/* What names a transaction's generations, and a certificate: the first 16 bytes of a SHA-256. */
#define RECORD_NAME_SIZE 16
void record_transaction_name(const struct transaction_key *key, uint8_t out[RECORD_NAME_SIZE]);
void record_certificate_name(const char *issuer_sha256, const char *serial, uint8_t out[RECORD_NAME_SIZE]);
