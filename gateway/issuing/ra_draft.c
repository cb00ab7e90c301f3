/* ra_draft.c: keys and requests of RA identities (ra_draft.h). */
#include "issuing/ra_draft.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "backends/local_ca/name.h"
#include "base/cleanup.h"
#include "scep/client.h"

#define DER_MAX   (64 * 1024)
#define NAME_MARK "{alias}"

static enum error_code make_key(struct ra_draft *d, struct error *e)
{
    d->key = EVP_RSA_gen((unsigned)d->settings->ra.key_bits);
    if (!d->key)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "an RSA key of %d bits cannot be made",
                                 d->settings->ra.key_bits);
    unsigned char *plain = NULL;
    int len = i2d_PrivateKey(d->key, &plain);
    if (len <= 0)
        return error_set_openssl(e, ERR_INTERNAL, "the new RA key cannot be encoded");
    char id[RA_RECORD_ID_SIZE];
    enum error_code code = keys_seal(d->keys, SEAL_RA_KEY, d->settings->name, ra_record_id(id, d->generation),
                                     bytes_of(plain, (size_t)len), &d->sealed_key, e);
    OPENSSL_clear_free(plain, (size_t)len);
    if (code == ERR_OK && d->sealed_key.failed)
        code = error_set(e, ERR_INTERNAL, "out of memory");
    return code;
}

static enum error_code unseal_key(struct ra_draft *d, struct error *e)
{
    struct ra_record record = {
        .alias = d->settings->name, .generation = d->generation, .sealed_key = d->stored_key};
    buffer_append(&d->sealed_key, d->stored_key.data, d->stored_key.len);
    return ra_unseal_key(&d->key, &record, d->keys, e);
}

/* "CN=SCEP RA {alias}": a name is [A-Za-z0-9._-], so nothing of it needs an escape. */
static X509_NAME *subject_of(const struct alias_settings *s, struct error *e)
{
    CLEANUP(buffer) struct buffer text = {0};
    buffer_init(&text, 4096);
    const char *at = *s->ra.subject ? s->ra.subject : "CN=scepgate RA " NAME_MARK;
    for (const char *mark; (mark = strstr(at, NAME_MARK)); at = mark + strlen(NAME_MARK)) {
        buffer_append(&text, at, (size_t)(mark - at));
        buffer_text(&text, s->name);
    }
    buffer_text(&text, at);
    char sentence[256] = "out of memory";
    struct problem problem = {.text = sentence, .size = sizeof sentence};
    X509_NAME *name = text.failed ? NULL : name_from_text((const char *)text.data, &problem);
    if (!name)
        error_set(e, ERR_SETTINGS_INVALID, "ra.subject: %s", sentence);
    return name;
}

static enum error_code make_request(struct ra_draft *d, struct error *e)
{
    CLEANUP(X509_NAME) X509_NAME *name = subject_of(d->settings, e);
    if (!name)
        return ERR_SETTINGS_INVALID;
    enum error_code code = scep_client_csr(&d->csr, d->key, name, bytes_of(NULL, 0), NULL, e);
    if (code != ERR_OK)
        return code;
    unsigned char *subject = NULL, *spki = NULL;
    int subject_len = i2d_X509_NAME(name, &subject), spki_len = i2d_PUBKEY(d->key, &spki);
    if (subject_len > 0 && spki_len > 0) {
        buffer_append(&d->subject, subject, (size_t)subject_len);
        buffer_append(&d->spki, spki, (size_t)spki_len);
    }
    OPENSSL_free(subject);
    OPENSSL_free(spki);
    bool made = subject_len > 0 && spki_len > 0 && !d->csr.failed && !d->subject.failed && !d->spki.failed;
    return made ? ERR_OK : error_set_openssl(e, ERR_INTERNAL, "the RA's request cannot be made");
}

enum error_code ra_draft_make(struct ra_draft *d, struct error *e)
{
    buffer_init(&d->sealed_key, DER_MAX);
    buffer_init(&d->csr, DER_MAX);
    buffer_init(&d->subject, DER_MAX);
    buffer_init(&d->spki, DER_MAX);
    enum error_code code = d->stored_key.len ? unseal_key(d, e) : make_key(d, e);
    return code == ERR_OK ? make_request(d, e) : code;
}

void ra_draft_clear(struct ra_draft *d)
{
    EVP_PKEY_free(d->key);
    buffer_free(&d->sealed_key);
    buffer_free(&d->csr);
    buffer_free(&d->subject);
    buffer_free(&d->spki);
    *d = (struct ra_draft){0};
}

enum error_code ra_draft_check(const struct ra_draft *d, const struct bytes *chain, size_t count,
                               struct error *e)
{
    const struct ra_record made = {.chain = {chain[0]}, .chain_count = 1};
    unsigned roles = ra_record_roles(&made);
    if (roles == RA_BOTH && d->roles != RA_BOTH)
        return error_set(e, ERR_BACKEND_BROKEN,
                         "the backend certifies the RA for both uses or for none; set ra.separate_signing to "
                         "false");
    const unsigned char *at = chain[0].data;
    CLEANUP(X509) X509 *certificate = d2i_X509(NULL, &at, (long)chain[0].len);
    if (!certificate || !roles)
        return error_set_openssl(e, ERR_BACKEND_BROKEN,
                                 "the backend's certificate for the RA cannot be read or used");
    const struct scep_recipient pair = {.certificate = certificate, .key = d->key};
    enum error_code code = ra_pair_check(&pair, d->roles == RA_BOTH ? RA_BOTH : roles, e);
    if (code != ERR_OK)
        return code;
    const struct ca_body_order order = {
        .opener = certificate, .signer = certificate, .chain = chain + 1, .chain_count = count - 1};
    struct ca_body body;
    code = ca_body_make(&body, &order, e);
    ca_body_free(&body);
    return code;
}
