/* ra.c: RA identities: tested when loaded, and the GetCACert body that goes with them (ra.h). */
#include "alias/ra.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "scep/chain.h"

#define BODY_MAX     (256 * 1024)
#define PEM_FILE_MAX (64 * 1024)
#define BAG_MAX      (SCEP_RECIPIENTS_MAX + 16)

static const char single_type[] = "application/x-x509-ca-cert"; /* RFC 8894 section 4.2.1.1 */
static const char bag_type[] = "application/x-x509-ca-ra-cert"; /* section 4.2.1.2 */

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

static enum error_code test_pair(const struct scep_recipient *r, struct error *e)
{
    EVP_PKEY *public = X509_get0_pubkey(r->certificate);
    if (!public || EVP_PKEY_get_base_id(public) != EVP_PKEY_RSA)
        return error_set_openssl(e, ERR_KEY_UNUSABLE,
                                 "an RA needs an RSA key: SCEP clients encrypt to it; make one with RSA");
    if (X509_check_private_key(r->certificate, r->key) != 1)
        return error_set_openssl(e, ERR_KEY_UNUSABLE,
                                 "the RA certificate and the RA key do not belong together");
    /* A certificate without keyUsage allows everything (X509_get_key_usage gives all bits then). */
    uint32_t usage = X509_get_key_usage(r->certificate);
    if (!(usage & KU_DIGITAL_SIGNATURE) || !(usage & KU_KEY_ENCIPHERMENT))
        return error_set(e, ERR_KEY_UNUSABLE,
                         "the RA certificate's keyUsage lacks %s, without which clients do not use it (RFC "
                         "8894 section 2.1.2); "
                         "have it issued with digitalSignature and keyEncipherment",
                         usage & KU_DIGITAL_SIGNATURE ? "keyEncipherment" : "digitalSignature");
    if (!signs(r->key, public) || !decrypts(r->key, public))
        return error_set_openssl(e, ERR_KEY_UNUSABLE,
                                 "the RA key failed its self-test: it cannot sign or decrypt");
    return ERR_OK;
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm parts;
    return ASN1_TIME_to_tm(t, &parts) ? (int64_t)timegm(&parts) * 1000 : 0;
}

/* ---- the GetCACert body -------------------------------------------------------------------------------- */

static bool self_issued(X509 *x)
{
    return X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
}

static enum error_code parse_chain(STACK_OF(X509) **out, const struct bytes *chain, size_t count,
                                   struct error *e)
{
    CLEANUP(x509_stack) STACK_OF(X509) *stack = sk_X509_new_null();
    for (size_t i = 0; stack && i < count; i++) {
        const unsigned char *at = chain[i].data;
        X509 *x = d2i_X509(NULL, &at, (long)chain[i].len);
        if (!x || !sk_X509_push(stack, x)) {
            X509_free(x);
            return error_set_openssl(e, ERR_KEY_UNUSABLE, "certificate %zu of the CA's chain cannot be read",
                                     i + 1);
        }
    }
    *out = TAKE(stack);
    return *out ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
}

static X509 *issuer_in(STACK_OF(X509) *chain, X509 *subject)
{
    X509 *found = NULL;
    for (int i = 0; !found && i < sk_X509_num(chain); i++) {
        X509 *candidate = sk_X509_value(chain, i);
        if (X509_check_issued(candidate, subject) == X509_V_OK &&
            X509_verify(subject, X509_get0_pubkey(candidate)) == 1)
            found = candidate;
    }
    ERR_clear_error();
    return found;
}

static bool in_bag(const struct bytes *bag, size_t count, struct bytes der)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(bag[i], der))
            return true;
    return false;
}

/* RA first, then the chain as given, each once (checklist D-09). A root may be left out, but never the RA's
 * own issuer. */
static size_t fill_bag(struct bytes *bag, struct bytes ra, const struct bytes *chain, STACK_OF(X509) *parsed,
                       X509 *issuer, bool root_in_body)
{
    size_t count = 0;
    bag[count++] = ra;
    for (int i = 0; i < sk_X509_num(parsed) && count < BAG_MAX; i++) {
        X509 *x = sk_X509_value(parsed, i);
        if ((root_in_body || !self_issued(x) || x == issuer) && !in_bag(bag, count, chain[i]))
            bag[count++] = chain[i];
    }
    return count;
}

static enum error_code write_body(struct ra_set *s, const struct bytes *bag, size_t count, struct error *e)
{
    CLEANUP(buffer) struct buffer body = {0};
    buffer_init(&body, BODY_MAX);
    enum error_code code = ERR_OK;
    if (count == 1)
        buffer_append(&body, bag[0].data, bag[0].len);
    else
        code = scep_chain_write(&body, bag, count, e);
    if (code != ERR_OK)
        return code;
    if (body.failed)
        return error_set(e, ERR_KEY_UNUSABLE, "the CA's chain is too large to be sent to clients");
    s->ca_content_type = count == 1 ? single_type : bag_type;
    s->ca_body.data = (uint8_t *)buffer_take(&body, &s->ca_body.len);
    return s->ca_body.data ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
}

static bool set_pin(struct ra_set *s, X509 *pinned)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (X509_digest(pinned, EVP_sha256(), hash, NULL) != 1)
        return false;
    for (size_t i = 0; i < 32; i++)
        snprintf(s->ca_sha256 + 2 * i, 3, "%02x", hash[i]);
    return true;
}

/* What clients are told: who the RA is, who vouches for it, and which certificate to pin. */
static enum error_code describe(struct ra_set *s, const struct bytes *chain, size_t chain_count,
                                bool root_in_body, struct error *e)
{
    X509 *ra = s->identities[0].certificate;
    CLEANUP(x509_stack) STACK_OF(X509) *parsed = NULL;
    if (chain_count > BAG_MAX - 1)
        return error_set(e, ERR_KEY_UNUSABLE, "the CA's chain has %zu certificates, which is too many",
                         chain_count);
    enum error_code code = parse_chain(&parsed, chain, chain_count, e);
    if (code != ERR_OK)
        return code;
    bool is_ca = X509_check_ca(ra) > 0; /* CA-as-RA: clients pin the RA itself */
    X509 *issuer = issuer_in(parsed, ra);
    if (chain_count > 0 && !issuer && !self_issued(ra))
        return error_set(e, ERR_KEY_UNUSABLE,
                         "the RA certificate was issued by no CA of its chain, so clients would not trust "
                         "it; put its issuer's "
                         "certificate behind it");
    unsigned char *encoded = NULL;
    int len = i2d_X509(ra, &encoded);
    if (len <= 0 || !set_pin(s, is_ca || !issuer ? ra : issuer) ||
        X509_digest(ra, EVP_sha256(), s->current_sha256, NULL) != 1) {
        OPENSSL_free(encoded);
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "the RA certificate cannot be encoded");
    }
    struct bytes bag[BAG_MAX];
    size_t count =
        fill_bag(bag, bytes_of(encoded, (size_t)len), chain, parsed, is_ca ? NULL : issuer, root_in_body);
    code = write_body(s, bag, count, e);
    OPENSSL_free(encoded);
    return code;
}

/* ---- sets ---------------------------------------------------------------------------------------------- */

enum error_code ra_set_create(struct ra_set **out, const struct scep_recipient *identities, size_t count,
                              const struct bytes *chain, size_t chain_count, bool root_in_body,
                              struct error *e)
{
    *out = NULL;
    if (count == 0 || count > SCEP_RECIPIENTS_MAX)
        return error_set(e, ERR_KEY_UNUSABLE, "an RA has 1 to %d identities, not %zu", SCEP_RECIPIENTS_MAX,
                         count);
    struct ra_set *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(e, ERR_INTERNAL, "out of memory");
    s->references = 1;
    enum error_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        X509_up_ref(identities[i].certificate);
        EVP_PKEY_up_ref(identities[i].key);
        s->identities[s->count++] = identities[i];
        code = test_pair(&identities[i], e);
    }
    if (code == ERR_OK) {
        s->not_after = time_of(X509_get0_notAfter(s->identities[0].certificate));
        s->renewal =
            ra_renewal_time(time_of(X509_get0_notBefore(s->identities[0].certificate)), s->not_after);
        code = describe(s, chain, chain_count, root_in_body, e);
    }
    if (code == ERR_OK)
        *out = s;
    else
        ra_set_unref(s);
    return code;
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
    }
    free((void *)(uintptr_t)s->ca_body.data);
    free(s);
}

/* ---- from PEM ------------------------------------------------------------------------------------------ */

static int no_passphrase(char *out, int size, int for_writing, void *context)
{
    (void)out;
    (void)size;
    (void)for_writing;
    (void)context;
    return -1; /* never ask on the terminal */
}

static enum error_code read_pem_certificates(STACK_OF(X509) **out, struct bytes pem, const char *name,
                                             struct error *e)
{
    CLEANUP(BIO) BIO *text = BIO_new_mem_buf(pem.data, (int)pem.len);
    CLEANUP(x509_stack) STACK_OF(X509) *stack = sk_X509_new_null();
    while (text && stack) {
        X509 *x = PEM_read_bio_X509(text, NULL, NULL, NULL);
        if (!x)
            break;
        if (!sk_X509_push(stack, x)) {
            X509_free(x);
            return error_set(e, ERR_INTERNAL, "out of memory");
        }
    }
    bool at_the_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!at_the_end || sk_X509_num(stack) < 1)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "%s is not a PEM certificate with its chain", name);
    ERR_clear_error();
    *out = TAKE(stack);
    return ERR_OK;
}

/* The PEM's own chain, encoded, in front of the CA's. The caller frees the encoded ones. */
static enum error_code join_chains(struct bytes *joined, size_t *count, STACK_OF(X509) *own,
                                   const struct bytes *ca_chain, size_t ca_chain_count, struct error *e)
{
    for (int i = 1; i < sk_X509_num(own); i++) {
        unsigned char *encoded = NULL;
        int len = *count < BAG_MAX ? i2d_X509(sk_X509_value(own, i), &encoded) : 0;
        if (len <= 0)
            return error_set_openssl(e, ERR_KEY_UNUSABLE,
                                     "the chain behind the RA certificate is too long or unusable");
        joined[(*count)++] = bytes_of(encoded, (size_t)len);
    }
    for (size_t i = 0; i < ca_chain_count && *count < BAG_MAX; i++)
        joined[(*count)++] = ca_chain[i];
    return ERR_OK;
}

enum error_code ra_from_pem(struct ra_set **out, const struct ra_pem *pem, const struct bytes *ca_chain,
                            size_t ca_chain_count, bool root_in_body, struct error *e)
{
    *out = NULL;
    CLEANUP(x509_stack) STACK_OF(X509) *certificates = NULL;
    enum error_code code = read_pem_certificates(&certificates, pem->certificate, pem->certificate_name, e);
    if (code != ERR_OK)
        return code;
    CLEANUP(BIO) BIO *text = BIO_new_mem_buf(pem->key.data, (int)pem->key.len);
    CLEANUP(EVP_PKEY) EVP_PKEY *key = text ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL) : NULL;
    if (!key)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "%s is not a PEM private key without a passphrase",
                                 pem->key_name);
    struct bytes chain[BAG_MAX];
    size_t count = 0;
    struct scep_recipient identity = {.certificate = sk_X509_value(certificates, 0), .key = key};
    code = join_chains(chain, &count, certificates, ca_chain, ca_chain_count, e);
    if (code == ERR_OK)
        code = ra_set_create(out, &identity, 1, chain, count, root_in_body, e);
    for (size_t i = 0; i < count && (int)i < sk_X509_num(certificates) - 1; i++)
        OPENSSL_free((void *)(uintptr_t)chain[i].data);
    return code;
}

enum error_code ra_from_files(struct ra_set **out, const char *certificate, const char *key,
                              const struct bytes *ca_chain, size_t ca_chain_count, bool root_in_body,
                              struct error *e)
{
    *out = NULL;
    CLEANUP(secret) struct secret certificate_text = {0}, key_text = {0};
    enum error_code code = secret_from_file(&certificate_text, certificate, PEM_FILE_MAX, e);
    if (code == ERR_OK)
        code = secret_from_file(&key_text, key, PEM_FILE_MAX, e);
    if (code != ERR_OK)
        return code;
    struct ra_pem pem = {.certificate = bytes_of(certificate_text.data, certificate_text.len),
                         .certificate_name = certificate,
                         .key = bytes_of(key_text.data, key_text.len),
                         .key_name = key};
    return ra_from_pem(out, &pem, ca_chain, ca_chain_count, root_in_body, e);
}

/* ---- from the store ------------------------------------------------------------------------------------ */

enum error_code ra_unseal_key(EVP_PKEY **out, const struct ra_record *r, const struct keys *keys,
                              struct error *e)
{
    *out = NULL;
    char id[RA_RECORD_ID_SIZE];
    ra_record_id(id, r->generation);
    CLEANUP(secret) struct secret plain = {0};
    enum error_code code = keys_unseal(keys, SEAL_RA_KEY, r->alias, id, r->sealed_key, &plain, e);
    if (code != ERR_OK)
        return code;
    const unsigned char *at = plain.data;
    *out = d2i_AutoPrivateKey(NULL, &at, (long)plain.len);
    return *out ? ERR_OK : error_set_openssl(e, ERR_KEY_UNUSABLE, "the stored RA key %s cannot be read", id);
}

const char *ra_record_id(char out[RA_RECORD_ID_SIZE], int64_t generation)
{
    snprintf(out, RA_RECORD_ID_SIZE, "ra-%lld", (long long)generation);
    return out;
}

static enum error_code load_identity(struct scep_recipient *out, const struct ra_record *r,
                                     const struct keys *keys, struct error *e)
{
    const unsigned char *at = r->chain[0].data;
    enum error_code code = ra_unseal_key(&out->key, r, keys, e);
    if (code != ERR_OK)
        return code;
    out->certificate = d2i_X509(NULL, &at, (long)r->chain[0].len);
    return out->certificate ? ERR_OK
                            : error_set_openssl(e, ERR_KEY_UNUSABLE,
                                                "the stored RA certificate of generation %lld cannot be read",
                                                (long long)r->generation);
}

enum error_code ra_from_records(struct ra_set **out, const struct ra_record *records, size_t count,
                                const struct keys *keys, bool root_in_body, struct error *e)
{
    struct scep_recipient identities[SCEP_RECIPIENTS_MAX] = {0};
    const struct ra_record *current = NULL;
    enum error_code code = ERR_OK;
    size_t found = 0;
    *out = NULL;
    for (size_t i = 0; code == ERR_OK && i < count && found < SCEP_RECIPIENTS_MAX; i++) {
        if (records[i].chain_count == 0)
            continue;
        if (!current)
            current = &records[i];
        struct scep_recipient *slot = &identities[found];
        enum error_code loaded = load_identity(slot, &records[i], keys, current == &records[i] ? e : NULL);
        if (loaded == ERR_OK)
            found++;
        else
            EVP_PKEY_free(TAKE(slot->key));
        if (current == &records[i])
            code = loaded; /* an older one that cannot be read any more is left out */
    }
    if (code == ERR_OK && current)
        code = ra_set_create(out, identities, found, current->chain + 1, current->chain_count - 1,
                             root_in_body, e);
    for (size_t i = 0; i < found; i++) {
        X509_free(identities[i].certificate);
        EVP_PKEY_free(identities[i].key);
    }
    return code;
}
