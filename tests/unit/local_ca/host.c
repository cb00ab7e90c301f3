/* host.c: the host of host.h. */
#include "unit/local_ca/host.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX 16
#define ITEMS_MAX 8

extern const struct backend_type local_ca_type;

struct work {
    void (*run)(void *);
    void (*done)(void *);
    void *data;
};

struct backend_host {
    char folder[64];
    const struct host_value *values;
    size_t value_count;
    struct work queue[QUEUE_MAX];
    size_t queued;
    bool full;
    char log[4096];
    char items[ITEMS_MAX][256];
};

int64_t host_time;

struct backend_host *host_create(const struct host_value *values, size_t count)
{
    struct backend_host *h = calloc(1, sizeof *h);
    snprintf(h->folder, sizeof h->folder, "/tmp/local_ca.XXXXXX");
    if (!mkdtemp(h->folder))
        abort();
    h->values = values;
    h->value_count = count;
    return h;
}

void host_destroy(struct backend_host *h)
{
    char path[512];
    DIR *folder = opendir(h->folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%s", h->folder, entry->d_name);
        unlink(path);
    }
    closedir(folder);
    rmdir(h->folder);
    free(h);
}

const char *host_folder(const struct backend_host *h)
{
    return h->folder;
}

void host_run(struct backend_host *h)
{
    for (size_t i = 0; i < h->queued; i++) {
        h->queue[i].run(h->queue[i].data);
        h->queue[i].done(h->queue[i].data);
    }
    h->queued = 0;
}

size_t host_queued(const struct backend_host *h)
{
    return h->queued;
}

void host_full(struct backend_host *h, bool full)
{
    h->full = full;
}

const char *host_logged(const struct backend_host *h)
{
    return h->log;
}

static bool work(struct backend_host *h, void (*run)(void *), void (*done)(void *), void *data)
{
    if (h->full || h->queued == QUEUE_MAX)
        return false;
    h->queue[h->queued++] = (struct work){.run = run, .done = done, .data = data};
    return true;
}

static int64_t now(struct backend_host *h)
{
    (void)h;
    return host_time ? host_time : (int64_t)time(NULL) * 1000;
}

static void say(struct backend_host *h, enum backend_log_level level, const char *sentence)
{
    (void)level;
    size_t used = strlen(h->log);
    snprintf(h->log + used, sizeof h->log - used, "%s\n", sentence);
}

static const char *value_of(struct backend_host *h, const char *path)
{
    for (size_t i = 0; i < h->value_count; i++)
        if (strcmp(h->values[i].path, path) == 0)
            return h->values[i].text;
    for (size_t i = 0; i < local_ca_type.setting_count; i++)
        if (strcmp(local_ca_type.settings[i].path, path) == 0)
            return local_ca_type.settings[i].initial;
    abort(); /* a row that the backend does not have */
}

static int64_t number_of(struct backend_host *h, const char *path)
{
    const char *text = value_of(h, path);
    if (!text)
        return 0;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return *text == 't';
    char *unit;
    int64_t number = strtoll(text, &unit, 10);
    return number * (*unit == 'd'   ? 86400000LL
                     : *unit == 'h' ? 3600000
                     : *unit == 'm' ? 60000
                     : *unit == 's' ? 1000
                                    : 1);
}

static size_t count_of(struct backend_host *h, const char *path)
{
    const char *text = value_of(h, path);
    size_t count = 0;
    if (!text)
        return 0;
    for (const char *at = text + strspn(text, "[], "); *at; at += strspn(at, "[], ")) {
        size_t len = strcspn(at, "[], ");
        snprintf(h->items[count++], sizeof h->items[0], "%.*s", (int)len, at);
        at += len;
    }
    return count;
}

static const char *item_of(struct backend_host *h, const char *path, size_t index)
{
    return index < count_of(h, path) ? h->items[index] : NULL;
}

static const char *name(struct backend_host *h)
{
    (void)h;
    return "test";
}

static const char *state_folder(struct backend_host *h)
{
    return h->folder;
}

const struct backend_services host_services = {
    .work = work,
    .now = now,
    .log = say,
    .setting_text = value_of,
    .setting_number = number_of,
    .setting_count = count_of,
    .setting_item = item_of,
    .name = name,
    .state_folder = state_folder,
};

void *host_open(struct backend_host *h, char *problem, size_t size)
{
    void *instance = NULL;
    return local_ca_type.open(&instance, h, &host_services, problem, size) ? instance : NULL;
}

void host_completed(void *context, const struct backend_result *result)
{
    struct host_result *r = context;
    r->calls++;
    r->verdict = result->verdict;
    r->chain_count = result->chain_count;
    for (size_t i = 0; i < result->chain_count; i++) {
        r->lens[i] = result->chain[i].len;
        r->chain[i] = malloc(r->lens[i]);
        memcpy(r->chain[i], result->chain[i].data, r->lens[i]);
    }
    if (result->crl.len) {
        r->crl_len = result->crl.len;
        r->crl = malloc(r->crl_len);
        memcpy(r->crl, result->crl.data, r->crl_len);
    }
    r->this_update = result->this_update;
    r->next_update = result->next_update;
    snprintf(r->reason, sizeof r->reason, "%s", result->reason ? result->reason : "");
}

void host_result_clear(struct host_result *r)
{
    for (size_t i = 0; i < r->chain_count; i++)
        free(r->chain[i]);
    free(r->crl);
    *r = (struct host_result){0};
}
