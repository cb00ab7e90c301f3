/* arguments.c: see arguments.h. */
#include "store/redis/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST (64 * 1024 * 1024) /* bytes of one command */

void arguments_init(struct arguments *a)
{
    *a = (struct arguments){0};
    buffer_init(&a->data, MOST);
}

void arguments_free(struct arguments *a)
{
    buffer_free(&a->data);
    free(a->ends);
    a->ends = NULL;
    a->count = a->capacity = 0;
}

static bool make_room(struct arguments *a)
{
    if (a->count < a->capacity)
        return true;
    size_t capacity = a->capacity ? 2 * a->capacity : 32;
    size_t *ends = realloc(a->ends, capacity * sizeof *ends);
    if (!ends)
        return false;
    a->ends = ends;
    a->capacity = capacity;
    return true;
}

void arguments_bytes(struct arguments *a, struct bytes word)
{
    buffer_append(&a->data, word.data, word.len);
    if (a->data.failed || !make_room(a)) {
        a->failed = true;
        return;
    }
    a->ends[a->count++] = a->data.len;
}

void arguments_text(struct arguments *a, const char *word)
{
    arguments_bytes(a, bytes_of_text(word ? word : ""));
}

void arguments_number(struct arguments *a, int64_t word)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)word);
    arguments_text(a, text);
}

struct bytes arguments_word(const struct arguments *a, size_t index)
{
    size_t start = index ? a->ends[index - 1] : 0;
    return bytes_of(a->data.data + start, a->ends[index] - start);
}

void argument_bytes(struct arguments *a, const char *name, struct bytes value)
{
    if (value.len == 0)
        return;
    arguments_text(a, name);
    arguments_bytes(a, value);
}

void argument_text(struct arguments *a, const char *name, const char *value)
{
    argument_bytes(a, name, bytes_of_text(value ? value : ""));
}

void argument_number(struct arguments *a, const char *name, int64_t value)
{
    arguments_text(a, name);
    arguments_number(a, value);
}
