/* rig.c: see rig.h. */
#include "flow/issuing/rig.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite.h"

static int64_t show_real(void *context)
{
    return clock_realtime(&clock_system) + atomic_load(&((struct rig *)context)->ahead);
}

static int64_t show_monotonic(void *context)
{
    return clock_monotonic(&clock_system) + atomic_load(&((struct rig *)context)->ahead);
}

static void must(enum error_code code, const struct error *e, const char *what)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, error_text(e));
    exit(2);
}

static enum error_code parse(struct rig *r, struct gateway_settings **out, const char *yaml)
{
    struct buffer text, problems;
    buffer_init(&text, 65536);
    buffer_init(&problems, 65536);
    buffer_format(&text, "state: %s\n%s", r->folder, yaml);
    enum error_code code = settings_parse(out, buffer_bytes(&text), "test.yaml", r->folder,
                                          backend_catalogue(), &problems, NULL);
    if (code != ERR_OK)
        fprintf(stderr, "%s\n", (const char *)problems.data);
    buffer_free(&text);
    buffer_free(&problems);
    return code;
}

void rig_open(struct rig *r, const char *yaml)
{
    static const char ring[] = "k1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
    struct error e = {0};
    char path[128];
    *r = (struct rig){.folder = "/tmp/scepgate-issuing-XXXXXX"};
    r->clock = (struct clock){.realtime = show_real, .monotonic = show_monotonic, .context = r};
    evthread_use_pthreads();
    r->base = event_base_new();
    r->metrics = metrics_create();
    if (!mkdtemp(r->folder) || !r->base || !r->metrics)
        exit(2);
    struct pool_limits limits = {.threads = 2, .lane_length = 64, .total_length = 64};
    must(pool_create(&r->pool, r->base, &limits, &e), &e, "pool");
    must(keys_create(&r->keys, bytes_of(ring, sizeof ring - 1), &e), &e, "keys");
    snprintf(path, sizeof path, "%s/store.db", r->folder);
    const char *check = keys_check_value(r->keys);
    must(store_sqlite_open(&r->store, path, &check, 1, r->base, &r->clock, &e), &e, "store");
    must(parse(r, &r->settings, yaml), &e, "settings");
    must(backends_create(&r->backends, r->base, r->pool, r->metrics, &r->clock, r->folder, &e), &e,
         "backends");
    must(backends_open(r->backends, r->settings, &e), &e, "backends");
    r->maker = ra_maker_create(r->base, r->store, r->keys, r->pool, &r->clock, r->metrics);
}

enum error_code rig_reload(struct rig *r, const char *yaml, struct error *e)
{
    struct gateway_settings *fresh;
    enum error_code code = parse(r, &fresh, yaml);
    if (code != ERR_OK)
        return code;
    code = backends_open(r->backends, fresh, e);
    if (code == ERR_OK) {
        gateway_settings_unref(r->settings);
        r->settings = fresh;
    } else {
        gateway_settings_unref(fresh);
    }
    return code;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *at)
{
    (void)s;
    (void)kind;
    (void)at;
    return remove(path);
}

void rig_close(struct rig *r)
{
    ra_maker_stop(r->maker);
    store_close(r->store);
    ra_maker_free(r->maker);
    backends_free(r->backends);
    pool_destroy(r->pool);
    gateway_settings_unref(r->settings);
    keys_free(r->keys);
    metrics_free(r->metrics);
    event_base_free(r->base);
    nftw(r->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct alias *rig_alias(struct rig *r, const char *name)
{
    struct error e = {0};
    for (size_t i = 0; i < r->settings->alias_count; i++) {
        struct alias_settings *s = r->settings->aliases[i];
        struct alias *a;
        if (strcmp(s->name, name) != 0)
            continue;
        must(alias_create(&a, s, r->pool, &e), &e, "alias");
        a->backend = backends_find(r->backends, s->backend);
        if (s->ra.from == RA_FROM_BACKEND)
            a->ra_backend = *s->ra.backend ? backends_find(r->backends, s->ra.backend) : a->backend;
        return a;
    }
    exit(2);
}

void rig_turn(struct rig *r)
{
    event_base_loop(r->base, EVLOOP_ONCE);
}

struct waiting {
    int calls;
    bool ready;
};

static void told(void *context, bool ready)
{
    struct waiting *w = context;
    w->calls++;
    w->ready = ready;
}

bool rig_ensure(struct rig *r, struct alias *a)
{
    struct waiting w = {0};
    ra_maker_ensure(r->maker, a, told, &w);
    if (w.calls)
        abort(); /* inside the call */
    while (!w.calls)
        rig_turn(r);
    while (!ra_maker_idle(r->maker))
        rig_turn(r);
    if (w.calls != 1)
        abort();
    return w.ready;
}

static void keep(void *place, struct store_answer *answer)
{
    *(struct store_answer **)place = answer;
}

struct store_answer *rig_ask(struct rig *r, const struct store_request *request)
{
    struct store_answer *answer = NULL;
    store_submit(r->store, request, keep, &answer);
    while (!answer)
        rig_turn(r);
    return answer;
}

struct store_answer *rig_list(struct rig *r, enum store_operation operation, const char *alias)
{
    struct store_request request;
    store_request_init(&request, operation);
    if (operation == STORE_RA_LIST)
        request.ra_list.alias = alias;
    else
        request.list = (struct store_list_filter){.alias = alias, .limit = 100};
    return rig_ask(r, &request);
}
