/* chain.h: GetCACert bodies and degenerate SignedData (RFC 8894 sections 3.4 and 4.2.1). Pure. */
#pragma once

#include <openssl/x509.h>

#include "scep/message.h"

/* Certificates-only SignedData, order kept, no eContent (Q-01, D-09). */
enum error_code scep_chain_write(struct buffer *out, const struct bytes *certificates, size_t count,
                                 struct error *e);
/* The same with a revocation list and no certificates (section 3.4, P-03). */
enum error_code scep_chain_write_crl(struct buffer *out, struct bytes crl, struct error *e);
/* Reads certificates-only SignedData, or a single DER certificate; the caller frees the stack. */
enum error_code scep_chain_read(STACK_OF(X509) **out, struct bytes der, struct error *e);
