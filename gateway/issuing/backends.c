/* backends.c: the instances of backends: opened once, found by name, closed when nobody can need them any
 * more.
 *
 * A reload that changes a backend opens a second instance of that name in front of the old one, which stays
 * for the aliases and calls that began with it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "issuing/instance.h"

#define PATH_SIZE    4096
#define PROBLEM_SIZE 400

/* ---- instances ----------------------------------------------------------------------------------------- */

static const struct backend_type *type_by_name(const char *name)
{
    size_t count;
    const struct backend_type *const *types = backend_types(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

void instance_free(struct backend_instance *i)
{
    if (!i)
        return;
    if (i->opened)
        i->type->close(i->opened);
    lane_release(i->lane);
    gateway_settings_unref(i->settings);
    free(i->folder);
    free(i);
}

void instance_settle(struct backend_instance *i)
{
    if (!i->owner && i->work_running == 0)
        instance_free(i);
}

static enum error_code make_folder(const char *path, struct error *e)
{
    struct stat s;
    if (mkdir(path, 0700) == 0)
        return ERR_OK;
    int cause = errno;
    if (cause == EEXIST && stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return ERR_OK;
    return error_set(e, ERR_FILE_UNREADABLE, "the folder %s cannot be made: %s", path, error_errno(cause));
}

static enum error_code set_folder(struct backend_instance *i, struct error *e)
{
    const char *name = i->values->name;
    if (name[0] == '.' || strchr(name, '/'))
        return error_set(e, ERR_SETTINGS_INVALID,
                         "%s: the backend's name \"%s\" cannot be the name of a folder", i->values->origin,
                         name);
    char path[PATH_SIZE];
    int len = snprintf(path, sizeof path, "%s/%s", i->owner->folder, name);
    if (len < 0 || (size_t)len >= sizeof path || !(i->folder = strdup(path)))
        return error_set(e, ERR_INTERNAL, "the path of the state folder is too long");
    enum error_code code = make_folder(i->owner->folder, e);
    return code != ERR_OK ? code : make_folder(i->folder, e);
}

static enum error_code instance_open(struct backend_instance **out, struct backends *b,
                                     struct gateway_settings *settings, const struct backend_settings *values,
                                     struct error *e)
{
    *out = NULL;
    struct backend_instance *i = calloc(1, sizeof *i);
    if (!i)
        return error_set(e, ERR_INTERNAL, "out of memory");
    i->host.instance = i;
    i->owner = b;
    i->clock = b->clock;
    i->settings = gateway_settings_ref(settings);
    i->values = values;
    i->type = type_by_name(values->type);
    char problem[PROBLEM_SIZE] = "";
    enum error_code code = i->type ? set_folder(i, e)
                                   : error_set(e, ERR_SETTINGS_INVALID, "%s: there is no backend type \"%s\"",
                                               values->origin, values->type);
    if (code == ERR_OK && !i->type->open(&i->opened, &i->host, &instance_services, problem, sizeof problem))
        code = error_set(e, ERR_SETTINGS_INVALID, "%s: backend \"%s\": %s", values->origin, values->name,
                         problem);
    if (code == ERR_OK)
        *out = i;
    else
        instance_free(i);
    return code;
}

/* ---- the set ------------------------------------------------------------------------------------------- */

enum error_code backends_create(struct backends **out, struct event_base *base, struct pool *pool,
                                struct metrics *metrics, const struct clock *clock, const char *state_folder,
                                struct error *e)
{
    char folder[PATH_SIZE];
    int len = snprintf(folder, sizeof folder, "%s/backends", state_folder);
    *out = NULL;
    struct backends *b = calloc(1, sizeof *b);
    if (!b || len < 0 || (size_t)len >= sizeof folder || !(b->folder = strdup(folder))) {
        free(b);
        return error_set(e, ERR_INTERNAL, "out of memory, or the path of the state folder is too long");
    }
    b->base = base;
    b->pool = pool;
    b->metrics = metrics;
    b->clock = clock;
    pthread_mutex_init(&b->lock, NULL);
    *out = b;
    return ERR_OK;
}

void backends_free(struct backends *b)
{
    if (!b)
        return;
    calls_free(b);
    for (struct backend_instance *i = b->instances, *next; i; i = next) {
        next = i->next;
        i->owner = NULL;
        instance_settle(i);
    }
    pthread_mutex_destroy(&b->lock);
    free(b->folder);
    free(b);
}

struct backend_instance *backends_find(struct backends *b, const char *name)
{
    pthread_mutex_lock(&b->lock);
    struct backend_instance *i = b->instances;
    while (i && strcmp(i->values->name, name) != 0)
        i = i->next;
    pthread_mutex_unlock(&b->lock);
    return i;
}

static bool is_open(struct backends *b, const struct backend_settings *values)
{
    const struct backend_instance *i = backends_find(b, values->name);
    return i && strcmp(i->values->type, values->type) == 0 &&
           setting_block_equal(i->values->block, values->block);
}

/* All or none: what an unfinished reload opened must not serve. */
enum error_code backends_open(struct backends *b, const struct gateway_settings *settings, struct error *e)
{
    struct backend_instance *fresh = NULL;
    /* The snapshot is immutable but for its reference count, which const does not let us touch. */
    struct gateway_settings *keep = (struct gateway_settings *)(uintptr_t)settings;
    enum error_code code = ERR_OK;
    for (size_t n = 0; n < settings->backend_count && code == ERR_OK; n++) {
        struct backend_instance *i = NULL;
        if (is_open(b, &settings->backends[n]))
            continue;
        code = instance_open(&i, b, keep, &settings->backends[n], e);
        if (i) {
            i->next = fresh;
            fresh = i;
        }
    }
    while (fresh) {
        struct backend_instance *i = fresh;
        fresh = i->next;
        if (code != ERR_OK) {
            instance_free(i);
            continue;
        }
        pthread_mutex_lock(&b->lock);
        i->next = b->instances;
        b->instances = i;
        pthread_mutex_unlock(&b->lock);
        log_line(LOG_LEVEL_INFO, NULL, "backend.opened", "backend %s (%s) is open", i->values->name,
                 i->type->name);
    }
    return code;
}

const char *backend_instance_name(const struct backend_instance *i)
{
    return i->values->name;
}

const struct backend_type *backend_instance_type(const struct backend_instance *i)
{
    return i->type;
}

void *backend_instance_opened(const struct backend_instance *i)
{
    return i->opened;
}

bool backend_instance_healthy(const struct backend_instance *i, char *problem, size_t size)
{
    return !i->type->health || i->type->health(i->opened, problem, size);
}

size_t backends_running(const struct backends *b)
{
    return b->running;
}
