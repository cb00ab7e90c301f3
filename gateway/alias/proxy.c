/* proxy.c: the signers that may enrol on behalf of devices (proxy.h). */
#include "alias/proxy.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "alias/issuers.h"
#include "base/cleanup.h"
#include "base/codec.h"

struct proxy_signers {
    STACK_OF(X509) *issuers;
    uint8_t (*fingerprints)[SHA256_DIGEST_LENGTH];
    size_t fingerprint_count;
};

static enum error_code read_fingerprint(uint8_t out[SHA256_DIGEST_LENGTH], const char *text, struct error *e)
{
    CLEANUP(buffer) struct buffer digits = {0};
    buffer_init(&digits, SHA256_DIGEST_LENGTH);
    if (!codec_unhex(&digits, text) || digits.failed || digits.len != SHA256_DIGEST_LENGTH)
        return error_set(
            e, ERR_SETTINGS_INVALID,
            "proxy_signers.fingerprints: \"%.100s\" is not the SHA-256 of a certificate in 64 hex digits",
            text);
    memcpy(out, digits.data, SHA256_DIGEST_LENGTH);
    return ERR_OK;
}

static enum error_code fill(struct proxy_signers *p, const struct proxy_signer_settings *s, struct error *e)
{
    p->issuers = sk_X509_new_null();
    p->fingerprints = calloc(s->fingerprints.count + 1, sizeof *p->fingerprints);
    if (!p->issuers || !p->fingerprints)
        return error_set(e, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; i < s->issuers.count; i++) {
        enum error_code code = issuers_read(p->issuers, s->issuers.items[i], "proxy_signers.issuers", e);
        if (code != ERR_OK)
            return code;
    }
    for (; p->fingerprint_count < s->fingerprints.count; p->fingerprint_count++) {
        enum error_code code = read_fingerprint(p->fingerprints[p->fingerprint_count],
                                                s->fingerprints.items[p->fingerprint_count], e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum error_code proxy_signers_create(struct proxy_signers **out, const struct proxy_signer_settings *s,
                                     struct error *e)
{
    *out = NULL;
    if (s->issuers.count == 0 && s->fingerprints.count == 0)
        return ERR_OK;
    struct proxy_signers *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(e, ERR_INTERNAL, "out of memory");
    enum error_code code = fill(p, s, e);
    if (code == ERR_OK)
        *out = p;
    else
        proxy_signers_free(p);
    return code;
}

void proxy_signers_free(struct proxy_signers *p)
{
    if (!p)
        return;
    sk_X509_pop_free(p->issuers, X509_free);
    free(p->fingerprints);
    free(p);
}

static bool named(const struct proxy_signers *p, X509 *signer)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (p->fingerprint_count == 0 || X509_digest(signer, EVP_sha256(), hash, NULL) != 1)
        return false;
    for (size_t i = 0; i < p->fingerprint_count; i++)
        if (memcmp(p->fingerprints[i], hash, SHA256_DIGEST_LENGTH) == 0)
            return true;
    return false;
}

static bool valid_at(X509 *signer, int64_t now)
{
    time_t when = (time_t)(now / 1000);
    return X509_cmp_time(X509_get0_notBefore(signer), &when) < 0 &&
           X509_cmp_time(X509_get0_notAfter(signer), &when) > 0;
}

bool proxy_signers_allow(const struct proxy_signers *p, X509 *signer, int64_t now)
{
    return p && signer && (named(p, signer) || (valid_at(signer, now) && issuers_find(p->issuers, signer)));
}
