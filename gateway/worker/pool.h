/* pool.h: threads for pure jobs (open, seal, issue, parse, key generation, file reads).
 *
 * A job owns its inputs and outputs and touches nothing else. Each alias submits through a lane of its own;
 * the pool serves the lanes round robin, so a busy tenant delays itself. Lanes and the pool are bounded: over
 * the bound pool_submit refuses with ERR_OVERLOADED and nothing happens.
 * Lanes and pool belong to the loop thread; `run` is called on a worker, `done` on the loop thread, exactly
 * once each, `done` never inside pool_submit.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

struct event_base;
struct pool;
struct lane;

struct pool_limits {
    unsigned threads;    /* 0: one per processor */
    size_t lane_length;  /* jobs waiting per lane */
    size_t total_length; /* jobs waiting in all */
};

struct job {
    void (*run)(void *data);
    void (*done)(void *data);
    void *data;
};

enum error_code pool_create(struct pool **out, struct event_base *base, const struct pool_limits *limits,
                            struct error *e);
/* Runs what was accepted to its end, joins the threads, delivers the completions (what those submit is
 * refused with ERR_SHUTTING_DOWN). Not inside a completion. Lanes may be released afterwards, not used.
 * Accepts NULL. */
void pool_destroy(struct pool *p);
struct lane *lane_create(struct pool *p); /* NULL when out of memory */
void lane_release(struct lane *l);        /* freed when its last job is done; accepts NULL */
enum error_code pool_submit(struct lane *l, struct job job);
size_t pool_waiting(const struct pool *p);
size_t pool_running(const struct pool *p);
