/* key_facts.c: kind, size and curve of a public key. */
#include "scep/key_facts.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>

#include "base/cleanup.h"
#include "scep/ber.h"

static const struct kind_row {
    int type;
    enum key_kind kind;
} kinds[] = {
    {EVP_PKEY_RSA, KEY_RSA},
    {EVP_PKEY_EC, KEY_EC},
    {EVP_PKEY_ED25519, KEY_ED25519},
    {EVP_PKEY_ED448, KEY_ED448},
    {EVP_PKEY_DSA, KEY_DSA},
    {EVP_PKEY_RSA_PSS, KEY_RSA_PSS}, /* may only sign with PSS, and not encrypt */
};

static enum key_kind kind_of(EVP_PKEY *key)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (EVP_PKEY_get_base_id(key) == kinds[i].type)
            return kinds[i].kind;
    return KEY_OTHER;
}

static const char *curve_of(EVP_PKEY *key)
{
    char name[64];
    if (!EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name, NULL))
        return NULL;
    int nid = OBJ_txt2nid(name);
    const char *nist = EC_curve_nid2nist(nid);
    if (nist)
        return nist;
    return nid == NID_undef ? NULL : OBJ_nid2sn(nid);
}

struct key_facts key_facts_of(EVP_PKEY *key)
{
    struct key_facts facts = {.kind = kind_of(key), .bits = EVP_PKEY_get_bits(key)};
    if (facts.kind == KEY_EC)
        facts.curve = curve_of(key);
    return facts;
}

const char *key_kind_name(enum key_kind kind)
{
    static const char *const names[] = {
        [KEY_OTHER] = "other", [KEY_RSA] = "rsa", [KEY_EC] = "ec",           [KEY_ED25519] = "ed25519",
        [KEY_ED448] = "ed448", [KEY_DSA] = "dsa", [KEY_RSA_PSS] = "rsa-pss",
    };
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "other";
}

bool key_parameters_are_named(struct bytes spki)
{
    static const uint8_t ec_public_key[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
    struct ber outer, algorithm, oid, parameters;
    if (!ber_take(&spki, BER_SEQUENCE, &outer) || !ber_take(&outer.content, BER_SEQUENCE, &algorithm) ||
        !ber_take(&algorithm.content, BER_OID, &oid))
        return false;
    return !bytes_equal(oid.content, bytes_of(ec_public_key, sizeof ec_public_key)) ||
           ber_take(&algorithm.content, BER_OID, &parameters);
}

bool key_is_affordable(EVP_PKEY *key, int max_bits)
{
    int type = EVP_PKEY_get_base_id(key);
    if (type == EVP_PKEY_DSA)
        return EVP_PKEY_get_bits(key) <= max_bits;
    if (type != EVP_PKEY_RSA && type != EVP_PKEY_RSA_PSS)
        return true;
    CLEANUP(BIGNUM) BIGNUM *exponent = NULL;
    return EVP_PKEY_get_bits(key) <= max_bits &&
           EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) &&
           BN_num_bits(exponent) <= RSA_EXPONENT_BITS_MAX;
}
