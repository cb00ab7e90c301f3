/* reference.c: the rows as a page of documentation. */
#include <string.h>

#include "settings/schema.h"
#include "settings/settings.h"
#include "settings/units.h"

static const char *const type_names[] = {
    [SETTING_BOOL] = "true or false", [SETTING_INT] = "number",         [SETTING_SIZE] = "size",
    [SETTING_DURATION] = "duration",  [SETTING_TEXT] = "text",          [SETTING_PATH] = "path",
    [SETTING_CHOICE] = "one of",      [SETTING_LIST] = "list of texts", [SETTING_PATHS] = "list of paths",
    [SETTING_CHOICES] = "list of",    [SETTING_SECRET] = "secret",      [SETTING_REFERENCE] = "name in",
    [SETTING_RULES] = "rules",
};

/* In a cell of a table. */
static void cell(struct buffer *out, const char *text)
{
    for (const char *p = text; *p; p++)
        buffer_append(out, *p == '|' ? "\\|" : p, *p == '|' ? 2 : 1);
}

static void print_choices(struct buffer *out, const struct setting_row *row)
{
    for (const char *p = row->choices; p && *p;) {
        size_t len = strcspn(p, " ");
        buffer_format(out, "%s`%.*s`", p == row->choices ? " " : ", ", (int)len, p);
        p += len + (p[len] == ' ');
    }
}

static void print_range(struct buffer *out, const struct setting_row *row)
{
    char min[UNIT_TEXT_SIZE], max[UNIT_TEXT_SIZE];
    if (!row->max)
        return;
    if (row->type == SETTING_INT)
        buffer_format(out, ", %lld to %lld", (long long)row->min, (long long)row->max);
    else if (row->type == SETTING_SIZE)
        buffer_format(out, ", %s to %s", size_text(min, row->min), size_text(max, row->max));
    else if (row->type == SETTING_DURATION)
        buffer_format(out, ", %s to %s", duration_text(min, row->min), duration_text(max, row->max));
}

static void print_row(struct buffer *out, const struct setting_row *row)
{
    buffer_format(out, "| `%s` | %s%s", row->path, row->flags & SETTING_PLAIN ? "text or " : "",
                  type_names[row->type]);
    print_choices(out, row);
    print_range(out, row);
    buffer_text(out, " | ");
    if (row->flags & SETTING_REQUIRED)
        buffer_text(out, "**required**");
    else if (row->initial) {
        buffer_text(out, "`");
        cell(out, row->initial);
        buffer_text(out, "`");
    }
    buffer_text(out, " | ");
    cell(out, row->help);
    if (row->flags & SETTING_FROZEN)
        buffer_text(out, " *Needs a restart.*");
    if (row->flags & SETTING_LOCAL)
        buffer_text(out, " *May differ.*");
    buffer_text(out, " |\n");
}

static void print_table(struct buffer *out, const struct setting_row *rows, size_t count)
{
    buffer_text(out, "\n| Setting | Type | Default | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++)
        print_row(out, &rows[i]);
}

static const char introduction[] =
    "# Settings\n"
    "\n"
    "This page is made from the tables that read the file (`scepgate config reference`); `scepgate config "
    "schema` gives the\n"
    "same as a JSON Schema for editors, and `scepgate check --config FILE` names every mistake with line and "
    "column.\n"
    "\n"
    "A file is one YAML document. A dot in a name below descends into a map: `limits.body` is `limits: "
    "{body: 256KiB}`.\n"
    "Unknown and repeated names are errors. Paths may be relative to the folder of the file.\n"
    "\n"
    "- **duration**: number and unit, `500ms`, `30s`, `5m`, `24h`, `7d`, `2w`; also `1h30m`.\n"
    "- **size**: bytes, or with unit, `256KiB`, `2MiB`, `1GiB`.\n"
    "- **list**: `[one, two]`; a single value is a list of one.\n"
    "- **secret**: `{file: PATH}`, `{env: NAME}` or `{value: TEXT}`; read when the settings are loaded, "
    "never printed. One\n"
    "  newline at the end of a file is not part of it.\n"
    "- **rules**: a map of names to rules, see [Rules](#rules).\n"
    "\n"
    "SIGHUP reloads the file. A file with mistakes leaves the old settings in force, and so does a change of "
    "a setting that\n"
    "*needs a restart*.\n"
    "\n"
    "Gateways that share a store need the same settings, except those that *may differ*; differences are "
    "found "
    "at the start and logged.\n"
    "\n"
    "## Gateway\n";

static const char alias_introduction[] = "\n## Aliases\n"
                                         "\n"
                                         "`aliases` is a map of names to the settings below. A name has 1 to "
                                         "64 of `A-Z a-z 0-9 . _ -`, begins with a letter or a\n"
                                         "digit, and is compared without regard to case; its URL is "
                                         "`/scep/NAME`. `defaults` takes the same settings (but `hosts` and\n"
                                         "`paths`) for all aliases that do not say otherwise; a list or a "
                                         "set of rules that an alias gives replaces the whole one of\n"
                                         "`defaults`.\n";

static const char rule_introduction[] = "\n### Rules\n"
                                        "\n"
                                        "One rule of `policy.subject` or `policy.san`: `CN: {required: true, "
                                        "patterns: ['.*\\.example\\.com']}`. Write patterns in\n"
                                        "single quotes.\n";

static const char backend_introduction[] =
    "\n## Backends\n"
    "\n"
    "`backends` is a map of names to backends. Each needs `type`; the other settings depend on it.\n";

void settings_reference(struct buffer *out, const struct settings_catalogue *catalogue)
{
    buffer_text(out, introduction);
    print_table(out, schema_gateway, schema_gateway_count);
    buffer_text(out, alias_introduction);
    print_table(out, schema_alias, schema_alias_count);
    buffer_text(out, rule_introduction);
    print_table(out, schema_rule, schema_rule_count);
    buffer_text(out, backend_introduction);
    for (size_t i = 0; catalogue && i < catalogue->backend_count; i++) {
        buffer_format(out, "\n### `type: %s`\n\n%s\n", catalogue->backends[i].type,
                      catalogue->backends[i].help);
        print_table(out, catalogue->backends[i].rows, catalogue->backends[i].row_count);
    }
}
