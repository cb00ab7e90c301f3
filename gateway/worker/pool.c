/* pool.c: see pool.h. Lanes that have something to do stand in a ring; a worker takes one job of the first
 * and puts the lane to the end. */
#include "worker/pool.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mailbox.h"

#define MAX_THREADS 256

struct task {
    struct letter letter; /* first, so that a letter is its task */
    struct job job;
    struct lane *lane;
    struct task *next;
};

struct lane {
    struct pool *pool;
    struct task *first, **last; /* under the pool's lock, like `length` and `next` */
    size_t length;
    struct lane *next; /* in the ring, while `length` > 0 */
    size_t unfinished; /* loop thread: submitted and not yet done */
    bool released;     /* loop thread */
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct lane *ready, **ready_last; /* under the lock */
    bool stopping;                    /* under the lock */
    atomic_size_t waiting, running;
    struct pool_limits limits;
    struct mailbox *mailbox;
    pthread_t *threads;
    size_t thread_count;
};

static void lane_ready(struct pool *p, struct lane *l)
{
    l->next = NULL;
    *p->ready_last = l;
    p->ready_last = &l->next;
}

/* Under the lock; some lane is ready. */
static struct task *take(struct pool *p)
{
    struct lane *l = p->ready;
    p->ready = l->next;
    if (!p->ready)
        p->ready_last = &p->ready;

    struct task *task = l->first;
    l->first = task->next;
    l->length--;
    if (l->first)
        lane_ready(p, l);
    else
        l->last = &l->first;
    atomic_fetch_sub(&p->waiting, 1);
    atomic_fetch_add(&p->running, 1);
    return task;
}

/* NULL: the pool is stopping and everything accepted has been taken. */
static struct task *wait_for_task(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->ready && !p->stopping)
        pthread_cond_wait(&p->work, &p->lock);
    struct task *task = p->ready ? take(p) : NULL;
    pthread_mutex_unlock(&p->lock);
    return task;
}

static void *work(void *context)
{
    struct pool *p = context;
    for (struct task *task; (task = wait_for_task(p)) != NULL;) {
        task->job.run(task->job.data);
        atomic_fetch_sub(&p->running, 1);
        mailbox_post(p->mailbox, &task->letter);
    }
    OPENSSL_thread_stop();
    return NULL;
}

static void lane_free_if_over(struct lane *l)
{
    if (l->released && l->unfinished == 0)
        free(l);
}

static void deliver(struct letter *letter)
{
    struct task *task = (struct task *)letter;
    struct lane *l = task->lane;
    struct job job = task->job;
    free(task);
    job.done(job.data);
    l->unfinished--; /* only now, so that `done` may use or release the lane */
    lane_free_if_over(l);
}

static size_t processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (size_t)count : 1;
}

/* Signals are the loop thread's. */
static enum error_code start_threads(struct pool *p, size_t count, struct error *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int problem = 0;
    while (problem == 0 && p->thread_count < count) {
        problem = pthread_create(&p->threads[p->thread_count], NULL, work, p);
        if (problem == 0)
            pthread_setname_np(p->threads[p->thread_count++], "worker");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (problem != 0)
        return error_set(e, ERR_INTERNAL, "cannot start worker %zu of %zu: %s", p->thread_count + 1, count,
                         error_errno(problem));
    return ERR_OK;
}

enum error_code pool_create(struct pool **out, struct event_base *base, const struct pool_limits *limits,
                            struct error *e)
{
    *out = NULL;
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(e, ERR_INTERNAL, "out of memory");
    p->limits = *limits;
    p->ready_last = &p->ready;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    size_t count = limits->threads > 0 ? limits->threads : processors();
    if (count > MAX_THREADS)
        count = MAX_THREADS;
    p->threads = calloc(count, sizeof *p->threads);
    enum error_code code =
        p->threads ? mailbox_create(&p->mailbox, base, e) : error_set(e, ERR_INTERNAL, "out of memory");
    if (code == ERR_OK)
        code = start_threads(p, count, e);
    if (code != ERR_OK) {
        pool_destroy(p);
        return code;
    }
    *out = p;
    return ERR_OK;
}

void pool_destroy(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    mailbox_destroy(p->mailbox);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
}

struct lane *lane_create(struct pool *p)
{
    struct lane *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->pool = p;
    l->last = &l->first;
    return l;
}

void lane_release(struct lane *l)
{
    if (!l)
        return;
    l->released = true;
    lane_free_if_over(l);
}

/* Under the lock. */
static enum error_code admit(const struct pool *p, const struct lane *l)
{
    if (p->stopping)
        return ERR_SHUTTING_DOWN;
    if (l->length >= p->limits.lane_length || pool_waiting(p) >= p->limits.total_length)
        return ERR_OVERLOADED;
    return ERR_OK;
}

enum error_code pool_submit(struct lane *l, struct job job)
{
    struct pool *p = l->pool;
    struct task *task = malloc(sizeof *task);
    if (!task)
        return ERR_OVERLOADED;
    *task = (struct task){.letter.deliver = deliver, .job = job, .lane = l};

    pthread_mutex_lock(&p->lock);
    enum error_code code = admit(p, l);
    if (code == ERR_OK) {
        *l->last = task;
        l->last = &task->next;
        if (l->length++ == 0)
            lane_ready(p, l);
        l->unfinished++;
        atomic_fetch_add(&p->waiting, 1);
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    if (code != ERR_OK)
        free(task);
    return code;
}

size_t pool_waiting(const struct pool *p)
{
    return atomic_load(&p->waiting);
}

size_t pool_running(const struct pool *p)
{
    return atomic_load(&p->running);
}
