/* attribute.c: see attribute.h. */
#include "scep/attribute.h"

#include "base/cleanup.h"

static const struct row {
    const char *name;
    const char *oid;
    int tag; /* as written */
} rows[] = {
    [SCEP_ATTRIBUTE_MESSAGE_TYPE] = {"messageType", "2.16.840.1.113733.1.9.2", V_ASN1_PRINTABLESTRING},
    [SCEP_ATTRIBUTE_PKI_STATUS] = {"pkiStatus", "2.16.840.1.113733.1.9.3", V_ASN1_PRINTABLESTRING},
    [SCEP_ATTRIBUTE_FAIL_INFO] = {"failInfo", "2.16.840.1.113733.1.9.4", V_ASN1_PRINTABLESTRING},
    [SCEP_ATTRIBUTE_SENDER_NONCE] = {"senderNonce", "2.16.840.1.113733.1.9.5", V_ASN1_OCTET_STRING},
    [SCEP_ATTRIBUTE_RECIPIENT_NONCE] = {"recipientNonce", "2.16.840.1.113733.1.9.6", V_ASN1_OCTET_STRING},
    [SCEP_ATTRIBUTE_TRANSACTION_ID] = {"transactionID", "2.16.840.1.113733.1.9.7", V_ASN1_PRINTABLESTRING},
    [SCEP_ATTRIBUTE_FAIL_INFO_TEXT] = {"failInfoText", "1.3.6.1.5.5.7.24.1", V_ASN1_UTF8STRING},
};

const char *scep_attribute_name(enum scep_attribute a)
{
    return rows[a].name;
}

enum error_code scep_attribute_add(CMS_SignerInfo *signer, const struct scep_attribute_value *v,
                                   struct error *e)
{
    const struct row *row = &rows[v->attribute];
    CLEANUP(ASN1_OBJECT) ASN1_OBJECT *oid = OBJ_txt2obj(row->oid, 1);
    if (!oid || CMS_signed_add1_attr_by_OBJ(signer, oid, row->tag,
                                            v->value.data ? v->value.data : (const uint8_t *)"",
                                            (int)v->value.len) != 1)
        return error_set_openssl(e, ERR_INTERNAL, "cannot add the attribute %s", row->name);
    return ERR_OK;
}

static bool acceptable(int written, int found)
{
    if (written == V_ASN1_OCTET_STRING)
        return found == V_ASN1_OCTET_STRING;
    static const int one_octet_each[] = {V_ASN1_PRINTABLESTRING, V_ASN1_UTF8STRING,    V_ASN1_IA5STRING,
                                         V_ASN1_T61STRING,       V_ASN1_VISIBLESTRING, V_ASN1_GENERALSTRING,
                                         V_ASN1_NUMERICSTRING};
    for (size_t i = 0; i < sizeof one_octet_each / sizeof *one_octet_each; i++)
        if (found == one_octet_each[i])
            return true;
    return false;
}

enum error_code scep_attribute_read(const CMS_SignerInfo *signer, enum scep_attribute a, struct bytes *out,
                                    bool *present, struct error *e)
{
    const struct row *row = &rows[a];
    *present = false;
    *out = (struct bytes){0};
    CLEANUP(ASN1_OBJECT) ASN1_OBJECT *oid = OBJ_txt2obj(row->oid, 1);
    if (!oid)
        return error_set_openssl(e, ERR_INTERNAL, "cannot look for the attribute %s", row->name);
    int at = CMS_signed_get_attr_by_OBJ(signer, oid, -1);
    if (at < 0)
        return ERR_OK;
    X509_ATTRIBUTE *attribute = CMS_signed_get_attr(signer, at);
    if (CMS_signed_get_attr_by_OBJ(signer, oid, at) >= 0 || X509_ATTRIBUTE_count(attribute) != 1)
        return error_set(e, ERR_MESSAGE_MALFORMED,
                         "the signed attribute %s occurs more than once (RFC 8894 3.2.1)", row->name);
    const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, 0);
    if (!value || !acceptable(row->tag, value->type))
        return error_set(e, ERR_MESSAGE_MALFORMED,
                         "the signed attribute %s has ASN.1 type %d (RFC 8894 3.2.1)", row->name,
                         value ? value->type : -1);
    const ASN1_STRING *text = value->value.asn1_string;
    *out = bytes_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    *present = true;
    return ERR_OK;
}
