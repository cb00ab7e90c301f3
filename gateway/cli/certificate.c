/* certificate.c: `scepgate certificate list | show | revoke | hold | release`. */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/listing.h"

static const char usage[] =
    "usage: scepgate certificate list [OPTION …]\n"
    "       scepgate certificate show --alias NAME SERIAL\n"
    "       scepgate certificate revoke --alias NAME [--reason REASON] SERIAL\n"
    "       scepgate certificate hold --alias NAME SERIAL\n"
    "       scepgate certificate release --alias NAME SERIAL\n\n"
    "revoke is for good; a certificate that is on hold is as good as revoked until it is released.\n"
    "SERIAL is hexadecimal: as `list` shows it, or as other tools do (0A:BC…, 0x0abc).\n\n"
    "  --alias NAME      the alias it belongs to\n"
    "  --issuer SHA256   of the issuer's name, when two CAs of the alias gave the same serial\n"
    "  --reason REASON   unspecified (default), keyCompromise, affiliationChanged, superseded,\n"
    "                    cessationOfOperation, privilegeWithdrawn, aACompromise\n" API_HELP;

static const struct column columns[] = {
    {"SERIAL", "serial", 40},   {"ALIAS", "alias", 16},   {"NOT AFTER", "not_after", 24},
    {"REVOKED", "revoked", 24}, {"REASON", "reason", 20}, {"SUBJECT", "subject", 0},
};

static const struct option options[] = {{"alias", required_argument, NULL, 'a'},
                                        {"issuer", required_argument, NULL, 'i'},
                                        {"reason", required_argument, NULL, 'r'},
                                        API_OPTIONS,
                                        {0}};

#define SERIAL_MAX 128

struct order {
    struct api api;
    const char *verb;
    const char *alias, *issuer, *reason;
    char serial[SERIAL_MAX + 1];
};

/* As the gateway writes it. False: it is no serial. */
static bool read_serial(char out[SERIAL_MAX + 1], const char *text)
{
    size_t len = 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    for (; *text; text++) {
        if (*text == ':')
            continue;
        if (len == SERIAL_MAX || !isxdigit((unsigned char)*text))
            return false;
        out[len++] = (char)tolower((unsigned char)*text);
    }
    out[len] = '\0';
    return len > 0;
}

/* The exit status, or -1 to go on. */
static int parse(int argc, char **argv, struct order *o)
{
    int option;
    api_init(&o->api);
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == API_OPTION_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (option == 'a')
            o->alias = optarg;
        else if (option == 'i')
            o->issuer = optarg;
        else if (option == 'r' && strcmp(o->verb, "revoke") == 0)
            o->reason = optarg;
        else if (option == 'r')
            return fprintf(stderr, "scepgate: certificate %s takes no --reason\n", o->verb), 2;
        else if (!api_option(&o->api, option, optarg))
            return 2;
    }
    if (optind + 1 != argc || !o->alias || strlen(o->alias) > 64 || strchr(o->alias, '/')) {
        fputs(usage, stderr);
        return 2;
    }
    if (read_serial(o->serial, argv[optind]))
        return -1;
    fprintf(stderr, "scepgate: \"%.80s\" is no serial: it must be hexadecimal\n", argv[optind]);
    return 2;
}

static void print_changed(const struct order *o, const json_t *answer)
{
    const char *warning = api_text(answer, "warning");
    if (strcmp(o->verb, "release") == 0)
        printf("released: it is good again\n");
    else
        printf("%s since %s (%s)\n", strcmp(o->verb, "hold") == 0 ? "on hold" : "revoked",
               api_text(answer, "revoked"), api_text(answer, "reason"));
    if (*warning)
        fprintf(stderr, "scepgate: %s\n", warning);
}

static int change(const struct order *o, const char *path)
{
    json_t *answer, *body = json_pack("{s:s*}", "reason", o->reason);
    if (!body) {
        fprintf(stderr, "scepgate: the reason must be UTF-8 text\n");
        return 2;
    }
    int status = api_call(&o->api, "POST", path, body, &answer);
    json_decref(body);
    if (status)
        return status;
    if (o->api.json)
        api_print_json(answer);
    else
        print_changed(o, answer);
    json_decref(answer);
    return 0;
}

static bool is_verb(const char *word)
{
    static const char *const verbs[] = {"show", "revoke", "hold", "release"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i], word) == 0)
            return true;
    return false;
}

int cli_certificate(int argc, char **argv)
{
    struct order o = {.verb = argc >= 2 ? argv[1] : ""};
    char path[1024];
    if (strcmp(o.verb, "list") == 0)
        return listing_command(argc - 1, argv + 1, "/v1/certificates", "certificates", columns,
                               sizeof columns / sizeof columns[0]);
    if (!is_verb(o.verb)) {
        bool help = strcmp(o.verb, "--help") == 0;
        fputs(usage, help ? stdout : stderr);
        return help ? 0 : 2;
    }
    int status = parse(argc - 1, argv + 1, &o);
    if (status >= 0)
        return status;
    bool show = strcmp(o.verb, "show") == 0;
    snprintf(path, sizeof path, "/v1/certificates/%s/%s%s%s", o.alias, o.serial, show ? "" : "/",
             show ? "" : o.verb);
    api_query(path, sizeof path, "issuer", o.issuer);
    return show ? listing_show(&o.api, path) : change(&o, path);
}
