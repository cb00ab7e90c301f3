/* enroll_options.h: the command line of `scepgate enroll`, as one table. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/secret.h"
#include "scep/message.h"

enum enroll_method { ENROLL_METHOD_AUTO, ENROLL_METHOD_GET, ENROLL_METHOD_POST };

struct enroll_options {
    const char *url;
    struct secret challenge;
    const char *subject;
    char sans[1024]; /* OpenSSL's notation, comma-separated */
    const char *key_type;
    const char *key_file; /* an existing key */
    char *out;
    char *cert_path; /* where things are written; key_path and ca_path may stay NULL */
    char *key_path;
    char *ca_path;
    const char *next_ca; /* where the next CA's certificates are written; NULL: they are not asked for */
    bool to_next;        /* enrols with the next CA */
    const char *ca_sha256;
    bool trust_first_use;
    enum enroll_method method;
    enum scep_cipher cipher; /* 0: by the server's capabilities */
    enum scep_digest digest; /* 0: by the server's capabilities */
    bool renew;
    const char *with_cert;
    const char *with_key;
    int poll_interval; /* seconds */
    int poll_count;
    const char *transaction_id;
    const char *ca_ident;
    int timeout; /* seconds, of one HTTP exchange */
    const char *tls_ca;
    bool json;
    bool verbose;
};

enum enroll_parsed { ENROLL_RUN, ENROLL_HELP, ENROLL_USAGE };

/* Prints help or what is wrong by itself. Text is borrowed from `argv`, except what enroll_options_free
 * frees; a challenge given on the command line is wiped there. */
enum enroll_parsed enroll_options_parse(struct enroll_options *o, int argc, char **argv);
/* Nothing is to be enrolled: the next CA alone is asked for. */
bool enroll_options_only_next(const struct enroll_options *o);
void enroll_options_free(struct enroll_options *o);
