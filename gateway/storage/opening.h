/* opening.h: opens the master keys and the store that the settings name: for the daemon, and for tools while no
 * daemon runs.
 */
#pragma once

#include "settings/snapshot.h"
#include "store/store.h"

/* What the administrator should read about a store that is reached over a network. Loop thread. */
typedef void storage_notice(void *context, bool is_problem, const char *event, const char *sentence);

struct storage_options {
    const struct gateway_settings *settings;
    struct event_base *base;
    bool make_key;   /* the first master key, when there is none */
    bool make_store; /* the state folder and the database */
    storage_notice *notice;
    void *context;
};

struct storage {
    struct keys *keys;
    struct store *store;
};

/* Blocking; may run the loop. On failure both are NULL and the sentence says what to do. */
enum error_code storage_open(struct storage *out, const struct storage_options *options, struct error *e);
void storage_close(struct storage *s); /* accepts what was never opened */
