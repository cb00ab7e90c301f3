/* enroll_request.h: one run of `scepgate enroll`: what is asked for, by which keys, of which server. */
#pragma once

#include "cli/enroll_options.h"
#include "cli/enroll_server.h"
#include "cli/enroll_state.h"
#include "scep/client.h"

struct enroll_run {
    struct enroll_options options;
    FILE *narration; /* stdout, or stderr with --json */
    struct enroll_server server;
    struct enroll_state state;
    EVP_PKEY *key;        /* of the CSR */
    EVP_PKEY *signer_key; /* the same, unless an older certificate signs */
    X509_NAME *subject;
    X509 *issued; /* borrowed from `reply` */
    struct scep_client_reply reply;
    bool resumed;
    char next_ca_sha256[FINGERPRINT_SIZE]; /* "" when nobody asked */
    struct error e;
};

/* False, with a sentence in n->e, when the options do not say enough for a new request. */
bool enroll_request_possible(struct enroll_run *n);
/* Key, signer, CSR and transaction of a new request, kept in --out before anything is sent. */
enum error_code enroll_request_prepare(struct enroll_run *n);
/* Goes on with what --out holds, if it holds anything: then n->resumed. */
enum error_code enroll_request_resume(struct enroll_run *n);
enum error_code enroll_make_folder(const struct enroll_run *n, struct error *e);
