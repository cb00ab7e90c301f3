/* arguments.h: the words of one Redis command, binary-safe, in one growing allocation.
 *
 * Append freely, ask `failed` once at the end. Scripts take named arguments: a name, then its value. Loop
 * thread.
 */
#pragma once

#include "base/bytes.h"

struct arguments {
    struct buffer data;
    size_t *ends; /* of each word in `data` */
    size_t count, capacity;
    bool failed;
};

void arguments_init(struct arguments *a);
void arguments_free(struct arguments *a);
void arguments_bytes(struct arguments *a, struct bytes word);
void arguments_text(struct arguments *a, const char *word); /* NULL counts as empty */
void arguments_number(struct arguments *a, int64_t word);
struct bytes arguments_word(const struct arguments *a, size_t index);

/* Name and value. An empty value is left out: scripts take what is missing for empty. */
void argument_bytes(struct arguments *a, const char *name, struct bytes value);
void argument_text(struct arguments *a, const char *name, const char *value);
void argument_number(struct arguments *a, const char *name, int64_t value); /* 0 is written, too */
