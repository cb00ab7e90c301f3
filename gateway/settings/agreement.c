/* agreement.c: see agreement.h. */
#include "settings/agreement.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "settings/section.h"

#define VALUE_MAX ((size_t)256 << 20)
#define FILE_MAX  ((off_t)1 << 20)

/* ---- one value, so that no two values read the same ---------------------------------------------------- */

static void add(struct buffer *out, const void *data, size_t len)
{
    buffer_format(out, "%zu:", len);
    buffer_append(out, data, len);
}

static void add_text(struct buffer *out, const char *text)
{
    add(out, text, strlen(text));
}

static void add_list(struct buffer *out, const struct text_list *list,
                     void (*item)(struct buffer *, const char *))
{
    buffer_format(out, "%zu:", list->count);
    for (size_t i = 0; i < list->count; i++)
        item(out, list->items[i]);
}

/* What is no readable file counts as empty: whether it should be one is for others to say. */
static void add_file(struct buffer *out, const char *path)
{
    struct stat info;
    CLEANUP(buffer) struct buffer content;
    buffer_init(&content, (size_t)FILE_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        uint8_t part[4096];
        ssize_t got;
        while (!content.failed && (got = read(fd, part, sizeof part)) > 0)
            buffer_append(&content, part, (size_t)got);
    }
    if (fd >= 0)
        close(fd);
    add(out, content.data, content.len);
}

static void add_rules(struct buffer *out, const struct rule_set *rules)
{
    buffer_format(out, "%zu:", rules->count);
    for (size_t i = 0; i < rules->count; i++) {
        const struct pattern_rule *r = &rules->items[i];
        add_text(out, r->name);
        buffer_format(out, "%d%d%d:", r->required, r->forbidden, r->max_count);
        add_list(out, &r->patterns, add_text);
    }
}

static void add_value(struct buffer *out, const struct setting_value *v, const struct setting_row *row)
{
    switch (row->type) {
    case SETTING_BOOL:
    case SETTING_INT:
    case SETTING_SIZE:
    case SETTING_DURATION:
        buffer_format(out, "%lld:", (long long)v->number);
        break;
    case SETTING_TEXT:
    case SETTING_CHOICE:
    case SETTING_REFERENCE:
        add_text(out, v->text);
        break;
    case SETTING_PATH:
        add_file(out, v->text);
        break;
    case SETTING_LIST:
    case SETTING_CHOICES:
        add_list(out, &v->list, add_text);
        break;
    case SETTING_PATHS:
        add_list(out, &v->list, add_file);
        break;
    case SETTING_SECRET:
        add(out, v->secret->value.data, v->secret->value.len);
        break;
    case SETTING_RULES:
        add_rules(out, v->rules);
        break;
    }
}

/* ---- sections ------------------------------------------------------------------------------------------ */

struct walk {
    agreement_visit *visit;
    void *context;
    struct buffer value, name;
    bool failed;
};

static void tell(struct walk *w)
{
    if (w->value.failed || w->name.failed)
        w->failed = true;
    else
        w->visit(w->context, (const char *)w->name.data, buffer_bytes(&w->value));
    buffer_reset(&w->value);
    buffer_reset(&w->name);
}

/* A piece per row. The gateway's own secrets open the store, which the others have opened with theirs. The files of
 * a backend are its own affair: the CA that they make is compared apart. */
static void tell_rows(struct walk *w, const struct setting_block *b, const char *backend)
{
    for (size_t i = 0; i < b->row_count; i++) {
        const struct setting_row *row = &b->rows[i];
        const struct setting_value *v = block_find(b, i);
        enum setting_type apart = backend ? SETTING_PATH : SETTING_SECRET;
        if (!v || row->flags & SETTING_LOCAL || row->type == apart)
            continue;
        if (backend)
            buffer_format(&w->name, "backend `%s`: ", backend);
        buffer_format(&w->name, "`%s`", row->path);
        add_value(&w->value, v, row);
        tell(w);
    }
}

/* All rows of an alias in one piece. */
static void add_alias(struct walk *w, const struct alias_settings *a)
{
    add_text(&w->value, a->name);
    for (size_t i = 0; i < a->block->row_count; i++) {
        const struct setting_value *v = block_find(a->block, i);
        if (!v || a->block->rows[i].flags & SETTING_LOCAL)
            continue;
        buffer_format(&w->value, "%zu=", i);
        add_value(&w->value, v, &a->block->rows[i]);
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct alias_settings *x = *(struct alias_settings *const *)a,
                                *y = *(struct alias_settings *const *)b;
    return strcasecmp(x->name, y->name);
}

static void tell_all_aliases(struct walk *w, const struct gateway_settings *s)
{
    CLEANUP(memory) struct alias_settings **sorted = malloc(s->alias_count * sizeof *sorted);
    if (!sorted) {
        w->failed = true;
        return;
    }
    memcpy(sorted, s->aliases, s->alias_count * sizeof *sorted);
    qsort(sorted, s->alias_count, sizeof *sorted, compare_names);
    for (size_t i = 0; i < s->alias_count; i++)
        add_alias(w, sorted[i]);
    buffer_text(&w->name, "the set of aliases");
    tell(w);
}

bool settings_agreement(const struct gateway_settings *s, agreement_visit *visit, void *context)
{
    struct walk w = {.visit = visit, .context = context};
    buffer_init(&w.value, VALUE_MAX);
    buffer_init(&w.name, 4096);
    tell_rows(&w, s->block, NULL);
    for (size_t i = 0; i < s->backend_count; i++) {
        buffer_format(&w.name, "backend `%s`: `type`", s->backends[i].name);
        add_text(&w.value, s->backends[i].type);
        tell(&w);
        tell_rows(&w, s->backends[i].block, s->backends[i].name);
    }
    if (s->alias_count > AGREEMENT_ALIASES_MAX)
        tell_all_aliases(&w, s);
    for (size_t i = 0; s->alias_count <= AGREEMENT_ALIASES_MAX && i < s->alias_count; i++) {
        add_alias(&w, s->aliases[i]);
        buffer_format(&w.name, "alias `%s`", s->aliases[i]->name);
        tell(&w);
    }
    buffer_free(&w.value);
    buffer_free(&w.name);
    return !w.failed;
}
