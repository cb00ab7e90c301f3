/* bytes.c: see bytes.h. Memory that a buffer lets go of is wiped, because a buffer may have held a challenge.
 */
#include "base/bytes.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 128

struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, text ? strlen(text) : 0);
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

struct bytes bytes_copy(struct bytes from)
{
    uint8_t *copy = from.len > 0 ? malloc(from.len) : NULL;
    if (!copy)
        return bytes_of(NULL, 0);
    memcpy(copy, from.data, from.len);
    return bytes_of(copy, from.len);
}

static void release(struct buffer *b)
{
    if (b->data)
        OPENSSL_cleanse(b->data, b->len);
    free(b->data);
    b->data = NULL;
    b->len = 0;
    b->capacity = 0;
}

void buffer_init(struct buffer *b, size_t max)
{
    *b = (struct buffer){.max = max};
}

void buffer_free(struct buffer *b)
{
    if (!b)
        return;
    release(b);
    b->failed = false;
}

void buffer_reset(struct buffer *b)
{
    if (b->data) {
        OPENSSL_cleanse(b->data, b->len);
        b->data[0] = 0;
    }
    b->len = 0;
    b->failed = false;
}

static void fail(struct buffer *b)
{
    release(b);
    b->failed = true;
}

/* `needed` counts the NUL. Not realloc, which would leave an unwiped copy behind. */
static bool grow(struct buffer *b, size_t needed)
{
    size_t capacity = b->capacity > 0 ? b->capacity : SMALLEST;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    uint8_t *data = malloc(capacity);
    if (!data)
        return false;
    size_t len = b->len;
    if (len > 0)
        memcpy(data, b->data, len);
    release(b);
    b->data = data;
    b->len = len;
    b->capacity = capacity;
    return true;
}

uint8_t *buffer_extend(struct buffer *b, size_t len)
{
    if (b->failed)
        return NULL;
    /* max is at most SIZE_MAX - 1 in effect: the NUL needs its byte too. */
    size_t max = b->max < SIZE_MAX ? b->max : SIZE_MAX - 1;
    if (b->len > max || len > max - b->len) {
        fail(b);
        return NULL;
    }
    if (b->len + len + 1 > b->capacity && !grow(b, b->len + len + 1)) {
        fail(b);
        return NULL;
    }
    uint8_t *room = b->data + b->len;
    b->len += len;
    b->data[b->len] = 0;
    return room;
}

void buffer_append(struct buffer *b, const void *data, size_t len)
{
    uint8_t *room = buffer_extend(b, len);
    if (room && len > 0)
        memcpy(room, data, len);
}

void buffer_text(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

void buffer_format(struct buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buffer_vformat(b, format, args);
    va_end(args);
}

void buffer_vformat(struct buffer *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) {
        fail(b);
        return;
    }
    uint8_t *room = buffer_extend(b, (size_t)len);
    if (room)
        vsnprintf((char *)room, (size_t)len + 1, format, args);
}

struct bytes buffer_bytes(const struct buffer *b)
{
    return bytes_of(b->data, b->len);
}

char *buffer_take(struct buffer *b, size_t *len)
{
    if (len)
        *len = b->failed ? 0 : b->len;
    if (!b->failed && !b->data)
        buffer_append(b, "", 0);
    char *taken = (char *)b->data;
    b->data = NULL;
    b->len = 0;
    b->capacity = 0;
    return taken;
}
