/* check_store.h: which settings of the store fit together: its type, URL or parts, topology, TLS; and what is
 * unwise. */
#pragma once

#include "settings/problems.h"
#include "settings/snapshot.h"

void store_check(const struct gateway_settings *s, struct problems *problems);
