/* instance.h: what backends.c, services.c and call.c share: the instances and the calls that are under way.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "issuing/backends.h"

struct backends {
    struct event_base *base;
    struct pool *pool;
    struct metrics *metrics; /* may be NULL */
    const struct clock *clock;
    char *folder;                       /* STATE/backends */
    pthread_mutex_t lock;               /* of `instances`: backends_open may run on a worker */
    struct backend_instance *instances; /* newest first; a name's first is the one that serves */
    struct backend_call *calls;         /* loop thread, like `running` */
    size_t running;
};

struct backend_host {
    struct backend_instance *instance;
};

struct backend_instance {
    struct backend_host host; /* what the backend sees of it */
    struct backend_instance *next;
    struct backends *owner; /* NULL once the owner is gone and only queued work keeps the instance */
    const struct clock *clock;
    const struct backend_type *type;
    struct gateway_settings *settings; /* a reference: keeps `block` alive */
    const struct backend_settings *values;
    char *folder;
    void *opened;
    struct lane *lane;    /* made at first use, because lanes belong to the loop thread */
    size_t work_running;  /* loop thread */
    bool troubled;        /* the last call said unavailable or misconfigured */
    int64_t trouble_said; /* monotonic ms */
    /* The announcement of a gate that is under way. */
    bool announcing;
    backend_announced *announced;
    void *announced_context;
};

extern const struct backend_services instance_services;

void instance_free(struct backend_instance *i); /* closes it; accepts NULL and half-built ones */
/* At the end of work: an instance whose owner is gone ends with its last job. */
void instance_settle(struct backend_instance *i);

void calls_free(struct backends *b); /* cancels what is left, without a completion */
