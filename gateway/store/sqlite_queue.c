/* sqlite_queue.c: how calls wait for a thread of the embedded store, and how a side of it says that it is
 * broken. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "store/sqlite_inside.h"

bool sqlite_queue_init(struct sqlite_queue *q)
{
    pthread_condattr_t attributes;
    *q = (struct sqlite_queue){.last = &q->first};
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool good = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&q->filled, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return good && pthread_mutex_init(&q->lock, NULL) == 0;
}

void sqlite_queue_free(struct sqlite_queue *q)
{
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
}

void sqlite_queue_put(struct sqlite_queue *q, struct sqlite_call *call)
{
    call->next = NULL;
    pthread_mutex_lock(&q->lock);
    *q->last = call;
    q->last = &call->next;
    pthread_mutex_unlock(&q->lock);
    pthread_cond_signal(&q->filled); /* after: the woken thread finds the lock free */
}

void sqlite_queue_end(struct sqlite_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->ended = true;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

static void wait_filled(struct sqlite_queue *q, int wait)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait / 1000;
    until.tv_nsec += (wait % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    while (!q->first && !q->ended) {
        if (wait < 0)
            pthread_cond_wait(&q->filled, &q->lock);
        else if (pthread_cond_timedwait(&q->filled, &q->lock, &until) == ETIMEDOUT)
            return;
    }
}

struct sqlite_call *sqlite_queue_take(struct sqlite_queue *q, int most, int wait, bool *ended)
{
    pthread_mutex_lock(&q->lock);
    if (!q->first && !q->ended)
        wait_filled(q, wait);
    struct sqlite_call *taken = q->first, *last = NULL;
    for (struct sqlite_call *c = taken; c && most > 0; c = c->next, most--)
        last = c;
    if (last) {
        q->first = last->next;
        last->next = NULL;
    }
    if (!q->first)
        q->last = &q->first;
    *ended = q->ended && !q->first;
    pthread_mutex_unlock(&q->lock);
    return taken;
}

void sqlite_health_broken(struct sqlite_health *h, const char *problem)
{
    pthread_mutex_lock(&h->lock);
    snprintf(h->problem, sizeof h->problem, "%s", problem);
    atomic_store(&h->broken, true);
    pthread_mutex_unlock(&h->lock);
}

void sqlite_health_good(struct sqlite_health *h)
{
    if (atomic_load_explicit(&h->broken, memory_order_relaxed))
        atomic_store(&h->broken, false);
}
