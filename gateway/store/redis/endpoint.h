/* endpoint.h: where a Redis listens: host and port, or the path of a unix socket. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ENDPOINT_HOST_SIZE 256
#define ENDPOINT_TEXT_SIZE (ENDPOINT_HOST_SIZE + 10)

struct endpoint {
    char host[ENDPOINT_HOST_SIZE]; /* a name, an address without brackets, or a path that begins with '/' */
    int port;                      /* 0 with a path */
};

/* "host:port", "host" (port 6379 or, for sentinels, what the caller says), "[::1]:6379", "/path". False when
 * it is none of them. */
bool endpoint_parse(struct endpoint *out, const char *text, int default_port);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* As it is written in settings and sentences. */
const char *endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE]);
static inline bool endpoint_is_path(const struct endpoint *e)
{
    return e->host[0] == '/';
}
