/* name.h: an X.501 Name out of RFC 2253 text ("CN=Example CA,O=Example"). */
#pragma once

#include <openssl/x509.h>

#include "backends/local_ca/problem.h"

/* Attribute types by OpenSSL's short or long name, without regard to case, or as dotted OID; `\` escapes a
 * character or two hex digits;
 * '+' joins values of one RDN. As RFC 2253 says, the text begins with the last RDN. NULL with a problem. */
X509_NAME *name_from_text(const char *text, struct problem *p);
