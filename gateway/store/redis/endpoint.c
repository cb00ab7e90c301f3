/* endpoint.c: see endpoint.h. */
#include "store/redis/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, int *port)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 1 || number > 65535)
        return false;
    *port = (int)number;
    return true;
}

static bool take_host(struct endpoint *out, const char *from, size_t len)
{
    if (len == 0 || len >= sizeof out->host)
        return false;
    memcpy(out->host, from, len);
    out->host[len] = '\0';
    return true;
}

bool endpoint_parse(struct endpoint *out, const char *text, int default_port)
{
    *out = (struct endpoint){.port = default_port};
    if (*text == '/') {
        out->port = 0;
        return take_host(out, text, strlen(text));
    }
    if (*text == '[') {
        const char *end = strchr(text, ']');
        return end && take_host(out, text + 1, (size_t)(end - text - 1)) &&
               (end[1] == '\0' || (end[1] == ':' && parse_port(end + 2, &out->port)));
    }
    const char *colon = strchr(text, ':');
    if (!colon)
        return take_host(out, text, strlen(text));
    return take_host(out, text, (size_t)(colon - text)) && parse_port(colon + 1, &out->port);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

const char *endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE])
{
    bool v6 = !endpoint_is_path(e) && strchr(e->host, ':');
    if (endpoint_is_path(e))
        snprintf(out, ENDPOINT_TEXT_SIZE, "%s", e->host);
    else
        snprintf(out, ENDPOINT_TEXT_SIZE, "%s%s%s:%d", v6 ? "[" : "", e->host, v6 ? "]" : "", e->port);
    return out;
}
