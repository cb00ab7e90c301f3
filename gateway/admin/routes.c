/* routes.c: see routes.h. */
#include "admin/routes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "admin/endpoints.h"
#include "base/cleanup.h"
#include "base/codec.h"

#define NO_EVENT AUDIT_COUNT
/* All seven, or it does not compile: nobody adds a row without thinking of its role. */
#define ROUTE(method, pattern, role, body_cap, handler, audit, operation)                                    \
    {                                                                                                        \
        HTTP_##method, pattern, ROLE_##role, body_cap, handler, audit, operation                             \
    }

static const struct admin_route routes[] = {
    ROUTE(GET, "/healthz", PUBLIC, 0, admin_health, NO_EVENT, "health"),
    ROUTE(GET, "/metrics", PUBLIC, 0, admin_metrics, NO_EVENT, "metrics"),
    ROUTE(GET, "/readyz", PUBLIC, 0, admin_ready, NO_EVENT, "ready"),
    ROUTE(GET, "/v1/aliases", MANAGER, 0, admin_aliases, NO_EVENT, "admin"),
    ROUTE(GET, "/v1/audit", MANAGER, 0, admin_audit_list, NO_EVENT, "admin"),
    ROUTE(POST, "/v1/audit/verify", MANAGER, 1024, admin_audit_verify, NO_EVENT, "admin"),
    ROUTE(GET, "/v1/certificates", MANAGER, 0, admin_certificates_list, NO_EVENT, "admin"),
    ROUTE(GET, "/v1/certificates/*/*", MANAGER, 0, admin_certificates_find, NO_EVENT, "admin"),
    ROUTE(POST, "/v1/certificates/*/*/hold", MANAGER, 1024, admin_certificates_hold, AUDIT_CERTIFICATE_HELD,
          "admin"),
    ROUTE(POST, "/v1/certificates/*/*/release", MANAGER, 1024, admin_certificates_release,
          AUDIT_CERTIFICATE_RELEASED, "admin"),
    ROUTE(POST, "/v1/certificates/*/*/revoke", MANAGER, 1024, admin_certificates_revoke,
          AUDIT_CERTIFICATE_REVOKED, "admin"),
    ROUTE(GET, "/v1/challenges", MANAGER, 0, admin_challenges_list, NO_EVENT, "admin"),
    ROUTE(POST, "/v1/challenges", MANAGER, 16384, admin_challenges_create, AUDIT_CHALLENGE_CREATED, "admin"),
    ROUTE(DELETE, "/v1/challenges/*/*", MANAGER, 0, admin_challenges_revoke, AUDIT_CHALLENGE_REVOKED,
          "admin"),
    ROUTE(POST, "/v1/log-level", MANAGER, 1024, admin_log_level, NO_EVENT, "admin"),
    ROUTE(POST, "/v1/reload", MANAGER, 1024, admin_reload, NO_EVENT, "admin"),
    ROUTE(GET, "/v1/status", MANAGER, 0, admin_status, NO_EVENT, "admin"),
    ROUTE(GET, "/v1/store/reindex", MANAGER, 0, admin_reindex_look, NO_EVENT, "admin"),
    ROUTE(POST, "/v1/store/reindex", MANAGER, 1024, admin_reindex_begin, NO_EVENT, "admin"),
    ROUTE(GET, "/v1/store/rekey", MANAGER, 0, admin_rekey_look, NO_EVENT, "admin"),
    ROUTE(POST, "/v1/store/rekey", MANAGER, 1024, admin_rekey_begin, AUDIT_STORE_REKEYED, "admin"),
    ROUTE(GET, "/v1/transactions", APPROVER, 0, admin_transactions_list, NO_EVENT, "admin"),
    ROUTE(GET, "/v1/transactions/*", APPROVER, 0, admin_transactions_find, NO_EVENT, "admin"),
    ROUTE(POST, "/v1/transactions/*/approve", APPROVER, 4096, admin_transactions_approve,
          AUDIT_REQUEST_APPROVED, "admin"),
    ROUTE(POST, "/v1/transactions/*/deny", APPROVER, 4096, admin_transactions_deny, AUDIT_REQUEST_DENIED,
          "admin"),
};

const struct admin_route *admin_routes(size_t *count)
{
    *count = sizeof routes / sizeof *routes;
    return routes;
}

/* The next segment behind a '/'; false at the end. */
static bool next_segment(const char **at, struct bytes *segment)
{
    if (**at != '/')
        return false;
    size_t len = strcspn(*at + 1, "/");
    *segment = bytes_of(*at + 1, len);
    *at += 1 + len;
    return true;
}

static bool matches(const char *pattern, const char *path)
{
    struct bytes want, have;
    while (next_segment(&pattern, &want)) {
        if (!next_segment(&path, &have) || have.len == 0)
            return false;
        if (!bytes_equal(want, bytes_of_text("*")) && !bytes_equal(want, have))
            return false;
    }
    return *path == 0;
}

static const char *method_name(enum http_method method)
{
    return method == HTTP_GET ? "GET, HEAD" : method == HTTP_POST ? "POST" : "DELETE";
}

const struct admin_route *admin_route_find(enum http_method method, const char *path, enum admin_role caller,
                                           char allow[64])
{
    const struct admin_route *other = NULL;
    size_t used = 0;
    allow[0] = 0;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct admin_route *r = &routes[i];
        if (r->role > caller || !matches(r->pattern, path))
            continue;
        if (r->method == method || (method == HTTP_HEAD && r->method == HTTP_GET))
            return r;
        used +=
            (size_t)snprintf(allow + used, 64 - used, "%s%s", used > 0 ? ", " : "", method_name(r->method));
        assert(used < 64);
        other = r;
    }
    return other;
}

/* A segment that is too long or no text leaves a parameter that no check lets pass: "". */
static void copy_parameter(char *out, struct bytes segment)
{
    CLEANUP(buffer) struct buffer plain;
    buffer_init(&plain, ADMIN_PARAMETER_SIZE - 1);
    codec_unescape(&plain, segment);
    out[0] = 0;
    if (!plain.failed && plain.len > 0 && !memchr(plain.data, 0, plain.len))
        memcpy(out, plain.data, plain.len + 1);
}

void admin_route_parameters(const struct admin_route *route, const char *path,
                            char (*out)[ADMIN_PARAMETER_SIZE])
{
    const char *pattern = route->pattern;
    struct bytes want, have;
    while (next_segment(&pattern, &want) && next_segment(&path, &have))
        if (bytes_equal(want, bytes_of_text("*")))
            copy_parameter(*out++, have);
}
