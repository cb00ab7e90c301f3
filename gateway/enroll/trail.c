/* trail.c: a row and the texts it needs, alive until the store has answered. */
#include "enroll/trail.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "enroll/persist.h"

#define PATIENCE 30000 /* ms that a row is offered to a store that is away */

struct trail {
    struct enroll *service;
    struct arena *texts;
    struct store_request request;
    struct persist persist;
};

static void trail_free(struct trail *t)
{
    arena_free(t->texts);
    free(t);
}

static void trail_written(void *context, struct store_answer *answer)
{
    struct trail *t = context;
    if (answer->outcome != STORE_OK) {
        const struct audit_event *row = &t->request.events[0];
        struct log_scope scope = {.alias = row->alias, .tenant = row->tenant, .client = row->client};
        log_line(LOG_LEVEL_ERROR, &scope, "audit.lost", "the store did not take the audit event %s %s: %s",
                 row->event, row->details, answer->reason);
    }
    store_answer_free(answer);
    t->service->trails--;
    trail_free(t);
}

static struct trail *trail_create(struct enroll *service)
{
    struct trail *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->texts = arena_create();
    if (!t->texts) {
        free(t);
        return NULL;
    }
    t->service = service;
    store_request_init(&t->request, STORE_AUDIT_APPEND);
    t->persist = (struct persist){.store = service->parts.store,
                                  .base = service->parts.base,
                                  .request = &t->request,
                                  .give_up_after = PATIENCE,
                                  .done = trail_written,
                                  .context = t};
    return t;
}

void trail_append(struct enroll *service, enum audit_code code, const struct alias *alias,
                  const char *transaction, const char *client, struct audit_details *details)
{
    struct trail *t = trail_create(service);
    if (t) {
        const char *name = alias ? alias->settings->name : "";
        const char *tenant = alias ? alias->settings->tenant : "";
        t->request.events[0] = audit_event(code, arena_text(t->texts, name), arena_text(t->texts, tenant),
                                           arena_text(t->texts, transaction), arena_text(t->texts, client),
                                           arena_text(t->texts, audit_details_text(details)));
        t->request.event_count = 1;
        const struct audit_event *row = &t->request.events[0];
        if (row->alias && row->tenant && row->transaction && row->client && row->details) {
            service->trails++;
            persist_start(&t->persist);
            t = NULL;
        }
    }
    if (t)
        trail_free(t);
    audit_details_free(details);
}
