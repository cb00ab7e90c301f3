/* redis.h: the store that replicas share: single Redis, Sentinel or Cluster, from version 7.0 on.
 *
 * Loop thread only; no thread of its own. Every key of one alias carries one hash tag, and every promise is
 * one Lua script over that tag. Times are Redis' own. What it cannot reach is UNAVAILABLE; what it does not
 * know the end of is UNKNOWN. docs/operations.md says which promise holds in which topology.
 */
#pragma once

#include "store/store.h"

enum redis_topology { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

/* Texts are NULL or empty when there is none. Deadlines are ms. Everything is copied. */
struct redis_options {
    enum redis_topology topology;
    const char *const
        *addresses; /* "host:port", "[::1]:6379", "/run/redis.sock"; of the sentinels with SENTINEL */
    size_t address_count;
    const char *master;    /* SENTINEL: the name that the sentinels know */
    const char *user;      /* ACL user; NULL: the default one */
    struct bytes password; /* empty: no AUTH */
    const char *sentinel_user;
    struct bytes sentinel_password;
    int database; /* 0 with CLUSTER */
    bool tls;
    const char *tls_ca;          /* PEM file; NULL: the system's */
    const char *tls_certificate; /* PEM files of the client; NULL: none */
    const char *tls_key;
    const char *tls_server_name; /* NULL: the address' host */
    const char *prefix;          /* of every key; without braces */
    int64_t connect_deadline;
    int64_t command_deadline;
    int queue_length;  /* commands not answered yet */
    int wait_replicas; /* 0: none */
    int64_t wait_deadline;
};

/* What the administrator should read: connections lost and found, failovers, weak durability. Loop thread. */
typedef void redis_notice(void *context, bool is_problem, const char *event, const char *sentence);

/* Runs the loop until Redis has answered or `connect_deadline` is over. A Redis that is away is no error: the
 * store is then not ready, and becomes ready by itself. ERR_KEY_UNUSABLE when the data were made under a master
 * key whose check value is none of `key_checks` (newest first). */
enum error_code store_redis_open(struct store **out, const struct redis_options *options,
                                 const char *const *key_checks, size_t key_check_count,
                                 struct event_base *base, redis_notice *notice, void *notice_context,
                                 struct error *e);
