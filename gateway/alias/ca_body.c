/* ca_body.c: see ca_body.h. */
#include "alias/ca_body.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "scep/chain.h"

#define BODY_MAX (256 * 1024)
#define BAG_MAX  (CA_CHAIN_MAX + 2)

static const char single_type[] = "application/x-x509-ca-cert"; /* RFC 8894 section 4.2.1.1 */
static const char bag_type[] = "application/x-x509-ca-ra-cert"; /* section 4.2.1.2 */

/* ---- certificates -------------------------------------------------------------------------------------- */

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

static enum error_code encode(struct bytes *out, X509 *x, struct error *e)
{
    unsigned char *encoded = NULL;
    int len = i2d_X509(x, &encoded);
    *out = bytes_of(encoded, len > 0 ? (size_t)len : 0);
    return len > 0 ? ERR_OK : error_set_openssl(e, ERR_KEY_UNUSABLE, "the RA certificate cannot be encoded");
}

static bool set_pin(struct ca_body *b, X509 *pinned)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (X509_digest(pinned, EVP_sha256(), hash, NULL) != 1)
        return false;
    for (size_t i = 0; i < 32; i++)
        snprintf(b->pin_sha256 + 2 * i, 3, "%02x", hash[i]);
    return true;
}

/* ---- the bag ------------------------------------------------------------------------------------------- */

struct bag {
    struct bytes own[2]; /* the RA's certificates */
    size_t own_count;
    STACK_OF(X509) *parsed; /* of order->chain */
    X509 *issuers[2];       /* of the RA's certificates, out of `parsed`; NULL for none */
};

/* The RA's own in front, then the chain as given, each once. A root may be left out, but never the issuer of
 * the RA. */
static size_t fill(struct bytes *out, const struct bag *bag, const struct bytes *chain, bool root)
{
    size_t count = 0;
    for (size_t i = 0; i < bag->own_count; i++)
        out[count++] = bag->own[i];
    for (int i = 0; i < sk_X509_num(bag->parsed) && count < BAG_MAX; i++) {
        X509 *x = sk_X509_value(bag->parsed, i);
        bool needed = x == bag->issuers[0] || x == bag->issuers[1];
        if ((root || needed || !self_issued(x)) && !in_bag(out, count, chain[i]))
            out[count++] = chain[i];
    }
    return count;
}

static enum error_code write_bag(struct bytes *out, const struct bytes *bag, size_t count, bool single,
                                 struct error *e)
{
    CLEANUP(buffer) struct buffer body = {0};
    buffer_init(&body, BODY_MAX);
    enum error_code code = ERR_OK;
    if (single)
        buffer_append(&body, bag[0].data, bag[0].len);
    else
        code = scep_chain_write(&body, bag, count, e);
    if (code != ERR_OK)
        return code;
    if (body.failed)
        return error_set(e, ERR_KEY_UNUSABLE, "the CA's chain is too large to be sent to clients");
    out->data = (uint8_t *)buffer_take(&body, &out->len);
    return out->data ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
}

static enum error_code write_bodies(struct ca_body *out, const struct bag *bag,
                                    const struct ca_body_order *order, struct error *e)
{
    struct bytes certificates[BAG_MAX];
    size_t count = fill(certificates, bag, order->chain, order->root);
    out->content_type = count == 1 ? single_type : bag_type;
    enum error_code code = write_bag(&out->body, certificates, count, count == 1, e);
    if (code != ERR_OK)
        return code;
    count = fill(certificates, bag, order->chain, true);
    return write_bag(&out->chain_body, certificates, count, false, e);
}

static enum error_code find_issuers(struct bag *bag, const struct ca_body_order *order, struct error *e)
{
    X509 *own[] = {order->opener, order->signer};
    for (size_t i = 0; i < bag->own_count; i++) {
        bag->issuers[i] = issuer_in(bag->parsed, own[i]);
        if (order->chain_count > 0 && !bag->issuers[i] && !self_issued(own[i]))
            return error_set(
                e, ERR_KEY_UNUSABLE,
                "the RA certificate%s was issued by no CA of its chain, so clients would not trust "
                "it; put its issuer's certificate behind it",
                i == 0 ? "" : " that signs");
    }
    return ERR_OK;
}

static enum error_code fill_own(struct bag *bag, const struct ca_body_order *order, struct error *e)
{
    enum error_code code = encode(&bag->own[0], order->opener, e);
    bag->own_count = 1;
    if (code != ERR_OK || X509_cmp(order->opener, order->signer) == 0)
        return code;
    bag->own_count = 2;
    return encode(&bag->own[1], order->signer, e);
}

static enum error_code make(struct ca_body *out, struct bag *bag, const struct ca_body_order *order,
                            struct error *e)
{
    enum error_code code = parse_chain(&bag->parsed, order->chain, order->chain_count, e);
    if (code == ERR_OK)
        code = fill_own(bag, order, e);
    if (code == ERR_OK)
        code = find_issuers(bag, order, e);
    if (code != ERR_OK)
        return code;
    X509 *issuer = bag->issuers[0];
    bool is_ca = X509_check_ca(order->opener) > 0; /* CA-as-RA: clients pin the RA itself */
    if (!set_pin(out, is_ca || !issuer ? order->opener : issuer))
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "the RA certificate cannot be encoded");
    if (is_ca)
        bag->issuers[0] = NULL;
    return write_bodies(out, bag, order, e);
}

enum error_code ca_body_make(struct ca_body *out, const struct ca_body_order *order, struct error *e)
{
    *out = (struct ca_body){0};
    if (order->chain_count > CA_CHAIN_MAX)
        return error_set(e, ERR_KEY_UNUSABLE, "the CA's chain has %zu certificates, which is too many",
                         order->chain_count);
    struct bag bag = {0};
    enum error_code code = make(out, &bag, order, e);
    for (size_t i = 0; i < bag.own_count; i++)
        OPENSSL_free((void *)(uintptr_t)bag.own[i].data);
    sk_X509_pop_free(bag.parsed, X509_free);
    return code;
}

enum error_code ca_body_copy(struct ca_body *out, const struct ca_body *from, struct error *e)
{
    *out = *from;
    out->body = bytes_copy(from->body);
    out->chain_body = bytes_copy(from->chain_body);
    if (out->body.data && out->chain_body.data)
        return ERR_OK;
    ca_body_free(out);
    return error_set(e, ERR_INTERNAL, "out of memory");
}

void ca_body_free(struct ca_body *b)
{
    free((void *)(uintptr_t)b->body.data);
    free((void *)(uintptr_t)b->chain_body.data);
    *b = (struct ca_body){0};
}
