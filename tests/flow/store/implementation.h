/* implementation.h: the stores that the conformance suite runs against, by the name in STORE_UNDER_TEST. */
#pragma once

#include "flow/store/bench.h"

struct implementation {
    const char *name;
    bool shared; /* many may open one place, and a lease outlives the store that took it */
    /* An empty place, in b->place. */
    void (*prepare)(struct bench *b);
    /* Points b->now at the clock of b->place; ends the process when there is no such place. */
    void (*attach)(struct bench *b);
    enum error_code (*open)(struct bench *b, struct store **out, struct error *e);
    void (*remove)(struct bench *b);
};

extern const struct implementation implementation_sqlite;
/* A server of the form that REDIS_FORM names serves the whole process: each place is a key space of its own. */
extern const struct implementation implementation_redis;

/* The row that STORE_UNDER_TEST names; ends the process when there is none. */
const struct implementation *implementation(void);
