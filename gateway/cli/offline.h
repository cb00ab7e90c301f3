/* offline.h: a store that a tool opens itself, without a gateway in between. */
#pragma once

#include "storage/opening.h"

/* False with a sentence on stderr. `make` makes the database when there is none; a master key is never made. */
bool offline_open(struct storage *out, const struct gateway_settings *settings, struct event_base *base,
                  bool make);
