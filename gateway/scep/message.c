/* message.c: look-ups in the vocabulary of RFC 8894. */
#include "scep/message.h"

#include <openssl/obj_mac.h>

/* The names are also the ones OpenSSL fetches by. */
struct algorithm {
    uint32_t bit;
    int nid;
    const char *name;
};

static const struct algorithm ciphers[] = {
    {SCEP_CIPHER_AES128, NID_aes_128_cbc, "aes-128-cbc"},
    {SCEP_CIPHER_AES192, NID_aes_192_cbc, "aes-192-cbc"},
    {SCEP_CIPHER_AES256, NID_aes_256_cbc, "aes-256-cbc"},
    {SCEP_CIPHER_DES3, NID_des_ede3_cbc, "des-ede3-cbc"},
    {SCEP_CIPHER_DES, NID_des_cbc, "des-cbc"},
    {0, NID_undef, NULL},
};

static const struct algorithm digests[] = {
    {SCEP_DIGEST_SHA1, NID_sha1, "sha-1"},
    {SCEP_DIGEST_SHA224, NID_sha224, "sha-224"},
    {SCEP_DIGEST_SHA256, NID_sha256, "sha-256"},
    {SCEP_DIGEST_SHA384, NID_sha384, "sha-384"},
    {SCEP_DIGEST_SHA512, NID_sha512, "sha-512"},
    {SCEP_DIGEST_MD5, NID_md5, "md5"},
    {0, NID_undef, NULL},
};

/* Both end on the closing row, whose members all mean "none". */
static const struct algorithm *by_bit(const struct algorithm *row, uint32_t bit)
{
    while (row->bit && row->bit != bit)
        row++;
    return row;
}

static const struct algorithm *by_nid(const struct algorithm *row, int nid)
{
    while (row->bit && row->nid != nid)
        row++;
    return row;
}

const char *scep_cipher_name(enum scep_cipher c)
{
    return by_bit(ciphers, c)->name;
}

const char *scep_digest_name(enum scep_digest d)
{
    return by_bit(digests, d)->name;
}

int scep_cipher_nid(enum scep_cipher c)
{
    return by_bit(ciphers, c)->nid;
}

int scep_digest_nid(enum scep_digest d)
{
    return by_bit(digests, d)->nid;
}

enum scep_cipher scep_cipher_of_nid(int nid)
{
    return by_nid(ciphers, nid)->bit;
}

enum scep_digest scep_digest_of_nid(int nid)
{
    return by_nid(digests, nid)->bit;
}

const char *scep_message_type_name(int type)
{
    switch (type) {
    case SCEP_CERT_REP:
        return "CertRep";
    case SCEP_RENEWAL_REQ:
        return "RenewalReq";
    case SCEP_UPDATE_REQ:
        return "UpdateReq";
    case SCEP_PKCS_REQ:
        return "PKCSReq";
    case SCEP_CERT_POLL:
        return "CertPoll";
    case SCEP_GET_CERT:
        return "GetCert";
    case SCEP_GET_CRL:
        return "GetCRL";
    default:
        return "unknown";
    }
}
