/* issuers.h: CAs that the settings name in PEM files, and who was certified by one of them. */
#pragma once

#include <openssl/x509.h>

#include "base/error.h"

/* Adds the certificates of a PEM file (blocking; small). `setting` names the row in sentences. Keys and
 * extensions are decoded now, so that look-ups only read. */
enum error_code issuers_read(STACK_OF(X509) *to, const char *path, const char *setting, struct error *e);
/* The one that issued `subject` directly, by name, key usage and signature; NULL when none. Borrowed. Does not
 * look at validity. */
X509 *issuers_find(STACK_OF(X509) *issuers, X509 *subject);
