/* check.h: what no row can see alone: references, pairs that must fit, claims on the same URL; and what is
 * unwise. */
#pragma once

#include "settings/problems.h"
#include "settings/snapshot.h"

void settings_check(const struct gateway_settings *s, struct problems *problems);
