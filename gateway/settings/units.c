/* units.c: see units.h. */
#include "settings/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, for printing; weeks are read only, since "14d" is what one expects to see again. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit weeks = {"w", 7 * INT64_C(86400000)};
static const struct unit sizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

bool integer_parse(const char *text, int64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)text[text[0] == '-']))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return !*end && errno == 0;
}

static const struct unit *unit_find(const struct unit *units, size_t count, const char *name, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == len && strncmp(units[i].name, name, len) == 0)
            return &units[i];
    }
    return NULL;
}

/* Digits at *text; moves behind them. */
static bool take_digits(const char **text, int64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *out = strtoll(*text, &end, 10);
    *text = end;
    return errno == 0;
}

bool duration_parse(const char *text, int64_t *out)
{
    *out = 0;
    if (strcmp(text, "0") == 0)
        return true;
    do {
        int64_t number;
        if (!take_digits(&text, &number))
            return false;
        size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz");
        const struct unit *u = unit_find(durations, COUNT(durations), text, len);
        if (!u)
            u = unit_find(&weeks, 1, text, len);
        if (!u || __builtin_mul_overflow(number, u->factor, &number) ||
            __builtin_add_overflow(*out, number, out))
            return false;
        text += len;
    } while (*text);
    return true;
}

bool size_parse(const char *text, int64_t *out)
{
    if (!take_digits(&text, out))
        return false;
    if (!*text)
        return true;
    const struct unit *u = unit_find(sizes, COUNT(sizes), text, strlen(text));
    return u && !__builtin_mul_overflow(*out, u->factor, out);
}

static const char *unit_text(char out[UNIT_TEXT_SIZE], int64_t number, const struct unit *units, size_t count)
{
    size_t i = 0;
    while (i + 1 < count && (number % units[i].factor != 0 || number < units[i].factor))
        i++;
    snprintf(out, UNIT_TEXT_SIZE, "%" PRId64 "%s", number / units[i].factor, units[i].name);
    return out;
}

const char *duration_text(char out[UNIT_TEXT_SIZE], int64_t ms)
{
    if (ms == 0)
        return memcpy(out, "0", 2);
    return unit_text(out, ms, durations, COUNT(durations));
}

const char *size_text(char out[UNIT_TEXT_SIZE], int64_t bytes)
{
    return unit_text(out, bytes, sizes, COUNT(sizes));
}
