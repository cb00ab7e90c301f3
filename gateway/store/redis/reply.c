/* reply.c: see reply.h. */
#include "store/redis/reply.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/record.h"

bool reply_bytes(const struct redisReply *r, struct bytes *out, char number[REPLY_NUMBER_SIZE])
{
    if (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS) {
        *out = bytes_of(r->str, r->len);
        return true;
    }
    if (r->type != REDIS_REPLY_INTEGER)
        return false;
    *out = bytes_of(number, (size_t)snprintf(number, REPLY_NUMBER_SIZE, "%lld", r->integer));
    return true;
}

bool bytes_number(struct bytes text, int64_t *out)
{
    char copy[REPLY_NUMBER_SIZE];
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (strspn(copy, "-0123456789") != text.len)
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(copy, &end, 10);
    *out = value;
    return errno == 0 && *end == '\0';
}

const struct redisReply *reply_find(const struct redisReply *r, const char *name)
{
    for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i + 1 < r->elements; i += 2) {
        struct bytes text;
        char number[REPLY_NUMBER_SIZE];
        if (reply_bytes(r->element[i], &text, number) && bytes_equal(text, bytes_of_text(name)))
            return r->element[i + 1];
    }
    return NULL;
}

int64_t reply_number(const struct redisReply *r, const char *name, int64_t otherwise)
{
    const struct redisReply *value = reply_find(r, name);
    struct bytes text;
    char number[REPLY_NUMBER_SIZE];
    int64_t out;
    return value && reply_bytes(value, &text, number) && bytes_number(text, &out) ? out : otherwise;
}

size_t reply_count(const struct redisReply *r, const char *name, struct redisReply *const **elements)
{
    const struct redisReply *value = reply_find(r, name);
    if (!value || value->type != REDIS_REPLY_ARRAY)
        return 0;
    *elements = value->element;
    return value->elements;
}

static bool read_outcome(const struct redisReply *r, struct store_answer *answer)
{
    const struct redisReply *value = reply_find(r, "outcome");
    struct bytes text;
    char number[REPLY_NUMBER_SIZE];
    if (!value || !reply_bytes(value, &text, number))
        return false;
    for (enum store_outcome o = STORE_OK; o < STORE_UNAVAILABLE; o++)
        if (bytes_equal(text, bytes_of_text(store_outcome_name(o)))) {
            answer->outcome = o;
            return true;
        }
    return false;
}

static bool read_rows(const struct redisReply *r, const struct record_kind *kind, const char *alias,
                      struct store_answer *answer, struct error *e)
{
    struct redisReply *const *rows;
    size_t count = reply_count(r, kind->rows, &rows);
    for (size_t i = 0; i < count; i++) {
        void *record = kind->add(answer);
        if (!record) {
            error_set(e, ERR_INTERNAL, "out of memory");
            return false;
        }
        if (!record_read(kind, rows[i], alias, answer->arena, record, e))
            return false;
    }
    return true;
}

bool reply_read(const struct redisReply *r, const char *alias, struct store_answer *answer, struct error *e)
{
    if (!read_outcome(r, answer)) {
        error_set(e, ERR_STORE_BROKEN, "Redis answered with something else than a script's reply");
        return false;
    }
    answer->now = reply_number(r, "now", 0);
    answer->claim = (uint64_t)reply_number(r, "claim", 0);
    answer->total = reply_number(r, "total", 0);
    answer->repeated = reply_number(r, "repeated", 0) != 0;
    for (size_t i = 0; i < record_kind_count; i++)
        if (!read_rows(r, record_kinds[i], alias, answer, e))
            return false;
    return true;
}
