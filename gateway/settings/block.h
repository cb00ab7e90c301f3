/* block.h: rows of settings, and the values that a file gave them.
 *
 * A row is the only place where a setting is defined: it parses, checks, prints, documents. Built-in sections
 * bind rows to struct members (`offset`); a backend's rows are read by name through setting_block_*.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum setting_type {
    SETTING_BOOL,
    SETTING_INT,
    SETTING_SIZE,     /* "256KiB", "2MiB" */
    SETTING_DURATION, /* "30s", "5m", "24h", "365d", "500ms" */
    SETTING_TEXT,
    SETTING_PATH,      /* relative to the file's folder */
    SETTING_CHOICE,    /* one word of `choices` */
    SETTING_LIST,      /* texts; a single text is a list of one */
    SETTING_PATHS,     /* list of paths */
    SETTING_CHOICES,   /* list of words of `choices` */
    SETTING_SECRET,    /* {file: …} | {env: …} | {value: …}; with SETTING_PLAIN also a text */
    SETTING_REFERENCE, /* name of a section of the kind that `choices` begins with ("backends"), or a further
                          word of it */
    SETTING_RULES,     /* map of name -> rule (struct pattern_rule); with `choices`, only those names */
};

#define SETTING_REQUIRED     0x1
#define SETTING_FROZEN       0x2  /* changing it needs a restart */
#define SETTING_SECRET_VALUE 0x4  /* masked in print-outs */
#define SETTING_BITS         0x8  /* bound to a uint32_t: bit n for the n-th choice (CHOICES) */
#define SETTING_WORD         0x10 /* bound to the word itself, not to its number (CHOICE) */
#define SETTING_UNBOUND      0x20 /* has no member of its own; load.c derives what it means */
#define SETTING_PLAIN        0x40 /* a text alone is its value; no secret as such, but it can hold one (SECRET) */
#define SETTING_LOCAL        0x80 /* may differ between gateways that share a store (agreement.h) */

struct setting_row {
    const char *path; /* "challenge.ttl": dots descend into maps */
    enum setting_type type;
    size_t offset; /* into the section's struct; ignored for backends */
    int64_t min,
        max; /* INT, SIZE, DURATION (ms); texts: length; lists: number of items; max 0: no limit of its own */
    const char *initial; /* the default, written as YAML would; NULL: none */
    const char *choices; /* words separated by spaces */
    unsigned flags;
    const char *help; /* a sentence or two, for the reference */
    /* What a text must look like beyond type and range, or NULL. May normalise in place, not lengthen. On
     * false `why` goes on after the quoted text: "is no address; write …". Names of RULES are checked too. */
    bool (*check)(char *text, char *why, size_t size);
};

struct setting_block;

/* For backends: values by path; the row must exist and have that type (a programming error aborts). */
const char *setting_block_text(const struct setting_block *b,
                               const char *path); /* TEXT, PATH, CHOICE, REFERENCE, SECRET; NULL when unset */
int64_t setting_block_number(const struct setting_block *b, const char *path); /* BOOL, INT, SIZE, DURATION */
size_t setting_block_count(const struct setting_block *b, const char *path);   /* LIST, PATHS, CHOICES */
const char *setting_block_item(const struct setting_block *b, const char *path, size_t index);
/* Where the value, or else the whole block, stands: "file:line:column". Returns `out`. */
const char *setting_block_origin(const struct setting_block *b, const char *path, char *out, size_t size);
/* The same effective values (texts, numbers, loaded secrets), wherever they were written. Rows must be the
 * same table. */
bool setting_block_equal(const struct setting_block *a, const struct setting_block *b);
