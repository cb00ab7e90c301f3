/* test_sockets.c: binding, and who may come to the unix socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "flow/http/rig.h"
#include "support/runner.h"

struct folder {
    char path[64], socket[96];
};

static void folder_make(struct folder *f)
{
    snprintf(f->path, sizeof f->path, "/tmp/scepgate-http-XXXXXX");
    if (!mkdtemp(f->path))
        abort();
    snprintf(f->socket, sizeof f->socket, "%s/admin.sock", f->path);
}

static struct http_listener *listener(struct rig *r)
{
    struct http_listener *l;
    struct http_listener_options options = {
        .limits = &r->limits, .handler = rig_handle, .context = r, .metrics = r->metrics};
    if (http_listener_create(&l, r->base, &options, NULL) != ERR_OK)
        abort();
    return l;
}

#define RIG(name)                                                                                            \
    struct rig name;                                                                                         \
    rig_init(&name);                                                                                         \
    name.listener = listener(&name)

static int status_of(struct client *c)
{
    struct response got;
    client_send(c, "GET / HTTP/1.1\r\n\r\n");
    client_receive(c, &got, false);
    response_free(&got);
    return got.status;
}

static int get_unix(struct rig *r, const char *path)
{
    struct client c;
    client_connect_unix(&c, r->base, path);
    int status = c.fd < 0 ? -1 : status_of(&c);
    client_free(&c);
    return status;
}

TEST(addresses_come_in_several_forms)
{
    RIG(r);
    struct error e = {0};
    CHECK_INT(http_listener_bind(r.listener, "127.0.0.1:0", &e), ERR_OK);
    CHECK_INT(http_listener_bind(r.listener, "localhost:0", &e), ERR_OK);
    CHECK(http_listener_port(r.listener, 0) > 0);
    CHECK(http_listener_port(r.listener, 1) > 0);
    CHECK_INT(http_listener_port(r.listener, 9), 0);
    struct client c;
    client_connect(&c, r.base, http_listener_port(r.listener, 1));
    CHECK_INT(status_of(&c), 200);
    client_free(&c);
    rig_free(&r);
}

TEST(a_wrong_address_is_named)
{
    RIG(r);
    static const char *const wrong[] = {"8080",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "::1:80",
                                        "127.0.0.1:99999",
                                        ":80",
                                        "a:b",
                                        "no such host.invalid:80",
                                        "192.0.2.1:0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error e = {0};
        CHECK_INT(http_listener_bind(r.listener, wrong[i], &e), ERR_ADDRESS_IN_USE);
        CHECK(strstr(e.text, wrong[i]) != NULL);
    }
    rig_free(&r);
}

TEST(a_taken_port_is_named)
{
    RIG(r);
    struct error e = {0};
    char address[32];
    CHECK_INT(http_listener_bind(r.listener, "127.0.0.1:0", &e), ERR_OK);
    snprintf(address, sizeof address, "127.0.0.1:%d", http_listener_port(r.listener, 0));
    struct http_listener *second = listener(&r);
    CHECK_INT(http_listener_bind(second, address, &e), ERR_ADDRESS_IN_USE);
    CHECK(strstr(e.text, address) != NULL);
    http_listener_free(second);
    rig_free(&r);
}

TEST(the_unix_socket_is_private_and_goes_away)
{
    RIG(r);
    struct folder f;
    struct stat entry;
    folder_make(&f);
    mode_t before = umask(0);
    CHECK_INT(http_listener_bind_unix(r.listener, f.socket, NULL), ERR_OK);
    umask(before);
    CHECK_INT(stat(f.socket, &entry), 0);
    CHECK_INT(entry.st_mode & 0777, 0600);
    CHECK_INT(get_unix(&r, f.socket), 200);
    http_listener_close(r.listener);
    CHECK_INT(stat(f.socket, &entry), -1);
    rmdir(f.path);
    rig_free(&r);
}

TEST(a_unix_client_is_named)
{
    RIG(r);
    struct folder f;
    struct client c;
    folder_make(&f);
    r.hold = true;
    CHECK_INT(http_listener_bind_unix(r.listener, f.socket, NULL), ERR_OK);
    client_connect_unix(&c, r.base, f.socket);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    CHECK(rig_holds(&r, 1));
    CHECK_TEXT(r.held[0]->client, "unix");
    CHECK_TEXT(r.held[0]->client_address, "unix");
    CHECK_INT(r.held[0]->peer_uid, geteuid());
    rig_echo(r.held[0]);
    client_free(&c);
    rig_free(&r);
    rmdir(f.path);
}

TEST(a_stale_socket_is_replaced)
{
    RIG(r);
    struct folder f;
    folder_make(&f);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f.socket);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    CHECK_INT(http_listener_bind_unix(r.listener, f.socket, NULL), ERR_OK);
    CHECK_INT(get_unix(&r, f.socket), 200);
    rig_free(&r);
    CHECK_INT(rmdir(f.path), 0);
}

TEST(a_living_socket_is_left_alone)
{
    RIG(r);
    struct folder f;
    struct error e = {0};
    folder_make(&f);
    CHECK_INT(http_listener_bind_unix(r.listener, f.socket, NULL), ERR_OK);
    struct http_listener *second = listener(&r);
    CHECK_INT(http_listener_bind_unix(second, f.socket, &e), ERR_ADDRESS_IN_USE);
    CHECK(strstr(e.text, "another process answers") != NULL);
    http_listener_free(second);
    CHECK_INT(get_unix(&r, f.socket), 200);
    rig_free(&r);
    rmdir(f.path);
}

TEST(a_file_in_the_way_is_left_alone)
{
    RIG(r);
    struct folder f;
    struct error e = {0};
    struct stat entry;
    folder_make(&f);
    close(open(f.socket, O_CREAT | O_WRONLY, 0600));
    CHECK_INT(http_listener_bind_unix(r.listener, f.socket, &e), ERR_ADDRESS_IN_USE);
    CHECK(strstr(e.text, "no socket") != NULL);
    CHECK_INT(stat(f.socket, &entry), 0);
    unlink(f.socket);
    rmdir(f.path);
    char path[200];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    CHECK_INT(http_listener_bind_unix(r.listener, path, &e), ERR_ADDRESS_IN_USE);
    rig_free(&r);
}

/* Needs root, which can become somebody else for a moment. */
TEST(another_user_is_cut)
{
    if (geteuid() != 0)
        return;
    RIG(r);
    struct folder f;
    folder_make(&f);
    CHECK_INT(http_listener_bind_unix(r.listener, f.socket, NULL), ERR_OK);
    CHECK_INT(chmod(f.path, 0755), 0);
    CHECK_INT(chmod(f.socket, 0666), 0);
    struct client c;
    CHECK_INT(seteuid(65534), 0);
    client_connect_unix(&c, r.base, f.socket);
    CHECK_INT(seteuid(0), 0);
    CHECK(c.fd >= 0);
    CHECK_INT(status_of(&c), 0);
    CHECK(c.closed);
    CHECK(rig_counted(&r, "peer", 1));
    CHECK_INT(r.handled, 0);
    client_free(&c);
    rig_free(&r);
    rmdir(f.path);
}

RUNNER_MAIN()
