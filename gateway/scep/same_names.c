/* same_names.c: see same_names.h. */
#include "scep/same_names.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"

static void release_extensions(X509_EXTENSIONS *extensions)
{
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

DEFINE_CLEANUP(X509_EXTENSIONS, X509_EXTENSIONS *, release_extensions)

bool same_subject(const struct csr *csr, X509 *certificate)
{
    const uint8_t *at = csr->subject_der.data;
    CLEANUP(X509_NAME) X509_NAME *asked = d2i_X509_NAME(NULL, &at, (long)csr->subject_der.len);
    bool same = asked && X509_NAME_cmp(asked, X509_get_subject_name(certificate)) == 0;
    ERR_clear_error();
    return same;
}

static bool contains(const GENERAL_NAMES *names, const GENERAL_NAME *wanted)
{
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
        found = GENERAL_NAME_cmp(sk_GENERAL_NAME_value(names, i), (GENERAL_NAME *)wanted) == 0;
    return found;
}

static bool all_in(const GENERAL_NAMES *some, const GENERAL_NAMES *names)
{
    bool all = true;
    for (int i = 0; all && i < sk_GENERAL_NAME_num(some); i++)
        all = contains(names, sk_GENERAL_NAME_value(some, i));
    return all;
}

/* -1: there are none; anything else below 0: they cannot be read. */
static GENERAL_NAMES *asked_names(const struct csr *csr, int *problem)
{
    const uint8_t *at = csr->extensions_der.data;
    *problem = -1;
    if (!csr->extensions_der.len)
        return NULL;
    CLEANUP(X509_EXTENSIONS)
    X509_EXTENSIONS *extensions = d2i_X509_EXTENSIONS(NULL, &at, (long)csr->extensions_der.len);
    if (extensions)
        return X509V3_get_d2i(extensions, NID_subject_alt_name, problem, NULL);
    *problem = -2;
    return NULL;
}

bool same_sans(const struct csr *csr, X509 *certificate)
{
    int asked_problem, had_problem = -1;
    CLEANUP(GENERAL_NAMES) GENERAL_NAMES *asked = asked_names(csr, &asked_problem);
    CLEANUP(GENERAL_NAMES)
    GENERAL_NAMES *had = X509_get_ext_d2i(certificate, NID_subject_alt_name, &had_problem, NULL);
    bool readable = (asked || asked_problem == -1) && (had || had_problem == -1);
    ERR_clear_error();
    return readable && all_in(asked, had) && all_in(had, asked);
}
