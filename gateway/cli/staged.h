/* staged.h: what `scepgate check` says of CAs that are staged behind others. */
#pragma once

#include "settings/settings.h"

/* A line for each to stdout. False when one of them would keep the gateway from starting; stderr says why. */
bool staged_check(const struct gateway_settings *settings);
