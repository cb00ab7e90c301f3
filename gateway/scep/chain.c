/* chain.c: see chain.h.
 *
 * Writing uses a template of its own rather than CMS or PKCS7: CMS sorts certificates (clients take the first
 * one), both decode every public key of certificates that are passed on as they are, and PKCS7_content_new
 * adds an empty eContent.
 */
#include "scep/chain.h"

#include <openssl/asn1t.h>

#include "base/cleanup.h"
#include "scep/encode.h"

struct no_content { /* encapContentInfo with eContent left out */
    ASN1_OBJECT *type;
};

struct certificates_only {
    ASN1_INTEGER *version;
    STACK_OF(X509_ALGOR) *digests;
    struct no_content *content;
    STACK_OF(ASN1_TYPE) *certificates;
    STACK_OF(ASN1_TYPE) *crls;
    STACK_OF(ASN1_TYPE) *signers;
};

struct bag {
    ASN1_OBJECT *type;
    struct certificates_only *signed_data;
};

typedef struct no_content NO_CONTENT;
typedef struct certificates_only CERTIFICATES_ONLY;
typedef struct bag BAG;

/* clang-format off */
ASN1_SEQUENCE(NO_CONTENT) = {
    ASN1_SIMPLE(NO_CONTENT, type, ASN1_OBJECT),
} static_ASN1_SEQUENCE_END(NO_CONTENT)

/* SEQUENCE OF under the tag of a SET OF, because DER sorting would lose the order. */
ASN1_SEQUENCE(CERTIFICATES_ONLY) = {
    ASN1_SIMPLE(CERTIFICATES_ONLY, version, ASN1_INTEGER),
    ASN1_SET_OF(CERTIFICATES_ONLY, digests, X509_ALGOR),
    ASN1_SIMPLE(CERTIFICATES_ONLY, content, NO_CONTENT),
    ASN1_IMP_SEQUENCE_OF_OPT(CERTIFICATES_ONLY, certificates, ASN1_ANY, 0),
    ASN1_IMP_SEQUENCE_OF_OPT(CERTIFICATES_ONLY, crls, ASN1_ANY, 1),
    ASN1_SET_OF(CERTIFICATES_ONLY, signers, ASN1_ANY),
} static_ASN1_SEQUENCE_END(CERTIFICATES_ONLY)

ASN1_SEQUENCE(BAG) = {
    ASN1_SIMPLE(BAG, type, ASN1_OBJECT),
    ASN1_EXP(BAG, signed_data, CERTIFICATES_ONLY, 0),
} static_ASN1_SEQUENCE_END(BAG);
/* clang-format on */

static void bag_free(BAG *bag)
{
    ASN1_item_free((ASN1_VALUE *)bag, ASN1_ITEM_rptr(BAG));
}
DEFINE_CLEANUP(BAG, BAG *, bag_free)
DEFINE_CLEANUP(ASN1_TYPE, ASN1_TYPE *, ASN1_TYPE_free)

/* True when `der` is exactly one SEQUENCE of definite length. */
static bool one_sequence(struct bytes der)
{
    const uint8_t *at = der.data;
    long length = 0;
    int tag = 0, class = 0;
    if (!at || der.len > INT32_MAX)
        return false;
    int flags = ASN1_get_object(&at, &length, &tag, &class, (long)der.len);
    return flags == V_ASN1_CONSTRUCTED && tag == V_ASN1_SEQUENCE && class == V_ASN1_UNIVERSAL &&
           (size_t)(at - der.data) + (size_t)length == der.len;
}

static bool add(STACK_OF(ASN1_TYPE) **to, struct bytes der)
{
    CLEANUP(ASN1_TYPE) ASN1_TYPE *any = ASN1_TYPE_new();
    ASN1_STRING *raw = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    if (!any || !raw || ASN1_STRING_set(raw, der.data, (int)der.len) != 1) {
        ASN1_STRING_free(raw);
        return false;
    }
    ASN1_TYPE_set(any, V_ASN1_SEQUENCE, raw);
    if (!*to)
        *to = sk_ASN1_TYPE_new_null();
    if (!*to || sk_ASN1_TYPE_push(*to, any) <= 0)
        return false;
    any = NULL;
    return true;
}

static BAG *empty_bag(void)
{
    BAG *bag = (BAG *)ASN1_item_new(ASN1_ITEM_rptr(BAG));
    if (!bag || ASN1_INTEGER_set(bag->signed_data->version, 1) != 1) {
        bag_free(bag);
        return NULL;
    }
    bag->type = OBJ_nid2obj(NID_pkcs7_signed);
    bag->signed_data->content->type = OBJ_nid2obj(NID_pkcs7_data);
    return bag;
}

enum error_code scep_chain_write(struct buffer *out, const struct bytes *certificates, size_t count,
                                 struct error *e)
{
    CLEANUP(BAG) BAG *bag = empty_bag();
    if (!bag)
        return error_set_openssl(e, ERR_INTERNAL, "cannot start a bag of certificates");
    for (size_t i = 0; i < count; i++) {
        if (!one_sequence(certificates[i]))
            return error_set(e, ERR_INTERNAL, "certificate %zu of a bag is not one DER SEQUENCE", i + 1);
        if (!add(&bag->signed_data->certificates, certificates[i]))
            return error_set_openssl(e, ERR_INTERNAL, "cannot add a certificate to a bag");
    }
    return scep_encode(out, ASN1_ITEM_rptr(BAG), bag, e);
}

enum error_code scep_chain_write_crl(struct buffer *out, struct bytes crl, struct error *e)
{
    CLEANUP(BAG) BAG *bag = empty_bag();
    if (!one_sequence(crl))
        return error_set(e, ERR_INTERNAL, "the revocation list for a bag is not one DER SEQUENCE");
    if (!bag || !add(&bag->signed_data->crls, crl))
        return error_set_openssl(e, ERR_INTERNAL, "cannot make a bag with a revocation list");
    return scep_encode(out, ASN1_ITEM_rptr(BAG), bag, e);
}

/* A ContentInfo begins with an OID, a Certificate with a SEQUENCE; both are SEQUENCEs. */
static bool is_content_info(struct bytes der)
{
    const uint8_t *at = der.data;
    long length = 0;
    int tag = 0, class = 0;
    if (der.len > INT32_MAX || (ASN1_get_object(&at, &length, &tag, &class, (long)der.len) & 0x80))
        return false;
    long rest = (long)der.len - (long)(at - der.data);
    return !(ASN1_get_object(&at, &length, &tag, &class, rest) & 0x80) && tag == V_ASN1_OBJECT;
}

static enum error_code read_one(STACK_OF(X509) *stack, struct bytes der, struct error *e)
{
    const uint8_t *at = der.data;
    CLEANUP(X509) X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    if (!certificate || at != der.data + der.len)
        return error_set_openssl(e, ERR_MESSAGE_MALFORMED,
                                 "neither a DER certificate nor certificates-only CMS");
    if (sk_X509_push(stack, certificate) <= 0)
        return error_set(e, ERR_INTERNAL, "out of memory");
    certificate = NULL;
    return ERR_OK;
}

static enum error_code read_bag(STACK_OF(X509) **out, struct bytes der, struct error *e)
{
    const uint8_t *at = der.data;
    CLEANUP(CMS) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    if (!cms || at != der.data + der.len || OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
        return error_set_openssl(e, ERR_MESSAGE_MALFORMED, "not a CMS SignedData (RFC 8894 3.4)");
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(cms);
    if (signers && sk_CMS_SignerInfo_num(signers) > 0)
        return error_set(e, ERR_MESSAGE_MALFORMED, "certificates-only CMS has no signers (RFC 8894 3.4)");
    *out = CMS_get1_certs(cms); /* in the order of the message; NULL when there is none */
    if (!*out)
        return error_set_openssl(e, ERR_MESSAGE_MALFORMED, "the CMS message holds no certificate");
    return ERR_OK;
}

enum error_code scep_chain_read(STACK_OF(X509) **out, struct bytes der, struct error *e)
{
    *out = NULL;
    if (der.len == 0 || der.len > INT32_MAX)
        return error_set(e, ERR_MESSAGE_MALFORMED, "there are no certificates: the answer is empty");
    if (is_content_info(der))
        return read_bag(out, der, e);
    __attribute__((cleanup(cleanup_x509_stack))) STACK_OF(X509) *stack = sk_X509_new_null();
    if (!stack)
        return error_set(e, ERR_INTERNAL, "out of memory");
    enum error_code code = read_one(stack, der, e);
    if (!code)
        *out = TAKE(stack);
    return code;
}
