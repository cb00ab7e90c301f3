/* server.c: start, serve, drain, stop. */
#include "server.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alias/trust.h"
#include "audit/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "server_parts.h"

#define PROBLEMS_MAX    (1024 * 1024)
#define GAUGE_PERIOD    1000 /* ms */
#define WATCHDOG_PERIOD 25
#define WATCHDOG_LIMIT  50
#define DRAIN_PERIOD    20
#define REPLICA_PERIOD  10000 /* ms between announcements to other gateways */
#define RA_PERIOD       60000 /* ms between rounds over the RA identities that are due */
#define DRAIN_MARGIN    10000 /* ms beyond the backend deadline */

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

/* ---- audit rows of the daemon -------------------------------------------------------------------------- */

struct audit_row {
    struct server *server;
    struct audit_details details;
    struct store_request request;
};

static void audit_written(void *context, struct store_answer *answer)
{
    struct audit_row *row = context;
    if (answer->outcome != STORE_OK)
        log_line(LOG_LEVEL_ERROR, NULL, "audit.lost", "the store did not take the audit event %s: %s",
                 row->request.events[0].event, answer->reason);
    store_answer_free(answer);
    row->server->rows_in_flight--;
    audit_details_free(&row->details);
    free(row);
}

void server_audit(struct server *s, enum audit_code code, struct audit_details *details)
{
    struct audit_row *row = calloc(1, sizeof *row);
    if (!row) {
        audit_details_free(details);
        return;
    }
    row->server = s;
    row->details = *details;
    store_request_init(&row->request, STORE_AUDIT_APPEND);
    row->request.events[0] = audit_event(code, "", "", "", "", audit_details_text(&row->details));
    row->request.event_count = 1;
    s->rows_in_flight++;
    store_submit(s->store, &row->request, audit_written, row);
}

/* ---- start --------------------------------------------------------------------------------------------- */

enum error_code server_add_alias(struct server *s, struct alias_settings *settings, struct error *e)
{
    struct alias *alias;
    enum error_code code = ra_maker_check(settings, s->backends, e);
    if (code == ERR_OK)
        code = alias_create(&alias, settings, s->pool, e);
    if (code != ERR_OK)
        return code;
    alias->backend = backends_issuer(s->backends, settings->backend);
    alias->gate = backends_gate(s->backends, settings->backend);
    if (settings->ra.from == RA_FROM_BACKEND)
        alias->ra_backend =
            settings->ra.backend[0] ? backends_issuer(s->backends, settings->ra.backend) : alias->backend;
    struct alias *old = alias_directory_find(s->directory, settings->name);
    if (old && old->trust && alias->trust)
        trust_inherit(alias->trust, old->trust);
    if (old && old->ra)
        alias_install_ra(alias, ra_set_ref(old->ra)); /* until the maker has looked */
    code = alias_directory_put(s->directory, alias);
    alias_unref(alias);
    return code;
}

static enum error_code open_backends(struct server *s, struct error *e)
{
    const struct worker_settings *w = &s->settings->worker;
    struct pool_limits limits = {.threads = (unsigned)w->threads,
                                 .lane_length = (size_t)w->queue_per_alias,
                                 .total_length = (size_t)w->queue_total};
    enum error_code code = pool_create(&s->pool, s->base, &limits, e);
    if (code != ERR_OK)
        return code;
    s->lane = lane_create(s->pool);
    code = backends_create(&s->backends, s->base, s->pool, s->metrics, &clock_system, s->settings->state, e);
    if (code == ERR_OK)
        code = backends_open(s->backends, s->settings, e);
    return code;
}

static bool draining(void *context)
{
    return ((struct server *)context)->drain_until != 0;
}

static void set_log_level(void *context, enum log_level level)
{
    log_setup(level, ((struct server *)context)->settings->log.format, STDERR_FILENO);
}

static void reload_asked(void *context)
{
    server_reload(context);
}

struct replica_list {
    admin_replica_visit *visit;
    void *list;
};

static void list_replica(void *context, const struct replica_seen *other)
{
    const struct replica_list *l = context;
    l->visit(l->list, &(struct admin_replica){.id = other->id,
                                              .host = other->host,
                                              .version = other->version,
                                              .pid = other->pid,
                                              .since = other->since,
                                              .seen = other->seen,
                                              .differences = other->differences});
}

static void list_replicas(void *context, admin_replica_visit *visit, void *list)
{
    struct replica_list l = {.visit = visit, .list = list};
    replicas_each(((struct server *)context)->replicas, list_replica, &l);
}

static bool open_publication(struct server *s)
{
    struct publisher_parts parts = {.base = s->base,
                                    .backends = s->backends,
                                    .store = s->store,
                                    .obligations = s->obligations,
                                    .metrics = s->metrics,
                                    .clock = &clock_system};
    s->publisher = publisher_create(&parts);
    s->pages = s->publisher ? pages_create(s->publisher, s->metrics, &clock_system) : NULL;
    if (!s->pages)
        return false;
    publisher_settings(s->publisher, s->settings);
    pages_settings(s->pages, &s->settings->publish);
    return true;
}

static enum error_code open_services(struct server *s, struct error *e)
{
    s->ra_maker = ra_maker_create(s->base, s->store, s->keys, s->pool, &clock_system, s->metrics);
    s->challenges = challenge_service_create(s->base, s->store, s->keys, &clock_system);
    s->obligations = obligations_create(s->base, s->store);
    struct replicas_parts replicas = {.base = s->base,
                                      .store = s->store,
                                      .keys = s->keys,
                                      .backends = s->backends,
                                      .lane = s->lane,
                                      .clock = &clock_system,
                                      .period = REPLICA_PERIOD};
    s->replicas = replicas_create(&replicas);
    if (!s->obligations || !open_publication(s))
        return error_set(e, ERR_OVERLOADED, "out of memory");
    s->trust_keeper = trust_keeper_create(s->base, s->directory, s->publisher);
    s->rollover = rollover_create(s->base, s->directory, s->ra_maker, &clock_system);
    if (!s->rollover || !s->ra_maker || !s->challenges || !s->obligations || !s->replicas || !s->trust_keeper)
        return error_set(e, ERR_OVERLOADED, "out of memory");
    struct enroll_parts parts = {.base = s->base,
                                 .directory = s->directory,
                                 .challenges = s->challenges,
                                 .store = s->store,
                                 .keys = s->keys,
                                 .ra_maker = s->ra_maker,
                                 .obligations = s->obligations,
                                 .metrics = s->metrics,
                                 .clock = &clock_system,
                                 .publisher = s->publisher};
    enum error_code code = enroll_create(&s->enroll, &parts, s->settings, e);
    ra_maker_serve(s->ra_maker, s->obligations, s->directory, RA_PERIOD);
    struct admin_parts admin = {.base = s->base,
                                .directory = s->directory,
                                .backends = s->backends,
                                .store = s->store,
                                .keys = s->keys,
                                .pool = s->pool,
                                .metrics = s->metrics,
                                .clock = &clock_system,
                                .store_type = s->settings->store.type == STORE_IN_REDIS ? "redis" : "sqlite",
                                .draining = draining,
                                .replica = replicas_own_id(s->replicas),
                                .replicas = list_replicas,
                                .reload = reload_asked,
                                .log_level = set_log_level,
                                .context = s};
    s->admin = admin_create(&admin);
    if (code == ERR_OK && !s->admin)
        return error_set(e, ERR_OVERLOADED, "out of memory");
    return code;
}

static enum error_code bind_all(struct http_listener *l, const struct text_list *addresses, const char *what,
                                struct error *e)
{
    for (size_t i = 0; i < addresses->count; i++) {
        enum error_code code = http_listener_bind(l, addresses->items[i], e);
        if (code != ERR_OK)
            return code;
        log_line(LOG_LEVEL_INFO, NULL, "listener.opened", "%s on %s (port %d)", what, addresses->items[i],
                 http_listener_port(l, i));
    }
    return ERR_OK;
}

/* Once, before the loop runs: the system's list of users may be far away. */
static enum error_code find_approvers(struct server *s, struct error *e)
{
    const struct text_list *names = &s->settings->admin_approvers;
    s->approvers = calloc(names->count + 1, sizeof *s->approvers);
    if (!s->approvers)
        return error_set(e, ERR_OVERLOADED, "out of memory");
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        const struct passwd *user = getpwnam(name);
        if (!user && strspn(name, "0123456789") != strlen(name))
            return error_set(e, ERR_SETTINGS_INVALID, "admin.approvers: there is no user %s", name);
        s->approvers[s->approver_count++] = user ? user->pw_uid : (uid_t)strtoul(name, NULL, 10);
    }
    return ERR_OK;
}

/* What is published, and everything else. */
static void handle(void *context, struct http_exchange *x)
{
    struct server *s = context;
    if (!pages_handle(s->pages, x))
        enroll_handle(s->enroll, x);
}

static void refused(void *context, const char *client, enum error_code code)
{
    enroll_refused(((struct server *)context)->enroll, client, code);
}

static enum error_code open_listeners(struct server *s, struct error *e)
{
    struct http_listener_options scep = {.limits = &s->settings->limits,
                                         .handler = handle,
                                         .context = s,
                                         .refused = refused,
                                         .metrics = s->metrics,
                                         .count_connections = true};
    struct http_listener_options public = {
        .limits = &s->settings->limits, .handler = admin_handle_public, .context = s->admin};
    struct http_listener_options socket = {.limits = &s->settings->limits,
                                           .handler = admin_handle_socket,
                                           .context = s->admin,
                                           .peers = s->approvers,
                                           .peer_count = s->approver_count};
    enum error_code code = http_listener_create(&s->scep, s->base, &scep, e);
    if (code == ERR_OK)
        code = http_listener_create(&s->admin_tcp, s->base, &public, e);
    if (code == ERR_OK)
        code = http_listener_create(&s->admin_unix, s->base, &socket, e);
    if (code == ERR_OK)
        code = http_listener_bind_unix(s->admin_unix, s->settings->admin_socket, e);
    if (code == ERR_OK)
        code = bind_all(s->admin_tcp, &s->settings->admin_listen.addresses, "metrics and health", e);
    if (code == ERR_OK)
        code = bind_all(s->scep, &s->settings->listen.addresses, "SCEP", e);
    return code;
}

static enum error_code open_aliases(struct server *s, struct error *e)
{
    s->directory = alias_directory_create();
    if (!s->directory)
        return error_set(e, ERR_OVERLOADED, "out of memory");
    enum error_code code = alias_directory_check(s->settings->aliases, s->settings->alias_count, e);
    for (size_t i = 0; code == ERR_OK && i < s->settings->alias_count; i++)
        code = server_add_alias(s, s->settings->aliases[i], e);
    return code;
}

/* ---- timers and signals -------------------------------------------------------------------------------- */

/* What is written once a process, when the store is there. */
static void begin_in_store(struct server *s)
{
    char problem[160];
    if (s->drain_until || !store_ready(s->store, problem, sizeof problem))
        return;
    if (!s->begun) {
        struct audit_details details;
        audit_details_init(&details);
        audit_detail(&details, "version", SCEPGATE_VERSION);
        audit_detail_number(&details, "pid", getpid());
        server_audit(s, AUDIT_GATEWAY_STARTED, &details);
    }
    s->begun = true;
    if (!s->sweep_scheduled)
        server_schedule_sweep(s);
}

static void on_gauges(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct server *s = data;
    char problem[160];
    metrics_set(s->metrics, METRIC_WORKER_WAITING, (double)pool_waiting(s->pool), NULL);
    metrics_set(s->metrics, METRIC_WORKER_RUNNING, (double)pool_running(s->pool), NULL);
    metrics_set(s->metrics, METRIC_STORE_READY, store_ready(s->store, problem, sizeof problem) ? 1 : 0, NULL);
    metrics_set(s->metrics, METRIC_ALIASES, (double)alias_directory_count(s->directory), NULL);
    begin_in_store(s);
}

static void on_watchdog(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct server *s = data;
    int64_t now = clock_monotonic(&clock_system);
    int64_t late = s->watchdog_due ? now - s->watchdog_due : 0;
    if (late > WATCHDOG_LIMIT) {
        metrics_add(s->metrics, METRIC_LOOP_LATE, 1, NULL);
        log_line(LOG_LEVEL_WARNING, NULL, "loop.late", "a turn of the event loop took about %lld ms",
                 (long long)late);
    }
    s->watchdog_due = now + WATCHDOG_PERIOD;
    struct timeval next = timeval_of(WATCHDOG_PERIOD);
    evtimer_add(s->watchdog, &next);
}

static bool idle(const struct server *s)
{
    return enroll_idle(s->enroll) && admin_idle(s->admin) && ra_maker_idle(s->ra_maker) &&
           obligations_idle(s->obligations) && replicas_idle(s->replicas) &&
           trust_keeper_idle(s->trust_keeper) && publisher_idle(s->publisher) && rollover_idle(s->rollover) &&
           !s->reloading && !s->rows_in_flight && !http_listener_open(s->scep);
}

static void on_drain(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct server *s = data;
    if (idle(s) || clock_monotonic(&clock_system) > s->drain_until)
        event_base_loopbreak(s->base);
}

static void on_stop(evutil_socket_t number, short what, void *data)
{
    (void)what;
    struct server *s = data;
    if (s->drain_until) {
        event_base_loopbreak(s->base); /* asked twice */
        return;
    }
    log_line(LOG_LEVEL_INFO, NULL, "server.draining", "signal %d: no new requests, the running ones finish",
             (int)number);
    s->drain_until = clock_monotonic(&clock_system) + s->settings->enroll.backend_deadline + DRAIN_MARGIN;
    enroll_drain(s->enroll);
    trust_keeper_stop(s->trust_keeper);
    publisher_stop(s->publisher);
    rollover_stop(s->rollover);
    obligations_stop(s->obligations);
    replicas_leave(s->replicas);
    http_listener_close(s->scep); /* the admin listeners go on answering: /readyz says why */
    struct audit_details details;
    audit_details_init(&details);
    server_audit(s, AUDIT_GATEWAY_STOPPED, &details);
    struct timeval period = timeval_of(DRAIN_PERIOD);
    s->drain_timer = event_new(s->base, -1, EV_PERSIST, on_drain, s);
    if (!s->drain_timer || event_add(s->drain_timer, &period) < 0)
        event_base_loopbreak(s->base);
}

static void on_hangup(evutil_socket_t number, short what, void *data)
{
    (void)number;
    (void)what;
    server_reload(data);
}

static enum error_code open_events(struct server *s, struct error *e)
{
    struct timeval second = timeval_of(GAUGE_PERIOD), soon = timeval_of(WATCHDOG_PERIOD);
    s->signals[0] = evsignal_new(s->base, SIGTERM, on_stop, s);
    s->signals[1] = evsignal_new(s->base, SIGINT, on_stop, s);
    s->signals[2] = evsignal_new(s->base, SIGHUP, on_hangup, s);
    s->gauge_timer = event_new(s->base, -1, EV_PERSIST, on_gauges, s);
    s->watchdog = evtimer_new(s->base, on_watchdog, s);
    bool good = s->gauge_timer && s->watchdog && !event_add(s->gauge_timer, &second) &&
                !evtimer_add(s->watchdog, &soon);
    for (size_t i = 0; i < 3; i++)
        good = good && s->signals[i] && !evsignal_add(s->signals[i], NULL);
    return good ? ERR_OK : error_set(e, ERR_INTERNAL, "the event loop takes no events");
}

/* libevent's own rare words go where all others go. */
static void on_libevent(int severity, const char *message)
{
    static const enum log_level levels[] = {LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING,
                                            LOG_LEVEL_ERROR};
    log_line(levels[severity & 3], NULL, "libevent", "%s", message);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static enum error_code server_open(struct server *s, struct error *e)
{
    evthread_use_pthreads();
    event_set_log_callback(on_libevent);
    s->base = event_base_new();
    s->metrics = metrics_create();
    if (!s->base || !s->metrics)
        return error_set(e, ERR_OVERLOADED, "out of memory");
    enum error_code (*const stages[])(struct server *, struct error *) = {
        server_open_store, open_backends,  open_aliases, open_services,
        find_approvers,    open_listeners, open_events,
    };
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        enum error_code code = stages[i](s, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static void begin_with(struct alias *alias, void *context)
{
    struct server *s = context;
    ra_maker_ensure(s->ra_maker, alias, NULL, NULL);
    trust_keeper_watch(s->trust_keeper, alias);
}

/* What is still running owns parts of everything: make the store safe and leave the rest to the system. */
static void server_abandon(struct server *s)
{
    log_line(LOG_LEVEL_WARNING, NULL, "server.abandoned",
             "some requests did not end in time; they are taken up at the next start");
    store_close(s->store);
    _exit(0);
}

static void server_serve(struct server *s)
{
    server_handle_sweep(s);
    begin_in_store(s);
    alias_directory_each(s->directory, begin_with, s);
    obligations_start(s->obligations);
    replicas_announce(s->replicas, s->settings);
    log_line(LOG_LEVEL_INFO, NULL, "server.started", "scepgate %s serves %zu aliases", SCEPGATE_VERSION,
             alias_directory_count(s->directory));
    event_base_dispatch(s->base);
    if (!idle(s))
        server_abandon(s);
    ra_maker_stop(s->ra_maker);
    log_line(LOG_LEVEL_INFO, NULL, "server.stopped", "scepgate has stopped");
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

static void server_close(struct server *s)
{
    for (size_t i = 0; i < 3; i++)
        free_event(s->signals[i]);
    free_event(s->gauge_timer);
    free_event(s->watchdog);
    free_event(s->drain_timer);
    http_listener_free(s->scep);
    http_listener_free(s->admin_tcp);
    http_listener_free(s->admin_unix);
    store_close(s->store); /* delivers what is still under way */
    admin_free(s->admin);
    enroll_free(s->enroll);
    replicas_free(s->replicas);
    obligations_free(s->obligations);
    challenge_service_free(s->challenges);
    rollover_free(s->rollover);
    ra_maker_free(s->ra_maker);
    trust_keeper_free(s->trust_keeper);
    pages_free(s->pages);
    publisher_free(s->publisher);
    alias_directory_free(s->directory);
    backends_free(s->backends);
    lane_release(s->lane);
    pool_destroy(s->pool);
    keys_free(s->keys);
    metrics_free(s->metrics);
    free(s->approvers);
    gateway_settings_unref(s->settings);
    if (s->base)
        event_base_free(s->base);
}

static void print_lines(const char *prefix, const struct buffer *lines)
{
    if (lines->len)
        fprintf(stderr, "%s%.*s%s", prefix, (int)lines->len, (const char *)lines->data,
                lines->data[lines->len - 1] == '\n' ? "" : "\n");
}

static bool load_settings(struct server *s, const char *path)
{
    struct buffer problems, warnings;
    buffer_init(&problems, PROBLEMS_MAX);
    buffer_init(&warnings, PROBLEMS_MAX);
    enum error_code code = settings_load(&s->settings, path, backend_catalogue(), &problems, &warnings);
    print_lines("", &warnings);
    if (code != ERR_OK)
        print_lines("scepgate: the settings are not valid:\n", &problems);
    buffer_free(&problems);
    buffer_free(&warnings);
    return code == ERR_OK;
}

/* As many connections as the settings allow, when the system lets us. */
static void raise_file_limit(int connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t wanted = (rlim_t)connections + 256;
    if (limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        log_line(LOG_LEVEL_WARNING, NULL, "server.files",
                 "the system allows %llu open files; limits.connections of %d wants %llu",
                 (unsigned long long)limit.rlim_cur, connections, (unsigned long long)wanted);
}

static const char *config_argument(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {0}};
    const char *path = NULL;
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option != 'c')
            return NULL;
        path = optarg;
    }
    return optind == argc ? path : NULL;
}

int server_main(int argc, char **argv)
{
    struct server s = {0};
    struct error e = {0};
    const char *path = config_argument(argc, argv);
    if (!path) {
        fprintf(stderr, "usage: scepgate serve --config FILE\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file over its limit is a failed write, as a full disk is */
    if (!load_settings(&s, path))
        return 1;
    log_setup(s.settings->log.level, s.settings->log.format, STDERR_FILENO);
    raise_file_limit(s.settings->limits.connections);
    enum error_code code = server_open(&s, &e);
    if (code == ERR_OK)
        server_serve(&s);
    else
        fprintf(stderr, "scepgate: cannot start: %s\n", error_text(&e));
    server_close(&s);
    return code == ERR_OK ? 0 : 1;
}
