/* announce.h: the obligation to tell people of a request that waits for them. Loop thread. */
#pragma once

#include "enroll/service.h"

/* Registers the handler of "approval.announce". */
void announce_register(struct enroll *service);
