/* store_url.h: what a Redis URL says: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for TLS,
 * unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE].
 *
 * User, password and path may be percent-encoded. Pure; sentences never repeat the URL, which can hold a
 * password.
 */
#pragma once

#include "settings/snapshot.h"

struct store_url {
    char *address; /* "host:port", "[::1]:6379", "/run/redis.sock" */
    char *user;    /* "" when it names none */
    struct secret password;
    int database;
    bool tls;
};

/* On false `why` goes on after the name of the setting: "has no host; write …". NULL when out of memory, with
 * `why` empty. */
bool store_url_parse(struct store_url **out, const char *text, char *why, size_t size);
void store_url_free(struct store_url *u); /* accepts NULL */
