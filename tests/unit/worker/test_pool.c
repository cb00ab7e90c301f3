/* test_pool.c: fairness, bounds, order of calls and the pool's end. */
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "support/runner.h"
#include "worker/pool.h"

static struct event_base *base;
static struct pool *pool;
static pthread_t loop_thread;
static int done_count, wrong_thread;

static void open_pool(unsigned threads, size_t lane_length, size_t total_length)
{
    base = event_base_new();
    struct pool_limits limits = {threads, lane_length, total_length};
    if (!base || pool_create(&pool, base, &limits, NULL) != ERR_OK)
        abort();
    loop_thread = pthread_self();
    done_count = wrong_thread = 0;
}

static void close_pool(void)
{
    pool_destroy(pool);
    event_base_free(base);
}

static void turn_until_done(int count)
{
    while (done_count < count)
        event_base_loop(base, EVLOOP_ONCE);
}

/* A gate holds the workers until the test has filled the lanes. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
    int inside;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};

static void run_gate(void *data)
{
    (void)data;
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    pthread_cond_broadcast(&gate.opened);
    while (!gate.open)
        pthread_cond_wait(&gate.opened, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
}

static void wait_inside(int count)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside < count)
        pthread_cond_wait(&gate.opened, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void open_gate(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

static void count_done(void *data)
{
    (void)data;
    done_count++;
    wrong_thread += !pthread_equal(pthread_self(), loop_thread);
}

struct work {
    int runs, dones; /* written by a worker, read after `done` */
    bool on_loop_thread;
};

static void run_work(void *data)
{
    struct work *w = data;
    w->runs++;
    w->on_loop_thread = pthread_equal(pthread_self(), loop_thread);
}

static void done_work(void *data)
{
    struct work *w = data;
    w->dones++;
    count_done(NULL);
}

TEST(each_job_runs_once_on_a_worker_and_is_done_once_on_the_loop)
{
    enum { LANES = 7, JOBS = 300 };
    static struct work works[LANES][JOBS];
    open_pool(4, JOBS, LANES * JOBS);
    struct lane *lanes[LANES];
    for (int l = 0; l < LANES; l++)
        lanes[l] = lane_create(pool);
    for (int j = 0; j < JOBS; j++)
        for (int l = 0; l < LANES; l++)
            CHECK_INT(pool_submit(lanes[l], (struct job){run_work, done_work, &works[l][j]}), ERR_OK);
    CHECK_INT(done_count, 0);
    turn_until_done(LANES * JOBS);
    int bad = 0;
    for (int l = 0; l < LANES; l++) {
        for (int j = 0; j < JOBS; j++)
            bad += works[l][j].runs != 1 || works[l][j].dones != 1 || works[l][j].on_loop_thread;
        lane_release(lanes[l]);
    }
    CHECK_INT(bad, 0);
    CHECK_INT(wrong_thread, 0);
    CHECK_INT(pool_waiting(pool), 0);
    CHECK_INT(pool_running(pool), 0);
    close_pool();
}

static atomic_int run_order;

static void run_ordered(void *data)
{
    *(int *)data = atomic_fetch_add(&run_order, 1);
}

TEST(a_busy_lane_does_not_delay_another)
{
    enum { BUSY = 1000 };
    static int order[BUSY];
    int quiet_order = -1;
    open_pool(1, BUSY, BUSY + 10);
    struct lane *first = lane_create(pool), *busy = lane_create(pool), *quiet = lane_create(pool);
    atomic_store(&run_order, 0);
    open_gate(false);
    CHECK_INT(pool_submit(first, (struct job){run_gate, count_done, NULL}), ERR_OK);
    wait_inside(1);
    for (int i = 0; i < BUSY; i++)
        CHECK_INT(pool_submit(busy, (struct job){run_ordered, count_done, &order[i]}), ERR_OK);
    CHECK_INT(pool_submit(quiet, (struct job){run_ordered, count_done, &quiet_order}), ERR_OK);
    CHECK_INT(pool_waiting(pool), BUSY + 1);
    CHECK_INT(pool_running(pool), 1);
    open_gate(true);
    turn_until_done(BUSY + 2);
    CHECK_INT(quiet_order, 1); /* after one job of the busy lane */
    int out_of_order = 0;
    for (int i = 1; i < BUSY; i++)
        out_of_order += order[i] < order[i - 1];
    CHECK_INT(out_of_order, 0);
    lane_release(first);
    lane_release(busy);
    lane_release(quiet);
    close_pool();
}

TEST(lanes_take_turns)
{
    enum { LANES = 3, JOBS = 20 };
    static int order[LANES][JOBS];
    open_pool(1, JOBS, LANES * JOBS);
    struct lane *first = lane_create(pool), *lanes[LANES];
    atomic_store(&run_order, 0);
    open_gate(false);
    CHECK_INT(pool_submit(first, (struct job){run_gate, count_done, NULL}), ERR_OK);
    wait_inside(1);
    for (int l = 0; l < LANES; l++) {
        lanes[l] = lane_create(pool);
        for (int j = 0; j < JOBS; j++)
            CHECK_INT(pool_submit(lanes[l], (struct job){run_ordered, count_done, &order[l][j]}), ERR_OK);
    }
    open_gate(true);
    turn_until_done(LANES * JOBS + 1);
    for (int j = 0; j < JOBS; j++)
        for (int l = 0; l < LANES; l++)
            CHECK_INT(order[l][j], j * LANES + l);
    for (int l = 0; l < LANES; l++)
        lane_release(lanes[l]);
    lane_release(first);
    close_pool();
}

TEST(over_a_bound_a_job_is_refused_and_nothing_happens)
{
    struct work works[8] = {{0}};
    open_pool(1, 3, 5);
    struct lane *a = lane_create(pool), *b = lane_create(pool);
    open_gate(false);
    CHECK_INT(pool_submit(a, (struct job){run_gate, count_done, NULL}), ERR_OK);
    wait_inside(1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pool_submit(a, (struct job){run_work, done_work, &works[i]}), ERR_OK);
    CHECK_INT(pool_submit(a, (struct job){run_work, done_work, &works[3]}), ERR_OVERLOADED);
    for (int i = 4; i < 6; i++)
        CHECK_INT(pool_submit(b, (struct job){run_work, done_work, &works[i]}), ERR_OK);
    CHECK_INT(pool_submit(b, (struct job){run_work, done_work, &works[6]}), ERR_OVERLOADED);
    CHECK_INT(pool_waiting(pool), 5);
    open_gate(true);
    turn_until_done(6);
    CHECK_INT(works[3].runs + works[3].dones + works[6].runs + works[6].dones, 0);
    CHECK_INT(pool_submit(b, (struct job){run_work, done_work, &works[6]}), ERR_OK);
    turn_until_done(7);
    CHECK_INT(works[6].dones, 1);
    lane_release(a);
    lane_release(b);
    close_pool();
}

TEST(destroying_runs_and_delivers_what_was_accepted)
{
    enum { JOBS = 200 };
    static struct work works[JOBS];
    open_pool(2, JOBS, JOBS);
    struct lane *l = lane_create(pool);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(pool_submit(l, (struct job){run_work, done_work, &works[i]}), ERR_OK);
    lane_release(l); /* before its jobs are done: the pool keeps it until then */
    close_pool();
    CHECK_INT(done_count, JOBS);
    CHECK_INT(wrong_thread, 0);
    pool_destroy(NULL);
    lane_release(NULL);
}

static struct lane *own_lane;
static enum error_code second_submit;

static void submit_again(void *data)
{
    second_submit = pool_submit(own_lane, (struct job){run_work, done_work, data});
    count_done(NULL);
}

static void release_own_lane(void *data)
{
    (void)data;
    lane_release(own_lane);
    count_done(NULL);
}

TEST(a_completion_may_use_and_release_its_lane)
{
    struct work w = {0};
    open_pool(2, 10, 10);
    own_lane = lane_create(pool);
    CHECK_INT(pool_submit(own_lane, (struct job){run_work, submit_again, &w}), ERR_OK);
    turn_until_done(2);
    CHECK_INT(second_submit, ERR_OK);
    CHECK_INT(w.runs, 2);
    CHECK_INT(pool_submit(own_lane, (struct job){run_work, release_own_lane, &w}), ERR_OK);
    turn_until_done(3);
    close_pool();
}

TEST(a_completion_of_the_pools_end_cannot_submit)
{
    struct work w = {0};
    open_pool(1, 10, 10);
    own_lane = lane_create(pool);
    CHECK_INT(pool_submit(own_lane, (struct job){run_work, submit_again, &w}), ERR_OK);
    close_pool();
    CHECK_INT(second_submit, ERR_SHUTTING_DOWN);
    CHECK_INT(w.runs, 1);
    lane_release(own_lane);
}

TEST(threads_work_side_by_side)
{
    open_pool(3, 10, 10);
    struct lane *l = lane_create(pool);
    open_gate(false);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pool_submit(l, (struct job){run_gate, count_done, NULL}), ERR_OK);
    wait_inside(3); /* hangs unless three threads are there */
    CHECK_INT(pool_running(pool), 3);
    open_gate(true);
    turn_until_done(3);
    lane_release(l);
    close_pool();
}

RUNNER_MAIN()
