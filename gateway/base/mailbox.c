/* mailbox.c: see mailbox.h. An eventfd wakes the loop, so the event base needs no locks of its own. */
#include "base/mailbox.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    pthread_mutex_t lock;
    struct letter *first, **last; /* under the lock */
    struct event *wake;
    int fd;
};

static struct letter *take_all(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    struct letter *first = m->first;
    m->first = NULL;
    m->last = &m->first;
    pthread_mutex_unlock(&m->lock);
    return first;
}

/* One batch; what is posted meanwhile is for the next turn. */
static void deliver_batch(struct letter *letter)
{
    for (struct letter *next; letter; letter = next) {
        next = letter->next; /* the letter's memory may be gone after its delivery */
        letter->deliver(letter);
    }
}

static void woken(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    uint64_t count;
    while (read((int)fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    deliver_batch(take_all(context));
}

enum error_code mailbox_create(struct mailbox **out, struct event_base *base, struct error *e)
{
    *out = NULL;
    struct mailbox *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(e, ERR_INTERNAL, "out of memory");
    pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->fd < 0) {
        error_set(e, ERR_INTERNAL, "cannot make an eventfd: %s", error_errno(errno));
        mailbox_destroy(m);
        return ERR_INTERNAL;
    }
    m->wake = event_new(base, m->fd, EV_READ | EV_PERSIST, woken, m);
    if (!m->wake || event_add(m->wake, NULL) != 0) {
        mailbox_destroy(m);
        return error_set(e, ERR_INTERNAL, "cannot watch an eventfd");
    }
    *out = m;
    return ERR_OK;
}

void mailbox_destroy(struct mailbox *m)
{
    if (!m)
        return;
    for (struct letter *batch; (batch = take_all(m)) != NULL;)
        deliver_batch(batch);
    if (m->wake)
        event_free(m->wake);
    if (m->fd >= 0)
        close(m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void mailbox_post(struct mailbox *m, struct letter *letter)
{
    letter->next = NULL;
    pthread_mutex_lock(&m->lock);
    bool was_empty = !m->first;
    *m->last = letter;
    m->last = &letter->next;
    /* Under the lock: once it is released, the loop may have delivered the letter and destroyed the mailbox.
     */
    const uint64_t one = 1;
    while (was_empty && write(m->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    pthread_mutex_unlock(&m->lock);
}
