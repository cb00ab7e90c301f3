/* print.c: a snapshot as YAML that can be loaded again, with secrets masked.
 *
 * Gateway, backends and `defaults` are printed with all that holds, aliases with what they say themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "settings/section.h"
#include "settings/settings.h"
#include "settings/units.h"

static void indent(struct buffer *out, size_t level)
{
    buffer_format(out, "%*s", (int)(2 * level), "");
}

static bool has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p >= 0x7F)
            return true;
    }
    return false;
}

/* Plain only what no reader of YAML could take for anything else. */
static bool is_plain(const char *text)
{
    static const char begin[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/0123456789";
    static const char special[] =
        "null true false yes no on off y n Null True False Yes No On Off Y N NULL TRUE FALSE YES NO ON OFF";
    if (!text[0] || !strchr(begin, text[0]) || choice_index(special, text) >= 0)
        return false;
    for (const char *p = text; *p; p++) {
        if (!strchr(begin, *p) && !strchr("._-", *p))
            return false;
    }
    return true;
}

static void print_text(struct buffer *out, const char *text)
{
    if (is_plain(text)) {
        buffer_text(out, text);
    } else if (!has_control(text)) {
        buffer_text(out, "'");
        for (const char *p = text; *p; p++)
            buffer_append(out, *p == '\'' ? "''" : p, *p == '\'' ? 2 : 1);
        buffer_text(out, "'");
    } else {
        buffer_text(out, "\"");
        for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
            if (*p < 0x20 || *p == 0x7F)
                buffer_format(out, "\\x%02x", *p);
            else
                buffer_format(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
        }
        buffer_text(out, "\"");
    }
}

static void print_list(struct buffer *out, const struct text_list *list)
{
    buffer_text(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        buffer_text(out, i ? ", " : "");
        print_text(out, list->items[i]);
    }
    buffer_text(out, "]");
}

static void print_secret(struct buffer *out, const struct secret_source *s)
{
    buffer_text(out, s->file ? "{file: " : s->env ? "{env: " : "{value: ");
    print_text(out, s->file ? s->file : s->env ? s->env : SETTING_SECRET_MASK);
    buffer_text(out, "}");
}

static void print_block(struct buffer *out, const struct setting_block *b, bool effective, size_t level);

static void print_rules(struct buffer *out, const struct rule_set *rules, size_t level)
{
    if (rules->count == 0)
        buffer_text(out, " {}");
    buffer_text(out, "\n");
    for (size_t i = 0; i < rules->count; i++) {
        indent(out, level);
        print_text(out, rules->names[i]);
        buffer_text(out, rules->blocks[i]->count ? ":\n" : ": {}\n");
        print_block(out, rules->blocks[i], false, level + 1);
    }
}

static void print_value(struct buffer *out, const struct setting_value *v, const struct setting_row *row)
{
    char text[UNIT_TEXT_SIZE];
    switch (row->type) {
    case SETTING_BOOL:
        buffer_text(out, v->number ? "true" : "false");
        break;
    case SETTING_INT:
        buffer_format(out, "%lld", (long long)v->number);
        break;
    case SETTING_SIZE:
        buffer_text(out, size_text(text, v->number));
        break;
    case SETTING_DURATION:
        buffer_text(out, duration_text(text, v->number));
        break;
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_CHOICE:
    case SETTING_REFERENCE:
        print_text(out, row->flags & SETTING_SECRET_VALUE ? SETTING_SECRET_MASK : v->text);
        break;
    case SETTING_LIST:
    case SETTING_PATHS:
    case SETTING_CHOICES:
        print_list(out, &v->list);
        break;
    case SETTING_SECRET:
        print_secret(out, v->secret);
        break;
    case SETTING_RULES:
        break; /* has lines of its own */
    }
}

/* Headings of the maps that `path` is in and `before` was not; returns the level of the last part. */
static size_t print_headings(struct buffer *out, const char *path, const char *before, size_t level)
{
    const char *dot;
    bool same = true;
    for (; (dot = strchr(path, '.')); path = dot + 1, level++) {
        size_t len = (size_t)(dot - path) + 1;
        same = same && strncmp(path, before, len) == 0;
        if (same) {
            before += len;
            continue;
        }
        indent(out, level);
        buffer_format(out, "%.*s:\n", (int)len - 1, path);
    }
    return level;
}

static void print_block(struct buffer *out, const struct setting_block *b, bool effective, size_t level)
{
    const char *before = "";
    for (size_t i = 0; i < b->row_count; i++) {
        const struct setting_row *row = &b->rows[i];
        const struct setting_value *v = effective ? block_find(b, i) : block_own(b, i);
        const char *dot = strrchr(row->path, '.');
        if (!v)
            continue;
        size_t here = print_headings(out, row->path, before, level);
        before = row->path;
        indent(out, here);
        buffer_format(out, "%s:%s", dot ? dot + 1 : row->path, row->type == SETTING_RULES ? "" : " ");
        if (row->type == SETTING_RULES) {
            print_rules(out, v->rules, here + 1);
        } else {
            print_value(out, v, row);
            buffer_text(out, "\n");
        }
    }
}

void settings_print(struct buffer *out, const struct gateway_settings *s)
{
    print_block(out, s->block, true, 0);
    buffer_text(out, s->backend_count ? "backends:\n" : "backends: {}\n");
    for (size_t i = 0; i < s->backend_count; i++) {
        indent(out, 1);
        print_text(out, s->backends[i].name);
        buffer_format(out, ":\n    type: %s\n", s->backends[i].type);
        print_block(out, s->backends[i].block, true, 2);
    }
    buffer_text(out, "defaults:\n");
    print_block(out, s->defaults, true, 1);
    buffer_text(out, s->alias_count ? "aliases:\n" : "aliases: {}\n");
    for (size_t i = 0; i < s->alias_count; i++) {
        indent(out, 1);
        print_text(out, s->aliases[i]->name);
        buffer_text(out, s->aliases[i]->block->count ? ":\n" : ": {}\n");
        print_block(out, s->aliases[i]->block, false, 2);
    }
}
