/* units.h: numbers as people write them: "24h", "1h30m", "256KiB". Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define UNIT_TEXT_SIZE 32

/* Each wants the whole text and returns false when it is no such thing or does not fit. Nothing is negative
 * but integers. */
bool integer_parse(const char *text, int64_t *out);
bool duration_parse(const char *text, int64_t *out); /* to ms; only 0 may lack its unit */
bool size_parse(const char *text, int64_t *out);     /* to bytes; a bare number is bytes */
/* The shortest exact form, in the largest unit that divides it. Return `out`. */
const char *duration_text(char out[UNIT_TEXT_SIZE], int64_t ms);
const char *size_text(char out[UNIT_TEXT_SIZE], int64_t bytes);
