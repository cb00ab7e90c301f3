/* load.c: plays pre-built PKCSReqs over kept connections and says how it went, as one line of JSON.
 *
 *   load --port N --path /scep/x --ca FILE --challenges FILE --count N --connections N --run NAME
 *
 * FILE of --ca is a GetCACert body. Prints "ready" when the messages are made and begins when a line comes on
 * standard input, so that the work of making them is in nobody's figures.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/messages.h"
#include "scep/chain.h"

#define REPLY_MAX      65536
#define CHALLENGES_MAX 100000

struct options {
    int port;
    const char *path, *ca, *challenges, *run;
    size_t count, connections;
};

struct player {
    pthread_t thread;
    const struct options *options;
    const struct messages *messages;
    size_t first;    /* plays first, first + connections, … */
    double *seconds; /* per message; 0 when it failed */
    size_t failures;
};

static void fail(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_connection(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_message(int fd, const struct options *o, struct bytes der)
{
    char *text = malloc(512 + der.len);
    if (!text)
        fail("out of memory");
    int head = snprintf(text, 512,
                        "POST %s?operation=PKIOperation HTTP/1.1\r\nHost: localhost\r\n"
                        "Content-Type: application/x-pki-message\r\nContent-Length: %zu\r\n\r\n",
                        o->path, der.len);
    memcpy(text + head, der.data, der.len);
    bool sent = send_all(fd, text, (size_t)head + der.len);
    free(text);
    return sent;
}

/* How long the reply will be; 0 when that shows only at its end. */
static size_t wanted(const char *reply, const char *body)
{
    const char *length = strcasestr(reply, "Content-Length:");
    return length && length < body ? (size_t)(body - reply) + strtoul(length + 15, NULL, 10) : 0;
}

/* Reads one reply, with a Content-Length or in chunks; the length of the whole, 0 on failure. */
static size_t read_reply(int fd, char *reply)
{
    static const char last_chunk[] = "\r\n0\r\n\r\n";
    size_t have = 0;
    for (;;) {
        ssize_t n = have < REPLY_MAX - 1 ? recv(fd, reply + have, REPLY_MAX - 1 - have, 0) : -1;
        if (n <= 0)
            return 0;
        have += (size_t)n;
        reply[have] = '\0';
        char *body = memmem(reply, have, "\r\n\r\n", 4);
        if (!body)
            continue;
        size_t want = wanted(reply, body + 4);
        if (want ? have >= want : have > 7 && !memcmp(reply + have - 7, last_chunk, 7))
            return have;
    }
}

/* pkiStatus 0 among the signed attributes: OID 2.16.840.1.113733.1.9.3, SET, PrintableString "0". */
static bool is_success(const char *reply, size_t len)
{
    static const char mark[] = "\x06\x0a\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x03\x31\x03\x13\x01\x30";
    return len > 12 && !memcmp(reply + 9, "200", 3) && memmem(reply, len, mark, sizeof mark - 1);
}

static void *play(void *data)
{
    struct player *p = data;
    char *reply = malloc(REPLY_MAX);
    int fd = open_connection(p->options->port);
    if (!reply)
        fail("out of memory");
    for (size_t i = p->first; i < p->messages->count; i += p->options->connections) {
        double start = now();
        size_t len = send_message(fd, p->options, p->messages->der[i]) ? read_reply(fd, reply) : 0;
        p->seconds[i] = now() - start;
        if (!is_success(reply, len)) {
            p->failures++;
            p->seconds[i] = 0;
        }
        if (!len) {
            close(fd);
            fd = open_connection(p->options->port);
        }
    }
    close(fd);
    free(reply);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void run(const struct options *o, const struct messages *messages)
{
    double *seconds = calloc(messages->count, sizeof *seconds);
    struct player *players = calloc(o->connections, sizeof *players);
    size_t failures = 0;
    if (!seconds || !players)
        fail("out of memory");
    double start = now();
    for (size_t i = 0; i < o->connections; i++) {
        players[i] = (struct player){.options = o, .messages = messages, .first = i, .seconds = seconds};
        if (pthread_create(&players[i].thread, NULL, play, &players[i]))
            fail("no thread");
    }
    for (size_t i = 0; i < o->connections; i++) {
        pthread_join(players[i].thread, NULL);
        failures += players[i].failures;
    }
    double total = now() - start;
    qsort(seconds, messages->count, sizeof *seconds, by_size);
    printf("{\"count\": %zu, \"failures\": %zu, \"seconds\": %.6f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
           messages->count, failures, total, seconds[messages->count / 2] * 1000,
           seconds[messages->count * 99 / 100] * 1000);
    free(seconds);
    free(players);
}

static char **read_lines(const char *path, size_t *count)
{
    char **lines = calloc(CHALLENGES_MAX, sizeof *lines);
    size_t room = 0;
    FILE *f = fopen(path, "r");
    if (!lines || !f)
        fail("cannot read the challenges");
    while (*count < CHALLENGES_MAX && getline(&lines[*count], &room, f) > 0) {
        lines[*count][strcspn(lines[*count], "\n")] = '\0';
        ++*count;
        room = 0;
    }
    fclose(f);
    return lines;
}

static STACK_OF(X509) *read_ca(const char *path)
{
    struct error e = {0};
    struct secret body = {0};
    STACK_OF(X509) *bag = NULL;
    if (secret_from_file(&body, path, 1 << 20, &e) != ERR_OK ||
        scep_chain_read(&bag, bytes_of(body.data, body.len), &e) != ERR_OK)
        fail(error_text(&e));
    secret_free(&body);
    return bag;
}

static void parse(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'},  {"path", 1, NULL, 'a'},
        {"ca", 1, NULL, 'c'},    {"challenges", 1, NULL, 'l'},
        {"count", 1, NULL, 'n'}, {"connections", 1, NULL, 'k'},
        {"run", 1, NULL, 'r'},   {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p')
            o->port = (int)strtol(optarg, NULL, 10);
        else if (option == 'a')
            o->path = optarg;
        else if (option == 'c')
            o->ca = optarg;
        else if (option == 'l')
            o->challenges = optarg;
        else if (option == 'n')
            o->count = strtoul(optarg, NULL, 10);
        else if (option == 'k')
            o->connections = strtoul(optarg, NULL, 10);
        else if (option == 'r')
            o->run = optarg;
        else
            exit(2);
    }
    if (!o->port || !o->path || !o->ca || !o->challenges || !o->count || !o->connections)
        fail("wants --port --path --ca --challenges --count --connections");
}

int main(int argc, char **argv)
{
    struct options o = {.run = "1"};
    char line[16];
    parse(&o, argc, argv);
    STACK_OF(X509) *bag = read_ca(o.ca);
    struct message_order order = {
        .count = o.count, .keys = 16, .recipient = scep_client_pick(bag, false), .run = o.run};
    order.challenges = read_lines(o.challenges, &order.challenge_count);
    struct messages messages = messages_make(&order);
    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin))
        run(&o, &messages);
    messages_free(&messages);
    for (size_t i = 0; i < CHALLENGES_MAX; i++)
        free(order.challenges[i]);
    free(order.challenges);
    sk_X509_pop_free(bag, X509_free);
    return 0;
}
