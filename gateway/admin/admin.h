/* admin.h: the management API on the unix socket, and metrics and health on the TCP listener.
 *
 * HTTP with JSON bodies; routes are rows (routes.c) with method, path, role, body cap, handler and audit
 * event. The unix socket (0600, peer credentials checked) is the only way to the management rows.
 * docs/admin-api.md describes them. Loop thread.
 */
#pragma once

#include "alias/alias.h"
#include "http/listener.h"
#include "issuing/backends.h"
#include "metrics/metrics.h"
#include "store/store.h"

struct admin;

struct admin_replica { /* another gateway on the same store */
    const char *id, *host, *version;
    int pid;
    int64_t since; /* its settings took effect */
    int64_t seen;
    size_t differences; /* between its settings and ours */
};
typedef void admin_replica_visit(void *list, const struct admin_replica *replica);

struct admin_parts { /* borrowed; all outlive the service */
    struct event_base *base;
    struct alias_directory *directory;
    struct backends *backends;
    struct store *store;
    const char *store_type; /* "sqlite", "redis" */
    const struct keys *keys;
    struct pool *pool;
    struct metrics *metrics;
    const struct clock *clock;
    bool (*draining)(void *context);
    const char *replica; /* id of this process among those on the store; NULL: none */
    void (*replicas)(void *context, admin_replica_visit *visit, void *list); /* NULL: there are none */
    void (*reload)(void *context);                                           /* as SIGHUP */
    void (*log_level)(void *context,
                      enum log_level level); /* until the next reload; NULL: cannot be changed */
    void *context;
};

struct admin *admin_create(const struct admin_parts *parts); /* NULL when out of memory */
void admin_handle_socket(void *admin,
                         struct http_exchange *x); /* http_handler of the unix socket: everything */
void admin_handle_public(
    void *admin, struct http_exchange *x); /* http_handler of the TCP listener: /metrics /healthz /readyz */
bool admin_idle(const struct admin *a);
void admin_free(struct admin *a); /* idle; accepts NULL */
