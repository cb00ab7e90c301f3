/* redis.c: see redis.h and implementation.h. A place is "FILE#PREFIX": the description of the servers, and
 * what the names of all its keys begin with. */
#include "flow/store/redis.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/redis/redis.h"

#define ADDRESSES_MAX 8

extern char **environ;

static struct {
    pid_t pid; /* 0: none was started */
    FILE *in, *out;
} servers;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "the Redis of this test: %s\n", what);
    exit(2);
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        give_up(name);
    return value;
}

/* ---- the servers --------------------------------------------------------------------------------------- */

static const char *server_form(void)
{
    const char *form = setting("REDIS_FORM");
    return strcmp(form, "unix") == 0 ? "single" : form;
}

static void end_servers(void)
{
    fclose(servers.in);
    waitpid(servers.pid, NULL, 0);
    fclose(servers.out);
}

static void start_servers(void)
{
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    const char *const arguments[] = {"python3",     "-B",           setting("REDIS_SERVERS"),
                                     server_form(), "--clock-shim", setting("CLOCK_SHIM_LIBRARY"),
                                     NULL};
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 ||
        posix_spawn_file_actions_init(&actions) != 0)
        give_up("no pipes");
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (posix_spawn(&servers.pid, "/usr/bin/python3", &actions, NULL, (char **)arguments, environ) != 0)
        give_up("redis_servers.py does not start");
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    servers.in = fdopen(in[1], "w");
    servers.out = fdopen(out[0], "r");
    if (!servers.in || !servers.out)
        give_up("no streams");
    atexit(end_servers);
}

static json_t *next_line(void)
{
    return json_loadf(servers.out, JSON_DISABLE_EOF_CHECK, NULL);
}

bool redis_servers_do(const char *command)
{
    fprintf(servers.in, "%s\n", command);
    fflush(servers.in);
    json_t *answer = next_line();
    bool done = json_object_get(answer, "done") != NULL;
    json_decref(answer);
    return done;
}

/* ---- a place ------------------------------------------------------------------------------------------- */

/* The description of the servers of a place; it lives as long as the process. */
static json_t *description(struct bench *b)
{
    static json_t *read;
    char file[BENCH_PLACE_SIZE];
    snprintf(file, sizeof file, "%.*s", (int)strcspn(b->place, "#"), b->place);
    if (!read)
        read = json_load_file(file, 0, NULL);
    if (!read)
        give_up("no description");
    return read;
}

static const char *text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void redis_prepare(struct bench *b)
{
    static int places;
    static char folder[64];
    if (!servers.pid) {
        start_servers();
        json_t *first = next_line();
        if (!first)
            give_up("it did not start");
        snprintf(folder, sizeof folder, "%s", text(first, "folder"));
        json_decref(first);
    }
    snprintf(b->place, sizeof b->place, "%s/description.json#place-%d", folder, ++places);
}

static void redis_attach(struct bench *b)
{
    signal(SIGPIPE, SIG_IGN); /* as the gateway does: to a server that was killed, a write() fails */
    const char *path = text(description(b), "clock");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *clock = mmap(NULL, sizeof *b->now, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (clock == MAP_FAILED)
        give_up("no clock");
    close(fd);
    b->now = clock;
}

static void redis_remove(struct bench *b)
{
    munmap(b->now, sizeof *b->now);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static void note(void *context, bool is_problem, const char *event, const char *sentence)
{
    (void)context;
    if (is_problem)
        printf("  %s: %s\n", event, sentence);
}

static void describe_tls(const json_t *tls, struct redis_options *o)
{
    o->tls = tls != NULL;
    o->tls_ca = text(tls, "ca");
    o->tls_certificate = text(tls, "certificate");
    o->tls_key = text(tls, "key");
}

static void describe_topology(const json_t *d, struct redis_options *o)
{
    o->master = text(d, "master");
    o->sentinel_password = bytes_of_text(text(d, "sentinel_password"));
    if (strcmp(text(d, "form"), "sentinel") == 0) {
        o->topology = REDIS_SENTINEL;
        o->wait_replicas = 1;
    } else if (strcmp(text(d, "form"), "cluster") == 0) {
        o->topology = REDIS_CLUSTER;
    }
}

static size_t describe_addresses(const json_t *d, const char *addresses[ADDRESSES_MAX])
{
    if (strcmp(setting("REDIS_FORM"), "unix") == 0) {
        addresses[0] = text(d, "socket");
        return 1;
    }
    size_t count = 0;
    size_t index;
    json_t *address;
    json_array_foreach(json_object_get(d, "addresses"), index, address) if (count < ADDRESSES_MAX)
        addresses[count++] = json_string_value(address);
    return count;
}

static enum error_code redis_open(struct bench *b, struct store **out, struct error *e)
{
    const json_t *d = description(b);
    const char *addresses[ADDRESSES_MAX], *key_check = BENCH_KEY_CHECK;
    struct redis_options o = {.addresses = addresses,
                              .user = text(d, "user"),
                              .password = bytes_of_text(text(d, "password")),
                              .database = (int)json_integer_value(json_object_get(d, "database")),
                              .prefix = strchr(b->place, '#') + 1,
                              .connect_deadline = MINUTE,
                              .command_deadline = MINUTE,
                              .queue_length = 10000,
                              .wait_deadline = MINUTE};
    o.address_count = describe_addresses(d, addresses);
    describe_tls(json_object_get(d, "tls"), &o);
    describe_topology(d, &o);
    return store_redis_open(out, &o, &key_check, 1, b->base, note, NULL, e);
}

const struct implementation implementation_redis = {.name = "redis",
                                                    .shared = true,
                                                    .prepare = redis_prepare,
                                                    .attach = redis_attach,
                                                    .open = redis_open,
                                                    .remove = redis_remove};
