/* clock.c: see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_realtime(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

const struct clock clock_system = {system_realtime, system_monotonic, NULL};

const char *clock_text(int64_t realtime_ms, char out[CLOCK_TEXT_SIZE])
{
    int64_t ms = realtime_ms % 1000;
    int64_t seconds = realtime_ms / 1000;
    if (ms < 0) { /* before 1970: round down, so that the fraction stays positive */
        ms += 1000;
        seconds -= 1;
    }
    struct tm parts;
    time_t t = (time_t)seconds;
    size_t len = 0;
    if (gmtime_r(&t, &parts))
        len = strftime(out, CLOCK_TEXT_SIZE - 8, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + len, CLOCK_TEXT_SIZE - len, ".%03uZ", (unsigned)ms % 1000);
    return out;
}
