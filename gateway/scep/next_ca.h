/* next_ca.h: the answer to GetNextCACert (RFC 8894 section 4.7.1). Pure.
 *
 * SignedData of the authority that clients know, over certificates-only SignedData of the one that follows. The RFC
 * leaves the outer content type open: id-data, as in all other messages. Deployed clients differ in where they look
 * for the new certificates, so that they are in both bags; the signer's certificate is in the outer one.
 */
#pragma once

#include <openssl/x509.h>

#include "scep/message.h"

#define NEXT_CA_BODY_TYPE "application/x-x509-next-ca-cert"

/* `bag` is certificates-only SignedData (scep_chain_write). */
enum error_code scep_next_ca_write(struct buffer *out, struct bytes bag, X509 *signer, EVP_PKEY *key,
                                   enum scep_digest digest, struct error *e);
/* For clients: nothing is believed before the signature was verified with a certificate of `authorities`, those of
 * GetCACert. Gives the inner bag, which holds at least one CA certificate; the caller frees the stack. */
enum error_code scep_next_ca_read(STACK_OF(X509) **out, struct bytes answer, STACK_OF(X509) *authorities,
                                  struct error *e);
