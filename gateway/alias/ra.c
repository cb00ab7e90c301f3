/* ra.c: sets of RA identities, tested when they are put together (ra.h). */
#include "alias/ra.h"

#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* ---- one key pair -------------------------------------------------------------------------------------- */

static bool signs(EVP_PKEY *private, EVP_PKEY *public)
{
    static const uint8_t sample[] = "a sample to sign";
    CLEANUP(EVP_MD_CTX) EVP_MD_CTX *sign = EVP_MD_CTX_new();
    CLEANUP(EVP_MD_CTX) EVP_MD_CTX *verify = EVP_MD_CTX_new();
    size_t len = (size_t)EVP_PKEY_get_size(private);
    CLEANUP(memory) uint8_t *signature = malloc(len);
    return sign && verify && signature &&
           EVP_DigestSignInit_ex(sign, NULL, "SHA256", NULL, NULL, private, NULL) == 1 &&
           EVP_DigestSign(sign, signature, &len, sample, sizeof sample) == 1 &&
           EVP_DigestVerifyInit_ex(verify, NULL, "SHA256", NULL, NULL, public, NULL) == 1 &&
           EVP_DigestVerify(verify, signature, len, sample, sizeof sample) == 1;
}

static bool decrypts(EVP_PKEY *private, EVP_PKEY *public)
{
    static const uint8_t sample[] = "a content key";
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *encrypt = EVP_PKEY_CTX_new(public, NULL);
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *decrypt = EVP_PKEY_CTX_new(private, NULL);
    size_t len = (size_t)EVP_PKEY_get_size(public), opened_len = len;
    CLEANUP(memory) uint8_t *hidden = malloc(len);
    CLEANUP(memory) uint8_t *opened = malloc(len);
    return encrypt && decrypt && hidden && opened && EVP_PKEY_encrypt_init(encrypt) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(encrypt, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_encrypt(encrypt, hidden, &len, sample, sizeof sample) == 1 &&
           EVP_PKEY_decrypt_init(decrypt) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(decrypt, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_decrypt(decrypt, opened, &opened_len, hidden, len) == 1 && opened_len == sizeof sample &&
           memcmp(opened, sample, sizeof sample) == 0;
}

struct role {
    uint32_t usage; /* bit of keyUsage that it needs */
    const char *usage_name, *verb;
    bool (*works)(EVP_PKEY *private, EVP_PKEY *public);
};

static const struct role opener = {KU_KEY_ENCIPHERMENT, "keyEncipherment", "decrypt", decrypts},
                         signer = {KU_DIGITAL_SIGNATURE, "digitalSignature", "sign", signs};

static enum error_code test_pair(const struct scep_recipient *r, struct error *e)
{
    EVP_PKEY *public = X509_get0_pubkey(r->certificate);
    if (!public || EVP_PKEY_get_base_id(public) != EVP_PKEY_RSA)
        return error_set_openssl(e, ERR_KEY_UNUSABLE,
                                 "an RA needs an RSA key: SCEP clients encrypt to it; make one with RSA");
    if (X509_check_private_key(r->certificate, r->key) != 1)
        return error_set_openssl(e, ERR_KEY_UNUSABLE,
                                 "the RA certificate and the RA key do not belong together");
    return ERR_OK;
}

static enum error_code test_role(const struct scep_recipient *r, const struct role *role, struct error *e)
{
    /* A certificate without keyUsage allows everything (X509_get_key_usage gives all bits then). */
    if (!(X509_get_key_usage(r->certificate) & role->usage))
        return error_set(e, ERR_KEY_UNUSABLE,
                         "the RA certificate's keyUsage lacks %s, without which clients do not use it (RFC "
                         "8894 section 2.1.2); have it issued with digitalSignature and keyEncipherment, or "
                         "bring one for each",
                         role->usage_name);
    if (!role->works(r->key, X509_get0_pubkey(r->certificate)))
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "the RA key failed its self-test: it cannot %s",
                                 role->verb);
    return ERR_OK;
}

enum error_code ra_pair_check(const struct scep_recipient *pair, unsigned roles, struct error *e)
{
    enum error_code code = test_pair(pair, e);
    if (code == ERR_OK && roles & RA_OPENS)
        code = test_role(pair, &opener, e);
    return code == ERR_OK && roles & RA_SIGNS ? test_role(pair, &signer, e) : code;
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm parts;
    return ASN1_TIME_to_tm(t, &parts) ? (int64_t)timegm(&parts) * 1000 : 0;
}

/* ---- sets ---------------------------------------------------------------------------------------------- */

static struct scep_recipient reference(const struct scep_recipient *r)
{
    X509_up_ref(r->certificate);
    EVP_PKEY_up_ref(r->key);
    return *r;
}

static enum error_code take_identities(struct ra_set *s, const struct ra_parts *parts, struct error *e)
{
    enum error_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < parts->count; i++) {
        s->identities[i] = reference(&parts->identities[i]);
        s->signers[i] = reference(parts->signers ? &parts->signers[i] : &parts->identities[i]);
        s->count++;
        bool apart = s->signers[i].key != s->identities[i].key;
        code = ra_pair_check(&s->identities[i], apart ? RA_OPENS : RA_BOTH, e);
        if (code == ERR_OK && apart)
            code = ra_pair_check(&s->signers[i], RA_SIGNS, e);
    }
    return code;
}

static void note_life(struct ra_set *s, const X509 *x)
{
    int64_t end = time_of(X509_get0_notAfter(x));
    int64_t renewal = ra_renewal_time(time_of(X509_get0_notBefore(x)), end);
    if (!s->not_after || end < s->not_after)
        s->not_after = end;
    if (!s->renewal || renewal < s->renewal)
        s->renewal = renewal;
}

static enum error_code describe(struct ra_set *s, const struct ra_parts *parts, struct error *e)
{
    X509 *opens = s->identities[0].certificate, *replies = s->signers[0].certificate;
    note_life(s, opens);
    note_life(s, replies);
    if (X509_digest(opens, EVP_sha256(), s->current_sha256, NULL) != 1)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "the RA certificate cannot be encoded");
    const struct ca_body_order order = {.opener = opens,
                                        .signer = replies,
                                        .chain = parts->chain,
                                        .chain_count = parts->chain_count,
                                        .root = parts->root_in_body};
    return ca_body_make(&s->ca, &order, e);
}

enum error_code ra_set_create(struct ra_set **out, const struct ra_parts *parts, struct error *e)
{
    *out = NULL;
    if (parts->count == 0 || parts->count > SCEP_RECIPIENTS_MAX)
        return error_set(e, ERR_KEY_UNUSABLE, "an RA has 1 to %d identities, not %zu", SCEP_RECIPIENTS_MAX,
                         parts->count);
    struct ra_set *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(e, ERR_INTERNAL, "out of memory");
    s->references = 1;
    enum error_code code = take_identities(s, parts, e);
    if (code == ERR_OK)
        code = describe(s, parts, e);
    if (code == ERR_OK)
        *out = s;
    else
        ra_set_unref(s);
    return code;
}

static void ra_next_free(struct ra_next *n)
{
    if (!n)
        return;
    ra_set_unref(n->after);
    free((void *)(uintptr_t)n->issuer.data);
    free((void *)(uintptr_t)n->announcement.data);
    free(n);
}

struct ra_set *ra_set_ref(struct ra_set *s)
{
    __atomic_fetch_add(&s->references, 1, __ATOMIC_RELAXED);
    return s;
}

void ra_set_unref(struct ra_set *s)
{
    if (!s || __atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < s->count; i++) {
        X509_free(s->identities[i].certificate);
        EVP_PKEY_free(s->identities[i].key);
        X509_free(s->signers[i].certificate);
        EVP_PKEY_free(s->signers[i].key);
    }
    ca_body_free(&s->ca);
    ra_next_free(s->next);
    free(s);
}

bool ra_set_opens_with(const struct ra_set *s, struct bytes certificate)
{
    const unsigned char *at = certificate.data;
    CLEANUP(X509) X509 *wanted = d2i_X509(NULL, &at, (long)certificate.len);
    bool found = false;
    for (size_t i = 0; wanted && !found && i < s->count; i++)
        found = X509_cmp(s->identities[i].certificate, wanted) == 0;
    return found;
}
