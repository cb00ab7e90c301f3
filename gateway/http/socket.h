/* socket.h: listening sockets, made by hand so that modes, flags and error sentences are ours. Room-internal.
 */
#pragma once

#include <event2/http.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/error.h"

struct bound_socket {
    struct evhttp_bound_socket *handle; /* NULL once closed */
    int port;                           /* 0: unix */
    char *path;                         /* unix: removed at the end when it is still ours */
    dev_t device;
    ino_t inode;
    STAILQ_ENTRY(bound_socket) link;
};

STAILQ_HEAD(bound_sockets, bound_socket);

struct socket_file {
    const char *path;
    mode_t mode;
};

/* Every address that the text means, at least one; each becomes an entry of `all`. */
enum error_code socket_bind_tcp(struct bound_sockets *all, struct evhttp *http, struct event_base *base,
                                const char *address, struct error *e);
enum error_code socket_bind_unix(struct bound_sockets *all, struct evhttp *http, struct event_base *base,
                                 const struct socket_file *file, struct error *e);
void sockets_close(struct bound_sockets *all, struct evhttp *http); /* accept no more; entries stay */
void sockets_free(struct bound_sockets *all);                       /* after sockets_close */
