/* store.c: `scepgate store rekey | reindex | migrate`. The first two work through a running gateway or, when
 * none answers, on the store itself; migrate has a file of its own. */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/upkeep.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/offline.h"
#include "store/ask.h"

#define LOOK_EVERY 200 /* ms */

static const char usage[] =
    "usage: scepgate store rekey [OPTION …]      seal everything under the newest master key\n"
    "       scepgate store reindex [OPTION …]    rebuild what spans aliases in a Redis store\n"
    "       scepgate store migrate --from … --to …    see `scepgate store migrate --help`\n\n"
    "rekey and reindex go through the running gateway. With --config and no gateway running, they work on "
    "the\n"
    "store that the file names. Both may be started again at any time.\n\n" API_HELP;

static bool is_true(const json_t *object, const char *member)
{
    return json_is_true(json_object_get(object, member));
}

static long long number(const json_t *object, const char *member)
{
    return (long long)json_integer_value(json_object_get(object, member));
}

/* ---- what became of it --------------------------------------------------------------------------------- */

static int ended_badly(const json_t *answer)
{
    const char *problem = api_text(answer, "problem");
    if (!*problem)
        return 0;
    fprintf(stderr, "scepgate: %s\n", problem);
    return 1;
}

static void print_dependants(const json_t *answer)
{
    const json_t *list = json_object_get(answer, "older_keys");
    json_t *row;
    size_t i;
    json_array_foreach(list, i, row) printf(
        "%lld unused challenges can only be found under key %s, the last until %s: keep that key so long\n",
        number(row, "challenges"), api_text(row, "key"), api_text(row, "last_expires"));
    if (json_array_size(list) == 0)
        printf("no challenge needs an older key: those may be taken out of the key file\n");
}

static int print_rekey(const json_t *answer)
{
    printf("%lld sealed values, %lld of them were under an older key\n", number(answer, "looked_at"),
           number(answer, "resealed"));
    if (is_true(answer, "moved")) {
        printf("the store belongs to key %s\n", api_text(answer, "key"));
        print_dependants(answer);
    }
    long long unreadable = number(answer, "unreadable");
    if (unreadable > 0)
        fprintf(
            stderr,
            "scepgate: %lld values open under no key of the key file; if a key was taken out of it, put it "
            "back and start this again\n",
            unreadable);
    return ended_badly(answer) || unreadable > 0;
}

static int print_reindex(const json_t *answer)
{
    if (is_true(answer, "done") && number(answer, "aliases") == 0)
        printf("nothing to rebuild: an embedded store keeps nothing beside its tables, and an empty one "
               "nothing at "
               "all\n");
    else if (is_true(answer, "done"))
        printf("what spans aliases was rebuilt from %lld aliases\n", number(answer, "aliases"));
    return ended_badly(answer);
}

/* ---- through the gateway ------------------------------------------------------------------------------- */

struct work {
    const char *path;
    json_t *(*directly)(struct event_base *base, const struct storage *storage);
    void (*progress)(const json_t *answer); /* NULL: there is nothing to tell */
    int (*print)(const json_t *answer);
};

static int through_gateway(const struct api *api, const struct work *work, json_t **answer)
{
    const struct timespec pause = {.tv_nsec = LOOK_EVERY * 1000000L};
    int status = api_call(api, "POST", work->path, NULL, answer);
    while (status == 0 && is_true(*answer, "running")) {
        nanosleep(&pause, NULL);
        json_decref(*answer);
        status = api_call(api, "GET", work->path, NULL, answer);
        if (status == 0 && work->progress)
            work->progress(*answer);
    }
    return status;
}

static void tell_rekey(const json_t *answer)
{
    static long long told = -1;
    long long now = number(answer, "looked_at");
    if (now != told)
        fprintf(stderr, "%lld values looked at, %lld sealed anew\n", now, number(answer, "resealed"));
    told = now;
}

/* ---- without a gateway --------------------------------------------------------------------------------- */

static json_t *rekey_directly(struct event_base *base, const struct storage *storage)
{
    const struct rekey_options options = {
        .base = base, .store = storage->store, .keys = storage->keys, .by = "scepgate store rekey"};
    struct rekey *r = rekey_start(&options);
    while (r && rekey_report(r)->running)
        event_base_loop(base, EVLOOP_ONCE);
    json_t *answer = r ? rekey_json(rekey_report(r), keys_id(storage->keys, 0)) : NULL;
    rekey_free(r);
    return answer;
}

static void reindexed(void *context, const struct store_answer *answer)
{
    bool done = answer->outcome == STORE_OK;
    *(json_t **)context = json_pack(
        "{s:b, s:I, s:o}", "done", done, "aliases", (json_int_t)answer->total, "problem",
        done ? json_null() : json_sprintf("the store answered %s", store_outcome_name(answer->outcome)));
}

static json_t *reindex_directly(struct event_base *base, const struct storage *storage)
{
    json_t *result = NULL;
    struct ask ask;
    store_request_init(&ask.request, STORE_REINDEX);
    ask_start(&ask, base, storage->store, reindexed, &result);
    while (!result)
        event_base_loop(base, EVLOOP_ONCE);
    return result;
}

static int on_the_store(const char *config, const struct work *work, json_t **answer)
{
    struct storage storage = {0};
    struct gateway_settings *settings = config_load(config, false);
    struct event_base *base = event_base_new();
    *answer = NULL;
    if (settings && base && offline_open(&storage, settings, base, false))
        *answer = work->directly(base, &storage);
    storage_close(&storage);
    if (base)
        event_base_free(base);
    gateway_settings_unref(settings);
    return *answer ? 0 : 1;
}

/* ---- the command --------------------------------------------------------------------------------------- */

static const struct work rekey_work = {"/v1/store/rekey", rekey_directly, tell_rekey, print_rekey};
static const struct work reindex_work = {"/v1/store/reindex", reindex_directly, NULL, print_reindex};

static int run(const struct api *api, const struct work *work)
{
    json_t *answer = NULL;
    int status = api->config && !api_answers(api) ? on_the_store(api->config, work, &answer)
                                                  : through_gateway(api, work, &answer);
    if (status == 0) {
        if (api->json)
            api_print_json(answer);
        status = api->json ? ended_badly(answer) : work->print(answer);
    }
    json_decref(answer);
    return status;
}

int cli_store(int argc, char **argv)
{
    static const struct option options[] = {API_OPTIONS, {0}};
    struct api api;
    const struct work *work = NULL;
    int option;
    signal(SIGPIPE, SIG_IGN);
    if (argc >= 2 && !strcmp(argv[1], "migrate"))
        return cli_store_migrate(argc - 1, argv + 1);
    if (argc >= 2)
        work = !strcmp(argv[1], "rekey") ? &rekey_work : !strcmp(argv[1], "reindex") ? &reindex_work : NULL;
    bool help = argc >= 2 && !strcmp(argv[1], "--help");
    api_init(&api);
    optind = 1;
    while (work && (option = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1) {
        if (option == API_OPTION_HELP)
            help = true;
        else if (!api_option(&api, option, optarg))
            return 2;
    }
    if (help || !work || optind != argc - 1) {
        fputs(usage, help ? stdout : stderr);
        return help ? 0 : 2;
    }
    return run(&api, work);
}
