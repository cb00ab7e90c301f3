/* challenge.c: `scepgate challenge create | list | revoke`. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "settings/units.h"

static const char usage[] =
    "usage: scepgate challenge create --alias NAME [OPTION …]\n"
    "       scepgate challenge list [--alias NAME] [--state unused|used|revoked] [--limit N] [--after "
    "CURSOR]\n"
    "       scepgate challenge revoke --alias NAME ID\n\n"
    "create:\n"
    "  --alias NAME         the endpoint that will accept it\n"
    "  --ttl DURATION       how long it may be used, as 30m or 24h (default: challenge.ttl of the alias)\n"
    "  --uses N             how many requests may use it (default: challenge.uses of the alias)\n"
    "  --count N            make N at once, one per line\n"
    "  --cn TEXT            only for a CSR with this common name\n"
    "  --san TEXT           only for a CSR with this subject alternative name, and no other of its kind\n"
    "  --device TEXT        only for a CSR whose serialNumber, UID or unstructuredName is this\n"
    "  --spki-sha256 HEX    only for this public key\n"
    "  --label NAME=VALUE   kept with it, for you; may be repeated\n\n" API_HELP;

enum {
    OPTION_ALIAS = 1,
    OPTION_TTL,
    OPTION_USES,
    OPTION_COUNT,
    OPTION_LABEL,
    OPTION_STATE,
    OPTION_LIMIT,
    OPTION_AFTER,
    OPTION_TEXT
};

static const struct option options[] = {
    {"alias", required_argument, NULL, OPTION_ALIAS},
    {"ttl", required_argument, NULL, OPTION_TTL},
    {"uses", required_argument, NULL, OPTION_USES},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"cn", required_argument, NULL, OPTION_TEXT},
    {"san", required_argument, NULL, OPTION_TEXT},
    {"device", required_argument, NULL, OPTION_TEXT},
    {"spki-sha256", required_argument, NULL, OPTION_TEXT},
    {"label", required_argument, NULL, OPTION_LABEL},
    {"state", required_argument, NULL, OPTION_STATE},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"after", required_argument, NULL, OPTION_AFTER},
    API_OPTIONS,
    {0},
};

struct arguments {
    struct api api;
    const char *alias, *state, *limit, *after;
    json_t *order;
};

static bool add_label(json_t *order, const char *argument)
{
    const char *equals = strchr(argument, '=');
    if (!equals || equals == argument) {
        fprintf(stderr, "scepgate: --label wants NAME=VALUE, not \"%s\"\n", argument);
        return false;
    }
    json_t *labels = json_object_get(order, "labels");
    if (!labels) {
        labels = json_object();
        json_object_set_new(order, "labels", labels);
    }
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)(equals - argument), argument);
    json_object_set_new(labels, name, json_string(equals + 1));
    return true;
}

static bool add_number(json_t *order, const char *name, const char *argument)
{
    int64_t value;
    if (!integer_parse(argument, &value) || value < 1) {
        fprintf(stderr, "scepgate: --%s wants a whole number from 1, not \"%s\"\n", name, argument);
        return false;
    }
    json_object_set_new(order, name, json_integer(value));
    return true;
}

static bool add_ttl(json_t *order, const char *argument)
{
    int64_t ms;
    if (!duration_parse(argument, &ms) || ms < 1000) {
        fprintf(stderr, "scepgate: --ttl wants a duration such as 30m, 24h or 7d, not \"%s\"\n", argument);
        return false;
    }
    json_object_set_new(order, "ttl", json_integer(ms / 1000));
    return true;
}

static bool add_text(json_t *order, const char *option, const char *argument)
{
    const char *member = strcmp(option, "spki-sha256") ? option : "spki_sha256";
    json_t *text = json_string(argument);
    if (!text) {
        fprintf(stderr, "scepgate: --%s wants UTF-8 text\n", option);
        return false;
    }
    json_object_set_new(order, member, text);
    return true;
}

static bool take(struct arguments *a, int option, int index)
{
    switch (option) {
    case OPTION_ALIAS:
        a->alias = optarg;
        return true;
    case OPTION_TTL:
        return add_ttl(a->order, optarg);
    case OPTION_USES:
        return add_number(a->order, "uses", optarg);
    case OPTION_COUNT:
        return add_number(a->order, "count", optarg);
    case OPTION_LABEL:
        return add_label(a->order, optarg);
    case OPTION_TEXT:
        return add_text(a->order, options[index].name, optarg);
    case OPTION_STATE:
        a->state = optarg;
        return true;
    case OPTION_LIMIT:
        a->limit = optarg;
        return true;
    case OPTION_AFTER:
        a->after = optarg;
        return true;
    default:
        return api_option(&a->api, option, optarg);
    }
}

static void print_created(const json_t *answer)
{
    const json_t *list = json_object_get(answer, "challenges");
    size_t i;
    json_t *row;
    if (!list)
        printf("%s\n", api_text(answer, "challenge"));
    json_array_foreach(list, i, row) printf("%s\n", api_text(row, "challenge"));
}

static int create(struct arguments *a)
{
    json_t *answer;
    if (!a->alias) {
        fprintf(stderr, "scepgate: challenge create wants --alias NAME\n");
        return 2;
    }
    json_object_set_new(a->order, "alias", json_string(a->alias));
    int status = api_call(&a->api, "POST", "/v1/challenges", a->order, &answer);
    if (status)
        return status;
    if (a->api.json)
        api_print_json(answer);
    else
        print_created(answer);
    json_decref(answer);
    return 0;
}

static const struct column columns[] = {
    {"ID", "id", 32},         {"ALIAS", "alias", 16},     {"STATE", "state", 8},
    {"LEFT", "uses_left", 5}, {"EXPIRES", "expires", 24}, {"LABELS", "labels", 0},
};

static int list(struct arguments *a)
{
    char path[2048] = "/v1/challenges";
    api_query(path, sizeof path, "alias", a->alias);
    api_query(path, sizeof path, "state", a->state);
    api_query(path, sizeof path, "limit", a->limit);
    api_query(path, sizeof path, "after", a->after);
    return listing(&a->api, path, "challenges", columns, sizeof columns / sizeof columns[0]);
}

static int revoke(struct arguments *a, const char *id)
{
    char path[256];
    if (!a->alias || !id) {
        fprintf(
            stderr,
            "scepgate: challenge revoke wants --alias NAME and the challenge's ID (see `challenge list`)\n");
        return 2;
    }
    snprintf(path, sizeof path, "/v1/challenges/%s/%s", a->alias, id);
    return api_call(&a->api, "DELETE", path, NULL, NULL);
}

static int run(struct arguments *a, int argc, char **argv)
{
    int option, index = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == API_OPTION_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (!take(a, option, index))
            return 2;
    }
    if (!strcmp(argv[0], "create") && optind == argc)
        return create(a);
    if (!strcmp(argv[0], "list") && optind == argc)
        return list(a);
    if (!strcmp(argv[0], "revoke") && optind + 1 == argc)
        return revoke(a, argv[optind]);
    fputs(usage, stderr);
    return 2;
}

int cli_challenge(int argc, char **argv)
{
    struct arguments a = {0};
    if (argc < 2 || !strcmp(argv[1], "--help")) {
        fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    api_init(&a.api);
    a.order = json_object();
    int status = run(&a, argc - 1, argv + 1);
    json_decref(a.order);
    return status;
}
