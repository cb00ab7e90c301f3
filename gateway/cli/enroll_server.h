/* enroll_server.h: a SCEP server as `scepgate enroll` sees it: capabilities, trusted certificates, messages.
 */
#pragma once

#include <openssl/x509.h>

#include "cli/enroll_options.h"
#include "scep/capabilities.h"

struct enroll_server {
    const struct enroll_options *options;
    FILE *narration;
    struct scep_capabilities capabilities;
    STACK_OF(X509) *bag; /* GetCACert's, in its order */
    STACK_OF(X509)
    *authorities;     /* those of the bag that lead to the trusted CA; certificates shared with `bag` */
    X509 *trusted;    /* borrowed from `bag`: the pinned one */
    X509 *encryption; /* borrowed from `bag` */
    STACK_OF(X509) *announcers; /* who signed for the next CA, once that one is followed; NULL before */
};

/* Asks for capabilities and certificates, checks the fingerprint and what hangs from it (RFC 8894
 * section 2.2). */
enum error_code enroll_server_meet(struct enroll_server *s, struct error *e);
/* The certificates again, of whoever it is: the RA may have been renewed while a request was pending. */
enum error_code enroll_server_refresh(struct enroll_server *s, struct error *e);
/* Asks for the CA that will follow, and believes it when the trusted authority has signed the answer (section 4.7.1).
 * The caller frees the stack. */
enum error_code enroll_server_next(const struct enroll_server *s, STACK_OF(X509) **bag, struct error *e);
/* From now on the server is the one of the next CA: messages go to its RA. Takes over `bag`. */
enum error_code enroll_server_follow(struct enroll_server *s, STACK_OF(X509) *bag, struct error *e);
/* One pkiMessage there and the answer back, by POST or GET. */
enum error_code enroll_server_send(struct enroll_server *s, struct buffer *answer, struct bytes message,
                                   struct error *e);
void enroll_server_print(const struct enroll_server *s, X509 *certificate); /* a line or two of narration */
/* True when `certificate` leads to the trusted CA. */
bool enroll_server_trusts(const struct enroll_server *s, X509 *certificate);
/* The authority's name for a CertPoll. Borrowed. */
X509_NAME *enroll_server_issuer(const struct enroll_server *s);
void enroll_server_free(struct enroll_server *s);

/* SHA-256 over the DER, upper-case hex into `out`. */
#define FINGERPRINT_SIZE 65
void fingerprint(char out[FINGERPRINT_SIZE], X509 *certificate);
