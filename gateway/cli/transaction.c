/* transaction.c: `scepgate transaction list | show`, `scepgate approve | deny`: enrolments, and people's word on
 * those that wait for it. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/listing.h"
#include "settings/units.h"

static const char usage[] =
    "usage: scepgate transaction list [OPTION …]\n"
    "       scepgate transaction show --alias NAME ID\n\n"
    "list:\n"
    "  --alias NAME        of this alias only\n"
    "  --tenant NAME       of this tenant's aliases only\n"
    "  --state STATE       in this state only: received, pending, issued, rejected, failed, expired, "
    "attention,\n"
    "                      superseded; or waiting: pending, and people have to decide\n"
    "  --text TEXT         with this in subject or transactionID\n"
    "  --younger DURATION  begun within the last 30m, 24h, 7d\n"
    "  --older DURATION    begun before that\n"
    "  --limit N           at most N rows (default 100)\n"
    "  --after CURSOR      the page after this one\n" API_HELP;

static const struct option options[] = {
    {"alias", required_argument, NULL, 'a'},
    {"tenant", required_argument, NULL, 't'},
    {"state", required_argument, NULL, 's'},
    {"text", required_argument, NULL, 'x'},
    {"younger", required_argument, NULL, 'y'},
    {"older", required_argument, NULL, 'o'},
    {"limit", required_argument, NULL, 'l'},
    {"after", required_argument, NULL, 'n'},
    API_OPTIONS,
    {0},
};

static const struct column columns[] = {
    {"ID", "id", 32},
    {"ALIAS", "alias", 16},
    {"STATE", "state", 10},
    {"DECISION", "decision", 8},
    {"UPDATED", "updated", 24},
    {"SUBJECT", "subject", 40},
    {"TRANSACTION", "transaction_id", 0},
};

/* "--younger 2h" becomes younger=7200. */
static bool add_age(char *path, size_t size, const char *name, const char *argument)
{
    char seconds[24];
    int64_t ms;
    if (!duration_parse(argument, &ms)) {
        fprintf(stderr, "scepgate: --%s wants a duration such as 30m, 24h or 7d, not \"%s\"\n", name,
                argument);
        return false;
    }
    snprintf(seconds, sizeof seconds, "%lld", (long long)(ms / 1000));
    api_query(path, size, name, seconds);
    return true;
}

static int list(int argc, char **argv)
{
    struct api api;
    char path[4096] = "/v1/transactions";
    int option, index = 0;
    api_init(&api);
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == API_OPTION_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        bool age = option == 'y' || option == 'o';
        if (age && !add_age(path, sizeof path, options[index].name, optarg))
            return 2;
        if (!age && option < API_OPTION_SOCKET && option != '?')
            api_query(path, sizeof path, options[index].name, optarg);
        else if (!age && !api_option(&api, option, optarg))
            return 2;
    }
    if (optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    return listing(&api, path, "transactions", columns, sizeof columns / sizeof columns[0]);
}

/* ---- commands on one ----------------------------------------------------------------------------------- */

static const struct option one_options[] = {
    {"alias", required_argument, NULL, 'a'}, {"reason", required_argument, NULL, 'r'}, API_OPTIONS, {0}};

struct one {
    struct api api;
    const char *alias, *reason, *id;
};

/* The exit status, or -1 to go on. */
static int parse_one(int argc, char **argv, struct one *o, const char *help)
{
    int option;
    *o = (struct one){0};
    api_init(&o->api);
    optind = 1;
    while ((option = getopt_long(argc, argv, "", one_options, NULL)) != -1) {
        if (option == API_OPTION_HELP) {
            fputs(help, stdout);
            return 0;
        }
        if (option == 'a')
            o->alias = optarg;
        else if (option == 'r')
            o->reason = optarg;
        else if (!api_option(&o->api, option, optarg))
            return 2;
    }
    o->id = optind + 1 == argc ? argv[optind] : NULL;
    if (o->alias && o->id && strlen(o->id) <= 64 && !strchr(o->id, '/'))
        return -1;
    fputs(help, stderr);
    return 2;
}

int cli_transaction(int argc, char **argv)
{
    struct one o;
    char path[512];
    if (argc >= 2 && !strcmp(argv[1], "list"))
        return list(argc - 1, argv + 1);
    if (argc < 2 || strcmp(argv[1], "show") != 0) {
        bool help = argc >= 2 && !strcmp(argv[1], "--help");
        fputs(usage, help ? stdout : stderr);
        return help ? 0 : 2;
    }
    int status = parse_one(argc - 1, argv + 1, &o, usage);
    if (status >= 0)
        return status;
    snprintf(path, sizeof path, "/v1/transactions/%s", o.id);
    api_query(path, sizeof path, "alias", o.alias);
    return listing_show(&o.api, path);
}

static void print_decision(const json_t *answer)
{
    const char *decision = api_text(answer, "decision");
    if (strcmp(decision, "awaited") != 0)
        printf("%s\n", decision);
    else
        printf("approved by %s; %lld different people are needed\n", api_text(answer, "approved_by"),
               (long long)json_integer_value(json_object_get(answer, "approvals_needed")));
}

static int decide(int argc, char **argv, const char *verb, const char *help)
{
    struct one o;
    char path[512];
    json_t *answer, *body;
    int status = parse_one(argc, argv, &o, help);
    if (status >= 0)
        return status;
    body = json_pack("{s:s, s:s*}", "alias", o.alias, "reason", o.reason);
    if (!body) {
        fprintf(stderr, "scepgate: alias and reason must be UTF-8 text\n");
        return 2;
    }
    snprintf(path, sizeof path, "/v1/transactions/%s/%s", o.id, verb);
    status = api_call(&o.api, "POST", path, body, &answer);
    json_decref(body);
    if (status)
        return status;
    if (o.api.json)
        api_print_json(answer);
    else
        print_decision(answer);
    json_decref(answer);
    return 0;
}

int cli_approve(int argc, char **argv)
{
    static const char help[] =
        "usage: scepgate approve --alias NAME [--reason TEXT] ID\n\n"
        "Approves a request that waits; `scepgate transaction list --state waiting` lists them.\n\n"
        "  --alias NAME    the alias it belongs to\n"
        "  --reason TEXT   for the audit trail\n" API_HELP;
    return decide(argc, argv, "approve", help);
}

int cli_deny(int argc, char **argv)
{
    static const char help[] =
        "usage: scepgate deny --alias NAME [--reason TEXT] ID\n\n"
        "Denies a request that waits, for good.\n\n"
        "  --alias NAME    the alias it belongs to\n"
        "  --reason TEXT   for the audit trail, and for the client (failInfoText)\n" API_HELP;
    return decide(argc, argv, "deny", help);
}
