/* csr_names.h: names out of a request as UTF-8 text: subject fields and subject alternative names. Pure. */
#pragma once

#include <openssl/x509v3.h>

#include "base/arena.h"
#include "scep/csr.h"

/* NULL when it is no string, cannot be decoded, holds a NUL, or there is no memory. */
const char *name_text(struct arena *a, const ASN1_STRING *string);
char *name_rfc2253(const X509_NAME *name); /* the caller frees it with free(); NULL when out of memory */
/* Fill the members of `c`; texts go to `a`. ERR_ENVELOPE_UNREADABLE with the cause. */
enum error_code csr_read_subject(struct csr *c, struct arena *a, const X509_NAME *subject, struct error *e);
enum error_code csr_read_sans(struct csr *c, struct arena *a, const GENERAL_NAMES *names, struct error *e);
