/* opening.c: see opening.h. */
#include "storage/opening.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/redis/redis.h"
#include "store/sqlite.h"

static enum error_code make_state_folder(const char *path, struct error *e)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return ERR_OK;
    return error_set(e, ERR_FILE_UNREADABLE, "the state folder %s cannot be made: %s", path,
                     error_errno(errno));
}

static enum error_code open_keys(struct keys **out, const struct storage_options *options, struct error *e)
{
    const struct gateway_settings *settings = options->settings;
    const struct secret_source *source = &settings->store.master_key;
    if (source->value.len)
        return keys_create(out, bytes_of(source->value.data, source->value.len), e);
    char path[4096];
    snprintf(path, sizeof path, "%s/master.key", settings->state);
    return keys_from_file(out, path, options->make_key, e);
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

static enum error_code open_sqlite(struct storage *out, const struct storage_options *options,
                                   struct error *e)
{
    const char *path = options->settings->store.path, *checks[KEYS_MAX];
    if (!options->make_store && access(path, F_OK) != 0)
        return error_set(e, ERR_FILE_UNREADABLE, "there is no store %s: %s", path, error_errno(errno));
    return store_sqlite_open(&out->store, path, checks, keys_check_values(out->keys, checks), options->base,
                             &clock_system, e);
}

static enum error_code open_redis(struct storage *out, const struct storage_options *options, struct error *e)
{
    const char *checks[KEYS_MAX];
    struct redis_options redis = redis_options(&options->settings->store);
    return store_redis_open(&out->store, &redis, checks, keys_check_values(out->keys, checks), options->base,
                            options->notice, options->context, e);
}

enum error_code storage_open(struct storage *out, const struct storage_options *options, struct error *e)
{
    *out = (struct storage){0};
    enum error_code code = options->make_store ? make_state_folder(options->settings->state, e) : ERR_OK;
    if (code == ERR_OK)
        code = open_keys(&out->keys, options, e);
    if (code == ERR_OK)
        code = options->settings->store.type == STORE_IN_SQLITE ? open_sqlite(out, options, e)
                                                                : open_redis(out, options, e);
    if (code != ERR_OK)
        storage_close(out);
    return code;
}

void storage_close(struct storage *s)
{
    store_close(s->store);
    keys_free(s->keys);
    *s = (struct storage){0};
}
