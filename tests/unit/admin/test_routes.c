/* test_routes.c: the route table. */
#include <criterion/criterion.h>
#include <string.h>

#include "admin/routes.h"

static const char *found(enum http_method method, const char *path, enum admin_role caller)
{
    char allow[64];
    const struct admin_route *r = admin_route_find(method, path, caller, allow);
    return r && (r->method == method || (method == HTTP_HEAD && r->method == HTTP_GET)) ? r->pattern : "";
}

Test(routes, find_paths)
{
    cr_assert_str_eq(found(HTTP_GET, "/healthz", ROLE_PUBLIC), "/healthz");
    cr_assert_str_eq(found(HTTP_HEAD, "/healthz", ROLE_PUBLIC), "/healthz");
    cr_assert_str_eq(found(HTTP_GET, "/v1/status", ROLE_MANAGER), "/v1/status");
    cr_assert_str_eq(found(HTTP_GET, "/v1/transactions/abc", ROLE_MANAGER), "/v1/transactions/*");
    cr_assert_str_eq(found(HTTP_DELETE, "/v1/challenges/a/b", ROLE_MANAGER), "/v1/challenges/*/*");
}

Test(routes, find_nothing_else)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "healthz",
                                        "/healthz/",
                                        "//healthz",
                                        "/Healthz",
                                        "/v1",
                                        "/v1/status/x",
                                        "/v1/transactions/",
                                        "/v1/transactions/a/b",
                                        "/v1/challenges/a",
                                        "/v1/challenges//b",
                                        "/v1/challenges/a/b/c",
                                        "/v1/%73tatus"};
    char allow[64];
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        cr_assert_null(admin_route_find(HTTP_GET, paths[i], ROLE_MANAGER, allow), "%s", paths[i]);
}

/* What a stranger on the TCP listener can reach is these three, whatever is added. */
Test(routes, of_the_public_are_three)
{
    size_t count, open = 0;
    const struct admin_route *r = admin_routes(&count);
    for (size_t i = 0; i < count; i++) {
        cr_assert(r[i].role >= ROLE_PUBLIC && r[i].role <= ROLE_MANAGER, "%s", r[i].pattern);
        if (r[i].role == ROLE_PUBLIC)
            open++;
        else
            cr_assert_str_eq(found(r[i].method, r[i].pattern, ROLE_PUBLIC), "");
    }
    cr_assert_eq(open, 3u);
    cr_assert_str_neq(found(HTTP_GET, "/metrics", ROLE_PUBLIC), "");
    cr_assert_str_neq(found(HTTP_GET, "/healthz", ROLE_PUBLIC), "");
    cr_assert_str_neq(found(HTTP_GET, "/readyz", ROLE_PUBLIC), "");
}

/* Who may only decide makes no challenges and changes nothing else, whatever is added. */
Test(routes, of_approvers_are_four)
{
    size_t count, theirs = 0;
    const struct admin_route *r = admin_routes(&count);
    for (size_t i = 0; i < count; i++) {
        theirs += r[i].role == ROLE_APPROVER;
        if (r[i].role == ROLE_MANAGER)
            cr_assert_str_eq(found(r[i].method, r[i].pattern, ROLE_APPROVER), "");
    }
    cr_assert_eq(theirs, 4u);
    cr_assert_str_neq(found(HTTP_POST, "/v1/transactions/0/approve", ROLE_APPROVER), "");
    cr_assert_str_neq(found(HTTP_POST, "/v1/transactions/0/deny", ROLE_APPROVER), "");
    cr_assert_str_neq(found(HTTP_GET, "/v1/transactions", ROLE_APPROVER), "");
    cr_assert_str_neq(found(HTTP_GET, "/v1/transactions/0", ROLE_APPROVER), "");
    cr_assert_str_eq(found(HTTP_POST, "/v1/challenges", ROLE_APPROVER), "");
}

Test(routes, are_complete_and_sorted)
{
    size_t count;
    const struct admin_route *r = admin_routes(&count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_not_null(r[i].handle);
        cr_assert(r[i].audit <= AUDIT_COUNT);
        cr_assert_eq(r[i].method == HTTP_POST, r[i].body_cap > 0, "%s", r[i].pattern);
        cr_assert(i == 0 || strcmp(r[i - 1].pattern, r[i].pattern) <= 0, "%s", r[i].pattern);
    }
}

Test(routes, tell_the_methods_of_a_path)
{
    char allow[64];
    const struct admin_route *r = admin_route_find(HTTP_DELETE, "/v1/challenges", ROLE_MANAGER, allow);
    cr_assert_not_null(r);
    cr_assert_neq(r->method, HTTP_DELETE);
    cr_assert_str_eq(allow, "GET, HEAD, POST");
    cr_assert_not_null(admin_route_find(HTTP_POST, "/healthz", ROLE_PUBLIC, allow));
    cr_assert_str_eq(allow, "GET, HEAD");
}

Test(routes, hand_over_parameters_unescaped)
{
    char allow[64], out[2][ADMIN_PARAMETER_SIZE] = {"", ""};
    const char *path = "/v1/challenges/de%6do/0123";
    const struct admin_route *r = admin_route_find(HTTP_DELETE, path, ROLE_MANAGER, allow);
    admin_route_parameters(r, path, out);
    cr_assert_str_eq(out[0], "demo");
    cr_assert_str_eq(out[1], "0123");
}

Test(routes, hand_over_nothing_that_is_no_text)
{
    char allow[64], out[2][ADMIN_PARAMETER_SIZE] = {"x", "x"};
    char path[200] = "/v1/challenges/a%00b/";
    size_t len = strlen(path);
    memset(path + len, 'x', 100);
    const struct admin_route *r = admin_route_find(HTTP_DELETE, path, ROLE_MANAGER, allow);
    cr_assert_not_null(r);
    admin_route_parameters(r, path, out);
    cr_assert_str_eq(out[0], "");
    cr_assert_str_eq(out[1], "");
}
