/* upkeep.h: how far a rekey is, as JSON: in the API, and for the tool that does it without a gateway. */
#pragma once

#include <jansson.h>

#include "storage/rekey.h"

/* `key` is the id of the newest master key. NULL when out of memory. */
json_t *rekey_json(const struct rekey_report *report, const char *key);
