/* secret.h: memory for challenges, keys and tokens: wiped before it is freed, compared in constant time. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct secret {
    uint8_t *data; /* NUL-terminated for text secrets; the NUL is not counted */
    size_t len;
};

enum error_code secret_set(struct secret *s, const void *data, size_t len);
void secret_free(struct secret *s);                /* wipes; accepts NULL and empty */
bool secret_equal(struct bytes a, struct bytes b); /* time depends on the lengths only */
void secret_wipe(void *data, size_t len);
/* At least 128 random bits as text without look-alike or escape-worthy characters; `out` is NUL-terminated.
 * ERR_INTERNAL for fewer than 26 characters. */
enum error_code secret_random_text(char *out, size_t characters);
enum error_code secret_random(void *out, size_t len);
/* Reads a whole file of at most `max` bytes and drops one trailing newline. Errors name the path. */
enum error_code secret_from_file(struct secret *s, const char *path, size_t max, struct error *e);

#define ID_TEXT_SIZE 33
/* 128 random bits in lower-case hex: ids of requests, records, claims and operations. */
void random_id(char out[ID_TEXT_SIZE]);
