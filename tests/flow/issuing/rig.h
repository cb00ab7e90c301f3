/* rig.h: everything that issuing stands on: loop, pool, store, keys, backends out of YAML, and a clock that a
 * test can step. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "issuing/backends.h"
#include "issuing/ra_maker.h"
#include "store/store.h"

struct rig {
    char folder[64];
    struct event_base *base;
    struct pool *pool;
    struct metrics *metrics;
    struct clock clock;
    _Atomic int64_t ahead; /* ms by which the clock is before the real one */
    struct store *store;
    struct keys *keys;
    struct gateway_settings *settings;
    struct backends *backends;
    struct ra_maker *maker;
};

/* `yaml` without `state`. Ends the process when it cannot be set up. */
void rig_open(struct rig *r, const char *yaml);
void rig_close(struct rig *r);
/* Another file's text, as a reload brings it; the old settings are dropped. */
enum error_code rig_reload(struct rig *r, const char *yaml, struct error *e);

struct alias *rig_alias(struct rig *r,
                        const char *name); /* a fresh one out of the settings; the caller unrefs */
void rig_turn(struct rig *r);              /* one turn of the loop */
/* Asks for an identity and waits for the answer. */
bool rig_ensure(struct rig *r, struct alias *a);
struct store_answer *rig_ask(struct rig *r, const struct store_request *request);
struct store_answer *rig_list(struct rig *r, enum store_operation operation,
                              const char *alias); /* newest first */
