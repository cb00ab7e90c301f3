/* support.h: loading settings from a text in a test: snapshot, problems, warnings. */
#pragma once

#include <string.h>

#include "settings/settings.h"

struct loaded {
    struct gateway_settings *s; /* NULL when refused */
    enum error_code code;
    struct buffer problems, warnings;
};

extern const struct settings_catalogue support_catalogue; /* local_ca and a small "test" */

struct loaded load_bytes(struct bytes text);
struct loaded load_text(const char *text);
void unload(struct loaded *l);
const char *problems_of(const struct loaded *l);
const char *warnings_of(const struct loaded *l);

/* One alias `demo` with whatever else it should say, in flow form: ALIAS("paths: [/x]"). */
#define ALIAS(more)                                                                                          \
    "backends: {ca: {type: test}}\naliases:\n  demo: {backend: ca, challenge: {type: one_time}, " more "}\n"
