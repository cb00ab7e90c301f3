/* issuers.c: see issuers.h. */
#include "alias/issuers.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"

enum error_code issuers_read(STACK_OF(X509) *to, const char *path, const char *setting, struct error *e)
{
    CLEANUP(BIO) BIO *file = BIO_new_file(path, "r");
    if (!file) {
        int cause = errno;
        ERR_clear_error();
        return error_set(e, ERR_FILE_UNREADABLE, "%s: cannot read %s: %s", setting, path, error_errno(cause));
    }
    int before = sk_X509_num(to);
    for (;;) {
        CLEANUP(X509) X509 *issuer = PEM_read_bio_X509(file, NULL, NULL, NULL);
        if (!issuer)
            break;
        if (!X509_get0_pubkey(issuer) || X509_check_purpose(issuer, -1, 0) < 0)
            return error_set_openssl(e, ERR_KEY_UNUSABLE, "%s: %s holds an unusable certificate", setting,
                                     path);
        if (!sk_X509_push(to, issuer))
            return error_set(e, ERR_INTERNAL, "out of memory");
        issuer = NULL;
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE || sk_X509_num(to) == before)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "%s: %s is not a list of PEM certificates", setting,
                                 path);
    ERR_clear_error();
    return ERR_OK;
}

X509 *issuers_find(STACK_OF(X509) *issuers, X509 *subject)
{
    X509 *found = NULL;
    for (int i = 0; !found && i < sk_X509_num(issuers); i++) {
        X509 *issuer = sk_X509_value(issuers, i);
        if (X509_check_issued(issuer, subject) == X509_V_OK &&
            X509_verify(subject, X509_get0_pubkey(issuer)) == 1)
            found = issuer;
    }
    ERR_clear_error();
    return found;
}
