/* admin.c: see admin.h. */
#include "admin/admin.h"

#include <stdlib.h>
#include <unistd.h>

#include "admin/endpoints.h"
#include "base/clock.h"

struct admin *admin_create(const struct admin_parts *parts)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->parts = *parts;
    a->started = clock_monotonic(parts->clock);
    return a;
}

static void refuse_method(struct admin *a, struct http_exchange *x, const char *allow)
{
    static const char body[] =
        "{\"error\":\"this method is not allowed here\",\"code\":\"METHOD_NOT_ALLOWED\"}";
    const struct http_header headers[] = {{"Cache-Control", "no-store"}, {"Allow", allow}};
    admin_count(a, "admin", 405);
    http_reply(x, 405, "application/json", bytes_of_text(body), headers, 2);
}

static void handle(struct admin *a, struct http_exchange *x, enum admin_role caller)
{
    char allow[64];
    const struct admin_route *route = admin_route_find(x->method, x->path, caller, allow);
    if (!route && caller == ROLE_APPROVER && admin_route_find(x->method, x->path, ROLE_MANAGER, allow)) {
        admin_error(a, x, 403, "FORBIDDEN", "this is for root and the gateway's own user alone");
        return;
    }
    if (!route) {
        admin_error(a, x, 404, "NOT_FOUND", "there is nothing here");
        return;
    }
    bool fits = route->method == x->method || (x->method == HTTP_HEAD && route->method == HTTP_GET);
    if (!fits) {
        refuse_method(a, x, allow);
        return;
    }
    struct admin_call *c = admin_call_create(a, x, route);
    if (c)
        route->handle(c);
}

void admin_handle_socket(void *admin, struct http_exchange *x)
{
    bool manager = x->peer_uid == 0 || x->peer_uid == (long)geteuid();
    handle(admin, x, manager ? ROLE_MANAGER : ROLE_APPROVER);
}

void admin_handle_public(void *admin, struct http_exchange *x)
{
    handle(admin, x, ROLE_PUBLIC);
}

bool admin_idle(const struct admin *a)
{
    return a->calls == 0 && !a->reindex.running && !(a->rekey && rekey_report(a->rekey)->running);
}

void admin_free(struct admin *a)
{
    if (!a)
        return;
    rekey_free(a->rekey);
    free(a);
}
