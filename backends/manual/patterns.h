/* patterns.h: regular expressions that a whole text must match one of (PCRE2). Any thread may ask. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct patterns;

/* False, *out NULL and a sentence in `problem` when one of them is wrong. */
bool patterns_create(struct patterns **out, const char *const *texts, size_t count, char *problem,
                     size_t size);
void patterns_free(struct patterns *p); /* accepts NULL */
bool patterns_match(const struct patterns *p, const char *text);
