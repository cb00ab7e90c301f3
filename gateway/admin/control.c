/* control.c: /v1/reload and /v1/log-level. */
#include <string.h>

#include "admin/endpoints.h"

void admin_reload(struct admin_call *c)
{
    const struct admin_parts *parts = &c->admin->parts;
    if (!admin_query_only(c, "") || !admin_members(c, NULL, 0))
        return;
    if (parts->draining && parts->draining(parts->context)) {
        admin_refuse(c, 503, "SHUTTING_DOWN", "the gateway is shutting down");
        return;
    }
    parts->reload(parts->context); /* tells its outcome by log and audit trail */
    admin_answer(c, 202, json_pack("{s:b}", "started", 1));
}

void admin_log_level(struct admin_call *c)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    const struct admin_parts *parts = &c->admin->parts;
    const char *level = NULL;
    const struct admin_member members[] = {
        {"level", MEMBER_TEXT, &level, .required = true, .min = 1, .max = 16}};
    if (!admin_query_only(c, "") || !admin_members(c, members, 1))
        return;
    bool known = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        known = known || strcmp(names[i], level) == 0;
    if (!known) {
        admin_refuse(c, 400, "BAD_REQUEST", "\"level\" must be debug, info, warning or error");
        return;
    }
    if (!parts->log_level) {
        admin_refuse(c, 409, "CONFLICT", "this process does not let its log level be changed");
        return;
    }
    parts->log_level(parts->context, log_level_of(level));
    admin_answer(c, 200, json_pack("{s:s}", "level", level));
}
