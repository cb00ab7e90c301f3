/* pwri.c: see pwri.h. The CMS API does not show the parameters of a PasswordRecipientInfo, so a template
 * reads them. */
#include "scep/pwri.h"

#include <openssl/asn1t.h>

#include "base/cleanup.h"

typedef struct password_recipient {
    ASN1_INTEGER *version;
    X509_ALGOR *derivation;
    X509_ALGOR *encryption;
    ASN1_OCTET_STRING *encrypted_key;
} PASSWORD_RECIPIENT;

typedef struct enveloped_data {
    ASN1_INTEGER *version;
    STACK_OF(ASN1_TYPE) *originator;
    STACK_OF(ASN1_TYPE) *recipients;
    ASN1_TYPE *content;
    STACK_OF(ASN1_TYPE) *unprotected;
} ENVELOPED_DATA;

typedef struct enveloped {
    ASN1_OBJECT *type;
    ENVELOPED_DATA *data;
} ENVELOPED;

/* clang-format off */
ASN1_SEQUENCE(PASSWORD_RECIPIENT) = {
    ASN1_SIMPLE(PASSWORD_RECIPIENT, version, ASN1_INTEGER),
    ASN1_IMP_OPT(PASSWORD_RECIPIENT, derivation, X509_ALGOR, 0),
    ASN1_SIMPLE(PASSWORD_RECIPIENT, encryption, X509_ALGOR),
    ASN1_SIMPLE(PASSWORD_RECIPIENT, encrypted_key, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(PASSWORD_RECIPIENT)

ASN1_SEQUENCE(ENVELOPED_DATA) = {
    ASN1_SIMPLE(ENVELOPED_DATA, version, ASN1_INTEGER),
    ASN1_IMP_SEQUENCE_OF_OPT(ENVELOPED_DATA, originator, ASN1_ANY, 0),
    ASN1_SET_OF(ENVELOPED_DATA, recipients, ASN1_ANY),
    ASN1_SIMPLE(ENVELOPED_DATA, content, ASN1_ANY),
    ASN1_IMP_SET_OF_OPT(ENVELOPED_DATA, unprotected, ASN1_ANY, 1),
} static_ASN1_SEQUENCE_END(ENVELOPED_DATA)

ASN1_SEQUENCE(ENVELOPED) = {
    ASN1_SIMPLE(ENVELOPED, type, ASN1_OBJECT),
    ASN1_EXP(ENVELOPED, data, ENVELOPED_DATA, 0),
} static_ASN1_SEQUENCE_END(ENVELOPED)

/* RecipientInfo's choice [3] IMPLICIT. */
ASN1_ITEM_TEMPLATE(PASSWORD_CHOICE) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_IMPTAG | ASN1_TFLG_CONTEXT, 3, PASSWORD_CHOICE, PASSWORD_RECIPIENT)
static_ASN1_ITEM_TEMPLATE_END(PASSWORD_CHOICE);
/* clang-format on */

static void enveloped_free(ENVELOPED *v)
{
    ASN1_item_free((ASN1_VALUE *)v, ASN1_ITEM_rptr(ENVELOPED));
}
static void password_recipient_free(PASSWORD_RECIPIENT *v)
{
    ASN1_item_free((ASN1_VALUE *)v, ASN1_ITEM_rptr(PASSWORD_CHOICE));
}
DEFINE_CLEANUP(ENVELOPED, ENVELOPED *, enveloped_free)
DEFINE_CLEANUP(PASSWORD_RECIPIENT, PASSWORD_RECIPIENT *, password_recipient_free)
DEFINE_CLEANUP(PBKDF2PARAM, PBKDF2PARAM *, PBKDF2PARAM_free)

static enum error_code check_derivation(const X509_ALGOR *derivation, struct error *e)
{
    const ASN1_OBJECT *oid = NULL;
    const void *value = NULL;
    int type = V_ASN1_UNDEF;
    if (derivation)
        X509_ALGOR_get0(&oid, &type, &value, derivation);
    if (!oid || OBJ_obj2nid(oid) != NID_id_pbkdf2 || type != V_ASN1_SEQUENCE)
        return error_set(e, ERR_ALGORITHM_REFUSED, "a password recipient without PBKDF2");
    CLEANUP(PBKDF2PARAM) PBKDF2PARAM *parameters = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBKDF2PARAM));
    if (!parameters)
        return error_set_openssl(e, ERR_ALGORITHM_REFUSED, "the PBKDF2 parameters cannot be read");
    int64_t iterations = 0;
    if (ASN1_INTEGER_get_int64(&iterations, parameters->iter) != 1 || iterations < 1 ||
        iterations > SCEP_PBKDF2_ITERATIONS_MAX)
        return error_set_openssl(e, ERR_ALGORITHM_REFUSED, "more than %d PBKDF2 iterations",
                                 SCEP_PBKDF2_ITERATIONS_MAX);
    const ASN1_TYPE *salt = parameters->salt;
    if (!salt || salt->type != V_ASN1_OCTET_STRING ||
        ASN1_STRING_length(salt->value.octet_string) > SCEP_PBKDF2_SALT_MAX)
        return error_set(e, ERR_ALGORITHM_REFUSED, "an unusable PBKDF2 salt");
    return ERR_OK;
}

static enum error_code check_recipient(const ASN1_TYPE *any, struct error *e)
{
    if (any->type != V_ASN1_OTHER) /* KeyTransRecipientInfo is the one SEQUENCE; the others are tagged */
        return ERR_OK;
    const ASN1_STRING *raw = any->value.asn1_string;
    const uint8_t *start = ASN1_STRING_get0_data(raw), *at = start;
    const long length = ASN1_STRING_length(raw);
    long inner = 0;
    int tag = 0, class = 0;
    if ((ASN1_get_object(&at, &inner, &tag, &class, length) & 0x80) || class != V_ASN1_CONTEXT_SPECIFIC ||
        tag != 3)
        return ERR_OK;
    at = start;
    CLEANUP(PASSWORD_RECIPIENT)
    PASSWORD_RECIPIENT *recipient =
        (PASSWORD_RECIPIENT *)ASN1_item_d2i(NULL, &at, length, ASN1_ITEM_rptr(PASSWORD_CHOICE));
    if (!recipient)
        return error_set_openssl(e, ERR_MESSAGE_MALFORMED, "a password recipient cannot be read");
    return check_derivation(recipient->derivation, e);
}

enum error_code scep_pwri_check(struct bytes der, struct error *e)
{
    const uint8_t *at = der.data;
    CLEANUP(ENVELOPED)
    ENVELOPED *enveloped = (ENVELOPED *)ASN1_item_d2i(NULL, &at, (long)der.len, ASN1_ITEM_rptr(ENVELOPED));
    if (!enveloped || OBJ_obj2nid(enveloped->type) != NID_pkcs7_enveloped)
        return error_set_openssl(e, ERR_MESSAGE_MALFORMED, "not an EnvelopedData");
    STACK_OF(ASN1_TYPE) *recipients = enveloped->data->recipients;
    for (int i = 0; i < sk_ASN1_TYPE_num(recipients); i++) {
        enum error_code code = check_recipient(sk_ASN1_TYPE_value(recipients, i), e);
        if (code)
            return code;
    }
    return ERR_OK;
}
