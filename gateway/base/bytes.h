/* bytes.h: a borrowed run of bytes, and a growing buffer with a cap and a sticky failure.
 *
 * `struct bytes` never owns. `struct buffer` owns its memory: append freely, ask `failed` once at the
 * end. Beyond `max` or out of memory it frees what it held and stays failed. Memory that a buffer lets go of
 * is wiped. `data` is NULL until the first append. Not thread-safe.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data;
    size_t len;
};

struct buffer {
    uint8_t *data; /* always followed by a NUL that `len` does not count, so text can be read in place */
    size_t len;
    size_t capacity;
    size_t max;
    bool failed;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){.data = data, .len = len};
}

struct bytes bytes_of_text(const char *text);
bool bytes_equal(struct bytes a, struct bytes b);
/* A heap copy; the caller frees `data`. An empty or failed copy has data == NULL. */
struct bytes bytes_copy(struct bytes from);

void buffer_init(struct buffer *b, size_t max);
void buffer_free(struct buffer *b);
/* Empties the buffer and forgets a failure; keeps the memory. */
void buffer_reset(struct buffer *b);
void buffer_append(struct buffer *b, const void *data, size_t len);
void buffer_text(struct buffer *b, const char *text);
void buffer_format(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_vformat(struct buffer *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Room for `len` more bytes, already counted in b->len; NULL when failed. */
uint8_t *buffer_extend(struct buffer *b, size_t len);
struct bytes buffer_bytes(const struct buffer *b);
/* Hands the memory to the caller (who frees it) and leaves the buffer empty; NULL when failed. */
char *buffer_take(struct buffer *b, size_t *len);
