/* signer.h: who signed a request: its certificate, whether its key is acceptable, and whether the signature
 * holds. Pure. */
#pragma once

#include <openssl/cms.h>

#include "scep/open.h"

/* The embedded certificate that the SignerInfo's sid names, wherever it stands (checklist X-12): a reference;
 * NULL when none. */
X509 *signer_find(CMS_ContentInfo *cms, CMS_SignerInfo *info);
/* ERR_ALGORITHM_REFUSED, ERR_SIGNER_KEY_SIZE: kind, size and signature algorithm, before any work with the
 * key. */
enum error_code signer_check_key(EVP_PKEY *key, struct bytes spki, const struct scep_rules *rules,
                                 struct error *e);
enum error_code signer_check_algorithm(CMS_SignerInfo *info, EVP_PKEY *key, struct error *e);
/* ERR_SIGNATURE_BAD: messageDigest over `content`, then the signature over the signed attributes (RFC 5652
 * section 5.4). */
enum error_code signer_verify(CMS_SignerInfo *info, X509 *certificate, struct bytes content, struct error *e);
