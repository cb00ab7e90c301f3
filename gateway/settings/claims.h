/* claims.h: no two aliases may claim the same name or the same URL. */
#pragma once

#include "settings/problems.h"
#include "settings/snapshot.h"

void claims_check(const struct gateway_settings *s, struct problems *problems);
