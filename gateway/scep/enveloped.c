/* enveloped.c: see enveloped.h. */
#include "scep/enveloped.h"

#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "scep/library.h"

#define RECIPIENTS_MAX 32

DEFINE_CLEANUP(X509_ALGOR, X509_ALGOR *, X509_ALGOR_free)
DEFINE_CLEANUP(RSA_OAEP_PARAMS, RSA_OAEP_PARAMS *, RSA_OAEP_PARAMS_free)
DEFINE_CLEANUP(ASN1_INTEGER, ASN1_INTEGER *, ASN1_INTEGER_free)

static enum error_code malformed(struct error *e, const char *what)
{
    return error_set(e, ERR_MESSAGE_MALFORMED, "the pkcsPKIEnvelope: %s", what);
}

static int nid_of(const struct ber *oid)
{
    const uint8_t *at = oid->whole.data;
    CLEANUP(ASN1_OBJECT) ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &at, (long)oid->whole.len);
    return object ? OBJ_obj2nid(object) : NID_undef;
}

static X509_ALGOR *algorithm_of(const struct ber *element)
{
    const uint8_t *at = element->whole.data;
    return d2i_X509_ALGOR(NULL, &at, (long)element->whole.len);
}

static int algorithm_nid(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *oid = NULL;
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    return OBJ_obj2nid(oid);
}

/* ---- content ------------------------------------------------------------------------------------------- */

static enum error_code read_cipher(struct enveloped *v, struct ber *algorithm, uint32_t ciphers,
                                   struct error *e)
{
    struct ber oid, iv;
    if (!ber_take(&algorithm->content, BER_OID, &oid))
        return malformed(e, "the content cipher is not readable");
    int nid = nid_of(&oid);
    v->cipher = scep_cipher_of_nid(nid);
    if (!(v->cipher & ciphers))
        return error_set(e, ERR_ALGORITHM_REFUSED, "the content cipher %s is not allowed here",
                         v->cipher ? scep_cipher_name(v->cipher) : OBJ_nid2ln(nid));
    if (v->cipher == SCEP_CIPHER_DES && !scep_library_obsolete_available())
        return error_set(e, ERR_ALGORITHM_REFUSED,
                         "des-cbc needs OpenSSL's legacy provider, which cannot be loaded");
    if (!ber_take(&algorithm->content, BER_OCTET_STRING, &iv) || !ber_octets(&iv, &v->iv, &v->iv_owned))
        return malformed(e, "the content cipher has no IV");
    size_t block = v->cipher & SCEP_CIPHERS_MODERN ? 16 : 8;
    return v->iv.len == block ? ERR_OK : malformed(e, "the IV has the wrong length");
}

/* Some clients name the kind of the surrounding structure instead of what is inside. */
static bool acceptable_content(int nid)
{
    return nid == NID_pkcs7_data || nid == NID_pkcs7_encrypted;
}

static enum error_code read_encrypted(struct enveloped *v, struct bytes content, uint32_t ciphers,
                                      struct error *e)
{
    struct ber oid, algorithm, ciphertext;
    if (!ber_take(&content, BER_OID, &oid) || !ber_take(&content, BER_SEQUENCE, &algorithm))
        return malformed(e, "no EncryptedContentInfo");
    if (!acceptable_content(nid_of(&oid)))
        return malformed(e, "the content inside is not id-data (RFC 8894 3.2.2)");
    enum error_code code = read_cipher(v, &algorithm, ciphers, e);
    if (code)
        return code;
    if (!ber_take(&content, BER_CONTEXT_0_STRING, &ciphertext) || content.len > 0)
        return malformed(e, "no encrypted content");
    return ber_octets(&ciphertext, &v->ciphertext, &v->ciphertext_owned)
               ? ERR_OK
               : malformed(e, "the encrypted content is not an OCTET STRING");
}

/* ---- recipients ---------------------------------------------------------------------------------------- */

/* KeyTransRecipientInfo is the one form without a context tag. */
static enum error_code check_recipients(struct bytes recipients, struct error *e)
{
    struct ber recipient;
    size_t count = 0, transports = 0;
    while (ber_next(&recipients, &recipient)) {
        count++;
        transports += recipient.identifier == BER_SEQUENCE;
    }
    if (count == 0 || count > RECIPIENTS_MAX)
        return malformed(e, "no RecipientInfo, or too many");
    if (transports == 0)
        return error_set(e, ERR_ALGORITHM_REFUSED, "the envelope has no recipient by key transport (RSA)");
    return ERR_OK;
}

static bool issuer_and_serial_is(struct bytes content, X509 *certificate)
{
    struct ber issuer, serial;
    if (!ber_take(&content, BER_SEQUENCE, &issuer) || !ber_take(&content, BER_INTEGER, &serial))
        return false;
    const uint8_t *at = issuer.whole.data, *number = serial.whole.data;
    CLEANUP(X509_NAME) X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)issuer.whole.len);
    CLEANUP(ASN1_INTEGER) ASN1_INTEGER *value = d2i_ASN1_INTEGER(NULL, &number, (long)serial.whole.len);
    return name && value && X509_NAME_cmp(name, X509_get_issuer_name(certificate)) == 0 &&
           ASN1_INTEGER_cmp(value, X509_get0_serialNumber(certificate)) == 0;
}

/* Some clients send the extension's value, an OCTET STRING, instead of its content. */
static bool key_id_equals(struct bytes value, struct bytes expected)
{
    struct bytes wrapped = value;
    struct ber inner;
    return bytes_equal(value, expected) || (ber_take(&wrapped, BER_OCTET_STRING, &inner) &&
                                            wrapped.len == 0 && bytes_equal(inner.content, expected));
}

static bool key_id_is(const struct ber *id, X509 *certificate)
{
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(certificate);
    struct bytes value;
    uint8_t *owned = NULL;
    bool same = own && ber_octets(id, &value, &owned) &&
                key_id_equals(value, bytes_of(ASN1_STRING_get0_data(own), (size_t)ASN1_STRING_length(own)));
    free(owned);
    return same;
}

static bool names(const struct ber *id, X509 *certificate)
{
    return id->identifier == BER_SEQUENCE ? issuer_and_serial_is(id->content, certificate)
                                          : key_id_is(id, certificate);
}

static int hash_nid(const X509_ALGOR *hash)
{
    return hash ? algorithm_nid(hash) : NID_sha1; /* the DEFAULT of RFC 8017 A.2.1 */
}

static int mgf1_nid(const X509_ALGOR *generator)
{
    if (!generator)
        return NID_sha1;
    if (algorithm_nid(generator) != NID_mgf1 || !generator->parameter ||
        generator->parameter->type != V_ASN1_SEQUENCE)
        return NID_undef;
    const ASN1_STRING *der = generator->parameter->value.sequence;
    const uint8_t *at = ASN1_STRING_get0_data(der);
    CLEANUP(X509_ALGOR) X509_ALGOR *hash = d2i_X509_ALGOR(NULL, &at, ASN1_STRING_length(der));
    return hash ? algorithm_nid(hash) : NID_undef;
}

static bool label_is_empty(const X509_ALGOR *source)
{
    return !source || (algorithm_nid(source) == NID_pSpecified && source->parameter &&
                       source->parameter->type == V_ASN1_OCTET_STRING &&
                       ASN1_STRING_length(source->parameter->value.octet_string) == 0);
}

/* SHA-1 is no weakness here: OAEP and MGF1 need no collision resistance, and Windows uses it. Nobody uses a
 * label. */
static bool read_oaep(struct scep_key_transport *t, const X509_ALGOR *algorithm)
{
    t->oaep = true;
    t->oaep_digest = t->mgf1_digest = NID_sha1;
    if (!algorithm->parameter || algorithm->parameter->type == V_ASN1_NULL)
        return true;
    if (algorithm->parameter->type != V_ASN1_SEQUENCE)
        return false;
    const ASN1_STRING *der = algorithm->parameter->value.sequence;
    const uint8_t *at = ASN1_STRING_get0_data(der);
    CLEANUP(RSA_OAEP_PARAMS) RSA_OAEP_PARAMS *oaep = d2i_RSA_OAEP_PARAMS(NULL, &at, ASN1_STRING_length(der));
    if (!oaep || !label_is_empty(oaep->pSourceFunc))
        return false;
    t->oaep_digest = hash_nid(oaep->hashFunc);
    t->mgf1_digest = mgf1_nid(oaep->maskGenFunc);
    uint32_t known = SCEP_DIGESTS_DEFAULT;
    return scep_digest_of_nid(t->oaep_digest) & known && scep_digest_of_nid(t->mgf1_digest) & known;
}

static enum error_code read_transport(struct enveloped *v, const struct ber *element, struct error *e)
{
    CLEANUP(X509_ALGOR) X509_ALGOR *algorithm = algorithm_of(element);
    int nid = algorithm ? algorithm_nid(algorithm) : NID_undef;
    v->transport = (struct scep_key_transport){0};
    if (nid == NID_rsaEncryption || (nid == NID_rsaesOaep && read_oaep(&v->transport, algorithm)))
        return ERR_OK;
    return error_set_openssl(e, ERR_ALGORITHM_REFUSED,
                             "the key transport %s, or its parameters, are not allowed here",
                             OBJ_nid2ln(nid));
}

struct key_transport_info {
    struct ber version, id, algorithm, key;
};

static bool slice_transport(struct key_transport_info *out, struct bytes content)
{
    return ber_take(&content, BER_INTEGER, &out->version) && ber_next(&content, &out->id) &&
           (out->id.identifier == BER_SEQUENCE ||
            (out->id.identifier & ~BER_CONSTRUCTED) == BER_CONTEXT_0_STRING) &&
           ber_take(&content, BER_SEQUENCE, &out->algorithm) &&
           ber_take(&content, BER_OCTET_STRING, &out->key) && content.len == 0;
}

static bool find_named(const struct ber *id, const struct scep_recipient *recipients, size_t count,
                       size_t *which)
{
    for (size_t i = 0; i < count; i++) {
        if (!names(id, recipients[i].certificate))
            continue;
        *which = i;
        return true;
    }
    return false;
}

enum error_code enveloped_find(struct enveloped *v, const struct scep_recipient *recipients, size_t count,
                               size_t *which, struct error *e)
{
    struct bytes rest = v->recipients;
    struct ber recipient;
    while (ber_next(&rest, &recipient)) {
        struct key_transport_info info;
        if (recipient.identifier != BER_SEQUENCE)
            continue;
        if (!slice_transport(&info, recipient.content))
            return malformed(e, "a KeyTransRecipientInfo is not of the form of RFC 5652");
        if (!find_named(&info.id, recipients, count, which))
            continue;
        if (!ber_octets(&info.key, &v->encrypted_key, &v->key_owned))
            return malformed(e, "an encrypted key is not an OCTET STRING");
        return read_transport(v, &info.algorithm, e);
    }
    return error_set(e, ERR_RECIPIENT_UNKNOWN,
                     "no recipient of the envelope is an RA certificate of this endpoint");
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

enum error_code enveloped_read(struct enveloped *v, struct bytes content, uint32_t ciphers, struct error *e)
{
    struct ber info, type, wrapped, data, version, originator, recipients, encrypted;
    size_t length;
    *v = (struct enveloped){0};
    if (ber_check(content, &length, e) || length != content.len)
        return malformed(e, "not a single ASN.1 element");
    if (!ber_take(&content, BER_SEQUENCE, &info) || !ber_take(&info.content, BER_OID, &type))
        return malformed(e, "not a ContentInfo");
    int nid = nid_of(&type);
    if (nid == NID_id_smime_ct_authEnvelopedData)
        return error_set(e, ERR_ALGORITHM_REFUSED, "authenticated encryption is not part of SCEP");
    if (nid != NID_pkcs7_enveloped)
        return malformed(e, "not EnvelopedData");
    if (!ber_take(&info.content, BER_CONTEXT_0, &wrapped) ||
        !ber_take(&wrapped.content, BER_SEQUENCE, &data) || !ber_take(&data.content, BER_INTEGER, &version))
        return malformed(e, "not EnvelopedData");
    ber_take(&data.content, BER_CONTEXT_0, &originator);
    if (!ber_take(&data.content, BER_SET, &recipients) || !ber_take(&data.content, BER_SEQUENCE, &encrypted))
        return malformed(e, "not EnvelopedData");
    v->recipients = recipients.content;
    enum error_code code = check_recipients(v->recipients, e);
    return code ? code : read_encrypted(v, encrypted.content, ciphers, e);
}

void enveloped_clear(struct enveloped *v)
{
    free(v->ciphertext_owned);
    free(v->key_owned);
    free(v->iv_owned);
    *v = (struct enveloped){0};
}
