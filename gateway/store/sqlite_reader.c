/* sqlite_reader.c: the thread that looks things up on a connection of its own. A read sees every write that
 * was answered before the read was submitted, because its snapshot is taken afterwards. A long one stops
 * after a slice and goes to the end of the queue. */
#include <stdlib.h>

#include "store/sqlite_inside.h"

#define BATCH      64
#define PROBE_WAIT 1000

static void answer(struct sqlite_reader *r, struct sqlite_call *c)
{
    if (r->link.error == SQLITE_OK) {
        sqlite_health_good(&r->health);
    } else {
        if (link_broken(&r->link))
            sqlite_health_broken(&r->health, r->link.reason);
        answer_refuse(c->answer, STORE_UNAVAILABLE, r->link.reason);
    }
    sqlite_deliver(r->store, c);
}

/* Begins a snapshot at the first look-up of a batch and again after a failure. */
static void ensure_snapshot(struct sqlite_reader *r)
{
    link_clear(&r->link);
    if (sqlite3_get_autocommit(r->link.db))
        link_run(&r->link, SQL_READ_BEGIN);
}

static void end_snapshot(struct sqlite_reader *r)
{
    if (sqlite3_get_autocommit(r->link.db))
        return;
    link_clear(&r->link);
    link_run(&r->link, SQL_COMMIT);
}

static void read_batch(struct sqlite_reader *r, struct sqlite_call *batch)
{
    for (struct sqlite_call *next, *c = batch; c; c = next) {
        next = c->next;
        ensure_snapshot(r);
        if (sqlite_operation(c->request->operation)->read(r, c) == SQLITE_READ_MORE &&
            r->link.error == SQLITE_OK)
            sqlite_queue_put(&r->queue, c);
        else
            answer(r, c);
    }
    end_snapshot(r);
}

static void probe(struct sqlite_reader *r)
{
    link_clear(&r->link);
    link_run(&r->link, SQL_PROBE_READ);
    if (r->link.error == SQLITE_OK)
        sqlite_health_good(&r->health);
}

static void *run(void *context)
{
    struct sqlite_reader *r = context;
    for (bool ended = false; !ended;) {
        int wait = atomic_load(&r->health.broken) ? PROBE_WAIT : -1;
        struct sqlite_call *batch = sqlite_queue_take(&r->queue, BATCH, wait, &ended);
        if (batch) {
            read_batch(r, batch);
            ended = false; /* a long one may have been put back: ask the queue again */
        } else if (!ended) {
            probe(r);
        }
    }
    return NULL;
}

bool sqlite_reader_start(struct sqlite_reader *r)
{
    r->running = pthread_create(&r->thread, NULL, run, r) == 0;
    return r->running;
}

void sqlite_reader_join(struct sqlite_reader *r)
{
    if (!r->running)
        return;
    sqlite_queue_end(&r->queue);
    pthread_join(r->thread, NULL);
    r->running = false;
}
