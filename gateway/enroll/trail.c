/* trail.c: a row and the texts it needs, alive until the store has answered. */
#include "enroll/trail.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "enroll/persist.h"

#define PATIENCE   30000 /* ms that a row is offered to a store that is away */
#define TRAILS_MAX 4096  /* rows on their way at once: strangers make them, so their number has a bound */

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

static void log_lost(const struct audit_event *row, const char *why)
{
    struct log_scope scope = {.alias = row->alias, .tenant = row->tenant, .client = row->client};
    log_line(LOG_LEVEL_ERROR, &scope, "audit.lost", "the store did not take the audit event %s %s: %s",
             row->event, row->details, why);
}

static void trail_written(void *context, struct store_answer *answer)
{
    struct trail *t = context;
    if (answer->outcome != STORE_OK)
        log_lost(&t->request.events[0], answer->reason);
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

/* False when out of memory. */
static bool copy_row(struct trail *t, const struct audit_event *from)
{
    struct audit_event *row = &t->request.events[0];
    *row = *from; /* the event's name is static */
    row->alias = arena_text(t->texts, from->alias);
    row->tenant = arena_text(t->texts, from->tenant);
    row->transaction = arena_text(t->texts, from->transaction);
    row->client = arena_text(t->texts, from->client);
    row->details = arena_text(t->texts, from->details);
    t->request.event_count = 1;
    return row->alias && row->tenant && row->transaction && row->client && row->details;
}

void trail_append(struct enroll *service, enum audit_code code, const struct alias *alias,
                  const char *transaction, const char *client, struct audit_details *details)
{
    struct audit_event row =
        audit_event(code, alias ? alias->settings->name : "", alias ? alias->settings->tenant : "",
                    transaction, client, audit_details_text(details));
    struct trail *t = service->trails < TRAILS_MAX ? trail_create(service) : NULL;
    if (t && copy_row(t, &row)) {
        service->trails++;
        persist_start(&t->persist);
    } else {
        log_lost(&row, t ? "out of memory" : "too many are on their way");
        if (t)
            trail_free(t);
    }
    audit_details_free(details);
}
