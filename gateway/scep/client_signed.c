/* client_signed.c: see client_signed.h. */
#include "scep/client_signed.h"

#include "base/cleanup.h"
#include "scep/attribute.h"

static enum error_code parse_signed(CMS_ContentInfo **out, struct bytes message, struct error *e)
{
    const uint8_t *at = message.data;
    CLEANUP(CMS)
    CMS_ContentInfo *cms =
        message.len <= INT32_MAX ? d2i_CMS_ContentInfo(NULL, &at, (long)message.len) : NULL;
    if (!cms || OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
        return error_set_openssl(e, ERR_NOT_CMS, "the reply is not a CMS SignedData");
    if (at != message.data + message.len)
        return error_set(e, ERR_NOT_CMS, "the reply has bytes after its CMS SignedData");
    if (OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data)
        return error_set(e, ERR_NOT_SCEP, "the content type of the reply is not id-data (RFC 8894 3.2)");
    *out = TAKE(cms);
    return ERR_OK;
}

static enum error_code one_signer(CMS_SignerInfo **out, CMS_ContentInfo *cms, struct error *e)
{
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(cms);
    if (!signers || sk_CMS_SignerInfo_num(signers) != 1)
        return error_set(e, ERR_NOT_SCEP, "the reply does not have exactly one signer");
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(signers, 0);
    if (CMS_signed_get_attr_count(signer) <= 0)
        return error_set(e, ERR_NOT_SCEP, "the reply has no signed attributes (RFC 8894 3.2)");
    X509_ALGOR *digest = NULL;
    CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, NULL);
    if (!(scep_digest_of_nid(OBJ_obj2nid(digest->algorithm)) & SCEP_DIGESTS_DEFAULT))
        return error_set(e, ERR_ALGORITHM_REFUSED, "the reply is signed with a digest weaker than SHA-1");
    *out = signer;
    return ERR_OK;
}

/* Only certificates of `authorities` can verify; whatever the message brings along is not looked at. */
static enum error_code verify(CMS_ContentInfo *cms, STACK_OF(X509) *authorities, struct error *e)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    CLEANUP(BIO) BIO *nothing = content && *content ? NULL : BIO_new_mem_buf("", 0);
    const unsigned flags = CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY;
    if (CMS_verify(cms, authorities, NULL, nothing, NULL, flags) != 1)
        return error_set_openssl(e, ERR_SIGNATURE_BAD,
                                 "the reply is not signed by one of the authority's certificates");
    return ERR_OK;
}

enum error_code client_signed_open(CMS_ContentInfo **out, CMS_SignerInfo **signer, struct bytes message,
                                   STACK_OF(X509) *authorities, struct error *e)
{
    *out = NULL;
    CLEANUP(CMS) CMS_ContentInfo *cms = NULL;
    enum error_code code = parse_signed(&cms, message, e);
    if (!code)
        code = one_signer(signer, cms, e);
    if (!code)
        code = verify(cms, authorities, e);
    if (!code)
        *out = TAKE(cms);
    return code;
}
