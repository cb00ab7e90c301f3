/* shown.h: foreign text made fit for a sentence: escaped, shortened, in the caller's memory. Pure. */
#pragma once

#include <stddef.h>

#define SHOWN_SIZE 72

/* Control characters, quotes, backslashes and what could disguise a line become \xNN; a long text ends in
 * "…". Returns `out`. */
const char *shown(char out[SHOWN_SIZE], const char *text);
/* The closest of `count` words within a small edit distance, or NULL: what "did you mean" names. */
const char *closest_word(const char *word, const char *const *words, size_t count);
