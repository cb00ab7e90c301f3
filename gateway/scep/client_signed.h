/* client_signed.h: what a server has signed, as a client takes it: verified before anything else. Private to the
 * room. */
#pragma once

#include <openssl/cms.h>

#include "scep/message.h"

/* SignedData over id-data with exactly one signer, by a certificate of `authorities`, whatever the message brings
 * along. `*signer` is borrowed from `*out`. */
enum error_code client_signed_open(CMS_ContentInfo **out, CMS_SignerInfo **signer, struct bytes message,
                                   STACK_OF(X509) *authorities, struct error *e);
