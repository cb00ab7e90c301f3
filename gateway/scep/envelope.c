/* envelope.c: see envelope.h. */
#include "scep/envelope.h"

#include <openssl/rsa.h>

#include "base/cleanup.h"
#include "scep/encode.h"
#include "scep/library.h"

enum error_code scep_envelope_check_recipient(X509 *recipient, struct error *e)
{
    EVP_PKEY *key = recipient ? X509_get0_pubkey(recipient) : NULL;
    if (!key)
        return error_set_openssl(e, ERR_ALGORITHM_REFUSED, "the recipient's public key cannot be read");
    if (!EVP_PKEY_is_a(key, "RSA"))
        return error_set(e, ERR_ALGORITHM_REFUSED,
                         "the recipient's %s key cannot encrypt; an RSA key is needed",
                         EVP_PKEY_get0_type_name(key));
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

enum error_code scep_envelope_write(struct buffer *out, const struct scep_envelope *envelope, struct error *e)
{
    enum error_code code = scep_envelope_check_recipient(envelope->recipient, e);
    if (code)
        return code;
    const EVP_CIPHER *cipher = EVP_get_cipherbynid(scep_cipher_nid(envelope->cipher));
    if (!cipher || (envelope->cipher == SCEP_CIPHER_DES && !scep_library_obsolete_available()))
        return error_set(e, ERR_ALGORITHM_REFUSED, "the content cipher is not known or not available here");

    const unsigned flags = CMS_BINARY | CMS_PARTIAL;
    OSSL_LIB_CTX *library = scep_library(envelope->cipher == SCEP_CIPHER_DES);
    CLEANUP(CMS) CMS_ContentInfo *cms = CMS_encrypt_ex(NULL, NULL, cipher, flags, library, NULL);
    if (!cms)
        return error_set_openssl(e, ERR_INTERNAL, "cannot start an EnvelopedData");
    /* issuerAndSerialNumber is the default, so KeyTransRecipientInfo is version 0 (G-08). */
    CMS_RecipientInfo *recipient =
        CMS_add1_recipient_cert(cms, envelope->recipient, envelope->transport.oaep ? CMS_KEY_PARAM : 0);
    if (!recipient)
        return error_set_openssl(e, ERR_INTERNAL, "cannot add the recipient to an EnvelopedData");
    if (envelope->transport.oaep && !use_oaep(recipient, &envelope->transport))
        return error_set_openssl(e, ERR_ALGORITHM_REFUSED, "the OAEP parameters cannot be used");

    CLEANUP(BIO) BIO *content = BIO_new_mem_buf(envelope->content.data, (int)envelope->content.len);
    if (!content || CMS_final(cms, content, NULL, flags) != 1)
        return error_set_openssl(e, ERR_INTERNAL, "cannot encrypt an EnvelopedData");
    return scep_encode(out, ASN1_ITEM_rptr(CMS_ContentInfo), cms, e);
}
