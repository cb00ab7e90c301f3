/* proxy.h: signers that may enrol on behalf of devices (design: proxy_signers). Immutable, thread-safe. */
#pragma once

#include <openssl/x509.h>

#include "settings/snapshot.h"

struct proxy_signers;

/* Reads the issuers' PEM files (blocking; small). *out is NULL when the settings name none. */
enum error_code proxy_signers_create(struct proxy_signers **out, const struct proxy_signer_settings *s,
                                     struct error *e);
void proxy_signers_free(struct proxy_signers *p); /* accepts NULL */
/* By fingerprint, or issued (directly) by one of the issuers and within validity at `now` (ms). NULL list:
 * false. */
bool proxy_signers_allow(const struct proxy_signers *p, X509 *signer, int64_t now);
