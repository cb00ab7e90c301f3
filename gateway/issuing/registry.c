/* registry.c: the built-in backend types, and their settings rows in the gateway's own form. */
#include <stdlib.h>
#include <string.h>

#include "issuing/backends.h"

extern const struct backend_type local_ca_type, manual_type;

static const struct backend_type *const types[] = {
    /* sorted by name */
    &local_ca_type,
    &manual_type,
};

#define TYPE_COUNT (sizeof types / sizeof *types)
#define ROWS_MAX   64 /* per type */

static const enum setting_type setting_types[] = {
    [BACKEND_SETTING_BOOL] = SETTING_BOOL,         [BACKEND_SETTING_INT] = SETTING_INT,
    [BACKEND_SETTING_DURATION] = SETTING_DURATION, [BACKEND_SETTING_TEXT] = SETTING_TEXT,
    [BACKEND_SETTING_PATH] = SETTING_PATH,         [BACKEND_SETTING_CHOICE] = SETTING_CHOICE,
    [BACKEND_SETTING_LIST] = SETTING_LIST,         [BACKEND_SETTING_CHOICES] = SETTING_CHOICES,
    [BACKEND_SETTING_SECRET] = SETTING_SECRET,     [BACKEND_SETTING_BACKEND] = SETTING_REFERENCE,
};

static struct setting_row rows[TYPE_COUNT][ROWS_MAX];
static struct backend_rows backends[TYPE_COUNT];
static struct settings_catalogue catalogue = {.backends = backends, .backend_count = TYPE_COUNT};

static struct setting_row row_of(const struct backend_setting *s)
{
    return (struct setting_row){
        .path = s->path,
        .type = setting_types[s->type],
        .min = s->min,
        .max = s->max,
        .initial = s->initial,
        .choices = s->type == BACKEND_SETTING_BACKEND ? "backends" : s->choices,
        .flags = (s->required ? SETTING_REQUIRED : 0u) |
                 (s->type == BACKEND_SETTING_SECRET ? SETTING_SECRET_VALUE : 0u),
        .help = s->help,
    };
}

/* Before main, so that readers on any thread find it finished. */
__attribute__((constructor)) static void fill_catalogue(void)
{
    for (size_t t = 0; t < TYPE_COUNT; t++) {
        if (types[t]->abi != BACKEND_ABI || types[t]->setting_count > ROWS_MAX)
            abort(); /* a built-in of another contract, or a table that outgrew ROWS_MAX */
        for (size_t i = 0; i < types[t]->setting_count; i++)
            rows[t][i] = row_of(&types[t]->settings[i]);
        backends[t] = (struct backend_rows){.type = types[t]->name,
                                            .help = types[t]->help,
                                            .rows = rows[t],
                                            .row_count = types[t]->setting_count};
    }
}

const struct backend_type *const *backend_types(size_t *count)
{
    *count = TYPE_COUNT;
    return types;
}

const struct settings_catalogue *backend_catalogue(void)
{
    return &catalogue;
}
