/* signer.c: see signer.h. */
#include "scep/signer.h"

#include <openssl/err.h>
#include <openssl/objects.h>

#include "base/cleanup.h"
#include "scep/key_facts.h"

X509 *signer_find(CMS_ContentInfo *cms, CMS_SignerInfo *info)
{
    STACK_OF(X509) *certificates = CMS_get1_certs(cms);
    X509 *found = NULL;
    for (int i = 0; !found && i < sk_X509_num(certificates); i++) {
        X509 *candidate = sk_X509_value(certificates, i);
        if (CMS_SignerInfo_cert_cmp(info, candidate) == 0 && X509_up_ref(candidate))
            found = candidate;
    }
    sk_X509_pop_free(certificates, X509_free);
    return found;
}

static enum error_code check_rsa(EVP_PKEY *key, const struct scep_rules *rules, struct error *e)
{
    int bits = EVP_PKEY_get_bits(key);
    if (bits < rules->rsa_min_bits || !key_is_affordable(key, rules->rsa_max_bits))
        return error_set(
            e, ERR_SIGNER_KEY_SIZE,
            "the signer's RSA key has %d bits, not %d to %d, or a public exponent of more than %d", bits,
            rules->rsa_min_bits, rules->rsa_max_bits, RSA_EXPONENT_BITS_MAX);
    return ERR_OK;
}

static enum error_code check_other(EVP_PKEY *key, struct key_facts facts, const struct scep_rules *rules,
                                   struct error *e)
{
    bool verifiable = facts.kind == KEY_EC || facts.kind == KEY_DSA; /* CMS in OpenSSL 3.0 knows no EdDSA */
    if (!rules->ec_signers || !verifiable)
        return error_set(e, ERR_ALGORITHM_REFUSED, "a signer with a key of kind %s is not supported here",
                         key_kind_name(facts.kind));
    if (!key_is_affordable(key, rules->rsa_max_bits))
        return error_set(e, ERR_SIGNER_KEY_SIZE, "the signer's key has %d bits, more than %d", facts.bits,
                         rules->rsa_max_bits);
    return ERR_OK;
}

enum error_code signer_check_key(EVP_PKEY *key, struct bytes spki, const struct scep_rules *rules,
                                 struct error *e)
{
    if (!key || !key_parameters_are_named(spki))
        return error_set_openssl(e, ERR_ALGORITHM_REFUSED, "the signer's public key cannot be decoded");
    struct key_facts facts = key_facts_of(key);
    return facts.kind == KEY_RSA ? check_rsa(key, rules, e) : check_other(key, facts, rules, e);
}

/* sha1WithRSASignature and its kin of the OIW mean PKCS #1 v1.5, which CMS in OpenSSL does not know of. No
 * signature covers the identifier. */
static bool replace_old_identifier(X509_ALGOR *algorithm, int type, int of_key)
{
    return type == EVP_PKEY_RSA && of_key == EVP_PKEY_RSA2 &&
           X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsaEncryption), V_ASN1_NULL, NULL);
}

/* rsaEncryption, shaNWithRSAEncryption, RSASSA-PSS; ecdsa-with-shaN and dsa-with-shaN (checklist G-10). */
enum error_code signer_check_algorithm(CMS_SignerInfo *info, EVP_PKEY *key, struct error *e)
{
    X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *oid = NULL;
    CMS_SignerInfo_get0_algs(info, NULL, NULL, NULL, &algorithm);
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    int nid = OBJ_obj2nid(oid), type = EVP_PKEY_get_base_id(key), of_key = NID_undef;
    bool rsa = type == EVP_PKEY_RSA && (nid == NID_rsaEncryption || nid == NID_rsassaPss);
    if (rsa || (OBJ_find_sigid_algs(nid, NULL, &of_key) &&
                (of_key == type || replace_old_identifier(algorithm, type, of_key))))
        return ERR_OK;
    return error_set(e, ERR_ALGORITHM_REFUSED, "the signature algorithm %s does not go with the signer's key",
                     OBJ_nid2ln(nid));
}

static bool digest_matches(CMS_SignerInfo *info, struct bytes content)
{
    X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *oid = NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    CMS_SignerInfo_get0_algs(info, NULL, NULL, &algorithm, NULL);
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    const EVP_MD *md = EVP_get_digestbyobj(oid);
    const ASN1_OCTET_STRING *claimed =
        CMS_signed_get0_data_by_OBJ(info, OBJ_nid2obj(NID_pkcs9_messageDigest), -3, V_ASN1_OCTET_STRING);
    return md && claimed && EVP_Digest(content.data, content.len, digest, &len, md, NULL) &&
           bytes_equal(bytes_of(digest, len),
                       bytes_of(ASN1_STRING_get0_data(claimed), (size_t)ASN1_STRING_length(claimed)));
}

enum error_code signer_verify(CMS_SignerInfo *info, X509 *certificate, struct bytes content, struct error *e)
{
    if (!digest_matches(info, content))
        return error_set_openssl(e, ERR_SIGNATURE_BAD, "messageDigest is not the digest of the content");
    CMS_SignerInfo_set1_signer_cert(info, certificate);
    return CMS_SignerInfo_verify(info) == 1
               ? ERR_OK
               : error_set_openssl(e, ERR_SIGNATURE_BAD,
                                   "the signature over the signed attributes does not verify");
}
