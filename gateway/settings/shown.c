/* shown.c: see shown.h. */
#include "settings/shown.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Length of the character at p: 1 for ASCII and for anything that is no UTF-8. */
static size_t character_length(const uint8_t *p)
{
    size_t want = p[0] >= 0xF0 && p[0] < 0xF5 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC2 ? 2 : 1;
    if (p[0] < 0xC2 || p[0] >= 0xF5)
        return 1;
    for (size_t i = 1; i < want; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
    }
    return want;
}

/* Printable as it is? Not: controls (C1 too), quotes, stray bytes, and marks that turn the direction of a
 * line. */
static bool printable(const uint8_t *p, size_t len)
{
    if (len == 1)
        return p[0] >= 0x20 && p[0] < 0x7F && p[0] != '"' && p[0] != '\\';
    if (len == 2 && p[0] == 0xC2 && p[1] < 0xA0)
        return false;
    if (len == 3 && p[0] == 0xE2 && p[1] == 0x80 && (p[2] >= 0x8B && p[2] <= 0xAF))
        return false;
    return !(len == 3 && p[0] == 0xE2 && p[1] == 0x81 && p[2] >= 0xA0 && p[2] <= 0xAF);
}

const char *shown(char out[SHOWN_SIZE], const char *text)
{
    static const char more[] = "…";
    const uint8_t *p = (const uint8_t *)(text ? text : "");
    size_t used = 0;
    while (*p) {
        size_t len = character_length(p);
        bool plain = printable(p, len);
        size_t need = plain ? len : 4 * len;
        if (used + need + sizeof more > SHOWN_SIZE) {
            memcpy(out + used, more, sizeof more);
            return out;
        }
        if (plain)
            memcpy(out + used, p, len);
        for (size_t i = 0; !plain && i < len; i++)
            snprintf(out + used + 4 * i, 5, "\\x%02x", p[i]);
        used += need;
        p += len;
    }
    out[used] = '\0';
    return out;
}

#define WORD_MAX 40

/* Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1], rows = strlen(a), columns = strlen(b);
    if (rows > WORD_MAX || columns > WORD_MAX)
        return WORD_MAX;
    for (size_t i = 0; i <= rows; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= columns; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        for (size_t j = 1; j <= columns; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[rows][columns];
}

const char *closest_word(const char *word, const char *const *words, size_t count)
{
    size_t len = strlen(word), limit = len < 3 ? 1 : len / 3, best = WORD_MAX;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, words[i]);
        if (strcasecmp(word, words[i]) == 0)
            distance = 0;
        else if (len >= 3 && distance > limit && strncmp(word, words[i], len) == 0) /* cut short: "warn" */
            distance = limit;
        if (distance <= limit && distance < best) {
            best = distance;
            found = words[i];
        }
    }
    return found;
}
