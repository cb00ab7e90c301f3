/* patterns.c: compiled once, matched within limits, so that no name makes a careless pattern expensive. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "backends/manual/patterns.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_LIMIT 10000
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT  1024 /* KiB */
#define FLAGS       (PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED | PCRE2_ENDANCHORED)

struct patterns {
    pcre2_match_context *limits;
    size_t count;
    pcre2_code *codes[];
};

static bool compile(struct patterns *p, const char *text, char *problem, size_t size)
{
    int code;
    PCRE2_SIZE offset;
    PCRE2_UCHAR message[128];
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, FLAGS, &code, &offset, NULL);
    if (compiled) {
        p->codes[p->count++] = compiled;
        return true;
    }
    pcre2_get_error_message(code, message, sizeof message);
    snprintf(problem, size, "the pattern \"%.100s\" is wrong at character %zu: %s", text, offset + 1,
             (const char *)message);
    return false;
}

bool patterns_create(struct patterns **out, const char *const *texts, size_t count, char *problem,
                     size_t size)
{
    *out = NULL;
    struct patterns *p = calloc(1, sizeof *p + count * sizeof(pcre2_code *));
    bool good = p && (p->limits = pcre2_match_context_create(NULL));
    if (!good)
        snprintf(problem, size, "out of memory");
    if (good) {
        pcre2_set_match_limit(p->limits, MATCH_LIMIT);
        pcre2_set_depth_limit(p->limits, DEPTH_LIMIT);
        pcre2_set_heap_limit(p->limits, HEAP_LIMIT);
    }
    for (size_t i = 0; good && i < count; i++)
        good = compile(p, texts[i], problem, size);
    if (good)
        *out = p;
    else
        patterns_free(p);
    return good;
}

void patterns_free(struct patterns *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        pcre2_code_free(p->codes[i]);
    pcre2_match_context_free(p->limits);
    free(p);
}

/* What cannot be decided (no text, beyond a limit, no memory) counts as a match: a match holds the request. */
bool patterns_match(const struct patterns *p, const char *text)
{
    bool match = false;
    for (size_t i = 0; !match && i < p->count; i++) {
        pcre2_match_data *data = pcre2_match_data_create_from_pattern(p->codes[i], NULL);
        int result = data ? pcre2_match(p->codes[i], (PCRE2_SPTR)text, strlen(text), 0, 0, data, p->limits)
                          : PCRE2_ERROR_NOMEMORY;
        match = result != PCRE2_ERROR_NOMATCH;
        pcre2_match_data_free(data);
    }
    return match;
}
