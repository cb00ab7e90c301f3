/* api.c: libcurl over the unix socket. */
#include "cli/api.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/codec.h"
#include "cli/config.h"

#define DEFAULT_SOCKET "/run/scepgate/admin.sock"
#define ANSWER_MAX     (64 * 1024 * 1024)
#define TIMEOUT        60000L /* ms */

static bool take_socket(struct api *a, const char *path)
{
    if (strlen(path) >= sizeof a->socket) {
        fprintf(stderr, "scepgate: the socket path %s is longer than a unix socket's may be\n", path);
        return false;
    }
    memcpy(a->socket, path, strlen(path) + 1);
    return true;
}

void api_init(struct api *a)
{
    const char *environment = getenv("SCEPGATE_SOCKET");
    memset(a, 0, sizeof *a);
    take_socket(a, environment && *environment ? environment : DEFAULT_SOCKET);
}

static bool socket_of_config(struct api *a, const char *path)
{
    struct gateway_settings *settings = config_load(path, false);
    if (!settings)
        return false;
    bool good = take_socket(a, settings->admin_socket);
    gateway_settings_unref(settings);
    a->config = path;
    return good;
}

bool api_option(struct api *a, int option, const char *argument)
{
    switch (option) {
    case API_OPTION_SOCKET:
        return take_socket(a, argument);
    case API_OPTION_CONFIG:
        return socket_of_config(a, argument);
    case API_OPTION_JSON:
        a->json = true;
        return true;
    default:
        return false; /* getopt has said what is wrong */
    }
}

bool api_answers(const struct api *a)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _Static_assert(sizeof address.sun_path >= sizeof a->socket, "the path fits");
    memcpy(address.sun_path, a->socket, sizeof a->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return answers;
}

static size_t collect(char *data, size_t size, size_t count, void *buffer)
{
    buffer_append(buffer, data, size * count);
    return ((struct buffer *)buffer)->failed ? 0 : size * count;
}

/* The gateway's own sentence, or what can be said without one. */
static int complain(const struct api *a, CURLcode code, long status, const struct buffer *answer)
{
    if (code != CURLE_OK) {
        fprintf(stderr,
                "scepgate: no gateway answers on %s (%s); is it running, and is this its admin.socket?\n",
                a->socket, curl_easy_strerror(code));
        return 1;
    }
    json_t *body = json_loadb(answer->len ? (const char *)answer->data : "", answer->len, 0, NULL);
    const char *sentence = api_text(body, "error");
    if (*sentence)
        fprintf(stderr, "scepgate: %s\n", sentence);
    else
        fprintf(stderr, "scepgate: the gateway answered with HTTP status %ld\n", status);
    json_decref(body);
    return 1;
}

static CURLcode perform(const struct api *a, const char *method, const char *path, char *text,
                        struct buffer *answer, long *status)
{
    char url[4096];
    snprintf(url, sizeof url, "http://gateway%s", path);
    CURL *curl = curl_easy_init();
    if (!curl)
        return CURLE_OUT_OF_MEMORY;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, a->socket);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (text)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return code;
}

int api_call(const struct api *a, const char *method, const char *path, json_t *body, json_t **out)
{
    CLEANUP(buffer) struct buffer answer;
    CLEANUP(memory) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    long status = 0;
    buffer_init(&answer, ANSWER_MAX);
    if (out)
        *out = NULL;
    CURLcode code = perform(a, method, path, text, &answer, &status);
    if (code != CURLE_OK || status >= 400)
        return complain(a, code, status, &answer);
    if (!out)
        return 0;
    *out = json_loadb(answer.len ? (const char *)answer.data : "", answer.len, 0, NULL);
    if (*out)
        return 0;
    fprintf(stderr, "scepgate: the gateway answered with something that is not JSON\n");
    return 1;
}

void api_query(char *path, size_t size, const char *name, const char *value)
{
    CLEANUP(buffer) struct buffer escaped = {0};
    if (!value)
        return;
    buffer_init(&escaped, 4096);
    codec_escape(&escaped, bytes_of_text(value));
    size_t used = strlen(path);
    snprintf(path + used, size - used, "%c%s=%s", strchr(path, '?') ? '&' : '?', name,
             escaped.len ? (const char *)escaped.data : "");
}

void api_print_json(const json_t *answer)
{
    json_dumpf(answer, stdout, JSON_INDENT(2));
    putchar('\n');
}

const char *api_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}
