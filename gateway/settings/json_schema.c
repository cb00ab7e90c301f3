/* json_schema.c: the rows as a JSON Schema (draft 2020-12), for editors that complete and check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "settings/schema.h"
#include "settings/settings.h"
#include "settings/value.h"

#define DURATION_PATTERN "^(0|([0-9]+(ms|s|m|h|d|w))+)$"
#define SIZE_PATTERN     "^[0-9]+(B|KiB|MiB|GiB)?$"
#define NAME_PATTERN     "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

static void string(struct buffer *out, const char *text)
{
    codec_json_string(out, bytes_of_text(text));
}

static void enumerate(struct buffer *out, const char *choices)
{
    const char *words[64];
    CLEANUP(memory) char *copy = NULL;
    size_t count = choice_words(choices, &copy, words, 64);
    buffer_text(out, "\"enum\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(out, i ? "," : "");
        string(out, words[i]);
    }
    buffer_text(out, "]");
}

/* A list, or one item alone. */
static void list(struct buffer *out, const struct setting_row *row)
{
    for (int alone = 1; alone >= 0; alone--) {
        buffer_text(out, alone ? "\"anyOf\":[{" : "},{\"type\":\"array\",\"items\":{");
        if (row->type == SETTING_CHOICES)
            enumerate(out, row->choices);
        else
            buffer_text(out, "\"type\":[\"string\",\"number\",\"boolean\"]");
    }
    buffer_text(out, "}");
    if (row->min)
        buffer_format(out, ",\"minItems\":%lld", (long long)row->min);
    if (row->max)
        buffer_format(out, ",\"maxItems\":%lld", (long long)row->max);
    buffer_text(out, "}]");
}

static void number(struct buffer *out, const struct setting_row *row)
{
    buffer_text(out, "\"type\":\"integer\"");
    if (row->min || row->max)
        buffer_format(out, ",\"minimum\":%lld", (long long)row->min);
    if (row->max)
        buffer_format(out, ",\"maximum\":%lld", (long long)row->max);
}

static void object(struct buffer *out, const struct setting_row *rows, size_t count, const char *prefix);

static void rules(struct buffer *out, const struct setting_row *row)
{
    buffer_text(out, "\"type\":[\"object\",\"null\"],");
    if (row->choices) {
        buffer_text(out, "\"propertyNames\":{");
        enumerate(out, row->choices);
        buffer_text(out, "},");
    }
    buffer_text(out, "\"additionalProperties\":{\"$ref\":\"#/$defs/rule\"}");
}

static void type(struct buffer *out, const struct setting_row *row)
{
    switch (row->type) {
    case SETTING_BOOL:
        buffer_text(out, "\"type\":\"boolean\"");
        break;
    case SETTING_INT:
        number(out, row);
        break;
    case SETTING_SIZE:
        buffer_text(out, "\"type\":[\"string\",\"integer\"],\"pattern\":\"" SIZE_PATTERN "\"");
        break;
    case SETTING_DURATION:
        buffer_text(out,
                    "\"anyOf\":[{\"type\":\"string\",\"pattern\":\"" DURATION_PATTERN "\"},{\"const\":0}]");
        break;
    case SETTING_CHOICE:
        enumerate(out, row->choices);
        break;
    case SETTING_LIST:
    case SETTING_PATHS:
    case SETTING_CHOICES:
        list(out, row);
        break;
    case SETTING_SECRET:
        buffer_text(out, row->flags & SETTING_PLAIN
                             ? "\"anyOf\":[{\"type\":\"string\"},{\"$ref\":\"#/$defs/secret\"}]"
                             : "\"$ref\":\"#/$defs/secret\"");
        break;
    case SETTING_RULES:
        rules(out, row);
        break;
    default: /* a plain YAML scalar may look like a number and is a text all the same */
        buffer_text(out, "\"type\":[\"string\",\"number\",\"boolean\"]");
        break;
    }
}

static void property(struct buffer *out, const struct setting_row *row, const char *name)
{
    string(out, name);
    buffer_text(out, ":{");
    type(out, row);
    buffer_text(out, ",\"description\":");
    string(out, row->help);
    if (row->initial && strchr("[{'", row->initial[0]) ==
                            NULL) { /* `default` is for people; lists stand in the description */
        bool bare = row->type == SETTING_BOOL || row->type == SETTING_INT;
        buffer_text(out, ",\"default\":");
        if (bare)
            buffer_text(out, row->initial);
        else
            string(out, row->initial);
    }
    buffer_text(out, "}");
}

/* One level of the dotted paths below `prefix`. */
static void properties(struct buffer *out, const struct setting_row *rows, size_t count, const char *prefix)
{
    size_t len = strlen(prefix);
    char last[64] = "";
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        const char *path = rows[i].path;
        if (strncmp(path, prefix, len) != 0)
            continue;
        char name[64], below[128];
        size_t part = strcspn(path + len, ".");
        snprintf(name, sizeof name, "%.*s", (int)part, path + len);
        if (strcmp(name, last) == 0)
            continue;
        memcpy(last, name, sizeof last);
        buffer_text(out, first ? "" : ",");
        first = false;
        if (!path[len + part]) {
            property(out, &rows[i], name);
            continue;
        }
        snprintf(below, sizeof below, "%s%s.", prefix, name);
        string(out, name);
        buffer_text(out, ":");
        object(out, rows, count, below);
    }
}

static void object(struct buffer *out, const struct setting_row *rows, size_t count, const char *prefix)
{
    buffer_text(out, "{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{");
    properties(out, rows, count, prefix);
    buffer_text(out, "}}");
}

/* Names of required rows at the top of a backend's map; those deeper are told by `scepgate check`. */
static void backend(struct buffer *out, const struct backend_rows *b)
{
    buffer_text(out, "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"type\"");
    for (size_t i = 0; i < b->row_count; i++) {
        if (b->rows[i].flags & SETTING_REQUIRED && !strchr(b->rows[i].path, '.')) {
            buffer_text(out, ",");
            string(out, b->rows[i].path);
        }
    }
    buffer_text(out, "],\"description\":");
    string(out, b->help);
    buffer_text(out, ",\"properties\":{\"type\":{\"const\":");
    string(out, b->type);
    buffer_text(out, b->row_count ? "}," : "}");
    properties(out, b->rows, b->row_count, "");
    buffer_text(out, "}}");
}

static void definitions(struct buffer *out, const struct settings_catalogue *catalogue)
{
    buffer_text(out, "\"$defs\":{\"secret\":{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":1,"
                     "\"additionalProperties\":false,\"properties\":{\"file\":{\"type\":\"string\"},\"env\":{"
                     "\"type\":\"string\"},"
                     "\"value\":{\"type\":[\"string\",\"number\"]}}},\"rule\":");
    object(out, schema_rule, schema_rule_count, "");
    buffer_text(out, ",\"alias\":");
    object(out, schema_alias, schema_alias_count, "");
    buffer_text(out, ",\"backend\":{\"oneOf\":[");
    for (size_t i = 0; catalogue && i < catalogue->backend_count; i++) {
        buffer_text(out, i ? "," : "");
        backend(out, &catalogue->backends[i]);
    }
    if (!catalogue || !catalogue->backend_count)
        buffer_text(out, "false");
    buffer_text(out, "]}}");
}

void settings_schema(struct buffer *out, const struct settings_catalogue *catalogue)
{
    buffer_text(
        out,
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"scepgate settings\",");
    definitions(out, catalogue);
    buffer_text(out, ",\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{");
    properties(out, schema_gateway, schema_gateway_count, "");
    buffer_text(out,
                ",\"backends\":{\"type\":[\"object\",\"null\"],\"propertyNames\":{\"pattern\":\"" NAME_PATTERN
                "\"},\"additionalProperties\":{\"$ref\":\"#/$defs/backend\"}},\"defaults\":{\"$ref\":\"#/"
                "$defs/alias\"},"
                "\"aliases\":{\"type\":[\"object\",\"null\"],\"propertyNames\":{\"pattern\":\"" NAME_PATTERN
                "\"},\"additionalProperties\":{\"$ref\":\"#/$defs/alias\"}}}}\n");
}
