/* records.c: `scepgate certificate | audit | status`: what the store and the gateway know. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/listing.h"

static const struct option show_options[] = {{"alias", required_argument, NULL, 'a'}, API_OPTIONS, {0}};

/* Parses `[--alias A] [socket options] [ARGUMENT]`; the exit status, or -1 to go on. */
static int parse_show(int argc, char **argv, struct api *api, const char **alias, const char **argument)
{
    int option;
    api_init(api);
    optind = 1;
    while ((option = getopt_long(argc, argv, "", show_options, NULL)) != -1) {
        if (option == API_OPTION_HELP) {
            fputs("options:\n  --alias NAME    the alias it belongs to\n" API_HELP, stdout);
            return 0;
        }
        if (option == 'a')
            *alias = optarg;
        else if (!api_option(api, option, optarg))
            return 2;
    }
    if (argument && optind < argc)
        *argument = argv[optind++];
    return optind == argc ? -1 : 2;
}

static int usage(const char *text)
{
    fputs(text, stderr);
    return 2;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

int cli_certificate(int argc, char **argv)
{
    static const struct column columns[] = {
        {"SERIAL", "serial", 40},   {"ALIAS", "alias", 16},    {"NOT AFTER", "not_after", 24},
        {"REVOKED", "revoked", 24}, {"SUBJECT", "subject", 0},
    };
    static const char text[] = "usage: scepgate certificate list [OPTION …]\n"
                               "       scepgate certificate show --alias NAME SERIAL\n";
    struct api api;
    const char *alias = NULL, *serial = NULL;
    char path[512];
    if (argc >= 2 && !strcmp(argv[1], "list"))
        return listing_command(argc - 1, argv + 1, "/v1/certificates", "certificates", columns,
                               COUNT(columns));
    if (argc < 2 || strcmp(argv[1], "show") != 0)
        return usage(text);
    int status = parse_show(argc - 1, argv + 1, &api, &alias, &serial);
    if (status >= 0)
        return status;
    if (!alias || !serial)
        return usage(text);
    snprintf(path, sizeof path, "/v1/certificates/%s/%s", alias, serial);
    return listing_show(&api, path);
}

int cli_audit(int argc, char **argv)
{
    static const struct column columns[] = {
        {"NO", "sequence", 6},  {"AT", "at", 24},         {"EVENT", "event", 28},
        {"ALIAS", "alias", 12}, {"CLIENT", "client", 21}, {"DETAILS", "details", 0},
    };
    static const char text[] = "usage: scepgate audit list [OPTION …]\n"
                               "       scepgate audit verify\n";
    struct api api;
    const char *alias = NULL;
    json_t *answer;
    if (argc >= 2 && !strcmp(argv[1], "list"))
        return listing_command(argc - 1, argv + 1, "/v1/audit", "events", columns, COUNT(columns));
    if (argc < 2 || strcmp(argv[1], "verify") != 0)
        return usage(text);
    int status = parse_show(argc - 1, argv + 1, &api, &alias, NULL);
    if (status >= 0)
        return status;
    status = api_call(&api, "POST", "/v1/audit/verify", NULL, &answer);
    if (status)
        return status;
    api_print_json(answer);
    bool whole = json_is_true(json_object_get(answer, "intact"));
    json_decref(answer);
    return whole ? 0 : 1;
}

int cli_status(int argc, char **argv)
{
    struct api api;
    const char *alias = NULL;
    json_t *answer;
    int status = parse_show(argc, argv, &api, &alias, NULL);
    if (status >= 0)
        return status;
    status = api_call(&api, "GET", "/v1/status", NULL, &answer);
    if (status)
        return status;
    api_print_json(answer);
    json_decref(answer);
    return 0;
}
