/* demo.c: `scepgate demo`: a state folder, settings in it, a gateway on them, and what a newcomer needs to
 * enrol.
 *
 * This process becomes the gateway itself (its pid is the daemon's); a child waits until it serves, makes the
 * challenges through the admin socket like anybody would, prints, and ends.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "settings/units.h"

#define ALIAS       "demo"
#define START_TRIES 600 /* of 100 ms */

struct demo {
    char state[PATH_MAX];
    char config[PATH_MAX + 32];
    char self[PATH_MAX];
    struct api api;
    int64_t port;
    int64_t challenges;
    bool json;
    pid_t gateway;
};

static const char usage[] = "usage: scepgate demo [--port N] [--state DIR] [--challenges N] [--json]\n\n"
                            "  --port N         of the SCEP endpoint on 127.0.0.1 (default 8080; the next "
                            "one has metrics and health)\n"
                            "  --state DIR      settings, keys and database live here (default ./state)\n"
                            "  --challenges N   one-time challenges to make at the start (default 1)\n"
                            "  --json           print one line of JSON: url, challenges, ca_sha256, pid\n";

/* ---- settings ------------------------------------------------------------------------------------------ */

static bool make_folder(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    fprintf(stderr, "scepgate: the state folder %s cannot be made: %s\n", path, strerror(errno));
    return false;
}

static bool find_places(struct demo *d, const char *state)
{
    ssize_t len = readlink("/proc/self/exe", d->self, sizeof d->self - 1);
    if (len < 0 || !make_folder(state) || !realpath(state, d->state)) {
        fprintf(stderr, "scepgate: the state folder %s cannot be used: %s\n", state, strerror(errno));
        return false;
    }
    d->self[len] = '\0';
    snprintf(d->config, sizeof d->config, "%s/gateway.yaml", d->state);
    if (snprintf(d->api.socket, sizeof d->api.socket, "%s/admin.sock", d->state) >=
        (int)sizeof d->api.socket) {
        fprintf(stderr, "scepgate: the state folder's path is too long for a unix socket in it; give a "
                        "shorter --state\n");
        return false;
    }
    return true;
}

/* Written anew at each start, so that --port holds; what matters (keys, store) is beside it and stays. */
static bool write_config(const struct demo *d)
{
    FILE *f = fopen(d->config, "w");
    if (!f) {
        fprintf(stderr, "scepgate: %s cannot be written: %s\n", d->config, strerror(errno));
        return false;
    }
    fprintf(f,
            "# Made by `scepgate demo`. docs/configuration.md lists every setting.\n"
            "state: %s\n"
            "listen: [\"127.0.0.1:%lld\"]\n"
            "admin: {listen: [\"127.0.0.1:%lld\"], socket: %s}\n"
            "backends:\n"
            "  ca:\n"
            "    type: local_ca\n"
            "    subject: CN=scepgate demo CA\n"
            "    profile:\n"
            "      issuer_urls: [\"http://127.0.0.1:%lld/pki/{ca}.cer\"]\n"
            "      crl_urls: [\"http://127.0.0.1:%lld/pki/{ca}.crl\"]\n"
            "aliases:\n"
            "  " ALIAS ":\n"
            "    backend: ca\n"
            "    challenge: {type: one_time, ttl: 24h}\n",
            d->state, (long long)d->port, (long long)d->port + 1, d->api.socket, (long long)d->port,
            (long long)d->port);
    if (fclose(f) == 0)
        return true;
    fprintf(stderr, "scepgate: %s cannot be written: %s\n", d->config, strerror(errno));
    return false;
}

/* ---- the child: wait, make challenges, print ----------------------------------------------------------- */

static const json_t *demo_alias(const json_t *status)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(status, "aliases"), i,
                       row) if (!strcmp(api_text(row, "name"), ALIAS)) return row;
    return NULL;
}

/* The fingerprint, once the alias serves; false when the gateway has ended or takes too long. */
static bool wait_until_ready(const struct demo *d, char sha256[65])
{
    struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    for (int i = 0; i < START_TRIES && kill(d->gateway, 0) == 0; i++) {
        json_t *status = NULL;
        if (access(d->api.socket, F_OK) == 0 && api_call(&d->api, "GET", "/v1/status", NULL, &status) == 0) {
            const char *text = api_text(demo_alias(status), "ca_sha256");
            snprintf(sha256, 65, "%s", text);
            json_decref(status);
            if (*sha256)
                return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static json_t *make_challenges(const struct demo *d)
{
    json_t *answer = NULL, *texts = json_array();
    size_t i;
    json_t *row;
    if (!d->challenges)
        return texts;
    json_t *order = json_pack("{s:s, s:I}", "alias", ALIAS, "count", (json_int_t)d->challenges);
    if (api_call(&d->api, "POST", "/v1/challenges", order, &answer) == 0)
        json_array_foreach(json_object_get(answer, "challenges"), i, row)
            json_array_append(texts, json_object_get(row, "challenge"));
    json_decref(answer);
    json_decref(order);
    return texts;
}

static void print_json(const struct demo *d, const char *url, const char *sha256, const json_t *challenges)
{
    json_t *line = json_pack("{s:s, s:O, s:s, s:I}", "url", url, "challenges", challenges, "ca_sha256",
                             sha256, "pid", (json_int_t)d->gateway);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

static void print_commands(const struct demo *d, const char *url, const char *challenge)
{
    printf("\nEnrol with scepgate's own client:\n\n"
           "  %s enroll %s --ca-sha256 \"$CA\" \\\n"
           "      --challenge %s --subject CN=device-1 --out device-1\n",
           d->self, url, challenge);
    printf("\nwith strongSwan (packages strongswan-pki libstrongswan-extra-plugins "
           "libstrongswan-standard-plugins):\n\n"
           "  pki --scepca --url %s --caout ca.pem --raout ra.pem --force\n"
           "  pki --gen --type rsa --size 2048 --outform pem > key.pem\n"
           "  pki --scep --url %s --in key.pem --dn CN=device-1 --password %s \\\n"
           "      --cacert-enc ra.pem --cacert-sig ra.pem --cacert ca.pem --cipher aes --digest sha256 "
           "--outform pem > cert.pem\n",
           url, url, challenge);
    printf(
        "\nwith certmonger (package certmonger, its daemon running):\n\n"
        "  getcert add-scep-ca -c scepgate -u %s\n"
        "  getcert request -c scepgate -k /etc/ssl/private/device-1.key -f /etc/ssl/certs/device-1.pem \\\n"
        "      -N CN=device-1 -L %s -w\n",
        url, challenge);
    printf("\nA challenge works once. Make another:\n\n  %s challenge create --alias " ALIAS " --socket %s\n",
           d->self, d->api.socket);
}

static void print_people(const struct demo *d, const char *url, const char *sha256, const json_t *challenges)
{
    size_t i;
    json_t *text;
    printf("\nscepgate serves SCEP at  %s\n", url);
    printf("state folder             %s\n", d->state);
    json_array_foreach(challenges, i, text) printf("one-time challenge       %s\n", json_string_value(text));
    printf("CA SHA-256 fingerprint   %s\n\n  CA=%s\n", sha256, sha256);
    print_commands(
        d, url, json_array_size(challenges) ? json_string_value(json_array_get(challenges, 0)) : "CHALLENGE");
    printf("\nCtrl-C ends the gateway; the state folder stays.\n\n");
}

static int announce(const struct demo *d)
{
    char sha256[65] = "", url[128];
    if (!wait_until_ready(d, sha256)) {
        fprintf(stderr, "scepgate: the gateway did not come up; its own words are above\n");
        return 1;
    }
    json_t *challenges = make_challenges(d);
    snprintf(url, sizeof url, "http://127.0.0.1:%lld/scep/" ALIAS, (long long)d->port);
    if (d->json)
        print_json(d, url, sha256, challenges);
    else
        print_people(d, url, sha256, challenges);
    fflush(stdout);
    json_decref(challenges);
    return 0;
}

/* ---- the parent ---------------------------------------------------------------------------------------- */

static bool take_number(int64_t *out, const char *argument, int64_t min, int64_t max, const char *name)
{
    if (integer_parse(argument, out) && *out >= min && *out <= max)
        return true;
    fprintf(stderr, "scepgate: --%s wants a number from %lld to %lld, not \"%s\"\n", name, (long long)min,
            (long long)max, argument);
    return false;
}

/* The exit status, or -1 to go on. */
static int parse(struct demo *d, const char **state, int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"state", required_argument, NULL, 's'},
        {"challenges", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option == 'p' && !take_number(&d->port, optarg, 1, 65534, "port"))
            return 2;
        if (option == 'c' && !take_number(&d->challenges, optarg, 0, 1000, "challenges"))
            return 2;
        if (option == 's')
            *state = optarg;
        if (option == 'j')
            d->json = true;
        if (option == '?')
            return 2;
    }
    if (optind == argc)
        return -1;
    fputs(usage, stderr);
    return 2;
}

int cli_demo(int argc, char **argv)
{
    struct demo d = {.port = 8080, .challenges = 1};
    const char *state = "state";
    int status = parse(&d, &state, argc, argv);
    if (status >= 0)
        return status;
    if (!find_places(&d, state) || !write_config(&d))
        return 1;
    d.gateway = getpid();
    pid_t child = fork();
    if (child < 0) {
        fprintf(stderr, "scepgate: no process for the announcement: %s\n", strerror(errno));
        return 1;
    }
    if (child == 0)
        _exit(announce(&d));
    signal(SIGCHLD, SIG_IGN); /* survives exec: nobody has to collect the child */
    execl(d.self, "scepgate", "serve", "--config", d.config, (char *)NULL);
    fprintf(stderr, "scepgate: %s cannot be run: %s\n", d.self, strerror(errno));
    return 1;
}
