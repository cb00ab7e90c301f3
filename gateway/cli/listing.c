/* listing.c: tables of fixed columns; a value that is no text is printed as JSON. */
#include "cli/listing.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static char *cell_of(const json_t *value)
{
    if (!value || json_is_null(value))
        return strdup("");
    if (json_is_string(value))
        return strdup(json_string_value(value));
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void print_row(const json_t *row, const struct column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(memory) char *cell = cell_of(json_object_get(row, columns[i].member));
        if (columns[i].width)
            printf("%-*s ", columns[i].width, cell ? cell : "");
        else
            printf("%s", cell ? cell : "");
    }
    putchar('\n');
}

static void print_table(const json_t *rows, const struct column *columns, size_t count)
{
    size_t i;
    json_t *row;
    for (i = 0; i < count; i++)
        printf("%-*s ", columns[i].width, columns[i].title);
    putchar('\n');
    json_array_foreach(rows, i, row) print_row(row, columns, count);
}

int listing(const struct api *a, const char *path, const char *member, const struct column *columns,
            size_t count)
{
    json_t *answer;
    int status = api_call(a, "GET", path, NULL, &answer);
    if (status)
        return status;
    if (a->json)
        api_print_json(answer);
    else
        print_table(json_object_get(answer, member), columns, count);
    const char *next = api_text(answer, "next");
    if (*next && !a->json)
        fprintf(stderr, "there is more: --after %s\n", next);
    json_decref(answer);
    return 0;
}

int listing_show(const struct api *a, const char *path)
{
    json_t *answer, *value;
    const char *member;
    int status = api_call(a, "GET", path, NULL, &answer);
    if (status)
        return status;
    if (a->json) {
        api_print_json(answer);
    } else {
        json_object_foreach(answer, member, value)
        {
            CLEANUP(memory) char *cell = cell_of(value);
            printf("%-20s %s\n", member, cell ? cell : "");
        }
    }
    json_decref(answer);
    return 0;
}

static const struct option options[] = {
    {"alias", required_argument, NULL, 'a'},
    {"state", required_argument, NULL, 's'},
    {"text", required_argument, NULL, 't'},
    {"limit", required_argument, NULL, 'l'},
    {"after", required_argument, NULL, 'n'},
    API_OPTIONS,
    {0},
};

static const char usage[] = "options of a list:\n"
                            "  --alias NAME    of this alias only\n"
                            "  --state STATE   in this state only\n"
                            "  --text TEXT     with this in subject, transactionID or event\n"
                            "  --limit N       at most N rows (default 100)\n"
                            "  --after CURSOR  the page after this one\n" API_HELP;

static const char *name_of(int option)
{
    for (size_t i = 0; options[i].name; i++)
        if (options[i].val == option)
            return options[i].name;
    return NULL;
}

int listing_command(int argc, char **argv, const char *path, const char *member, const struct column *columns,
                    size_t count)
{
    struct api api;
    char full[4096];
    int option;
    api_init(&api);
    snprintf(full, sizeof full, "%s", path);
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == API_OPTION_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (option < API_OPTION_SOCKET && option != '?')
            api_query(full, sizeof full, name_of(option), optarg);
        else if (!api_option(&api, option, optarg))
            return 2;
    }
    if (optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    return listing(&api, full, member, columns, count);
}
