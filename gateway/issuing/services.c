/* services.c: what the host does for a backend (struct backend_services). */
#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "issuing/instance.h"

struct work {
    struct backend_instance *instance;
    void (*run)(void *);
    void (*done)(void *);
    void *data;
};

static void work_run(void *data)
{
    struct work *w = data;
    w->run(w->data);
}

static void work_done(void *data)
{
    struct work *w = data;
    struct backend_instance *i = w->instance;
    w->done(w->data);
    free(w);
    i->work_running--;
    instance_settle(i);
}

static bool service_work(struct backend_host *h, void (*run)(void *), void (*done)(void *), void *data)
{
    struct backend_instance *i = h->instance;
    if (!i->owner)
        return false;
    if (!i->lane)
        i->lane = lane_create(i->owner->pool);
    struct work *w = malloc(sizeof *w);
    if (!i->lane || !w) {
        free(w);
        return false;
    }
    *w = (struct work){.instance = i, .run = run, .done = done, .data = data};
    if (pool_submit(i->lane, (struct job){.run = work_run, .done = work_done, .data = w}) != ERR_OK) {
        free(w);
        return false;
    }
    i->work_running++;
    return true;
}

struct timer {
    struct event *event;
    void (*fire)(void *);
    void *data;
};

static void timer_free(struct timer *t)
{
    event_free(t->event);
    free(t);
}

static void timer_fired(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct timer *t = data;
    void (*fire)(void *) = t->fire;
    void *argument = t->data;
    timer_free(t);
    fire(argument);
}

static void *service_timer_start(struct backend_host *h, int64_t delay, void (*fire)(void *), void *data)
{
    if (!h->instance->owner)
        return NULL;
    struct timer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (struct timer){.fire = fire, .data = data};
    t->event = evtimer_new(h->instance->owner->base, timer_fired, t);
    struct timeval wait = {.tv_sec = delay / 1000, .tv_usec = delay % 1000 * 1000};
    if (!t->event || evtimer_add(t->event, &wait) != 0) {
        if (t->event)
            event_free(t->event);
        free(t);
        return NULL;
    }
    return t;
}

static void service_timer_stop(struct backend_host *h, void *timer)
{
    (void)h;
    timer_free(timer);
}

static int64_t service_now(struct backend_host *h)
{
    return clock_realtime(h->instance->clock);
}

static void service_log(struct backend_host *h, enum backend_log_level level, const char *sentence)
{
    static const enum log_level levels[] = {
        [BACKEND_LOG_DEBUG] = LOG_LEVEL_DEBUG,
        [BACKEND_LOG_INFO] = LOG_LEVEL_INFO,
        [BACKEND_LOG_WARNING] = LOG_LEVEL_WARNING,
        [BACKEND_LOG_ERROR] = LOG_LEVEL_ERROR,
    };
    log_line(levels[level], NULL, "backend.says", "backend %s: %s", h->instance->values->name, sentence);
}

static const char *service_setting_text(struct backend_host *h, const char *path)
{
    return setting_block_text(h->instance->values->block, path);
}

static int64_t service_setting_number(struct backend_host *h, const char *path)
{
    return setting_block_number(h->instance->values->block, path);
}

static size_t service_setting_count(struct backend_host *h, const char *path)
{
    return setting_block_count(h->instance->values->block, path);
}

static const char *service_setting_item(struct backend_host *h, const char *path, size_t index)
{
    return setting_block_item(h->instance->values->block, path, index);
}

static const char *service_name(struct backend_host *h)
{
    return h->instance->values->name;
}

static const char *service_state_folder(struct backend_host *h)
{
    return h->instance->folder;
}

const struct backend_services instance_services = {
    .work = service_work,
    .timer_start = service_timer_start,
    .timer_stop = service_timer_stop,
    .now = service_now,
    .log = service_log,
    .setting_text = service_setting_text,
    .setting_number = service_setting_number,
    .setting_count = service_setting_count,
    .setting_item = service_setting_item,
    .name = service_name,
    .state_folder = service_state_folder,
};
