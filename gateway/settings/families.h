/* families.h: families of clients by name, and the rows of `compat:` and `reply:` that they need set. What a family sets is
 * a habit of replying, never an algorithm or a check that is left out. */
#pragma once

#include "settings/section.h"

#define FAMILIES "apple cisco_ios cisco_pix cisco_vpn_client windows routeros fortios certmonger sscep"

/* After a section was read, before it is bound: the families that it names fill in the rows that it does not
 * say itself, and warn of those that it says otherwise. false when out of memory. */
bool families_apply(struct setting_block *b, struct problems *problems);
