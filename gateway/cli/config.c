/* config.c: see config.h. */
#include "cli/config.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "issuing/backends.h"

#define TEXT_MAX (64 * 1024 * 1024)

static void complain(const struct buffer *b)
{
    fwrite(b->len ? (const char *)b->data : "", 1, b->len, stderr);
}

struct gateway_settings *config_load(const char *path, bool warn)
{
    struct gateway_settings *settings = NULL;
    CLEANUP(buffer) struct buffer problems;
    CLEANUP(buffer) struct buffer warnings;
    buffer_init(&problems, TEXT_MAX);
    buffer_init(&warnings, TEXT_MAX);
    settings_load(&settings, path, backend_catalogue(), &problems, warn ? &warnings : NULL);
    complain(&warnings);
    complain(&problems);
    return settings;
}
