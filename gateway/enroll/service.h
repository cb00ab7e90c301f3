/* service.h: the enrolment service's own state; private to the room. */
#pragma once

#include "base/clock.h"
#include "enroll/enroll.h"

struct enroll {
    struct enroll_parts parts;
    struct gateway_settings *settings; /* a reference */
    bool draining;
    size_t requests;    /* enrolments without a reply */
    size_t submissions; /* submissions without a record */
    size_t resumptions; /* obligations being worked off, announcements included */
    size_t trails;      /* audit rows on their way */
};
