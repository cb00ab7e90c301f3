/* records.c: `scepgate audit | status`: what the store and the gateway know. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/listing.h"

static const struct option options[] = {API_OPTIONS, {0}};

/* Parses the socket's options; the exit status, or -1 to go on. */
static int parse(int argc, char **argv, struct api *api)
{
    int option;
    api_init(api);
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == API_OPTION_HELP) {
            fputs("options:\n" API_HELP, stdout);
            return 0;
        }
        if (!api_option(api, option, optarg))
            return 2;
    }
    return optind == argc ? -1 : 2;
}

static int usage(const char *text)
{
    fputs(text, stderr);
    return 2;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

int cli_audit(int argc, char **argv)
{
    static const struct column columns[] = {
        {"NO", "sequence", 6},  {"AT", "at", 24},         {"EVENT", "event", 28},
        {"ALIAS", "alias", 12}, {"CLIENT", "client", 21}, {"DETAILS", "details", 0},
    };
    static const char text[] = "usage: scepgate audit list [OPTION …]\n"
                               "       scepgate audit verify\n";
    struct api api;
    json_t *answer;
    if (argc >= 2 && !strcmp(argv[1], "list"))
        return listing_command(argc - 1, argv + 1, "/v1/audit", "events", columns, COUNT(columns));
    if (argc < 2 || strcmp(argv[1], "verify") != 0)
        return usage(text);
    int status = parse(argc - 1, argv + 1, &api);
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
    json_t *answer;
    int status = parse(argc, argv, &api);
    if (status >= 0)
        return status;
    status = api_call(&api, "GET", "/v1/status", NULL, &answer);
    if (status)
        return status;
    api_print_json(answer);
    json_decref(answer);
    return 0;
}
