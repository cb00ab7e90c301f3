/* secrets.c: where a secret comes from, and fetching it. No sentence here repeats what the file holds in that
 * place: it may be the secret itself, put in the wrong form. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "settings/shown.h"
#include "settings/value.h"

static bool bad_form(struct reader *r, const struct setting_row *row, struct place at)
{
    problem(
        r->problems, at,
        "`%s` must be %sexactly one of {file: PATH}, {env: NAME} and {value: SECRET} (what stands here is "
        "not repeated)",
        row->path, row->flags & SETTING_PLAIN ? "a text, or " : "");
    return false;
}

static bool load_file(struct reader *r, struct secret_source *s, const struct setting_row *row,
                      const struct node *n)
{
    struct error e = {0};
    struct stat info;
    s->file = path_join(r->folder, n->text);
    if (!s->file)
        return false;
    if (secret_from_file(&s->value, s->file, SETTING_SECRET_MAX, &e) != ERR_OK) {
        problem(r->problems, n->at, "`%s` could not be read: %s", row->path, error_text(&e));
        return false;
    }
    if (stat(s->file, &info) == 0 && info.st_mode & S_IROTH)
        warning(r->problems, n->at,
                "`%s`: every user of this machine can read %s; take that away (chmod 600)", row->path,
                s->file);
    return true;
}

static bool load_environment(struct reader *r, struct secret_source *s, const struct setting_row *row,
                             const struct node *n)
{
    const char *value = getenv(n->text);
    s->env = strdup(n->text);
    if (!s->env)
        return false;
    if (!value) {
        char name[SHOWN_SIZE];
        problem(r->problems, n->at, "`%s`: the environment variable %s is not set", row->path,
                shown(name, n->text));
        return false;
    }
    return secret_set(&s->value, value, strlen(value)) == ERR_OK;
}

static bool load_value(struct reader *r, struct secret_source *s, const struct setting_row *row,
                       const struct node *n)
{
    if (strcmp(n->text, SETTING_SECRET_MASK) == 0) {
        problem(r->problems, n->at, "`%s` holds the mask of a print-out, not a secret; write the secret",
                row->path);
        return false;
    }
    r->inline_secrets += !(row->flags & SETTING_PLAIN);
    return secret_set(&s->value, n->text, strlen(n->text)) == ERR_OK;
}

typedef bool secret_load(struct reader *r, struct secret_source *s, const struct setting_row *row,
                         const struct node *n);

static const struct secret_form {
    const char *key;
    secret_load *load;
} secret_forms[] = {{"file", load_file}, {"env", load_environment}, {"value", load_value}};

static bool take_secret(struct reader *r, struct secret_source **out, const struct setting_row *row,
                        const struct node *n, secret_load *load)
{
    struct secret_source *s = calloc(1, sizeof *s);
    bool good = s && load(r, s, row, n);
    if (good && s->value.len == 0) {
        problem(r->problems, n->at, "`%s` is empty there; put the secret in", row->path);
        good = false;
    }
    if (good && strlen((const char *)s->value.data) != s->value.len) {
        problem(r->problems, n->at, "`%s` holds a NUL byte; a secret here is a text", row->path);
        good = false;
    }
    if (!good && r->problems->error_count == 0) /* the only silent failure is of memory */
        problem(r->problems, n->at, "out of memory while reading");
    if (good)
        *out = s;
    else
        secret_source_free(s);
    return good;
}

bool secret_source_read(struct reader *r, struct secret_source **out, const struct setting_row *row,
                        const struct node *n)
{
    *out = NULL;
    if (n->kind == NODE_SCALAR && row->flags & SETTING_PLAIN)
        return take_secret(r, out, row, n, load_value);
    if (n->kind != NODE_MAP || n->count != 2 || n->first->next->kind != NODE_SCALAR ||
        !n->first->next->text[0])
        return bad_form(r, row, n->at);
    for (size_t i = 0; i < sizeof secret_forms / sizeof secret_forms[0]; i++) {
        if (strcmp(n->first->text, secret_forms[i].key) == 0)
            return take_secret(r, out, row, n->first->next, secret_forms[i].load);
    }
    return bad_form(r, row, n->at);
}

void secret_source_free(struct secret_source *s)
{
    if (!s)
        return;
    free(s->file);
    free(s->env);
    secret_free(&s->value);
    free(s);
}

static bool name_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool secret_source_equal(const struct secret_source *a, const struct secret_source *b)
{
    return name_equal(a->file, b->file) && name_equal(a->env, b->env) &&
           secret_equal(bytes_of(a->value.data, a->value.len), bytes_of(b->value.data, b->value.len));
}
