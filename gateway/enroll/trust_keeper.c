/* trust_keeper.c: see trust_keeper.h. A watch per alias: ask the backend - read the lists on the thread -
 * install - sleep. */
#include "enroll/trust_keeper.h"

#include <event2/event.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alias/trust.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "http/fetch.h"
#include "issuing/backends.h"
#include "publication/publisher.h"
#include "worker/pool.h"

#define LIST_MAX         ((size_t)64 << 20)
#define FETCH_SECONDS    20
#define BACKEND_DEADLINE (10 * 1000)
#define RETRY_DELAY      (60 * 1000) /* ms until what could not be read is tried again, at most */
#define LANE_LENGTH      1000000     /* aliases that wait for the thread */

struct trust_keeper {
    struct event_base *base;
    const struct alias_directory *directory;
    struct publisher *publisher; /* may be NULL */
    struct pool *pool;           /* one thread */
    struct lane *lane;
    _Atomic bool stopped;
    size_t running;
    struct watch *watches;
};

struct watch {
    struct trust_keeper *keeper;
    struct watch *next, **link;
    struct alias *alias; /* a reference */
    struct event *timer;
    struct trust *fresh; /* being made; the thread's while it reads */
    struct buffer problems;
    bool failed;                                    /* something could not be read this time */
    enum backend_authority asked;                   /* which of the backend's CAs */
    bool busy;                                      /* between look and sleep_on */
    bool again;                                     /* a list came meanwhile */
    struct published *published[PUBLISHER_CAS_MAX]; /* references, while busy */
    size_t published_count;
};

static void note(const struct watch *w, enum log_level level, const char *event, const char *sentence)
{
    struct log_scope scope = {.alias = w->alias->settings->name, .tenant = w->alias->settings->tenant};
    log_line(level, &scope, event, "%s", sentence);
}

static void return_published(struct watch *w)
{
    while (w->published_count)
        published_unref(w->published[--w->published_count]);
}

static void watch_free(struct watch *w)
{
    return_published(w);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    if (w->timer)
        event_free(w->timer);
    trust_unref(w->fresh);
    buffer_free(&w->problems);
    alias_unref(w->alias);
    free(w);
}

/* ---- sleeping ------------------------------------------------------------------------------------------ */

static bool needed(const struct alias *alias)
{
    return alias->trust && (trust_source_count(alias->trust) || alias->settings->renewal.unrecorded);
}

static bool is_current(const struct watch *w)
{
    return alias_directory_find(w->keeper->directory, w->alias->settings->name) == w->alias;
}

static void sleep_on(struct watch *w)
{
    int64_t delay = w->alias->settings->renewal.crl_refresh;
    if (w->failed && delay > RETRY_DELAY)
        delay = RETRY_DELAY;
    if (w->again)
        delay = 0;
    w->busy = w->again = false;
    struct timeval pause = {.tv_sec = delay / 1000, .tv_usec = (delay % 1000) * 1000};
    if (!atomic_load(&w->keeper->stopped))
        evtimer_add(w->timer, &pause);
}

/* ---- reading, on the thread ---------------------------------------------------------------------------- */

static enum error_code read_file(struct buffer *out, const char *path, struct error *e)
{
    char part[16384];
    size_t got;
    CLEANUP(FILE) FILE *file = fopen(path, "rb");
    if (!file)
        return error_set(e, ERR_FILE_UNREADABLE, "it cannot be opened");
    while ((got = fread(part, 1, sizeof part, file)) > 0)
        buffer_append(out, part, got);
    if (ferror(file) || out->failed)
        return error_set(e, ERR_FILE_UNREADABLE, "it cannot be read, or is too large");
    return ERR_OK;
}

static enum error_code read_url(struct buffer *out, const char *url, const _Atomic bool *stop,
                                struct error *e)
{
    struct fetch wish = {.url = url, .timeout_seconds = FETCH_SECONDS, .limit = LIST_MAX, .stop = stop};
    struct fetch_reply reply;
    enum error_code code = fetch(&reply, &wish, e);
    if (code == ERR_OK && reply.status != 200)
        code = error_set(e, ERR_BACKEND_UNAVAILABLE, "the answer has status %ld", reply.status);
    if (code == ERR_OK)
        buffer_append(out, reply.body.data, reply.body.len);
    fetch_reply_free(&reply);
    return code;
}

static enum error_code read_outside(struct watch *w, size_t n, enum trust_source_kind kind, const char *name,
                                    struct error *e)
{
    CLEANUP(buffer) struct buffer list = {0};
    buffer_init(&list, LIST_MAX);
    enum error_code code =
        kind == TRUST_URL ? read_url(&list, name, &w->keeper->stopped, e) : read_file(&list, name, e);
    return code == ERR_OK ? trust_set_list(w->fresh, n, buffer_bytes(&list), e) : code;
}

/* Its sources are the last ones, the current CA's first. */
static enum error_code take_published(struct watch *w, size_t n, struct error *e)
{
    size_t which = n + TRUST_BACKEND_LISTS - trust_source_count(w->fresh);
    if (which < w->published_count && w->published[which]->crl.len) {
        enum error_code code = trust_add_own(w->fresh, w->published[which]->certificate, e);
        return code != ERR_OK ? code : trust_set_list(w->fresh, n, w->published[which]->crl, e);
    }
    trust_drop_list(w->fresh, n);
    w->failed = w->failed || which == 0; /* why there is none, the publisher says */
    return ERR_OK;
}

static void read_source(struct watch *w, size_t n)
{
    enum trust_source_kind kind;
    const char *name = trust_source(w->fresh, n, &kind);
    struct error e = {0};
    enum error_code code =
        kind == TRUST_BACKEND ? take_published(w, n, &e) : read_outside(w, n, kind, name, &e);
    if (code == ERR_OK)
        return;
    w->failed = true;
    buffer_format(&w->problems, "%s%s: %s", w->problems.len ? "; " : "", name, error_text(&e));
}

static void read_run(void *data)
{
    struct watch *w = data;
    for (size_t i = 0; i < trust_source_count(w->fresh) && !atomic_load(&w->keeper->stopped); i++)
        read_source(w, i);
}

static void read_done(void *data)
{
    struct watch *w = data;
    w->keeper->running--;
    return_published(w);
    if (atomic_load(&w->keeper->stopped) || !is_current(w)) {
        watch_free(w);
        return;
    }
    alias_install_trust(w->alias, TAKE(w->fresh));
    if (w->problems.len)
        note(w, LOG_LEVEL_WARNING, "renewal.crl", (const char *)w->problems.data);
    sleep_on(w);
}

/* ---- asking the backend for its CA --------------------------------------------------------------------- */

static void borrow_published(struct watch *w)
{
    return_published(w);
    if (!w->keeper->publisher || !w->alias->settings->renewal.crl_from_backend)
        return;
    w->published_count = publisher_list(w->keeper->publisher, w->alias->backend, w->published);
    for (size_t i = 0; i < w->published_count; i++)
        published_ref(w->published[i]);
}

static void read_lists(struct watch *w)
{
    borrow_published(w);
    if (pool_submit(w->keeper->lane, (struct job){read_run, read_done, w}) == ERR_OK)
        return;
    w->keeper->running--;
    return_published(w);
    w->failed = true;
    sleep_on(w);
}

static void chain_told(void *context, const struct backend_result *result);

static void ask_chain(struct watch *w, enum backend_authority which)
{
    w->asked = which;
    backend_ask_chain(w->alias->backend, which, BACKEND_DEADLINE, chain_told, w);
}

/* The present CA, the one that is staged behind it, and the one before: certificates of all three are renewed. */
static void chain_told(void *context, const struct backend_result *result)
{
    struct watch *w = context;
    struct error e = {0};
    bool none = result->verdict == BACKEND_REJECTED && w->asked != BACKEND_CA_CURRENT;
    if (!none && (result->verdict != BACKEND_ISSUED || !result->chain_count))
        error_set(&e, ERR_BACKEND_UNAVAILABLE, "the backend does not tell its CA: %s",
                  result->reason ? result->reason : "no reason given");
    else if (!none)
        trust_add_own(w->fresh, bytes_of(result->chain[0].data, result->chain[0].len), &e);
    if (e.code != ERR_OK) {
        w->failed = true;
        note(w, LOG_LEVEL_WARNING, "renewal.ca", error_text(&e));
    }
    if (w->asked == BACKEND_CA_PREVIOUS)
        read_lists(w);
    else
        ask_chain(w, w->asked == BACKEND_CA_CURRENT ? BACKEND_CA_NEXT : BACKEND_CA_PREVIOUS);
}

static void look(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct watch *w = data;
    if (!is_current(w)) {
        watch_free(w);
        return;
    }
    trust_unref(w->fresh);
    w->fresh = trust_copy(w->alias->trust);
    w->failed = !w->fresh;
    w->busy = true;
    buffer_reset(&w->problems);
    if (!w->fresh) {
        sleep_on(w);
        return;
    }
    w->keeper->running++;
    ask_chain(w, BACKEND_CA_CURRENT);
}

/* ---- the keeper ---------------------------------------------------------------------------------------- */

/* What was revoked at one alias is known at the others as soon as the list is there. */
static void list_changed(void *context, const char *backend)
{
    static const struct timeval now = {0, 0};
    const struct trust_keeper *k = context;
    for (struct watch *w = k->watches; w; w = w->next) {
        if (!w->alias->settings->renewal.crl_from_backend ||
            strcmp(backend_instance_name(w->alias->backend), backend) != 0)
            continue;
        w->again = w->busy;
        if (!w->busy && !atomic_load(&k->stopped))
            evtimer_add(w->timer, &now);
    }
}

struct trust_keeper *trust_keeper_create(struct event_base *base, const struct alias_directory *directory,
                                         struct publisher *publisher)
{
    struct pool_limits limits = {.threads = 1, .lane_length = LANE_LENGTH, .total_length = LANE_LENGTH};
    struct trust_keeper *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->base = base;
    k->directory = directory;
    k->publisher = publisher;
    if (pool_create(&k->pool, base, &limits, NULL) == ERR_OK && (k->lane = lane_create(k->pool))) {
        if (publisher)
            publisher_listen(publisher, list_changed, k);
        return k;
    }
    trust_keeper_free(k);
    return NULL;
}

void trust_keeper_watch(struct trust_keeper *k, struct alias *alias)
{
    static const struct timeval now = {0, 0};
    if (!needed(alias) || atomic_load(&k->stopped))
        return;
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return;
    w->keeper = k;
    w->alias = alias_ref(alias);
    w->next = k->watches;
    w->link = &k->watches;
    if (w->next)
        w->next->link = &w->next;
    k->watches = w;
    buffer_init(&w->problems, 4096);
    w->timer = evtimer_new(k->base, look, w);
    if (!w->timer || evtimer_add(w->timer, &now) != 0) {
        note(w, LOG_LEVEL_ERROR, "renewal.crl", "out of memory: the revocation lists will not be read");
        watch_free(w);
    }
}

void trust_keeper_stop(struct trust_keeper *k)
{
    atomic_store(&k->stopped, true);
}

bool trust_keeper_idle(const struct trust_keeper *k)
{
    return k->running == 0;
}

void trust_keeper_free(struct trust_keeper *k)
{
    if (!k)
        return;
    trust_keeper_stop(k);
    pool_destroy(k->pool); /* its completions free their watches */
    while (k->watches)
        watch_free(k->watches);
    lane_release(k->lane);
    free(k);
}
