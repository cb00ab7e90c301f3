/* command.c: the table of subcommands, help and version. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

static const struct command commands[] = {
    /* keep alphabetised */
    {"approve", "approve an enrolment that waits for people", cli_approve},
    {"audit", "list the audit trail, or verify its chain", cli_audit},
    {"ca", "make a certification authority for the local CA backend", cli_ca},
    {"certificate", "list and show the certificates that were recorded; revoke, hold and release them",
     cli_certificate},
    {"challenge", "create, list and revoke one-time challenges", cli_challenge},
    {"check", "check a settings file without starting anything", cli_check},
    {"config", "print the running settings, the reference page or the JSON Schema", cli_config},
    {"demo", "set up a state folder and serve a working SCEP endpoint from it", cli_demo},
    {"deny", "deny an enrolment that waits for people", cli_deny},
    {"enroll", "get a certificate from a SCEP endpoint", cli_enroll},
    {"serve", "run the gateway", NULL},
    {"status", "what the running gateway serves and how it feels", cli_status},
    {"store", "change the master key of the store, rebuild its index, move it", cli_store},
    {"transaction", "list the enrolments, or show one", cli_transaction},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_help(FILE *to)
{
    fprintf(to,
            "scepgate %s: a SCEP gateway in front of the certification authorities you have\n\n"
            "usage: scepgate COMMAND [OPTION …]\n\n",
            SCEPGATE_VERSION);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "\n`scepgate COMMAND --help` tells a command's options.\n");
}

int cli_main(int argc, char **argv, int (*serve)(int argc, char **argv))
{
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h")) {
        print_help(stdout);
        return 0;
    }
    if (!strcmp(name, "version") || !strcmp(name, "--version")) {
        printf("scepgate %s\n", SCEPGATE_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        return (commands[i].run ? commands[i].run : serve)(argc - 1, argv + 1);
    }
    fprintf(stderr, "scepgate: there is no command \"%s\"; `scepgate help` lists them\n", name);
    return 2;
}
