/* library.c: the library context for obsolete algorithms, made once and kept. */
#include "scep/library.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static OSSL_LIB_CTX *obsolete_context;

static void make_obsolete_context(void)
{
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
    if (!context)
        return;
    if (OSSL_PROVIDER_load(context, "legacy") && OSSL_PROVIDER_load(context, "default"))
        obsolete_context = context;
    else
        OSSL_LIB_CTX_free(context); /* unloads what was loaded */
    ERR_clear_error();
}

OSSL_LIB_CTX *scep_library(bool obsolete)
{
    if (!obsolete || !CRYPTO_THREAD_run_once(&once, make_obsolete_context))
        return NULL;
    return obsolete_context;
}

bool scep_library_obsolete_available(void)
{
    return scep_library(true) != NULL;
}
