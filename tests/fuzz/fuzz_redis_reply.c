/* fuzz_redis_reply.c: any bytes as what a Redis answers: read by hiredis, then as a script's reply and as a row of every kind. */
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "store/redis/record.h"
#include "store/redis/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* An error has a sentence, and success has none. */
static void try_row(const struct record_kind *kind, const redisReply *row)
{
    struct error e = {0};
    struct arena *arena = arena_create();
    void *record = malloc(kind->size);
    if (arena && record)
        must(record_read(kind, row, "alias", arena, record, &e) == (e.text[0] == '\0'));
    free(record);
    arena_free(arena);
}

static void try_reply(const redisReply *reply)
{
    struct error e = {0};
    struct store_answer *answer = answer_create();
    if (answer && reply_read(reply, "alias", answer, &e))
        must(answer->outcome < STORE_UNAVAILABLE);
    store_answer_free(answer);
    for (size_t i = 0; i < record_kind_count; i++)
        try_row(record_kinds[i], reply);
}

/* hiredis makes room for as many elements as an array says that it has: more than four digits are not our concern. */
static bool modest(const uint8_t *data, size_t size)
{
    size_t digits = 0;
    bool count = false;
    for (size_t i = 0; i < size; i++) {
        count = data[i] == '*' || (count && data[i] != '\r' && data[i] != '\n');
        digits = count ? digits + 1 : 0;
        if (digits > 5)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    if (!reader)
        return 0;
    if (modest(data, size) && redisReaderFeed(reader, (const char *)data, size) == REDIS_OK)
        while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
            try_reply(reply);
            freeReplyObject(reply);
        }
    redisReaderFree(reader);
    return 0;
}
