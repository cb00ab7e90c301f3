/* api.h: calls to the running gateway through its unix socket: HTTP with JSON bodies (docs/admin-api.md).
 * Blocking. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct api {
    char socket[108];
    const char *config; /* the settings file that named the socket; NULL: none did */
    bool json;          /* print what the gateway answered instead of a table */
};

/* Options that every command on the socket takes; put API_OPTIONS into its getopt_long table and hand what
 * comes to api_option. */
enum { API_OPTION_SOCKET = 1000, API_OPTION_CONFIG, API_OPTION_JSON, API_OPTION_HELP };
#define API_OPTIONS                                                                                          \
    {"socket", required_argument, NULL, API_OPTION_SOCKET},                                                  \
        {"config", required_argument, NULL, API_OPTION_CONFIG},                                              \
        {"json", no_argument, NULL, API_OPTION_JSON},                                                        \
    {                                                                                                        \
        "help", no_argument, NULL, API_OPTION_HELP                                                           \
    }
#define API_HELP                                                                                             \
    "  --socket PATH   the gateway's admin socket ($SCEPGATE_SOCKET; /run/scepgate/admin.sock)\n"            \
    "  --config FILE   take the socket from this settings file\n"                                            \
    "  --json          print the answer as JSON\n"

void api_init(struct api *a);
/* False, with a sentence on stderr, when the option is none of API_OPTIONS or its argument is no good. */
bool api_option(struct api *a, int option, const char *argument);

bool api_answers(const struct api *a); /* does anybody listen on the socket? */
/* GET, POST or DELETE. On success 0 and *out (may be NULL for none) is the caller's; else 1, the gateway's
 * sentence on stderr. */
int api_call(const struct api *a, const char *method, const char *path, json_t *body, json_t **out);

/* "?" or "&" and name=value, escaped; a NULL value adds nothing. */
void api_query(char *path, size_t size, const char *name, const char *value);
void api_print_json(const json_t *answer);
const char *api_text(const json_t *object, const char *member); /* "" when absent or no text */
