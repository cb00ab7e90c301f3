/* ra_load.c: RA identities out of PEM and out of the store (ra.h). */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "alias/ra.h"
#include "base/cleanup.h"

#define PEM_FILE_MAX (64 * 1024)

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

/* ---- from PEM: one certificate and its key ------------------------------------------------------------- */

struct loaded_pair {
    STACK_OF(X509) *certificates; /* the pair's own first, its chain behind */
    EVP_PKEY *key;
};

static void pair_clear(struct loaded_pair *p)
{
    sk_X509_pop_free(p->certificates, X509_free);
    EVP_PKEY_free(p->key);
}

static enum error_code load_pair(struct loaded_pair *out, const struct ra_pem *pem, struct error *e)
{
    enum error_code code =
        read_pem_certificates(&out->certificates, pem->certificate, pem->certificate_name, e);
    if (code != ERR_OK)
        return code;
    CLEANUP(BIO) BIO *text = BIO_new_mem_buf(pem->key.data, (int)pem->key.len);
    out->key = text ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL) : NULL;
    return out->key ? ERR_OK
                    : error_set_openssl(e, ERR_KEY_UNUSABLE,
                                        "%s is not a PEM private key without a passphrase", pem->key_name);
}

static struct scep_recipient recipient_of(const struct loaded_pair *p)
{
    return (struct scep_recipient){.certificate = sk_X509_value(p->certificates, 0), .key = p->key};
}

/* ---- from PEM: the set --------------------------------------------------------------------------------- */

struct joined {
    struct bytes chain[CA_CHAIN_MAX];
    size_t count, owned; /* the first ones were encoded here */
};

static void joined_clear(struct joined *j)
{
    for (size_t i = 0; i < j->owned; i++)
        OPENSSL_free((void *)(uintptr_t)j->chain[i].data);
}

/* The PEM's own chain, encoded, in front of the CA's. */
static enum error_code join_own(struct joined *j, const struct loaded_pair *p, struct error *e)
{
    for (int i = 1; i < sk_X509_num(p->certificates); i++) {
        unsigned char *encoded = NULL;
        int len = j->count < CA_CHAIN_MAX ? i2d_X509(sk_X509_value(p->certificates, i), &encoded) : 0;
        if (len <= 0)
            return error_set_openssl(e, ERR_KEY_UNUSABLE,
                                     "the chain behind the RA certificate is too long or unusable");
        j->chain[j->count++] = bytes_of(encoded, (size_t)len);
        j->owned = j->count;
    }
    return ERR_OK;
}

static void join_given(struct joined *j, const struct ra_given *given)
{
    for (size_t i = 0; i < given->chain_count && j->count < CA_CHAIN_MAX; i++)
        j->chain[j->count++] = given->chain[i];
}

static enum error_code set_of_pairs(struct ra_set **out, const struct loaded_pair *opens,
                                    const struct loaded_pair *signs, const struct ra_given *given,
                                    struct error *e)
{
    struct joined j = {0};
    enum error_code code = join_own(&j, opens, e);
    if (code == ERR_OK && signs)
        code = join_own(&j, signs, e);
    join_given(&j, given);
    struct scep_recipient opener = recipient_of(opens), signer = recipient_of(signs ? signs : opens);
    const struct ra_parts parts = {.identities = &opener,
                                   .signers = &signer,
                                   .count = 1,
                                   .chain = j.chain,
                                   .chain_count = j.count,
                                   .root_in_body = given->root_in_body};
    if (code == ERR_OK)
        code = ra_set_create(out, &parts, e);
    joined_clear(&j);
    return code;
}

enum error_code ra_from_pem(struct ra_set **out, const struct ra_pem *opens, const struct ra_pem *signs,
                            const struct ra_given *given, struct error *e)
{
    *out = NULL;
    struct loaded_pair opener = {0}, signer = {0};
    enum error_code code = load_pair(&opener, opens, e);
    if (code == ERR_OK && signs)
        code = load_pair(&signer, signs, e);
    if (code == ERR_OK)
        code = set_of_pairs(out, &opener, signs ? &signer : NULL, given, e);
    pair_clear(&opener);
    pair_clear(&signer);
    return code;
}

/* ---- from files ---------------------------------------------------------------------------------------- */

struct pem_files {
    struct secret certificate, key;
};

static void pem_files_clear(struct pem_files *f)
{
    secret_free(&f->certificate);
    secret_free(&f->key);
}

static enum error_code read_files(struct ra_pem *out, struct pem_files *kept, const struct ra_files *from,
                                  struct error *e)
{
    enum error_code code = secret_from_file(&kept->certificate, from->certificate, PEM_FILE_MAX, e);
    if (code == ERR_OK)
        code = secret_from_file(&kept->key, from->key, PEM_FILE_MAX, e);
    *out = (struct ra_pem){.certificate = bytes_of(kept->certificate.data, kept->certificate.len),
                           .certificate_name = from->certificate,
                           .key = bytes_of(kept->key.data, kept->key.len),
                           .key_name = from->key};
    return code;
}

enum error_code ra_from_files(struct ra_set **out, const struct ra_files *opens, const struct ra_files *signs,
                              const struct ra_given *given, struct error *e)
{
    *out = NULL;
    struct pem_files first = {0}, second = {0};
    struct ra_pem opener, signer;
    enum error_code code = read_files(&opener, &first, opens, e);
    if (code == ERR_OK && signs)
        code = read_files(&signer, &second, signs, e);
    if (code == ERR_OK)
        code = ra_from_pem(out, &opener, signs ? &signer : NULL, given, e);
    pem_files_clear(&first);
    pem_files_clear(&second);
    return code;
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

unsigned ra_record_roles(const struct ra_record *r)
{
    const unsigned char *at = r->chain_count > 0 ? r->chain[0].data : NULL;
    CLEANUP(X509) X509 *x = at ? d2i_X509(NULL, &at, (long)r->chain[0].len) : NULL;
    uint32_t usage = x ? X509_get_key_usage(x) : 0;
    ERR_clear_error();
    return (usage & KU_KEY_ENCIPHERMENT ? RA_OPENS : 0u) | (usage & KU_DIGITAL_SIGNATURE ? RA_SIGNS : 0u);
}

struct stored_pair {
    struct scep_recipient pair;
    unsigned roles;
    const struct ra_record *record;
};

struct stored_pairs {
    struct stored_pair items[RA_RECORDS_MAX]; /* newest first */
    size_t count;
};

static void stored_clear(struct stored_pairs *s)
{
    for (size_t i = 0; i < s->count; i++) {
        X509_free(s->items[i].pair.certificate);
        EVP_PKEY_free(s->items[i].pair.key);
    }
}

/* An older one that cannot be read any more is left out; the newest of its role is an error. */
static enum error_code load_records(struct stored_pairs *out, const struct ra_record *records, size_t count,
                                    const struct keys *keys, struct error *e)
{
    unsigned seen = 0;
    for (size_t i = 0; i < count && out->count < RA_RECORDS_MAX; i++) {
        if (records[i].chain_count == 0)
            continue;
        struct stored_pair *slot = &out->items[out->count];
        slot->roles = ra_record_roles(&records[i]);
        slot->record = &records[i];
        bool newest = slot->roles ? slot->roles & ~seen : !seen;
        enum error_code code = load_identity(&slot->pair, &records[i], keys, newest ? e : NULL);
        if (code == ERR_OK)
            out->count++;
        else
            EVP_PKEY_free(TAKE(slot->pair.key));
        if (code != ERR_OK && newest)
            return code;
        seen |= slot->roles;
    }
    return ERR_OK;
}

/* Itself, the one that was made next to sign, or the newest there is. */
static const struct stored_pair *signer_for(const struct stored_pairs *s, const struct stored_pair *opener)
{
    if (opener->roles & RA_SIGNS)
        return opener;
    const struct stored_pair *found = NULL;
    for (const struct stored_pair *p = s->items; p < s->items + s->count; p++)
        if (p->roles & RA_SIGNS && (!found || p->record->generation > opener->record->generation))
            found = p;
    return found;
}

enum error_code ra_from_records(struct ra_set **out, const struct ra_record *records, size_t count,
                                const struct keys *keys, bool root_in_body, struct error *e)
{
    struct scep_recipient openers[SCEP_RECIPIENTS_MAX], signers[SCEP_RECIPIENTS_MAX];
    struct ra_parts parts = {.identities = openers, .signers = signers, .root_in_body = root_in_body};
    struct stored_pairs s = {0};
    *out = NULL;
    enum error_code code = load_records(&s, records, count, keys, e);
    for (size_t i = 0; code == ERR_OK && i < s.count && parts.count < SCEP_RECIPIENTS_MAX; i++) {
        const struct stored_pair *signer = signer_for(&s, &s.items[i]);
        if (!(s.items[i].roles & RA_OPENS) || !signer)
            continue;
        if (parts.count == 0) {
            parts.chain = s.items[i].record->chain + 1;
            parts.chain_count = s.items[i].record->chain_count - 1;
        }
        openers[parts.count] = s.items[i].pair;
        signers[parts.count++] = signer->pair;
    }
    if (code == ERR_OK && parts.count > 0)
        code = ra_set_create(out, &parts, e);
    stored_clear(&s);
    return code;
}
