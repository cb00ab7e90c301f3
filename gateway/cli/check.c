/* check.c: `scepgate check` and `scepgate config`: settings without a running gateway. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/staged.h"
#include "issuing/backends.h"

#define TEXT_MAX (64 * 1024 * 1024)

static void print_buffer(FILE *to, const struct buffer *b)
{
    fwrite(b->len ? (const char *)b->data : "", 1, b->len, to);
}

int cli_check(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    static const char usage[] = "usage: scepgate check [--config] FILE\n\n"
                                "Reads a settings file, says everything that is wrong or unwise with it, and "
                                "which CAs are staged behind\n"
                                "others, and starts nothing.\n";
    const char *path = NULL;
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option != 'c')
            return 2;
        path = optarg;
    }
    if (!path && optind < argc)
        path = argv[optind++];
    if (!path || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    struct gateway_settings *settings = config_load(path, true);
    if (!settings)
        return 1;
    bool good = staged_check(settings);
    if (good)
        printf("%s is valid: %zu aliases, %zu backends\n", path, settings->alias_count,
               settings->backend_count);
    gateway_settings_unref(settings);
    return good ? 0 : 1;
}

static int show(const char *path)
{
    CLEANUP(buffer) struct buffer text;
    struct gateway_settings *settings = config_load(path, true);
    if (!settings)
        return 1;
    buffer_init(&text, TEXT_MAX);
    settings_print(&text, settings);
    print_buffer(stdout, &text);
    gateway_settings_unref(settings);
    return text.failed ? 1 : 0;
}

int cli_config(int argc, char **argv)
{
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, TEXT_MAX);
    if (argc == 2 && !strcmp(argv[1], "reference"))
        settings_reference(&text, backend_catalogue());
    else if (argc == 2 && !strcmp(argv[1], "schema"))
        settings_schema(&text, backend_catalogue());
    else if (argc == 3 && !strcmp(argv[1], "show"))
        return show(argv[2]);
    else {
        bool asked = argc == 2 && !strcmp(argv[1], "--help");
        fputs("usage: scepgate config reference     every setting, as Markdown\n"
              "       scepgate config schema        a JSON Schema for editors\n"
              "       scepgate config show FILE     a file with all defaults filled in, secrets masked\n",
              asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    print_buffer(stdout, &text);
    return text.failed ? 1 : 0;
}
