/* settings.h: YAML to a checked snapshot, and back: the running configuration, the reference, the JSON
 * Schema.
 *
 * Blocking (reads files): call at start-up, from a tool, or from a worker. Errors are collected, not just the
 * first: each is "file:line:column: what is wrong; what was expected; what to do", an unknown key says "did
 * you mean".
 */
#pragma once

#include "base/bytes.h"
#include "settings/block.h"
#include "settings/snapshot.h"

/* The types of backend a file may name, with their rows; the caller's array outlives every snapshot. */
struct settings_catalogue {
    const struct backend_rows {
        const char *type; /* "local_ca" */
        const char *help;
        const struct setting_row *rows;
        size_t row_count;
    } * backends;
    size_t backend_count;
};

#define SETTINGS_FILE_MAX ((size_t)256 << 20) /* bytes: 100,000 aliases have some 20 MB */

/* Loads and checks. On failure ERR_SETTINGS_INVALID (or ERR_FILE_UNREADABLE), *out NULL, one line per problem
 * in `problems` (at most 50, then a count). With `warnings` non-NULL also what is allowed but unwise, one
 * line each. */
enum error_code settings_load(struct gateway_settings **out, const char *path,
                              const struct settings_catalogue *catalogue, struct buffer *problems,
                              struct buffer *warnings);
/* The same from memory; `name` stands for the file in messages, relative paths are taken from `folder`. */
enum error_code settings_parse(struct gateway_settings **out, struct bytes text, const char *name,
                               const char *folder, const struct settings_catalogue *catalogue,
                               struct buffer *problems, struct buffer *warnings);

/* Reload: what differs in rows that cannot change while running; one line each ("store.path: needs a
 * restart"). */
void settings_frozen_changes(const struct gateway_settings *old, const struct gateway_settings *fresh,
                             struct buffer *out);

void settings_print(struct buffer *out, const struct gateway_settings *s); /* YAML, secrets masked */
void settings_reference(struct buffer *out, const struct settings_catalogue *catalogue); /* Markdown */
void settings_schema(struct buffer *out,
                     const struct settings_catalogue *catalogue); /* JSON Schema 2020-12 */
