/* enroll_names.h: subject and alternative names between command line and certificate. */
#pragma once

#include <openssl/x509.h>

#include "base/error.h"

/* "CN=device-1,O=Example" in this order; '\' before ',', '+', '=' or '\' makes it text, '+' joins a
 * multi-valued RDN. */
enum error_code subject_parse(X509_NAME **out, const char *text, struct error *e);
/* The alternative names of a certificate in OpenSSL's notation, as far as it can say them: DNS, email, IP and
 * URI. Returns how many it had to leave out, -1 when they do not fit `out`. */
int sans_of_certificate(char *out, size_t size, X509 *certificate);
