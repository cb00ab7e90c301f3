/* fuzz_settings.c: any bytes as a settings file. What loads must print, and load again to the same. */
#include <stdlib.h>
#include <string.h>

#include "settings/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct setting_row rows[] = {
    {"path", SETTING_PATH, .help = "A path."},
    {"secret", SETTING_SECRET, .flags = SETTING_SECRET_VALUE, .help = "A secret."},
    {"on", SETTING_BOOL, .initial = "true", .help = "A switch."},
    {"profile.validity", SETTING_DURATION, .initial = "365d", .help = "A duration."},
    {"profile.urls", SETTING_LIST, .help = "Texts."},
    {"number", SETTING_INT, .help = "Any number."},
    {"size", SETTING_SIZE, .help = "A size."},
};

static struct backend_rows types[] = {{"local_ca", "For fuzzing.", rows, sizeof rows / sizeof rows[0]}};
static const struct settings_catalogue catalogue = {types, 1};

static struct gateway_settings *load(struct bytes text)
{
    struct buffer problems, warnings;
    struct gateway_settings *s;
    buffer_init(&problems, 1 << 20);
    buffer_init(&warnings, 1 << 20);
    enum error_code code = settings_parse(&s, text, "f", "/nonexistent", &catalogue, &problems, &warnings);
    if ((code == ERR_OK) != (s != NULL) || (!s && !problems.len)) /* a refusal says why */
        abort();
    buffer_free(&problems);
    buffer_free(&warnings);
    return s;
}

static void same(const struct gateway_settings *a, const struct gateway_settings *b)
{
    if (!b || a->alias_count != b->alias_count || !setting_block_equal(a->block, b->block))
        abort();
    for (size_t i = 0; i < a->alias_count; i++) {
        if (!alias_settings_equal(a->aliases[i], b->aliases[i]))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gateway_settings *s = load(bytes_of(data, size));
    if (!s)
        return 0;
    struct buffer text;
    buffer_init(&text, 16 << 20);
    settings_print(&text, s);
    if (!text.failed && !strstr((const char *)text.data, "********")) { /* masked: cannot load again */
        struct gateway_settings *again = load(buffer_bytes(&text));
        same(s, again);
        gateway_settings_unref(again);
    }
    buffer_free(&text);
    gateway_settings_unref(s);
    return 0;
}
