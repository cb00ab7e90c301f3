/* gateway.c: see gateway.h. The order of making and destroying is that of the daemon. */
#include "flow/enroll/gateway.h"

#include <event2/event.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "flow/enroll/scripted.h"
#include "flow/http/client.h"
#include "store/sqlite.h"

#define TEXT_MAX (4 * 1024 * 1024)

static void must(enum error_code code, const struct error *e, const char *what)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, error_text(e));
    abort();
}

/* ---- clock --------------------------------------------------------------------------------------------- */

static int64_t stepped_realtime(void *context)
{
    return clock_realtime(&clock_system) + atomic_load(&((struct gateway *)context)->ahead);
}

static int64_t store_realtime(void *context)
{
    struct gateway *g = context;
    return stepped_realtime(g) - atomic_load(&g->store_behind);
}

static int64_t system_monotonic(void *context)
{
    (void)context;
    return clock_monotonic(&clock_system);
}

void gateway_step(struct gateway *g, int64_t ms)
{
    atomic_fetch_add(&g->ahead, ms);
}

/* ---- making -------------------------------------------------------------------------------------------- */

static void parse_settings(struct gateway *g)
{
    CLEANUP(buffer) struct buffer problems;
    buffer_init(&problems, TEXT_MAX);
    if (settings_parse(&g->settings, bytes_of_text(g->yaml), "test.yaml", g->folder, backend_catalogue(),
                       &problems, NULL) == ERR_OK)
        return;
    fprintf(stderr, "%s\n%.*s\n", g->yaml, (int)problems.len, (const char *)problems.data);
    abort();
}

static void open_store(struct gateway *g)
{
    struct error e = {0};
    struct store *real = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/master.key", g->folder);
    must(keys_from_file(&g->keys, path, true, &e), &e, "keys");
    const char *check = keys_check_value(g->keys);
    must(store_sqlite_open(&real, g->settings->store.path, &check, 1, g->base, &g->store_clock, &e), &e,
         "store");
    faulty_init(&g->store, g->base, real);
}

static void open_backends(struct gateway *g)
{
    struct error e = {0};
    struct pool_limits limits = {.threads = (unsigned)g->settings->worker.threads,
                                 .lane_length = (size_t)g->settings->worker.queue_per_alias,
                                 .total_length = (size_t)g->settings->worker.queue_total};
    must(pool_create(&g->pool, g->base, &limits, &e), &e, "pool");
    must(backends_create(&g->backends, g->base, g->pool, g->metrics, &g->clock, g->folder, &e), &e,
         "backends");
    must(backends_open(g->backends, g->settings, &e), &e, "backends");
}

static void add_alias(struct gateway *g, struct alias_settings *settings)
{
    struct error e = {0};
    struct alias *alias = NULL;
    must(ra_maker_check(settings, g->backends, &e), &e, "ra");
    must(alias_create(&alias, settings, g->pool, &e), &e, "alias");
    alias->backend = backends_issuer(g->backends, settings->backend);
    alias->gate = backends_gate(g->backends, settings->backend);
    if (settings->ra.from == RA_FROM_BACKEND)
        alias->ra_backend =
            settings->ra.backend[0] ? backends_issuer(g->backends, settings->ra.backend) : alias->backend;
    must(alias_directory_put(g->directory, alias), &e, "directory");
    alias_unref(alias);
}

static void open_services(struct gateway *g)
{
    struct error e = {0};
    g->directory = alias_directory_create();
    for (size_t i = 0; i < g->settings->alias_count; i++)
        add_alias(g, g->settings->aliases[i]);
    struct store *store = &g->store.store;
    g->ra_maker = ra_maker_create(g->base, store, g->keys, g->pool, &g->clock, g->metrics);
    g->challenges = challenge_service_create(g->base, store, g->keys, &g->clock);
    g->obligations = obligations_create(g->base, store);
    struct enroll_parts parts = {.base = g->base,
                                 .directory = g->directory,
                                 .challenges = g->challenges,
                                 .store = store,
                                 .keys = g->keys,
                                 .ra_maker = g->ra_maker,
                                 .obligations = g->obligations,
                                 .metrics = g->metrics,
                                 .clock = &g->clock};
    must(enroll_create(&g->enroll, &parts, g->settings, &e), &e, "enroll");
    ra_maker_serve(g->ra_maker, g->obligations, g->directory, 60000);
    struct http_listener_options options = {.limits = &g->settings->limits,
                                            .handler = enroll_handle,
                                            .context = g->enroll,
                                            .metrics = g->metrics};
    must(http_listener_create(&g->listener, g->base, &options, &e), &e, "listener");
    must(http_listener_bind(g->listener, "127.0.0.1:0", &e), &e, "listener");
    g->port = http_listener_port(g->listener, 0);
}

static void ensure_ra(struct alias *alias, void *context)
{
    ra_maker_ensure(((struct gateway *)context)->ra_maker, alias, NULL, NULL);
}

static void start(struct gateway *g)
{
    g->base = event_base_new();
    g->metrics = metrics_create();
    parse_settings(g);
    open_store(g);
    open_backends(g);
    open_services(g);
    obligations_start(g->obligations);
}

static void no_ra(struct alias *alias, void *missing)
{
    if (!alias->ra)
        *(bool *)missing = true;
}

static bool all_ready(void *context)
{
    bool missing = false;
    alias_directory_each(((struct gateway *)context)->directory, no_ra, &missing);
    return !missing;
}

static void warm_up(struct gateway *g)
{
    alias_directory_each(g->directory, ensure_ra, g);
    if (!gateway_wait(g, all_ready, g))
        must(ERR_RA_NOT_READY, NULL, "RA identities");
}

void gateway_start(struct gateway *g)
{
    start(g);
    warm_up(g);
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

void gateway_open(struct gateway *g, const struct gateway_wish *wish)
{
    *g = (struct gateway){.clock = {stepped_realtime, system_monotonic, g},
                          .store_clock = {store_realtime, system_monotonic, g},
                          .folder = "/tmp/scepgate-enroll-XXXXXX"};
    if (!mkdtemp(g->folder))
        abort();
    char path[96];
    snprintf(path, sizeof path, "%s/log", g->folder);
    g->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, getenv("FLOW_LOG") ? STDERR_FILENO : g->log);
    int len = snprintf(g->yaml, sizeof g->yaml,
                       "state: %s\n"
                       "enroll: {%s}\n"
                       "worker: {%s}\n"
                       "backends:\n"
                       "  authority: {type: local_ca, key_type: ec-p256}\n"
                       "  scripted: {type: scripted}\n"
                       "  desk: {type: manual, then: scripted%s%s}\n"
                       "aliases:\n"
                       "  demo: {backend: %s, ra: {from: authority}, challenge: {%s}%s%s}%s\n",
                       g->folder, or_else(wish->enroll, "wait: 15s"), or_else(wish->worker, "threads: 2"),
                       wish->gate && *wish->gate ? ", " : "", or_else(wish->gate, ""),
                       wish->gate ? "desk" : "scripted", or_else(wish->challenge, "type: one_time"),
                       wish->alias ? ", " : "", or_else(wish->alias, ""), or_else(wish->aliases, ""));
    if (len < 0 || (size_t)len >= sizeof g->yaml)
        abort();
    scripted_reset();
    start(g);
    if (!wish->cold)
        warm_up(g);
}

/* ---- destroying ---------------------------------------------------------------------------------------- */

static bool idle(void *context)
{
    struct gateway *g = context;
    scripted_release();
    faulty_release(&g->store);
    return enroll_idle(g->enroll) && ra_maker_idle(g->ra_maker) && obligations_idle(g->obligations);
}

void gateway_stop(struct gateway *g)
{
    enroll_drain(g->enroll);
    obligations_stop(g->obligations);
    http_listener_close(g->listener);
    if (!gateway_wait(g, idle, g))
        must(ERR_INTERNAL, NULL, "the gateway does not come to rest");
    http_listener_free(g->listener);
    store_close(&g->store.store);
    enroll_free(g->enroll);
    obligations_free(g->obligations);
    challenge_service_free(g->challenges);
    ra_maker_free(g->ra_maker);
    alias_directory_free(g->directory);
    backends_free(g->backends);
    pool_destroy(g->pool);
    keys_free(g->keys);
    metrics_free(g->metrics);
    gateway_settings_unref(g->settings);
    event_base_free(g->base);
}

static int remove_entry(const char *path, const struct stat *s, int type, struct FTW *at)
{
    (void)s;
    (void)type;
    (void)at;
    return remove(path);
}

void gateway_close(struct gateway *g)
{
    gateway_stop(g);
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
    close(g->log);
    nftw(g->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- looking ------------------------------------------------------------------------------------------- */

bool gateway_wait(struct gateway *g, bool (*holds)(void *), void *context)
{
    return client_wait(g->base, holds, context);
}

static bool settled(void *context)
{
    return enroll_idle(((struct gateway *)context)->enroll);
}

bool gateway_settle(struct gateway *g)
{
    return gateway_wait(g, settled, g);
}

struct alias *gateway_alias(struct gateway *g, const char *name)
{
    return alias_directory_find(g->directory, name);
}

static void answered(void *context, struct store_answer *answer)
{
    *(struct store_answer **)context = answer;
}

static bool has_answer(void *context)
{
    return *(struct store_answer **)context != NULL;
}

struct store_answer *gateway_ask(struct gateway *g, const struct store_request *r)
{
    struct store_answer *answer = NULL;
    store_submit(g->store.real, r, answered, &answer);
    if (!gateway_wait(g, has_answer, &answer))
        must(ERR_STORE_UNAVAILABLE, NULL, "the store");
    return answer;
}

const char *gateway_challenge_of(struct gateway *g, const char *alias, const struct challenge_order *order)
{
    static char texts[8][CHALLENGE_TEXT_SIZE];
    static size_t turn;
    char *text = texts[turn++ % 8], id[ID_TEXT_SIZE];
    struct store_request r;
    struct error e = {0};
    must(challenge_prepare(&r, text, id, gateway_alias(g, alias)->settings, order, g->keys, &e), &e,
         "challenge");
    struct store_answer *a = gateway_ask(g, &r);
    if (a->outcome != STORE_OK)
        must(ERR_STORE_UNAVAILABLE, NULL, "challenge");
    store_answer_free(a);
    return text;
}

const char *gateway_challenge(struct gateway *g)
{
    return gateway_challenge_of(g, "demo", &(struct challenge_order){.created_by = "test"});
}

static struct store_answer *list(struct gateway *g, enum store_operation operation, const char *text)
{
    struct store_request r;
    store_request_init(&r, operation);
    r.list.limit = 1000;
    r.list.text = text;
    return gateway_ask(g, &r);
}

int gateway_uses_left(struct gateway *g)
{
    struct store_answer *a = list(g, STORE_CHALLENGE_LIST, NULL);
    int left = a->challenge_count ? a->challenges[0].uses_left : -1;
    store_answer_free(a);
    return left;
}

int gateway_audited(struct gateway *g, const char *event, const char *needle)
{
    int count = 0;
    if (!gateway_settle(g))
        return -1;
    struct store_answer *a = list(g, STORE_AUDIT_LIST, event);
    for (size_t i = 0; i < a->event_count; i++)
        count += !strcmp(a->events[i].event, event) && (!needle || strstr(a->events[i].details, needle));
    store_answer_free(a);
    return count;
}

int gateway_certificates(struct gateway *g)
{
    int count = 0;
    struct store_answer *a = list(g, STORE_CERTIFICATE_LIST, NULL);
    for (size_t i = 0; i < a->certificate_count; i++)
        count += a->certificates[i].transaction[0] != '\0';
    store_answer_free(a);
    return count;
}

enum transaction_state gateway_state(struct gateway *g)
{
    struct store_answer *a = list(g, STORE_TRANSACTION_LIST, NULL);
    enum transaction_state state = a->transaction_count ? a->transactions[0].state : 0;
    store_answer_free(a);
    return state;
}

int gateway_transactions(struct gateway *g)
{
    struct store_answer *a = list(g, STORE_TRANSACTION_LIST, NULL);
    int count = (int)a->transaction_count;
    store_answer_free(a);
    return count;
}

int gateway_sealed_csrs(struct gateway *g)
{
    struct store_answer *a = list(g, STORE_TRANSACTION_LIST, NULL);
    int count = 0;
    for (size_t i = 0; i < a->transaction_count; i++)
        count += a->transactions[i].sealed_csr.len > 0;
    store_answer_free(a);
    return count;
}

double gateway_metric(struct gateway *g, const char *line)
{
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, TEXT_MAX);
    metrics_write(g->metrics, &text);
    const char *at = text.len ? strstr((const char *)text.data, line) : NULL;
    return at ? strtod(at + strlen(line), NULL) : -1;
}

static const char *sought;
static bool found;

static int look_into(const char *path, const struct stat *s, int type)
{
    if (type != FTW_F || s->st_size == 0)
        return 0;
    char *data = malloc((size_t)s->st_size);
    FILE *file = fopen(path, "rb");
    size_t len = file && data ? fread(data, 1, (size_t)s->st_size, file) : 0;
    found = found || (len && memmem(data, len, sought, strlen(sought)));
    if (file)
        fclose(file);
    free(data);
    return 0;
}

bool gateway_leaks(struct gateway *g, const char *text)
{
    sought = text;
    found = false;
    ftw(g->folder, look_into, 8);
    return found;
}
