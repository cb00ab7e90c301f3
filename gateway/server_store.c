/* server_store.c: opens the master keys and the store that the settings name, and tells what the store says. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "server_parts.h"
#include "store/redis/redis.h"
#include "store/sqlite.h"

static enum error_code open_keys(struct server *s, struct error *e)
{
    const struct secret_source *source = &s->settings->store.master_key;
    if (source->value.len)
        return keys_create(&s->keys, bytes_of(source->value.data, source->value.len), e);
    char path[4096];
    snprintf(path, sizeof path, "%s/master.key", s->settings->state);
    return keys_from_file(&s->keys, path, true, e);
}

static enum error_code make_state_folder(const char *path, struct error *e)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return ERR_OK;
    return error_set(e, ERR_FILE_UNREADABLE, "the state folder %s cannot be made: %s", path,
                     error_errno(errno));
}

static void on_notice(void *context, bool is_problem, const char *event, const char *sentence)
{
    (void)context;
    log_line(is_problem ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, NULL, event, "%s", sentence);
}

static struct bytes secret_bytes(const struct secret_source *s)
{
    return bytes_of(s->value.data, s->value.len);
}

static struct redis_options redis_options(const struct store_settings *s)
{
    static const enum redis_topology topologies[] = {
        [TOPOLOGY_SINGLE] = REDIS_SINGLE,
        [TOPOLOGY_SENTINEL] = REDIS_SENTINEL,
        [TOPOLOGY_CLUSTER] = REDIS_CLUSTER,
    };
    return (struct redis_options){
        .topology = topologies[s->topology],
        .addresses = (const char *const *)s->addresses.items,
        .address_count = s->addresses.count,
        .master = s->master,
        .user = s->user,
        .password = secret_bytes(&s->password),
        .sentinel_user = s->sentinel_user,
        .sentinel_password = secret_bytes(&s->sentinel_password),
        .database = s->database,
        .tls = s->tls.enabled,
        .tls_ca = s->tls.ca,
        .tls_certificate = s->tls.certificate,
        .tls_key = s->tls.key,
        .tls_server_name = s->tls.server_name,
        .prefix = s->prefix,
        .connect_deadline = s->connect_deadline,
        .command_deadline = s->command_deadline,
        .queue_length = s->queue,
        .wait_replicas = s->wait_replicas,
        .wait_deadline = s->wait_deadline,
    };
}

enum error_code server_open_store(struct server *s, struct error *e)
{
    const struct store_settings *settings = &s->settings->store;
    const char *checks[KEYS_MAX];
    enum error_code code = make_state_folder(s->settings->state, e);
    if (code == ERR_OK)
        code = open_keys(s, e);
    if (code != ERR_OK)
        return code;
    size_t count = keys_check_values(s->keys, checks);
    if (settings->type == STORE_IN_SQLITE)
        return store_sqlite_open(&s->store, settings->path, checks, count, s->base, &clock_system, e);
    struct redis_options options = redis_options(settings);
    return store_redis_open(&s->store, &options, checks, count, s->base, on_notice, s, e);
}
