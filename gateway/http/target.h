/* target.h: request targets and authorities, taken apart. Pure. Room-internal. */
#pragma once

#include "base/bytes.h"

/* Where a request target leads: the parts of "/path?query", "http://host/path?query" or "*". `authority` is
 * empty unless the form is absolute; a fragment is dropped. Everything points into `target`, but an empty
 * path, which is "/". */
struct target_parts {
    struct bytes authority, path, query;
};

void target_split(struct target_parts *out, const char *target);
/* "Example.org:8080", "user@[::1]:80" -> "example.org", "[::1]"; heap, NULL when out of memory. */
char *host_of(struct bytes authority);
