/* library.h: which OpenSSL library context an algorithm comes from.
 *
 * Everything modern lives in the default context. DES-CBC (and MD5 where the default provider withholds it)
 * needs the legacy provider, which gets a context of its own: a process that serves one obsolete alias must
 * not offer DES to the others.
 */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

/* NULL, the default context, for `obsolete` false. Otherwise the context with the legacy and default
 * providers, made on first use and kept for the life of the process; NULL as well when the legacy provider
 * cannot be loaded, so ask first. Any thread. */
OSSL_LIB_CTX *scep_library(bool obsolete);
/* false: this machine has no legacy provider, and DES must be refused. Any thread. */
bool scep_library_obsolete_available(void);
