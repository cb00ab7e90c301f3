/* value.h: one value of a row: read from a node with its place, compared, freed. One thread until it is in a
 * snapshot. */
#pragma once

#include "settings/block.h"
#include "settings/node.h"
#include "settings/snapshot.h"

#define SETTING_SECRET_MAX  ((size_t)64 * 1024)
#define SETTING_SECRET_MASK "********"

struct rule_set {
    struct pattern_rule *items; /* their texts belong to `names` and `blocks` */
    size_t count;
    char **names;
    struct setting_block **blocks; /* rows of schema_rule */
};

struct setting_value {
    uint16_t row; /* index in the block's rows; SETTING_NO_ROW: unset */
    struct place at;
    union {
        int64_t number;               /* BOOL, INT, SIZE, DURATION */
        char *text;                   /* TEXT, PATH, CHOICE, REFERENCE */
        struct text_list list;        /* LIST, PATHS, CHOICES */
        struct secret_source *secret; /* SECRET */
        struct rule_set *rules;       /* RULES */
    };
};

#define SETTING_NO_ROW UINT16_MAX

/* What reading needs around the text itself. */
struct reader {
    struct problems *problems;
    const char *folder;    /* of relative paths */
    size_t inline_secrets; /* `value:` seen so far */
};

/* false: a problem was added and `out` holds nothing. */
bool value_read(struct reader *r, struct setting_value *out, const struct setting_row *row,
                const struct node *n);
void value_free(struct setting_value *v, const struct setting_row *row);
bool value_equal(const struct setting_value *a, const struct setting_value *b, const struct setting_row *row);

/* rules.c */
bool rules_read(struct reader *r, struct rule_set **out, const struct setting_row *row,
                const struct node *map);
void rules_free(struct rule_set *rules);
bool rules_equal(const struct rule_set *a, const struct rule_set *b);

/* secrets.c */
bool secret_source_read(struct reader *r, struct secret_source **out, const struct setting_row *row,
                        const struct node *n);
void secret_source_free(struct secret_source *s);
bool secret_source_equal(const struct secret_source *a, const struct secret_source *b);

char *path_join(const char *folder, const char *path); /* NULL when out of memory */
bool text_list_equal(const struct text_list *a, const struct text_list *b);
/* The index of a word in words separated by spaces; -1 when it is none of them. */
int choice_index(const char *choices, const char *word);
/* Cuts a copy of `choices` into words; returns their number (at most `max`). `copy` holds the words and is
 * freed by the caller. */
size_t choice_words(const char *choices, char **copy, const char **words, size_t max);
