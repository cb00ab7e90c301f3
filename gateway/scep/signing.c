/* signing.c: see signing.h. */
#include "scep/signing.h"

#include "base/cleanup.h"
#include "scep/encode.h"
#include "scep/library.h"

static enum error_code add_signer(CMS_ContentInfo *cms, const struct scep_signing *s, unsigned flags,
                                  struct error *e)
{
    const EVP_MD *digest = EVP_get_digestbynid(scep_digest_nid(s->digest));
    if (!digest)
        return error_set(e, ERR_ALGORITHM_REFUSED, "the digest is not known");
    CMS_SignerInfo *signer = CMS_add1_signer(cms, s->signer, s->key, digest, flags);
    if (!signer)
        return error_set_openssl(e, ERR_INTERNAL, "cannot add the signer to a SignedData");
    for (size_t i = 0; i < s->attribute_count; i++) {
        enum error_code code = scep_attribute_add(signer, &s->attributes[i], e);
        if (code)
            return code;
    }
    return ERR_OK;
}

static enum error_code add_certificates(CMS_ContentInfo *cms, const struct scep_signing *s, struct error *e)
{
    for (int i = 0; i < sk_X509_num(s->also); i++) {
        X509 *certificate = sk_X509_value(s->also, i);
        if (X509_cmp(certificate, s->signer) != 0 && CMS_add1_cert(cms, certificate) != 1)
            return error_set_openssl(e, ERR_INTERNAL, "cannot include a certificate in a SignedData");
    }
    return ERR_OK;
}

enum error_code scep_sign(struct buffer *out, const struct scep_signing *s, struct error *e)
{
    /* sMIMECapabilities say nothing to a SCEP client. */
    unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
    if (s->content.len == 0)
        flags |= CMS_DETACHED;
    OSSL_LIB_CTX *library = scep_library(s->digest == SCEP_DIGEST_MD5);
    CLEANUP(CMS) CMS_ContentInfo *cms = CMS_sign_ex(NULL, NULL, NULL, NULL, flags, library, NULL);
    if (!cms)
        return error_set_openssl(e, ERR_INTERNAL, "cannot start a SignedData");
    enum error_code code = add_signer(cms, s, flags, e);
    if (code == ERR_OK)
        code = add_certificates(cms, s, e);
    if (code)
        return code;
    CLEANUP(BIO)
    BIO *content =
        BIO_new_mem_buf(s->content.len ? s->content.data : (const uint8_t *)"", (int)s->content.len);
    if (!content || CMS_final(cms, content, NULL, flags) != 1)
        return error_set_openssl(e, ERR_INTERNAL, "cannot sign a message");
    return scep_encode(out, ASN1_ITEM_rptr(CMS_ContentInfo), cms, e);
}
