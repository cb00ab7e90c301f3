/* same_names.h: does a request ask for the names that a certificate has? Pure. */
#pragma once

#include <openssl/x509.h>

#include "scep/csr.h"

/* As RFC 5280 section 7.1 compares names: without regard to case, spaces and string types. */
bool same_subject(const struct csr *csr, X509 *certificate);
/* The same set of subject alternative names, byte for byte, in any order; none and none are the same. */
bool same_sans(const struct csr *csr, X509 *certificate);
