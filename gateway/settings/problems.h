/* problems.h: what is wrong with a settings file: collected, each with its place. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define PROBLEMS_MAX 50 /* lines of each kind; the rest is counted */

struct place {
    uint32_t line, column; /* from 1; line 0: not from the file */
};

struct problems {
    const char *file;
    struct buffer *errors; /* both may be NULL */
    struct buffer *warnings;
    size_t error_count;
    size_t warning_count;
};

void problem(struct problems *p, struct place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void warning(struct problems *p, struct place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says how many lines were left out. */
void problems_close(struct problems *p);
