/* enroll_options.c: see enroll_options.h. */
#include "cli/enroll_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define CHALLENGE_MAX 4096

enum kind { TEXT, OWNED, FLAG, NUMBER, CIPHER, DIGEST, METHOD, NAMES, CHALLENGE, CHALLENGE_FILE, HELP };

static const struct row {
    const char *name;
    const char *argument; /* NULL: a flag */
    enum kind kind;
    size_t offset;
    int value; /* METHOD; the least NUMBER */
    char letter;
    const char *help;
} rows[] = {
#define AT(member) offsetof(struct enroll_options, member)
    {"url", "URL", TEXT, AT(url), 0, 0, "the SCEP server, also as the first word"},
    {"challenge", "TEXT", CHALLENGE, 0, 0, 0,
     "challenge password (visible to other users of this machine while it starts)"},
    {"challenge-file", "FILE", CHALLENGE_FILE, 0, 0, 0, "challenge password out of a file"},
    {"subject", "NAME", TEXT, AT(subject), 0, 0,
     "such as \"CN=device-1,O=Example\"; '\\' before a comma that is text"},
    {"san", "LIST", NAMES, 0, 0, 0, "such as DNS:a.example,IP:10.0.0.1; repeatable; also email: and URI:"},
    {"key-type", "TYPE", TEXT, AT(key_type), 0, 0,
     "rsa:2048 (default), rsa:3072, rsa:4096, ec:p256 or ec:p384"},
    {"key", "FILE", TEXT, AT(key_file), 0, 0, "use this PEM key instead of a new one"},
    {"out", "DIR", OWNED, AT(out), 0, 0, "write cert.pem, key.pem and ca.pem here; allows to resume"},
    {"cert", "FILE", OWNED, AT(cert_path), 0, 0, "write the certificate here"},
    {"key-out", "FILE", OWNED, AT(key_path), 0, 0, "write a new key here (mode 0600)"},
    {"ca-out", "FILE", OWNED, AT(ca_path), 0, 0, "write the server's certificates here"},
    {"ca-sha256", "HEX", TEXT, AT(ca_sha256), 0, 0, "SHA-256 fingerprint of the CA certificate to trust"},
    {"next-ca", "FILE", TEXT, AT(next_ca), 0, 0,
     "write the certificates of the CA that will follow here; without --subject and --renew nothing else is "
     "done"},
    {"to-next", NULL, FLAG, AT(to_next), 0, 0, "enrol with the CA that will follow (RFC 8894 section 5.1)"},
    {"insecure-trust-first-use", NULL, FLAG, AT(trust_first_use), 0, 0,
     "trust whatever the server calls its CA, and print the fingerprint"},
    {"get", NULL, METHOD, AT(method), ENROLL_METHOD_GET, 0, "send messages by GET"},
    {"post", NULL, METHOD, AT(method), ENROLL_METHOD_POST, 0,
     "send messages by POST (default: what the server offers)"},
    {"cipher", "NAME", CIPHER, AT(cipher), 0, 0,
     "aes128, aes192, aes256 or 3des (default: what the server offers)"},
    {"digest", "NAME", DIGEST, AT(digest), 0, 0,
     "sha1, sha256, sha384 or sha512 (default: what the server offers)"},
    {"renew", NULL, FLAG, AT(renew), 0, 0, "renew the certificate given by --with-cert and --with-key"},
    {"with-cert", "FILE", TEXT, AT(with_cert), 0, 0, "sign the request with this certificate"},
    {"with-key", "FILE", TEXT, AT(with_key), 0, 0, "and its key"},
    {"poll-interval", "SECONDS", NUMBER, AT(poll_interval), 0, 0, "between two polls (default 10)"},
    {"poll-count", "N", NUMBER, AT(poll_count), 0, 0, "polls before giving up (default 30)"},
    {"transaction-id", "TEXT", TEXT, AT(transaction_id), 0, 0, "instead of a random one"},
    {"ca-ident", "TEXT", TEXT, AT(ca_ident), 0, 0, "sent with GetCACaps and GetCACert"},
    {"timeout", "SECONDS", NUMBER, AT(timeout), 1, 0, "for one HTTP exchange (default 60)"},
    {"tls-ca", "FILE", TEXT, AT(tls_ca), 0, 0, "trusted CAs for https (default: the system's)"},
    {"json", NULL, FLAG, AT(json), 0, 0, "print one JSON object at the end; steps go to stderr"},
    {"verbose", NULL, FLAG, AT(verbose), 0, 'v', "print more, such as sizes and HTTP status"},
    {"help", NULL, HELP, 0, 0, 'h', "this text"},
#undef AT
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

static const struct choice {
    const char *name;
    int value;
} ciphers[] = {{"aes128", SCEP_CIPHER_AES128},
               {"aes192", SCEP_CIPHER_AES192},
               {"aes256", SCEP_CIPHER_AES256},
               {"3des", SCEP_CIPHER_DES3},
               {NULL, 0}},
  digests[] = {{"sha1", SCEP_DIGEST_SHA1},
               {"sha256", SCEP_DIGEST_SHA256},
               {"sha384", SCEP_DIGEST_SHA384},
               {"sha512", SCEP_DIGEST_SHA512},
               {NULL, 0}};

static void print_help(void)
{
    printf("usage: scepgate enroll URL --subject NAME --ca-sha256 HEX --out DIR [OPTION]…\n"
           "       scepgate enroll URL --renew --with-cert FILE --with-key FILE --ca-sha256 HEX --out DIR "
           "[OPTION]…\n"
           "       scepgate enroll URL --next-ca FILE --ca-sha256 HEX [OPTION]…\n\n"
           "Gets a certificate from a SCEP server (RFC 8894). Run again with the same --out to resume.\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                 rows[i].argument ? rows[i].argument : "");
        printf("  %-28s %s\n", left, rows[i].help);
    }
    printf("\nexit status: 0 issued, 1 error, 2 wrong usage, 3 refused by the server, 4 still pending\n");
}

static bool complain(const char *option, const char *what)
{
    fprintf(stderr, "scepgate enroll: --%s: %s (see --help)\n", option, what);
    return false;
}

static bool set_number(int *out, const struct row *row, const char *text)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || number < row->value || number > 1000000)
        return complain(row->name, "not a number in range");
    *out = (int)number;
    return true;
}

/* Both enums are bits of one int's size. */
static bool set_choice(unsigned *out, const struct choice *choices, const struct row *row, const char *text)
{
    for (; choices->name; choices++) {
        if (strcmp(choices->name, text) == 0) {
            *out = (unsigned)choices->value;
            return true;
        }
    }
    return complain(row->name, "not one of the names that are offered; anything weaker is not");
}

static bool add_names(struct enroll_options *o, const struct row *row, const char *text)
{
    size_t used = strlen(o->sans);
    int wrote = snprintf(o->sans + used, sizeof o->sans - used, "%s%s", used ? "," : "", text);
    return (wrote >= 0 && (size_t)wrote < sizeof o->sans - used) || complain(row->name, "too many names");
}

static bool set_owned(char **out, const struct row *row, const char *text)
{
    free(*out);
    *out = strdup(text);
    return *out || complain(row->name, "out of memory");
}

static bool set_challenge(struct enroll_options *o, const struct row *row, char *text)
{
    struct error e = {0};
    if (row->kind == CHALLENGE_FILE)
        return secret_from_file(&o->challenge, text, CHALLENGE_MAX, &e) == ERR_OK ||
               complain(row->name, error_text(&e));
    bool set = secret_set(&o->challenge, text, strlen(text)) == ERR_OK;
    secret_wipe(text, strlen(text)); /* argv, so that ps stops showing it */
    return set || complain(row->name, "out of memory");
}

static bool apply(struct enroll_options *o, const struct row *row, char *text)
{
    void *member = (char *)o + row->offset;
    unsigned chosen = 0;
    switch (row->kind) {
    case TEXT:
        *(const char **)member = text;
        return true;
    case OWNED:
        return set_owned(member, row, text);
    case FLAG:
        *(bool *)member = true;
        return true;
    case NUMBER:
        return set_number(member, row, text);
    case CIPHER:
        if (!set_choice(&chosen, ciphers, row, text))
            return false;
        o->cipher = (enum scep_cipher)chosen;
        return true;
    case DIGEST:
        if (!set_choice(&chosen, digests, row, text))
            return false;
        o->digest = (enum scep_digest)chosen;
        return true;
    case METHOD:
        o->method = (enum enroll_method)row->value;
        return true;
    case NAMES:
        return add_names(o, row, text);
    case CHALLENGE:
    case CHALLENGE_FILE:
        return set_challenge(o, row, text);
    case HELP:
        break;
    }
    return true;
}

static bool wrong(const char *sentence)
{
    fprintf(stderr, "scepgate enroll: %s (see --help)\n", sentence);
    return false;
}

bool enroll_options_only_next(const struct enroll_options *o)
{
    return o->next_ca && !o->subject && !o->with_cert && !o->renew;
}

static bool check(const struct enroll_options *o)
{
    if (!o->url)
        return wrong("which server? Give its URL");
    if (!o->ca_sha256 && !o->trust_first_use)
        return wrong("give the CA's fingerprint with --ca-sha256, or say --insecure-trust-first-use");
    if (enroll_options_only_next(o))
        return !o->to_next || wrong("--to-next needs --subject or --renew: what shall be enrolled?");
    if (!o->out && !o->cert_path)
        return wrong("where should the certificate go? Give --out DIR or --cert FILE");
    if (!o->out && !o->key_path && !o->key_file)
        return wrong(
            "where should the new key go? Give --out DIR or --key-out FILE, or bring one with --key");
    if (!o->with_cert != !o->with_key)
        return wrong("--with-cert and --with-key belong together");
    if (o->renew && !o->with_cert)
        return wrong("--renew needs --with-cert and --with-key");
    if (o->key_file && o->key_type)
        return wrong("--key-type is for new keys; --key brings its own");
    return true;
}

static bool default_path(char **path, const char *folder, const char *name)
{
    if (*path || !folder)
        return true;
    return asprintf(path, "%s/%s", folder, name) >= 0 || (*path = NULL, wrong("out of memory"));
}

static enum enroll_parsed parse_rows(struct enroll_options *o, int argc, char **argv)
{
    struct option options[ROW_COUNT + 1] = {0};
    for (size_t i = 0; i < ROW_COUNT; i++)
        options[i] =
            (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument, NULL, 0};
    optind = 0; /* glibc: start anew */
    int letter, index = 0;
    while ((letter = getopt_long(argc, argv, "vh", options, &index)) != -1) {
        if (letter == '?')
            return ENROLL_USAGE;
        for (size_t i = 0; letter && i < ROW_COUNT; i++)
            if (rows[i].letter == letter)
                index = (int)i;
        if (rows[index].kind == HELP) {
            print_help();
            return ENROLL_HELP;
        }
        if (!apply(o, &rows[index], optarg))
            return ENROLL_USAGE;
    }
    if (optind < argc && !o->url)
        o->url = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "scepgate enroll: '%s' is one word too many (see --help)\n", argv[optind]);
        return ENROLL_USAGE;
    }
    return ENROLL_RUN;
}

enum enroll_parsed enroll_options_parse(struct enroll_options *o, int argc, char **argv)
{
    *o = (struct enroll_options){.poll_interval = 10, .poll_count = 30, .timeout = 60};
    enum enroll_parsed parsed = parse_rows(o, argc, argv);
    if (parsed != ENROLL_RUN)
        return parsed;
    if (!check(o) || !default_path(&o->cert_path, o->out, "cert.pem") ||
        !default_path(&o->key_path, o->out, "key.pem") || !default_path(&o->ca_path, o->out, "ca.pem"))
        return ENROLL_USAGE;
    return ENROLL_RUN;
}

void enroll_options_free(struct enroll_options *o)
{
    secret_free(&o->challenge);
    free(o->out);
    free(o->cert_path);
    free(o->key_path);
    free(o->ca_path);
}
