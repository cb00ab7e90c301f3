/* rule.c: see rule.h.
 *
 * Patterns run without PCRE2's just-in-time compiler: values are short, aliases many, and it needs memory
 * that is writable and executable. The limits bound what a hostile value can cost under a careless pattern.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "policy/rule.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "settings/shown.h"

#define MATCH_LIMIT   10000
#define DEPTH_LIMIT   1000
#define HEAP_LIMIT    1024 /* KiB */
#define PATTERN_FLAGS (PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED | PCRE2_ENDANCHORED)

struct rule {
    char *name;
    bool required, forbidden;
    size_t max_count; /* 0: no limit */
    pcre2_code **patterns;
    size_t pattern_count;
};

struct rule_list {
    struct rule_terms terms;
    struct rule *rules;
    size_t count;
    pcre2_match_context *limits; /* NULL when there are no patterns */
};

void reason(struct reasons *r, const char *format, ...)
{
    static const char more[] = "; …";
    char sentence[320];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    size_t need = len < 0 ? 0 : (size_t)len < sizeof sentence ? (size_t)len : sizeof sentence - 1;
    if (r->used + need + 2 + sizeof more <= r->size)
        r->used +=
            (size_t)snprintf(r->text + r->used, r->size - r->used, "%s%s", r->count ? "; " : "", sentence);
    else if (r->used + sizeof more <= r->size) {
        memcpy(r->text + r->used, more, sizeof more);
        r->used = r->size; /* full: the last words were said */
    }
    r->count++;
}

/* "commonName", "2.5.4.3" and "CN" are one name; what OpenSSL does not know stays a dotted OID. */
static char *canonical_name(const char *name)
{
    char dotted[128];
    CLEANUP(ASN1_OBJECT) ASN1_OBJECT *object = OBJ_txt2obj(name, 0);
    if (!object) {
        ERR_clear_error();
        return NULL;
    }
    int nid = OBJ_obj2nid(object);
    if (nid != NID_undef)
        return strdup(OBJ_nid2sn(nid));
    return OBJ_obj2txt(dotted, sizeof dotted, object, 1) > 0 ? strdup(dotted) : NULL;
}

static enum error_code compile_pattern(pcre2_code **out, const char *pattern, struct error *e)
{
    int code;
    PCRE2_SIZE offset;
    PCRE2_UCHAR message[128];
    char text[SHOWN_SIZE];
    *out = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PATTERN_FLAGS, &code, &offset, NULL);
    if (*out)
        return ERR_OK;
    pcre2_get_error_message(code, message, sizeof message);
    return error_set(e, ERR_SETTINGS_INVALID, "the pattern \"%s\" is wrong at character %zu: %s",
                     shown(text, pattern), offset + 1, (const char *)message);
}

static enum error_code rule_init(struct rule *r, const struct pattern_rule *from,
                                 const struct rule_terms *terms, struct error *e)
{
    char text[SHOWN_SIZE];
    r->required = from->required;
    r->forbidden = from->forbidden;
    r->max_count = from->max_count > 0 ? (size_t)from->max_count : 0;
    r->name = terms->canonical ? canonical_name(from->name) : strdup(from->name);
    if (!r->name)
        return error_set(e, ERR_SETTINGS_INVALID, "\"%s\" is no %s", shown(text, from->name), terms->what);
    r->patterns = from->patterns.count ? calloc(from->patterns.count, sizeof(pcre2_code *)) : NULL;
    if (from->patterns.count && !r->patterns)
        return error_set(e, ERR_INTERNAL, "out of memory");
    enum error_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < from->patterns.count; i++) {
        code = compile_pattern(&r->patterns[i], from->patterns.items[i], e);
        r->pattern_count += code == ERR_OK;
    }
    return code;
}

static bool set_limits(struct rule_list *l)
{
    l->limits = pcre2_match_context_create(NULL);
    if (!l->limits)
        return false;
    pcre2_set_match_limit(l->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(l->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(l->limits, HEAP_LIMIT);
    return true;
}

enum error_code rule_list_create(struct rule_list **out, const struct pattern_rule *rules, size_t count,
                                 const struct rule_terms *terms, struct error *e)
{
    enum error_code code = ERR_OK;
    *out = NULL;
    struct rule_list *l = calloc(1, sizeof *l);
    bool patterns = false;
    if (l)
        l->rules = calloc(count ? count : 1, sizeof *l->rules);
    if (!l || !l->rules)
        code = error_set(e, ERR_INTERNAL, "out of memory");
    else
        l->terms = *terms;
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        l->count++;
        code = rule_init(&l->rules[i], &rules[i], terms, e);
        patterns = patterns || rules[i].patterns.count;
    }
    if (code == ERR_OK && patterns && !set_limits(l))
        code = error_set(e, ERR_INTERNAL, "out of memory");
    if (code == ERR_OK)
        *out = l;
    else
        rule_list_free(l);
    return code;
}

void rule_list_free(struct rule_list *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++) {
        struct rule *r = &l->rules[i];
        for (size_t j = 0; j < r->pattern_count; j++)
            pcre2_code_free(r->patterns[j]);
        free(r->patterns);
        free(r->name);
    }
    free(l->rules);
    pcre2_match_context_free(l->limits);
    free(l);
}

static bool matches_one(const struct rule_list *l, const struct rule *r, const char *value)
{
    bool match = r->pattern_count == 0;
    for (size_t i = 0; !match && i < r->pattern_count; i++) {
        pcre2_match_data *data = pcre2_match_data_create_from_pattern(r->patterns[i], NULL);
        match =
            data && pcre2_match(r->patterns[i], (PCRE2_SPTR)value, strlen(value), 0, 0, data, l->limits) > 0;
        pcre2_match_data_free(data);
    }
    return match;
}

static size_t apply_rule(const struct rule_list *l, const struct rule *r, const struct named_value *values,
                         size_t count, struct reasons *out)
{
    char text[SHOWN_SIZE];
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(values[i].name, r->name) != 0)
            continue;
        if (found++ == 0 && r->forbidden)
            reason(out, "%s %s is forbidden", l->terms.what, r->name);
        if (!r->forbidden && !matches_one(l, r, values[i].value))
            reason(out, "%s %s \"%s\" does not match any allowed pattern", l->terms.what, r->name,
                   shown(text, values[i].value));
    }
    return found;
}

static bool has_rule(const struct rule_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->rules[i].name, name) == 0)
            return true;
    }
    return false;
}

void rule_list_apply(const struct rule_list *l, const struct named_value *values, size_t count,
                     struct reasons *out)
{
    char text[SHOWN_SIZE];
    for (size_t i = 0; i < l->count; i++) {
        const struct rule *r = &l->rules[i];
        size_t found = apply_rule(l, r, values, count, out);
        if (!found && r->required)
            reason(out, "%s %s is required", l->terms.what, r->name);
        if (r->max_count && found > r->max_count)
            reason(out, "%s %s appears %zu times, but at most %zu are allowed", l->terms.what, r->name, found,
                   r->max_count);
    }
    for (size_t i = 0; !l->terms.others && i < count; i++) {
        if (!has_rule(l, values[i].name))
            reason(out, "%s %s is not allowed", l->terms.what, shown(text, values[i].name));
    }
}
