/* problem.h: a sentence for the operator: what is wrong, where, and what to do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct problem {
    char *text; /* the caller's buffer */
    size_t size;
};

/* Fills the text and returns false, so that `return problem_say(p, "…")` reads well. */
bool problem_say(struct problem *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As problem_say, with the newest OpenSSL error behind it; the OpenSSL queue is cleared. */
bool problem_openssl(struct problem *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
