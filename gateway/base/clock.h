/* clock.h: time in milliseconds. Stores and leases take a `struct clock`, so that a test can step it. */
#pragma once

#include <stdint.h>

struct clock {
    int64_t (*realtime)(void *context);  /* ms since 1970 UTC */
    int64_t (*monotonic)(void *context); /* ms since some start, never backwards */
    void *context;
};

extern const struct clock clock_system;

static inline int64_t clock_realtime(const struct clock *c)
{
    return c->realtime(c->context);
}

static inline int64_t clock_monotonic(const struct clock *c)
{
    return c->monotonic(c->context);
}

#define CLOCK_TEXT_SIZE 32
/* "2026-01-31T12:34:56.789Z" into `out`, which is returned. */
const char *clock_text(int64_t realtime_ms, char out[CLOCK_TEXT_SIZE]);
