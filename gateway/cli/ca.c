/* ca.c: `scepgate ca init`: key and certificate for the local CA backend, root or subordinate. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/local_ca/ca_files.h"
#include "base/cleanup.h"
#include "base/secret.h"
#include "cli/commands.h"
#include "settings/units.h"

static const char usage[] =
    "usage: scepgate ca init --key FILE --cert FILE [OPTION …]        a root, or signed by --issuer-cert\n"
    "       scepgate ca init --key FILE --request FILE [OPTION …]     a request for another CA to sign\n\n"
    "  --subject NAME           as \"CN=Example CA,O=Example\" (default: CN=scepgate CA)\n"
    "  --key-type TYPE          rsa-2048, rsa-3072 (default), rsa-4096, ec-p256 or ec-p384\n"
    "  --digest NAME            sha256 (default), sha384 or sha512\n"
    "  --validity DURATION      as 3650d (default)\n"
    "  --passphrase-file FILE   encrypt the key with what this file holds\n"
    "  --issuer-cert FILE --issuer-key FILE [--issuer-passphrase-file FILE]\n"
    "                           sign a subordinate CA with this one\n"
    "  --answers-scep           allow `ra: {from: ca}` with this CA\n\n"
    "Nothing that exists is overwritten.\n";

static const struct option options[] = {
    {"key", required_argument, NULL, 'k'},
    {"cert", required_argument, NULL, 'c'},
    {"request", required_argument, NULL, 'r'},
    {"subject", required_argument, NULL, 's'},
    {"key-type", required_argument, NULL, 't'},
    {"digest", required_argument, NULL, 'd'},
    {"validity", required_argument, NULL, 'v'},
    {"passphrase-file", required_argument, NULL, 'p'},
    {"issuer-cert", required_argument, NULL, 'i'},
    {"issuer-key", required_argument, NULL, 'j'},
    {"issuer-passphrase-file", required_argument, NULL, 'q'},
    {"answers-scep", no_argument, NULL, 'a'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool take_validity(int64_t *out, const char *argument)
{
    if (duration_parse(argument, out) && *out > 0)
        return true;
    fprintf(stderr, "scepgate: --validity wants a duration such as 3650d, not \"%s\"\n", argument);
    return false;
}

static bool take_passphrase(struct secret *out, const char *path)
{
    struct error e = {0};
    if (secret_from_file(out, path, 1024, &e) == ERR_OK)
        return true;
    fprintf(stderr, "scepgate: %s\n", error_text(&e));
    return false;
}

static bool take(struct ca_order *o, struct secret passphrases[2], int option)
{
    switch (option) {
    case 'k':
        o->key_path = optarg;
        return true;
    case 'c':
        o->certificate_path = optarg;
        return true;
    case 'r':
        o->request_path = optarg;
        return true;
    case 's':
        o->subject = optarg;
        return true;
    case 't':
        o->key_type = optarg;
        return true;
    case 'd':
        o->digest = optarg;
        return true;
    case 'v':
        return take_validity(&o->validity, optarg);
    case 'p':
        return take_passphrase(&passphrases[0], optarg);
    case 'i':
        o->issuer_certificate = optarg;
        return true;
    case 'j':
        o->issuer_key = optarg;
        return true;
    case 'q':
        return take_passphrase(&passphrases[1], optarg);
    case 'a':
        o->answers_scep = true;
        return true;
    default:
        return false;
    }
}

static int init(int argc, char **argv, struct secret passphrases[2])
{
    struct ca_order order = {.subject = "CN=scepgate CA", .validity = (int64_t)3650 * 24 * 3600 * 1000};
    char text[512];
    struct problem problem = {.text = text, .size = sizeof text};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (!take(&order, passphrases, option))
            return 2;
    }
    if (optind != argc || !order.key_path || !order.certificate_path == !order.request_path ||
        !order.issuer_certificate != !order.issuer_key) {
        fputs(usage, stderr);
        return 2;
    }
    order.passphrase = (const char *)passphrases[0].data;
    order.issuer_passphrase = (const char *)passphrases[1].data;
    if (!ca_create(&order, &problem)) {
        fprintf(stderr, "scepgate: %s\n", text);
        return 1;
    }
    printf("key: %s\n%s: %s\n", order.key_path, order.request_path ? "request" : "certificate",
           order.request_path ? order.request_path : order.certificate_path);
    return 0;
}

int cli_ca(int argc, char **argv)
{
    CLEANUP(secret) struct secret passphrase = {0};
    CLEANUP(secret) struct secret issuer_passphrase = {0};
    if (argc < 2 || strcmp(argv[1], "init") != 0) {
        bool asked = argc == 2 && !strcmp(argv[1], "--help");
        fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    struct secret both[2] = {passphrase, issuer_passphrase};
    int status = init(argc - 1, argv + 1, both);
    passphrase = both[0];
    issuer_passphrase = both[1];
    return status;
}
