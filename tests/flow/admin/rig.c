/* rig.c: see rig.h. */
#include "flow/admin/rig.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/sqlite.h"

#define KEY "k1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"

static const char yaml[] = "state: .\n"
                           "backends: {ca: {type: test}}\n"
                           "defaults: {backend: ca, challenge: {type: one_time, ttl: 1h, max_ttl: 2h}}\n"
                           "aliases:\n"
                           "  demo: {tenant: acme, paths: [/certsrv/mscep/mscep.dll]}\n"
                           "  Camel.Case: {}\n"
                           "  fixed: {challenge: {type: static, secret: {value: open sesame please}}}\n";

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "the rig cannot be built: %s\n", what);
    abort();
}

/* ---- the store ----------------------------------------------------------------------------------------- */

struct passage {
    struct flaky *flaky;
    store_done *done;
    void *context;
    bool lose;
};

static void passed(void *context, struct store_answer *answer)
{
    struct passage p = *(struct passage *)context;
    free(context);
    if (p.lose)
        answer->outcome = STORE_UNKNOWN;
    p.done(p.context, answer);
}

static void submit(struct store *s, const struct store_request *request, store_done *done, void *context)
{
    struct flaky *f = (struct flaky *)s;
    struct passage *p = malloc(sizeof *p);
    f->submitted++;
    *p = (struct passage){f, done, context, f->unknown > 0};
    f->unknown -= f->unknown > 0;
    store_submit(f->inner, request, passed, p);
}

static bool ready(const struct store *s, char *problem, size_t size)
{
    const struct flaky *f = (const struct flaky *)s;
    if (!f->down)
        return store_ready(f->inner, problem, size);
    snprintf(problem, size, "the disk is full");
    return false;
}

static void close_store(struct store *s)
{
    store_close(((struct flaky *)s)->inner);
}

static const struct store_type flaky_type = {submit, ready, close_store};

/* ---- the rest ------------------------------------------------------------------------------------------ */

static bool is_draining(void *context)
{
    return ((struct rig *)context)->draining;
}

static void list_replicas(void *context, admin_replica_visit *visit, void *list)
{
    (void)context;
    visit(list, &(struct admin_replica){.id = "the-other",
                                        .host = "gate-2",
                                        .version = "9",
                                        .pid = 17,
                                        .since = 1700000000000,
                                        .seen = 1700000001000,
                                        .differences = 2});
}

static void reload(void *context)
{
    ((struct rig *)context)->reloads++;
}

static void set_level(void *context, enum log_level level)
{
    ((struct rig *)context)->level = (int)level;
}

static void load_settings(struct rig *r)
{
    static struct backend_rows types[] = {{"test", "For tests.", NULL, 0}};
    static const struct settings_catalogue catalogue = {types, 1};
    struct buffer problems;
    buffer_init(&problems, 1 << 16);
    enum error_code code = settings_parse(&r->settings, bytes_of(yaml, sizeof yaml - 1), "t.yaml", r->folder,
                                          &catalogue, &problems, NULL);
    must(code == ERR_OK, problems.data ? (char *)problems.data : "settings");
    buffer_free(&problems);
    for (size_t i = 0; i < r->settings->alias_count; i++) {
        struct alias *alias;
        struct error e = {0};
        must(alias_create(&alias, r->settings->aliases[i], r->pool, &e) == ERR_OK, e.text);
        must(alias_directory_put(r->directory, alias) == ERR_OK, "directory");
        alias_unref(alias);
    }
}

static struct http_listener *listen_with(struct rig *r, http_handler *handler)
{
    static const struct limit_settings limits = {.connections = 50,
                                                 .connections_per_address = 50,
                                                 .request_deadline = 20000,
                                                 .reply_deadline = 20000,
                                                 .idle_deadline = 20000,
                                                 .body = 65536,
                                                 .headers = 16384,
                                                 .uri = 16384};
    struct http_listener *l;
    struct http_listener_options options = {.limits = &limits, .handler = handler, .context = r->admin};
    must(http_listener_create(&l, r->base, &options, NULL) == ERR_OK, "listener");
    return l;
}

static void serve(struct rig *r)
{
    struct admin_parts parts = {.base = r->base,
                                .directory = r->directory,
                                .store = &r->flaky.store,
                                .keys = r->keys,
                                .pool = r->pool,
                                .metrics = r->metrics,
                                .clock = &clock_system,
                                .store_type = "sqlite",
                                .replica = "this-one",
                                .replicas = list_replicas,
                                .draining = is_draining,
                                .reload = reload,
                                .log_level = set_level,
                                .context = r};
    r->admin = admin_create(&parts);
    must(r->admin != NULL, "admin");
    r->socket = listen_with(r, admin_handle_socket);
    r->public = listen_with(r, admin_handle_public);
    must(http_listener_bind_unix(r->socket, r->path, NULL) == ERR_OK, "socket");
    must(http_listener_bind(r->public, "127.0.0.1:0", NULL) == ERR_OK, "port");
    r->port = http_listener_port(r->public, 0);
}

void rig_init(struct rig *r)
{
    struct error e = {0};
    char database[96];
    *r = (struct rig){.base = event_base_new(), .metrics = metrics_create(), .level = -1};
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, STDERR_FILENO);
    snprintf(r->folder, sizeof r->folder, "/tmp/scepgate-admin-XXXXXX");
    must(mkdtemp(r->folder) != NULL, "folder");
    snprintf(r->path, sizeof r->path, "%s/admin.sock", r->folder);
    snprintf(database, sizeof database, "%s/store.db", r->folder);
    struct pool_limits limits = {.threads = 1, .lane_length = 10, .total_length = 10};
    must(pool_create(&r->pool, r->base, &limits, &e) == ERR_OK, e.text);
    must(keys_create(&r->keys, bytes_of_text(KEY), &e) == ERR_OK, e.text);
    r->flaky.store.type = &flaky_type;
    const char *check = keys_check_value(r->keys);
    must(store_sqlite_open(&r->flaky.inner, database, &check, 1, r->base, &clock_system, &e) == ERR_OK,
         e.text);
    r->directory = alias_directory_create();
    load_settings(r);
    serve(r);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm", "store.db.lock",
                                        "store.db-lock"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

void rig_free(struct rig *r)
{
    must(admin_idle(r->admin), "a call is still running");
    http_listener_free(r->socket);
    http_listener_free(r->public);
    admin_free(r->admin);
    alias_directory_free(r->directory);
    gateway_settings_unref(r->settings);
    store_close(&r->flaky.store);
    pool_destroy(r->pool);
    keys_free(r->keys);
    metrics_free(r->metrics);
    event_base_free(r->base);
    remove_folder(r->folder);
}

void rig_give_ra(struct rig *r, const char *alias)
{
    static struct ra_set set = {.count = 1,
                                .not_after = 1900000000000,
                                .ca = {.content_type = "", .pin_sha256 = "cafe"},
                                .references = 1000};
    alias_install_ra(alias_directory_find(r->directory, alias), ra_set_ref(&set));
}

/* ---- requests ------------------------------------------------------------------------------------------ */

static void exchange(struct client *c, struct reply *out, const char *method, const char *target,
                     const char *body)
{
    struct buffer request;
    struct response got;
    buffer_init(&request, 1 << 20);
    buffer_format(&request, "%s %s HTTP/1.1\r\nConnection: close\r\n", method, target);
    if (body)
        buffer_format(&request, "Content-Length: %zu\r\n", strlen(body));
    buffer_format(&request, "\r\n%s", body ? body : "");
    client_send_bytes(c, buffer_bytes(&request));
    buffer_free(&request);
    client_receive(c, &got, strcmp(method, "HEAD") == 0);
    *out = (struct reply){.status = got.status, .text = strdup(response_text(&got))};
    memcpy(out->head, got.head, sizeof out->head);
    out->json = json_loads(out->text, 0, NULL);
    response_free(&got);
    client_free(c);
}

void rig_ask(struct rig *r, struct reply *out, const char *method, const char *target, const char *body)
{
    struct client c;
    client_connect_unix(&c, r->base, r->path);
    exchange(&c, out, method, target, body);
}

void rig_ask_public(struct rig *r, struct reply *out, const char *method, const char *target)
{
    struct client c;
    client_connect(&c, r->base, r->port);
    exchange(&c, out, method, target, NULL);
}

void reply_free(struct reply *r)
{
    json_decref(r->json);
    free(r->text);
}

static json_t *member(const struct reply *r, const char *path)
{
    json_t *at = r->json;
    while (at && *path) {
        char name[64];
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10)) : json_object_get(at, name);
        path += len + (path[len] == '.');
    }
    return at;
}

const char *reply_text(const struct reply *r, const char *path)
{
    const char *text = json_string_value(member(r, path));
    return text ? text : "";
}

int64_t reply_number(const struct reply *r, const char *path)
{
    json_t *value = member(r, path);
    if (json_is_boolean(value))
        return json_is_true(value);
    if (json_is_array(value))
        return (int64_t)json_array_size(value);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static void keep(void *context, struct store_answer *answer)
{
    *(struct store_answer **)context = answer;
}

static bool has_answer(void *context)
{
    return *(struct store_answer **)context != NULL;
}

struct store_answer *rig_store(struct rig *r, const struct store_request *request)
{
    struct store_answer *answer = NULL;
    store_submit(r->flaky.inner, request, keep, &answer);
    must(client_wait(r->base, has_answer, &answer), "the store does not answer");
    return answer;
}
