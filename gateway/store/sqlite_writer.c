/* sqlite_writer.c: the thread that writes, with group commit: what waits is carried out in one transaction of
 * the database, and is answered when that is on disk.
 *
 * Handlers refuse before they write, so only a failing database has to be undone. Then the whole transaction
 * is rolled back (SQLite may have done that itself by then) and each of its calls runs again, alone: one that
 * fails undoes no other, at no cost to those that succeed.
 */
#include <stdlib.h>

#include "store/sqlite_inside.h"

#define BATCH      256
#define PROBE_WAIT 1000 /* ms between tries while nothing can be written */

enum result { WRITTEN, UNDONE, IN_DOUBT };

/* The copies are of what was never committed: read them again before they are next used. */
static void undo(struct sqlite_writer *w)
{
    w->loaded = false;
    if (!sqlite3_get_autocommit(w->link.db))
        sqlite3_exec(w->link.db, "ROLLBACK", NULL, NULL, NULL);
}

static void begin(struct sqlite_writer *w)
{
    link_clear(&w->link);
    link_run(&w->link, SQL_WRITE_BEGIN);
    if (w->loaded || w->link.error != SQLITE_OK)
        return;
    sqlite_memory_load(w);
    sqlite_audit_load(w);
    w->loaded = w->link.error == SQLITE_OK;
}

static void remember(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct store_request *r = c->request;
    for (size_t i = 0; !c->quiet && i < r->event_count; i++)
        sqlite_audit_write(w, &r->events[i], w->now);
    for (size_t i = 0; !c->quiet && i < r->obligation_count; i++)
        sqlite_obligation_write(w, &r->obligations[i]);
    sqlite_memory_add(w, c);
}

static void carry_out(struct sqlite_writer *w, struct sqlite_call *c)
{
    const struct sqlite_operation *operation = sqlite_operation(c->request->operation);
    answer_reset(c->answer);
    c->changed = c->quiet = false;
    c->reference = 0;
    w->now = clock_realtime(w->store->clock);
    if (sqlite_memory_recall(w, c)) {
        if (operation->again)
            operation->again(w, c);
        return;
    }
    operation->write(w, c);
    if (c->changed)
        remember(w, c);
}

/* All of them in one transaction, in their order. */
static enum result attempt(struct sqlite_writer *w, struct sqlite_call *batch)
{
    begin(w);
    for (struct sqlite_call *c = batch; c && w->link.error == SQLITE_OK; c = c->next)
        carry_out(w, c);
    if (w->link.error != SQLITE_OK) {
        undo(w);
        return UNDONE;
    }
    link_run(&w->link, SQL_COMMIT);
    if (w->link.error == SQLITE_OK) {
        sqlite_health_good(&w->health);
        return WRITTEN;
    }
    undo(w);
    return IN_DOUBT;
}

static void finish(struct sqlite_writer *w, struct sqlite_call *batch, enum result result)
{
    if (result != WRITTEN && link_broken(&w->link))
        sqlite_health_broken(&w->health, w->link.reason);
    for (struct sqlite_call *next, *c = batch; c; c = next) {
        next = c->next;
        if (result != WRITTEN)
            answer_refuse(c->answer, result == UNDONE ? STORE_UNAVAILABLE : STORE_UNKNOWN, w->link.reason);
        sqlite_deliver(w->store, c);
    }
}

static void write_batch(struct sqlite_writer *w, struct sqlite_call *batch)
{
    enum result result = attempt(w, batch);
    if (result != UNDONE || !batch->next) {
        finish(w, batch, result);
        return;
    }
    for (struct sqlite_call *next, *c = batch; c; c = next) {
        next = c->next;
        c->next = NULL;
        finish(w, c, attempt(w, c));
    }
}

static void probe(struct sqlite_writer *w)
{
    begin(w);
    link_run(&w->link, SQL_PROBE);
    if (w->link.error == SQLITE_OK)
        link_run(&w->link, SQL_COMMIT);
    if (w->link.error == SQLITE_OK)
        sqlite_health_good(&w->health);
    else
        undo(w);
}

static void *run(void *context)
{
    struct sqlite_writer *w = context;
    for (bool ended = false; !ended;) {
        int wait = atomic_load(&w->health.broken) ? PROBE_WAIT : -1;
        struct sqlite_call *batch = sqlite_queue_take(&w->queue, BATCH, wait, &ended);
        if (batch)
            write_batch(w, batch);
        else if (!ended)
            probe(w);
    }
    return NULL;
}

bool sqlite_writer_start(struct sqlite_writer *w)
{
    w->running = pthread_create(&w->thread, NULL, run, w) == 0;
    return w->running;
}

void sqlite_writer_join(struct sqlite_writer *w)
{
    if (!w->running)
        return;
    sqlite_queue_end(&w->queue);
    pthread_join(w->thread, NULL);
    w->running = false;
}

void sqlite_ping(struct sqlite_writer *w, struct sqlite_call *c)
{
    (void)w;
    c->changed = true; /* being remembered is the write */
}
