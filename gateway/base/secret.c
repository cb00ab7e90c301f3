/* secret.c: see secret.h. */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 32 letters, so that five bits of a random byte choose one without bias. No 0 O 1 l I, no upper case to
 * mistype. */
static const char alphabet[] = "23456789abcdefghijkmnpqrstuvwxyz";
_Static_assert(sizeof alphabet == 33, "five bits choose a letter");
#define FEWEST_CHARACTERS 26 /* 130 bits */

enum error_code secret_set(struct secret *s, const void *data, size_t len)
{
    uint8_t *copy = len < SIZE_MAX ? malloc(len + 1) : NULL;
    if (!copy)
        return ERR_INTERNAL;
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = 0;
    secret_free(s);
    s->data = copy;
    s->len = len;
    return ERR_OK;
}

void secret_free(struct secret *s)
{
    if (!s)
        return;
    if (s->data)
        secret_wipe(s->data, s->len);
    free(s->data);
    s->data = NULL;
    s->len = 0;
}

bool secret_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void secret_wipe(void *data, size_t len)
{
    if (data)
        OPENSSL_cleanse(data, len);
}

enum error_code secret_random(void *out, size_t len)
{
    uint8_t *place = out;
    while (len > 0) { /* RAND_bytes counts in int */
        int step = len > 65536 ? 65536 : (int)len;
        if (RAND_bytes(place, step) != 1)
            return error_set_openssl(NULL, ERR_INTERNAL, "no random bytes");
        place += step;
        len -= (size_t)step;
    }
    return ERR_OK;
}

enum error_code secret_random_text(char *out, size_t characters)
{
    out[0] = 0;
    if (characters < FEWEST_CHARACTERS)
        return ERR_INTERNAL;
    enum error_code code = secret_random(out, characters);
    if (code != ERR_OK) {
        out[0] = 0;
        return code;
    }
    for (size_t i = 0; i < characters; i++)
        out[i] = alphabet[(uint8_t)out[i] & 31];
    out[characters] = 0;
    return ERR_OK;
}

void random_id(char out[ID_TEXT_SIZE])
{
    uint8_t bits[16];
    if (secret_random(bits, sizeof bits) != ERR_OK) {
        fputs("the system's random generator does not work\n", stderr);
        abort();
    }
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof bits; i++) {
        out[2 * i] = digits[bits[i] >> 4];
        out[2 * i + 1] = digits[bits[i] & 15];
    }
    out[ID_TEXT_SIZE - 1] = 0;
}

/* Up to `size` bytes; -1 with errno set on failure. */
static ssize_t read_up_to(int fd, uint8_t *data, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, data + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static size_t without_newline(const uint8_t *data, size_t len)
{
    if (len > 0 && data[len - 1] == '\n')
        len -= len > 1 && data[len - 2] == '\r' ? 2 : 1;
    return len;
}

enum error_code secret_from_file(struct secret *s, const char *path, size_t max, struct error *e)
{
    if (max > SIZE_MAX / 2)
        max = SIZE_MAX / 2;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_set(e, ERR_FILE_UNREADABLE, "%s: %s", path, error_errno(errno));
    uint8_t *data = malloc(max + 1);
    if (!data) {
        close(fd);
        return error_set(e, ERR_INTERNAL, "%s: out of memory", path);
    }
    ssize_t len = read_up_to(fd, data, max + 1);
    int number = errno;
    close(fd);
    enum error_code code;
    if (len < 0)
        code = error_set(e, ERR_FILE_UNREADABLE, "%s: %s", path, error_errno(number));
    else if ((size_t)len > max)
        code = error_set(e, ERR_FILE_UNREADABLE, "%s: is larger than the %zu bytes that are expected here",
                         path, max);
    else
        code = secret_set(s, data, without_newline(data, (size_t)len));
    secret_wipe(data, max + 1);
    free(data);
    return code;
}
