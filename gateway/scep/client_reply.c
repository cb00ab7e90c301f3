/* client_reply.c: opening a CertRep as a client (see client.h). Nothing of a reply is believed before its
 * signature was verified. */
#include <string.h>

#include "base/cleanup.h"
#include "scep/attribute.h"
#include "scep/chain.h"
#include "scep/client.h"
#include "scep/client_signed.h"
#include "scep/enveloped.h"
#include "scep/pwri.h"

#define FAIL_TEXT_MAX 512 /* of what is kept of a failInfoText */

static enum error_code required(const CMS_SignerInfo *signer, enum scep_attribute a, struct bytes *out,
                                struct error *e)
{
    bool present = false;
    enum error_code code = scep_attribute_read(signer, a, out, &present, e);
    if (!code && !present)
        return error_set(e, ERR_NOT_SCEP, "the reply lacks the attribute %s (RFC 8894 3.2.1)",
                         scep_attribute_name(a));
    return code;
}

/* The reply answers this request and no other (checklist Z-04). */
static enum error_code check_identity(const CMS_SignerInfo *signer, const struct scep_client_request *r,
                                      struct error *e)
{
    const struct {
        enum scep_attribute attribute;
        struct bytes expected;
    } checks[] = {
        {SCEP_ATTRIBUTE_MESSAGE_TYPE, bytes_of_text("3")},
        {SCEP_ATTRIBUTE_TRANSACTION_ID, r->transaction_id},
        {SCEP_ATTRIBUTE_RECIPIENT_NONCE, bytes_of(r->sender_nonce, sizeof r->sender_nonce)},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct bytes found;
        enum error_code code = required(signer, checks[i].attribute, &found, e);
        if (code)
            return code;
        if (!bytes_equal(found, checks[i].expected))
            return error_set(e, ERR_MESSAGE_MALFORMED, "the reply's %s is not the one that was expected",
                             scep_attribute_name(checks[i].attribute));
    }
    return ERR_OK;
}

/* The digit of a one-character attribute that lies in `allowed`. */
static bool digit_of(struct bytes text, const char *allowed, int *out)
{
    if (text.len != 1 || text.data[0] == '\0' || !strchr(allowed, text.data[0]))
        return false;
    *out = text.data[0] - '0';
    return true;
}

static enum error_code read_failure(struct scep_client_reply *out, const CMS_SignerInfo *signer,
                                    struct error *e)
{
    struct bytes text;
    bool present = false;
    int digit = 0;
    enum error_code code = scep_attribute_read(signer, SCEP_ATTRIBUTE_FAIL_INFO, &text, &present, e);
    if (code)
        return code;
    if (present && !digit_of(text, "01234", &digit))
        return error_set(e, ERR_MESSAGE_MALFORMED, "the reply's failInfo is not defined (RFC 8894 3.2.1.4)");
    out->fail = present ? (enum fail_info)digit : FAIL_NONE;

    code = scep_attribute_read(signer, SCEP_ATTRIBUTE_FAIL_INFO_TEXT, &text, &present, e);
    if (code || !present)
        return code;
    out->fail_text = strndup((const char *)text.data, text.len < FAIL_TEXT_MAX ? text.len : FAIL_TEXT_MAX);
    return out->fail_text ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
}

static enum error_code read_status(struct scep_client_reply *out, const CMS_SignerInfo *signer,
                                   struct error *e)
{
    struct bytes text;
    int status = 0;
    enum error_code code = required(signer, SCEP_ATTRIBUTE_PKI_STATUS, &text, e);
    if (code)
        return code;
    if (!digit_of(text, "023", &status))
        return error_set(e, ERR_MESSAGE_MALFORMED, "the reply's pkiStatus is not defined (RFC 8894 3.2.1.3)");
    out->status = (enum scep_pki_status)status;
    return out->status == SCEP_FAILURE ? read_failure(out, signer, e) : ERR_OK;
}

static bool has_recipient(CMS_ContentInfo *envelope, int type)
{
    STACK_OF(CMS_RecipientInfo) *recipients = CMS_get0_RecipientInfos(envelope);
    for (int i = 0; i < sk_CMS_RecipientInfo_num(recipients); i++)
        if (CMS_RecipientInfo_type(sk_CMS_RecipientInfo_value(recipients, i)) == type)
            return true;
    return false;
}

static enum error_code unlock_with_password(CMS_ContentInfo *envelope, struct bytes der,
                                            struct bytes password, struct error *e)
{
    if (password.len == 0)
        return error_set(e, ERR_ENVELOPE_UNREADABLE,
                         "the reply is encrypted to a challenge password; none was given");
    enum error_code code = scep_pwri_check(der, e);
    if (code)
        return code;
    CLEANUP(secret) struct secret copy = {0}; /* OpenSSL wants it writable */
    if ((code = secret_set(&copy, password.data, password.len)))
        return error_set(e, code, "out of memory");
    if (CMS_decrypt_set1_password(envelope, copy.data, (ossl_ssize_t)copy.len) != 1)
        return error_set_openssl(e, ERR_ENVELOPE_UNREADABLE,
                                 "the challenge password does not open the reply");
    return ERR_OK;
}

/* Says what is wrong with an obsolete cipher; OpenSSL would only fail to fetch it. */
static enum error_code check_cipher(struct bytes der, struct error *e)
{
    struct enveloped view;
    enum error_code code = enveloped_read(&view, der, SCEP_CIPHERS_DEFAULT, e);
    enveloped_clear(&view);
    return code;
}

static enum error_code decrypt(BIO *out, struct bytes der, const struct scep_client_request *r,
                               struct bytes password, struct error *e)
{
    const uint8_t *at = der.data;
    CLEANUP(CMS) CMS_ContentInfo *envelope = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    if (!envelope || at != der.data + der.len || OBJ_obj2nid(CMS_get0_type(envelope)) != NID_pkcs7_enveloped)
        return error_set_openssl(e, ERR_MESSAGE_MALFORMED,
                                 "the content of the reply is no EnvelopedData (RFC 8894 3.2.2)");
    EVP_PKEY *key = r->signer_key;
    X509 *certificate = r->signer;
    if (has_recipient(envelope, CMS_RECIPINFO_PASS)) {
        enum error_code code = unlock_with_password(envelope, der, password, e);
        if (code)
            return code;
        key = NULL;
        certificate = NULL;
    } else if (has_recipient(envelope, CMS_RECIPINFO_TRANS)) {
        enum error_code code = check_cipher(der, e);
        if (code)
            return code;
    }
    if (CMS_decrypt(envelope, key, certificate, NULL, out, CMS_BINARY) != 1)
        return error_set_openssl(e, ERR_ENVELOPE_UNREADABLE,
                                 "the reply cannot be decrypted with the request's key");
    return ERR_OK;
}

static enum error_code read_certificates(struct scep_client_reply *out, CMS_ContentInfo *cms,
                                         const struct scep_client_request *r, struct bytes password,
                                         struct error *e)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    if (!content || !*content)
        return error_set(e, ERR_MESSAGE_MALFORMED, "a SUCCESS without content (RFC 8894 3.3.2.1)");
    CLEANUP(BIO) BIO *clear = BIO_new(BIO_s_mem());
    if (!clear)
        return error_set(e, ERR_INTERNAL, "out of memory");
    const struct bytes der = bytes_of(ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content));
    enum error_code code = decrypt(clear, der, r, password, e);
    if (code)
        return code;
    char *data = NULL;
    long length = BIO_get_mem_data(clear, &data);
    return scep_chain_read(&out->certificates, bytes_of(data, length > 0 ? (size_t)length : 0), e);
}

enum error_code scep_client_open(struct scep_client_reply *out, struct bytes message,
                                 const struct scep_client_request *request, STACK_OF(X509) *authorities,
                                 struct bytes password, struct error *e)
{
    *out = (struct scep_client_reply){.status = SCEP_FAILURE, .fail = FAIL_NONE};
    CLEANUP(CMS) CMS_ContentInfo *cms = NULL;
    CMS_SignerInfo *signer = NULL;
    enum error_code code = client_signed_open(&cms, &signer, message, authorities, e);
    if (!code)
        code = check_identity(signer, request, e);
    if (!code)
        code = read_status(out, signer, e);
    if (!code && out->status == SCEP_SUCCESS)
        code = read_certificates(out, cms, request, password, e);
    if (code)
        scep_client_reply_clear(out);
    return code;
}

void scep_client_reply_clear(struct scep_client_reply *r)
{
    free(r->fail_text);
    sk_X509_pop_free(r->certificates, X509_free);
    *r = (struct scep_client_reply){.status = SCEP_FAILURE, .fail = FAIL_NONE};
}
