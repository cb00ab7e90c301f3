/* next_ca.c: see next_ca.h. */
#include "scep/next_ca.h"

#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "scep/chain.h"
#include "scep/client_signed.h"
#include "scep/signing.h"

typedef STACK_OF(X509) CERTIFICATES;

static void certificates_free(CERTIFICATES *stack)
{
    sk_X509_pop_free(stack, X509_free);
}
DEFINE_CLEANUP(CERTIFICATES, CERTIFICATES *, certificates_free)

enum error_code scep_next_ca_write(struct buffer *out, struct bytes bag, X509 *signer, EVP_PKEY *key,
                                   enum scep_digest digest, struct error *e)
{
    CLEANUP(CERTIFICATES) CERTIFICATES *fresh = NULL;
    enum error_code code = scep_chain_read(&fresh, bag, e);
    if (code != ERR_OK)
        return code;
    const struct scep_signing signing = {
        .signer = signer, .key = key, .digest = digest, .content = bag, .also = fresh};
    return scep_sign(out, &signing, e);
}

static bool holds_ca(STACK_OF(X509) *bag)
{
    bool found = false;
    for (int i = 0; !found && i < sk_X509_num(bag); i++)
        found = X509_check_ca(sk_X509_value(bag, i)) > 0;
    return found;
}

enum error_code scep_next_ca_read(STACK_OF(X509) **out, struct bytes answer, STACK_OF(X509) *authorities,
                                  struct error *e)
{
    *out = NULL;
    CLEANUP(CMS) CMS_ContentInfo *cms = NULL;
    CMS_SignerInfo *signer;
    enum error_code code = client_signed_open(&cms, &signer, answer, authorities, e);
    if (code != ERR_OK)
        return code;
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    if (!content || !*content)
        return error_set(e, ERR_MESSAGE_MALFORMED, "the answer holds no certificates of a next CA");
    CLEANUP(CERTIFICATES) CERTIFICATES *bag = NULL;
    code = scep_chain_read(
        &bag, bytes_of(ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content)), e);
    if (code != ERR_OK)
        return code;
    if (!holds_ca(bag))
        return error_set(e, ERR_KEY_UNUSABLE, "none of the certificates of the answer is a CA's");
    *out = TAKE(bag);
    return ERR_OK;
}
