/* envelope.c: see envelope.h. */
#include "scep/envelope.h"

#include <openssl/rsa.h>

#include "base/cleanup.h"
#include "scep/encode.h"
#include "scep/library.h"

enum scep_delivery scep_delivery_for(EVP_PKEY *key, bool password_known, uint32_t allowed)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return SCEP_DELIVERY_TRANSPORT;
    if (password_known && (allowed & SCEP_EC_REPLY_PASSWORD))
        return SCEP_DELIVERY_PASSWORD;
    return EVP_PKEY_is_a(key, "EC") && (allowed & SCEP_EC_REPLY_AGREEMENT) ? SCEP_DELIVERY_AGREEMENT
                                                                           : SCEP_DELIVERY_NONE;
}

/* ---- the three kinds of RecipientInfo ------------------------------------------------------------------ */

static enum error_code check_key(X509 *recipient, const char *needed, struct error *e)
{
    EVP_PKEY *key = recipient ? X509_get0_pubkey(recipient) : NULL;
    if (!key)
        return error_set_openssl(e, ERR_ALGORITHM_REFUSED, "the recipient's public key cannot be read");
    if (!EVP_PKEY_is_a(key, needed))
        return error_set(e, ERR_ALGORITHM_REFUSED,
                         "the recipient's %s key cannot encrypt; an %s key is needed",
                         EVP_PKEY_get0_type_name(key), needed);
    return ERR_OK;
}

static bool use_oaep(CMS_RecipientInfo *recipient, const struct scep_key_transport *t)
{
    const EVP_MD *digest = EVP_get_digestbynid(t->oaep_digest);
    const EVP_MD *mgf1 = EVP_get_digestbynid(t->mgf1_digest);
    EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(recipient);
    return digest && mgf1 && context && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, digest) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, mgf1) > 0;
}

/* issuerAndSerialNumber is the default, so KeyTransRecipientInfo is version 0 (G-08). */
static enum error_code add_transport(CMS_ContentInfo *cms, const struct scep_envelope *v, struct error *e)
{
    enum error_code code = check_key(v->recipient, "RSA", e);
    if (code)
        return code;
    CMS_RecipientInfo *recipient =
        CMS_add1_recipient_cert(cms, v->recipient, v->transport.oaep ? CMS_KEY_PARAM : 0);
    if (!recipient)
        return error_set_openssl(e, ERR_INTERNAL, "cannot add the recipient to an EnvelopedData");
    if (v->transport.oaep && !use_oaep(recipient, &v->transport))
        return error_set_openssl(e, ERR_ALGORITHM_REFUSED, "the OAEP parameters cannot be used");
    return ERR_OK;
}

/* PBKDF2 and id-alg-PWRI-KEK with the content cipher (RFC 5652 section 6.2.4, RFC 3211). */
static enum error_code add_password(CMS_ContentInfo *cms, const struct scep_envelope *v, struct error *e)
{
    if (v->password.len == 0)
        return error_set(e, ERR_ALGORITHM_REFUSED,
                         "a recipient whose key cannot encrypt needs a challenge password");
    CMS_RecipientInfo *recipient =
        CMS_add0_recipient_password(cms, v->iterations, NID_id_alg_PWRI_KEK, NID_id_pbkdf2, NULL, 0, NULL);
    uint8_t *copy = OPENSSL_memdup(v->password.data, v->password.len);
    if (!recipient || !copy ||
        CMS_RecipientInfo_set0_password(recipient, copy, (ossl_ssize_t)v->password.len) != 1) {
        OPENSSL_clear_free(copy, v->password.len);
        return error_set_openssl(e, ERR_INTERNAL, "cannot add a password recipient to an EnvelopedData");
    }
    return ERR_OK; /* the recipient wipes its copy */
}

static enum error_code add_agreement(CMS_ContentInfo *cms, const struct scep_envelope *v, struct error *e)
{
    enum error_code code = check_key(v->recipient, "EC", e);
    if (code)
        return code;
    return CMS_add1_recipient_cert(cms, v->recipient, 0)
               ? ERR_OK
               : error_set_openssl(e, ERR_INTERNAL, "cannot add the recipient to an EnvelopedData");
}

static enum error_code add_recipient(CMS_ContentInfo *cms, const struct scep_envelope *v, struct error *e)
{
    switch (v->delivery) {
    case SCEP_DELIVERY_TRANSPORT:
        return add_transport(cms, v, e);
    case SCEP_DELIVERY_PASSWORD:
        return add_password(cms, v, e);
    case SCEP_DELIVERY_AGREEMENT:
        return add_agreement(cms, v, e);
    case SCEP_DELIVERY_NONE:
        break;
    }
    return error_set(e, ERR_ALGORITHM_REFUSED, "nothing can be encrypted to the recipient");
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

enum error_code scep_envelope_write(struct buffer *out, const struct scep_envelope *envelope, struct error *e)
{
    const EVP_CIPHER *cipher = EVP_get_cipherbynid(scep_cipher_nid(envelope->cipher));
    if (!cipher || (envelope->cipher == SCEP_CIPHER_DES && !scep_library_obsolete_available()))
        return error_set(e, ERR_ALGORITHM_REFUSED, "the content cipher is not known or not available here");

    const unsigned flags = CMS_BINARY | CMS_PARTIAL;
    OSSL_LIB_CTX *library = scep_library(envelope->cipher == SCEP_CIPHER_DES);
    CLEANUP(CMS) CMS_ContentInfo *cms = CMS_encrypt_ex(NULL, NULL, cipher, flags, library, NULL);
    if (!cms)
        return error_set_openssl(e, ERR_INTERNAL, "cannot start an EnvelopedData");
    enum error_code code = add_recipient(cms, envelope, e);
    if (code)
        return code;
    CLEANUP(BIO) BIO *content = BIO_new_mem_buf(envelope->content.data, (int)envelope->content.len);
    if (!content || CMS_final(cms, content, NULL, flags) != 1)
        return error_set_openssl(e, ERR_INTERNAL, "cannot encrypt an EnvelopedData");
    return scep_encode(out, ASN1_ITEM_rptr(CMS_ContentInfo), cms, e);
}
