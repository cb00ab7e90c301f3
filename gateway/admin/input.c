/* input.c: what callers send, checked strictly. See endpoints.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admin/endpoints.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define ALIAS_MAX     64

/* ---- body ---------------------------------------------------------------------------------------------- */

static const struct admin_member *member_of(const struct admin_member *members, size_t count,
                                            const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

static bool read_text(struct admin_call *c, const struct admin_member *m, const json_t *value)
{
    size_t len = json_string_length(value);
    if (!json_is_string(value)) {
        admin_refuse(c, 400, "BAD_REQUEST", "\"%s\" must be a text", m->name);
        return false;
    }
    if (len > (size_t)m->max || len < (size_t)m->min || strlen(json_string_value(value)) != len) {
        admin_refuse(c, 400, "BAD_REQUEST",
                     "\"%s\" must have %" PRId64 " to %" PRId64 " bytes, none of them NUL", m->name, m->min,
                     m->max);
        return false;
    }
    *(const char **)m->out = json_string_value(value);
    return true;
}

static bool read_number(struct admin_call *c, const struct admin_member *m, const json_t *value)
{
    int64_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < m->min || number > m->max) {
        admin_refuse(c, 400, "BAD_REQUEST", "\"%s\" must be a whole number from %" PRId64 " to %" PRId64,
                     m->name, m->min, m->max);
        return false;
    }
    *(int64_t *)m->out = number;
    return true;
}

static bool read_object(struct admin_call *c, const struct admin_member *m, json_t *value)
{
    if (!json_is_object(value)) {
        admin_refuse(c, 400, "BAD_REQUEST", "\"%s\" must be an object", m->name);
        return false;
    }
    *(json_t **)m->out = value;
    return true;
}

static bool read_member(struct admin_call *c, const struct admin_member *m, json_t *value)
{
    switch (m->type) {
    case MEMBER_TEXT:
        return read_text(c, m, value);
    case MEMBER_NUMBER:
        return read_number(c, m, value);
    case MEMBER_OBJECT:
        return read_object(c, m, value);
    }
    return false;
}

bool admin_members(struct admin_call *c, const struct admin_member *members, size_t count)
{
    const char *name;
    json_t *value;
    json_object_foreach(c->body, name, value)
    {
        const struct admin_member *m = member_of(members, count, name);
        if (!m) {
            admin_refuse(c, 400, "UNKNOWN_MEMBER", "\"%.100s\" is no member of this request", name);
            return false;
        }
        if (!read_member(c, m, value))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        if (members[i].required && !json_object_get(c->body, members[i].name)) {
            admin_refuse(c, 400, "BAD_REQUEST", "\"%s\" is missing", members[i].name);
            return false;
        }
    return true;
}

/* ---- query --------------------------------------------------------------------------------------------- */

const char *admin_query(const struct admin_call *c, const char *name)
{
    for (size_t i = 0; i < c->query_count; i++)
        if (strcmp(c->query[i].name, name) == 0)
            return c->query[i].value;
    return NULL;
}

static bool is_word_of(const char *names, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = names; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == len && strncmp(at, word, n) == 0)
            return true;
        at += n;
    }
    return false;
}

bool admin_query_only(struct admin_call *c, const char *names)
{
    for (size_t i = 0; i < c->query_count; i++) {
        bool known = is_word_of(names, c->query[i].name);
        if (known && admin_query(c, c->query[i].name) == c->query[i].value)
            continue;
        admin_refuse(c, 400, "BAD_REQUEST",
                     known ? "the query has \"%.100s\" twice" : "the query takes no \"%.100s\"",
                     c->query[i].name);
        return false;
    }
    return true;
}

static bool read_limit(struct admin_call *c, int *out)
{
    const char *text = admin_query(c, "limit");
    *out = LIMIT_DEFAULT;
    if (!text)
        return true;
    long limit = strlen(text) <= 4 && strspn(text, "0123456789") == strlen(text) ? strtol(text, NULL, 10) : 0;
    *out = (int)limit;
    if (limit >= 1 && limit <= LIMIT_MAX)
        return true;
    admin_refuse(c, 400, "BAD_REQUEST", "\"limit\" must be a whole number from 1 to %d", LIMIT_MAX);
    return false;
}

static bool read_word(struct admin_call *c, const char *name, size_t max)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:";
    const char *text = admin_query(c, name);
    if (!text || (text[0] && strlen(text) <= max && strspn(text, letters) == strlen(text)))
        return true;
    admin_refuse(c, 400, "BAD_REQUEST", "\"%s\" has a form that it never has", name);
    return false;
}

const char *admin_alias_known(struct admin_call *c, const char *name)
{
    struct alias *alias = alias_directory_find(c->admin->parts.directory, name);
    if (!alias)
        return name;
    alias_unref(c->alias);
    c->alias = alias_ref(alias);
    return alias->settings->name;
}

bool admin_list_filter(struct admin_call *c, const char *names)
{
    struct store_list_filter *f = &c->ask.request.list;
    if (!admin_query_only(c, names) || !read_word(c, "state", 32) || !read_word(c, "after", 64) ||
        !read_word(c, "tenant", 64))
        return false;
    const char *alias = admin_query(c, "alias");
    if ((alias && !admin_alias_name(c, alias)) || !read_limit(c, &f->limit))
        return false;
    f->alias = alias ? admin_alias_known(c, alias) : NULL;
    f->tenant = admin_query(c, "tenant");
    f->state = admin_query(c, "state");
    f->text = admin_query(c, "text");
    f->after = admin_query(c, "after");
    return true;
}

bool admin_alias_name(struct admin_call *c, const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (text[0] && strlen(text) <= ALIAS_MAX && strspn(text, letters) == strlen(text))
        return true;
    admin_refuse(c, 400, "BAD_REQUEST", "the alias has a form that no name of an alias has");
    return false;
}

bool admin_hex(struct admin_call *c, const char *text, const char *what, size_t min, size_t max)
{
    size_t len = strlen(text);
    if (len >= min && len <= max && strspn(text, "0123456789abcdef") == len)
        return true;
    if (min == max)
        admin_refuse(c, 400, "BAD_REQUEST", "the %s must be %zu lower-case hex digits", what, min);
    else
        admin_refuse(c, 400, "BAD_REQUEST", "the %s must be %zu to %zu lower-case hex digits", what, min,
                     max);
    return false;
}
