/* socket.c: see socket.h. */
#include "http/socket.h"

#include <errno.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"

#define BACKLOG 1024

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define CLEANUP_FD __attribute__((cleanup(close_fd)))

/* Without a descriptor left, accept fails and the socket stays readable: the loop would spin. One kept in
 * reserve takes the connection and closes it. Loop thread. */
static int reserve = -1;

static void accept_failed(struct evconnlistener *listener, void *context)
{
    (void)context;
    if (errno != EMFILE && errno != ENFILE)
        return;
    if (reserve >= 0)
        close(reserve);
    int fd = accept4(evconnlistener_get_fd(listener), NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Takes the descriptor in every case. */
static enum error_code serve(struct bound_sockets *all, struct evhttp *http, struct event_base *base, int fd,
                             struct bound_socket **out)
{
    struct bound_socket *bound = calloc(1, sizeof *bound);
    struct evconnlistener *listener =
        bound ? evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd)
              : NULL;
    if (!listener) {
        close(fd);
        free(bound);
        return ERR_INTERNAL;
    }
    bound->handle = evhttp_bind_listener(http, listener);
    if (!bound->handle) {
        evconnlistener_free(listener);
        free(bound);
        return ERR_INTERNAL;
    }
    evconnlistener_set_error_cb(listener, accept_failed);
    if (reserve < 0)
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    STAILQ_INSERT_TAIL(all, bound, link);
    *out = bound;
    return ERR_OK;
}

/* ---- TCP ----------------------------------------------------------------------------------------------- */

static int port_of(int fd)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return 0;
    return ntohs(own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port
                                           : ((struct sockaddr_in *)&own)->sin_port);
}

/* The listening descriptor, or -1 with errno. */
static int open_tcp(const struct addrinfo *info, int port)
{
    int on = 1;
    struct sockaddr_storage address = {0};
    memcpy(&address, info->ai_addr, info->ai_addrlen);
    if (port > 0 && info->ai_family == AF_INET)
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
    else if (port > 0)
        ((struct sockaddr_in6 *)&address)->sin6_port = htons((uint16_t)port);
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (info->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, (struct sockaddr *)&address, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* "host:port", "[v6]:port" into two buffers. */
static bool split(const char *address, char host[256], char port[8])
{
    const char *colon = strrchr(address, ':');
    if (!colon || strlen(colon + 1) == 0 || strlen(colon + 1) > 5)
        return false;
    if (strspn(colon + 1, "0123456789") != strlen(colon + 1) || strtol(colon + 1, NULL, 10) > 65535)
        return false;
    size_t len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    } else if (memchr(address, ':', len)) {
        return false; /* IPv6 without brackets */
    }
    if (len == 0 || len >= 256)
        return false;
    memcpy(host, address, len);
    host[len] = 0;
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

enum error_code socket_bind_tcp(struct bound_sockets *all, struct evhttp *http, struct event_base *base,
                                const char *address, struct error *e)
{
    char host[256], port[8];
    if (!split(address, host, port))
        return error_set(e, ERR_ADDRESS_IN_USE,
                         "\"%s\" is no listening address; expected 127.0.0.1:8080, [::1]:8080 or name:8080",
                         address);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *infos = NULL;
    int found = getaddrinfo(host, port, &hints, &infos);
    if (found != 0)
        return error_set(e, ERR_ADDRESS_IN_USE, "the listening address %s has no such host: %s", address,
                         gai_strerror(found));
    int why = 0, shared_port = 0;
    size_t count = 0;
    for (struct addrinfo *info = infos; info; info = info->ai_next) {
        struct bound_socket *bound;
        int fd = open_tcp(info, shared_port);
        if (fd < 0) {
            why = errno;
            continue;
        }
        int own = port_of(fd);
        if (serve(all, http, base, fd, &bound) != ERR_OK) {
            why = ENOMEM;
            continue;
        }
        bound->port = shared_port = own;
        count++;
    }
    freeaddrinfo(infos);
    if (count == 0)
        return error_set(e, ERR_ADDRESS_IN_USE, "cannot listen on %s: %s", address, error_errno(why));
    return ERR_OK;
}

/* ---- unix ---------------------------------------------------------------------------------------------- */

static int connect_unix(const struct sockaddr_un *address)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    return connect(fd, (const struct sockaddr *)address, sizeof *address);
}

/* Removes what a process left behind that is no more. */
static enum error_code clear_stale(const struct sockaddr_un *address, struct error *e)
{
    struct stat entry;
    if (lstat(address->sun_path, &entry) != 0)
        return ERR_OK; /* bind will say what else is wrong */
    if (!S_ISSOCK(entry.st_mode))
        return error_set(e, ERR_ADDRESS_IN_USE,
                         "%s exists and is no socket; remove it or choose another path", address->sun_path);
    if (connect_unix(address) == 0 || errno != ECONNREFUSED)
        return error_set(e, ERR_ADDRESS_IN_USE,
                         "another process answers on the socket %s; stop it or choose another path",
                         address->sun_path);
    if (unlink(address->sun_path) != 0 && errno != ENOENT)
        return error_set(e, ERR_ADDRESS_IN_USE, "cannot remove the stale socket %s: %s", address->sun_path,
                         error_errno(errno));
    return ERR_OK;
}

/* On Linux a socket's file gets the mode that its descriptor has at bind: no moment with a wider one, and no
 * umask, which other threads share. */
static int open_unix(const struct sockaddr_un *address, mode_t mode)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (fchmod(fd, mode) == 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

enum error_code socket_bind_unix(struct bound_sockets *all, struct evhttp *http, struct event_base *base,
                                 const struct socket_file *file, struct error *e)
{
    const char *path = file->path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(e, ERR_ADDRESS_IN_USE,
                         "the socket path %s is longer than %zu bytes; choose a shorter one", path,
                         sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    enum error_code code = clear_stale(&address, e);
    if (code != ERR_OK)
        return code;
    int fd = open_unix(&address, file->mode);
    if (fd < 0)
        return error_set(e, ERR_ADDRESS_IN_USE, "cannot listen on the socket %s: %s", path,
                         error_errno(errno));
    struct stat entry;
    struct bound_socket *bound;
    /* Wider than 0600 it may be only now: the umask held at bind. */
    if (file->mode != 0600 && chmod(path, file->mode) != 0) {
        int cause = errno;
        close(fd);
        return error_set(e, ERR_ADDRESS_IN_USE, "cannot set the mode of the socket %s: %s", path,
                         error_errno(cause));
    }
    if (lstat(path, &entry) != 0 || (entry.st_mode & 0777) != file->mode) {
        close(fd);
        return error_set(e, ERR_ADDRESS_IN_USE,
                         "the socket %s did not get mode %04o; its folder must be on a local disk", path,
                         (unsigned)file->mode);
    }
    if (serve(all, http, base, fd, &bound) != ERR_OK)
        return error_set(e, ERR_INTERNAL, "out of memory for the socket %s", path);
    bound->path = strdup(path);
    bound->device = entry.st_dev;
    bound->inode = entry.st_ino;
    return ERR_OK;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static void remove_path(struct bound_socket *bound)
{
    struct stat entry;
    if (bound->path && lstat(bound->path, &entry) == 0 && entry.st_dev == bound->device &&
        entry.st_ino == bound->inode)
        (void)unlink(bound->path);
}

void sockets_close(struct bound_sockets *all, struct evhttp *http)
{
    struct bound_socket *bound;
    STAILQ_FOREACH(bound, all, link)
    {
        if (!bound->handle)
            continue;
        remove_path(bound);
        evhttp_del_accept_socket(http, bound->handle);
        bound->handle = NULL;
    }
}

void sockets_free(struct bound_sockets *all)
{
    struct bound_socket *bound;
    while ((bound = STAILQ_FIRST(all))) {
        STAILQ_REMOVE_HEAD(all, link);
        free(bound->path);
        free(bound);
    }
}
