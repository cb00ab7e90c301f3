/* routes.h: the one table of what the API serves. Room-internal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "audit/audit.h"
#include "http/listener.h"

struct admin_call;

#define ADMIN_PARAMETER_SIZE 80

/* Each may what those before it may. */
enum admin_role {
    ROLE_PUBLIC = 1, /* also on the TCP listener */
    ROLE_APPROVER,   /* the unix socket: looks at requests and decides about those that wait */
    ROLE_MANAGER,    /* the unix socket: root and the gateway's own user */
};

typedef void admin_handler(struct admin_call *call);

struct admin_route {
    enum http_method method; /* GET serves HEAD as well */
    const char *pattern;     /* "*" stands for one segment, handed over unescaped */
    enum admin_role role;
    size_t body_cap; /* 0: takes no body */
    admin_handler *handle;
    enum audit_code audit; /* what a successful call leaves in the trail; AUDIT_COUNT: nothing, because it
                              only looks, or because the server writes it */
    const char *operation; /* label of METRIC_HTTP_REQUESTS */
};

const struct admin_route *admin_routes(size_t *count);
/* NULL when none has this path. A route of another method when only that has it: then *allow lists the
 * methods of the path. */
const struct admin_route *admin_route_find(enum http_method method, const char *path, enum admin_role caller,
                                           char allow[64]);
void admin_route_parameters(const struct admin_route *route, const char *path,
                            char (*out)[ADMIN_PARAMETER_SIZE]);
