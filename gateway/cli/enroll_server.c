/* enroll_server.c: see enroll_server.h. */
#include "cli/enroll_server.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "http/fetch.h"
#include "scep/chain.h"
#include "scep/client.h"
#include "scep/next_ca.h"

#define URL_MAX (512 * 1024)

DEFINE_CLEANUP(X509_STORE, X509_STORE *, X509_STORE_free)
DEFINE_CLEANUP(X509_STORE_CTX, X509_STORE_CTX *, X509_STORE_CTX_free)

static void cleanup_reply(struct fetch_reply *r)
{
    fetch_reply_free(r);
}

void fingerprint(char out[FINGERPRINT_SIZE], X509 *certificate)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    out[0] = '\0';
    if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1)
        return;
    for (unsigned i = 0; i < size && i < 32; i++)
        snprintf(out + i * 2, 3, "%02X", digest[i]);
}

/* "operation=NAME&message=…" behind a URL that may have a query already. */
static void write_url(struct buffer *url, const struct enroll_options *o, const char *operation,
                      struct bytes message)
{
    buffer_text(url, o->url);
    buffer_format(url, "%soperation=%s", strchr(o->url, '?') ? "&" : "?", operation);
    if (message.data) {
        buffer_text(url, "&message=");
        codec_escape(url, message);
    }
}

static enum error_code ask(struct fetch_reply *reply, const struct enroll_server *s, const char *operation,
                           struct bytes message, struct bytes body, struct error *e)
{
    CLEANUP(buffer) struct buffer url;
    buffer_init(&url, URL_MAX);
    write_url(&url, s->options, operation, message);
    if (url.failed)
        return error_set(e, ERR_URI_TOO_LONG, "the message is too long for GET");
    const struct fetch f = {.url = (const char *)url.data,
                            .body = body,
                            .timeout_seconds = s->options->timeout,
                            .tls_ca = s->options->tls_ca};
    enum error_code code = fetch(reply, &f, e);
    if (s->options->verbose && !code)
        fprintf(s->narration, "  %s %s: HTTP %ld, %zu bytes of '%s'\n", body.data ? "POST" : "GET", operation,
                reply->status, reply->body.len, reply->content_type);
    return code;
}

static struct bytes ca_ident(const struct enroll_server *s)
{
    return s->options->ca_ident ? bytes_of_text(s->options->ca_ident) : (struct bytes){0};
}

/* An HTTP error reads as "none" (RFC 8894 section 3.5.2). */
static enum error_code ask_capabilities(struct enroll_server *s, struct error *e)
{
    __attribute__((cleanup(cleanup_reply))) struct fetch_reply reply = {0};
    enum error_code code = ask(&reply, s, "GetCACaps", ca_ident(s), (struct bytes){0}, e);
    if (code)
        return code;
    scep_capabilities_read(&s->capabilities,
                           reply.status == 200 ? buffer_bytes(&reply.body) : (struct bytes){0});
    fprintf(s->narration, "capabilities:");
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, 4096);
    struct scep_capabilities shown = s->capabilities;
    scep_capabilities_write(&text, &shown);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n')
            text.data[i] = ' ';
    fprintf(s->narration, " %s\n", text.len ? (const char *)text.data : "none that this client knows");
    return ERR_OK;
}

void enroll_server_print(const struct enroll_server *s, X509 *certificate)
{
    char name[256] = "", print[FINGERPRINT_SIZE];
    X509_NAME_oneline(X509_get_subject_name(certificate), name, sizeof name);
    fingerprint(print, certificate);
    const uint32_t usage = X509_get_key_usage(certificate);
    fprintf(s->narration, "  %s%s%s%s\n    SHA-256 %s\n", name, X509_check_ca(certificate) ? " [CA]" : "",
            usage & KU_DIGITAL_SIGNATURE ? " [signs]" : "", usage & KU_KEY_ENCIPHERMENT ? " [decrypts]" : "",
            print);
}

static bool has_fingerprint(X509 *certificate, const char *wanted)
{
    char print[FINGERPRINT_SIZE];
    fingerprint(print, certificate);
    for (const char *at = print; *at; at++, wanted++) {
        while (*wanted == ':' || *wanted == ' ')
            wanted++;
        if (strncasecmp(at, wanted, 1) != 0)
            return false;
    }
    return *wanted == '\0';
}

/* The highest CA of the bag, for trust on first use: one that no other certificate of the bag has issued. */
static X509 *highest(STACK_OF(X509) *bag)
{
    for (int i = sk_X509_num(bag) - 1; i >= 0; i--) {
        X509 *certificate = sk_X509_value(bag, i);
        bool issued = false;
        for (int j = 0; j < sk_X509_num(bag) && !issued; j++)
            issued = i != j && X509_check_issued(sk_X509_value(bag, j), certificate) == X509_V_OK;
        if (!issued)
            return certificate;
    }
    return NULL;
}

static enum error_code choose_trusted(struct enroll_server *s, STACK_OF(X509) *bag, X509 **out,
                                      struct error *e)
{
    *out = NULL;
    if (!s->options->ca_sha256) {
        *out = highest(bag);
        return *out ? ERR_OK : error_set(e, ERR_KEY_UNUSABLE, "the server's certificates lead nowhere");
    }
    for (int i = 0; i < sk_X509_num(bag) && !*out; i++)
        if (has_fingerprint(sk_X509_value(bag, i), s->options->ca_sha256))
            *out = sk_X509_value(bag, i);
    if (*out)
        return ERR_OK;
    return error_set(
        e, ERR_KEY_UNUSABLE,
        "none of the server's certificates has the fingerprint of --ca-sha256: this is not the CA you know");
}

static bool leads_to(X509 *certificate, X509 *trusted, STACK_OF(X509) *helpers)
{
    CLEANUP(X509_STORE) X509_STORE *store = X509_STORE_new();
    CLEANUP(X509_STORE_CTX) X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (!store || !context || X509_STORE_add_cert(store, trusted) != 1 ||
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
        X509_STORE_set_purpose(store, X509_PURPOSE_ANY) != 1 ||
        X509_STORE_CTX_init(context, store, certificate, helpers) != 1)
        return false;
    return X509_verify_cert(context) == 1;
}

bool enroll_server_trusts(const struct enroll_server *s, X509 *certificate)
{
    return leads_to(certificate, s->trusted, s->bag);
}

static STACK_OF(X509) *those_that_lead_to(X509 *trusted, STACK_OF(X509) *bag)
{
    STACK_OF(X509) *found = sk_X509_new_null();
    for (int i = 0; found && i < sk_X509_num(bag); i++) {
        X509 *certificate = sk_X509_value(bag, i);
        if (leads_to(certificate, trusted, bag) && X509_up_ref(certificate) == 1 &&
            sk_X509_push(found, certificate) <= 0)
            X509_free(certificate);
    }
    return found;
}

static enum error_code fetch_bag(struct enroll_server *s, STACK_OF(X509) **bag, struct error *e)
{
    __attribute__((cleanup(cleanup_reply))) struct fetch_reply reply = {0};
    *bag = NULL;
    enum error_code code = ask(&reply, s, "GetCACert", ca_ident(s), (struct bytes){0}, e);
    if (code)
        return code;
    if (reply.status != 200)
        return error_set(e, ERR_BACKEND_BROKEN, "the server answered GetCACert with HTTP %ld", reply.status);
    return scep_chain_read(bag, buffer_bytes(&reply.body), e);
}

/* Takes over `*from`, when there is somebody in it to talk to. */
static enum error_code settle(struct enroll_server *s, STACK_OF(X509) **from, X509 *trusted, struct error *e)
{
    STACK_OF(X509) *bag = *from;
    __attribute__((cleanup(cleanup_x509_stack))) STACK_OF(X509) *authorities =
        those_that_lead_to(trusted, bag);
    X509 *encryption = authorities ? scep_client_pick(authorities, false) : NULL;
    if (!encryption)
        return error_set(e, ERR_KEY_UNUSABLE,
                         "no certificate of the server that leads to the trusted CA can be encrypted to");
    sk_X509_pop_free(s->bag, X509_free);
    sk_X509_pop_free(s->authorities, X509_free);
    s->bag = TAKE(*from);
    s->authorities = TAKE(authorities);
    s->trusted = trusted;
    s->encryption = encryption;
    return ERR_OK;
}

/* ---- the next CA --------------------------------------------------------------------------------------- */

static enum error_code fetch_next(const struct enroll_server *s, STACK_OF(X509) *authorities,
                                  STACK_OF(X509) **bag, struct error *e)
{
    __attribute__((cleanup(cleanup_reply))) struct fetch_reply reply = {0};
    *bag = NULL;
    enum error_code code = ask(&reply, s, "GetNextCACert", (struct bytes){0}, (struct bytes){0}, e);
    if (code)
        return code;
    if (reply.status != 200)
        return error_set(e, ERR_BACKEND_UNAVAILABLE,
                         "the server tells of no CA that will follow the present one (HTTP %ld)",
                         reply.status);
    return scep_next_ca_read(bag, buffer_bytes(&reply.body), authorities, e);
}

enum error_code enroll_server_next(const struct enroll_server *s, STACK_OF(X509) **bag, struct error *e)
{
    return fetch_next(s, s->announcers ? s->announcers : s->authorities, bag, e);
}

enum error_code enroll_server_follow(struct enroll_server *s, STACK_OF(X509) *bag, struct error *e)
{
    __attribute__((cleanup(cleanup_x509_stack))) STACK_OF(X509) *mine = bag;
    X509 *trusted = highest(mine);
    STACK_OF(X509) *announcers = s->announcers ? NULL : X509_chain_up_ref(s->authorities);
    enum error_code code = trusted
                               ? settle(s, &mine, trusted, e)
                               : error_set(e, ERR_KEY_UNUSABLE, "the next CA's certificates lead nowhere");
    if (code == ERR_OK && announcers)
        s->announcers = TAKE(announcers);
    sk_X509_pop_free(announcers, X509_free);
    return code;
}

enum error_code enroll_server_refresh(struct enroll_server *s, struct error *e)
{
    __attribute__((cleanup(cleanup_x509_stack))) STACK_OF(X509) *bag = NULL;
    X509 *trusted = NULL;
    if (s->announcers) {
        enum error_code code = enroll_server_next(s, &bag, e);
        return code ? code : enroll_server_follow(s, TAKE(bag), e);
    }
    enum error_code code = fetch_bag(s, &bag, e);
    if (!code)
        code = choose_trusted(s, bag, &trusted, e);
    return code ? code : settle(s, &bag, trusted, e);
}

static void print_trust(const struct enroll_server *s)
{
    char print[FINGERPRINT_SIZE];
    fprintf(s->narration, "certificates of the server:\n");
    for (int i = 0; i < sk_X509_num(s->bag); i++)
        enroll_server_print(s, sk_X509_value(s->bag, i));
    fingerprint(print, s->trusted);
    if (s->options->ca_sha256)
        fprintf(s->narration, "trusted by fingerprint: %s\n", print);
    else
        fprintf(s->narration, "TRUSTED WITHOUT A CHECK: %s\n  (next time: --ca-sha256 %s)\n", print, print);
    int strange = sk_X509_num(s->bag) - sk_X509_num(s->authorities);
    if (strange > 0)
        fprintf(s->narration, "ignored: %d certificate(s) that do not lead to the trusted one\n", strange);
}

enum error_code enroll_server_meet(struct enroll_server *s, struct error *e)
{
    fprintf(s->narration, "server: %s\n", s->options->url);
    enum error_code code = ask_capabilities(s, e);
    if (!code)
        code = enroll_server_refresh(s, e);
    if (!code)
        print_trust(s);
    return code;
}

enum error_code enroll_server_send(struct enroll_server *s, struct buffer *answer, struct bytes message,
                                   struct error *e)
{
    const enum enroll_method method = s->options->method;
    const bool post = method == ENROLL_METHOD_POST || (method == ENROLL_METHOD_AUTO && s->capabilities.post);
    __attribute__((cleanup(cleanup_reply))) struct fetch_reply reply = {0};
    enum error_code code;
    if (post) {
        code = ask(&reply, s, "PKIOperation", (struct bytes){0}, message, e);
    } else {
        CLEANUP(buffer) struct buffer text;
        buffer_init(&text, URL_MAX);
        codec_base64(&text, message);
        code = ask(&reply, s, "PKIOperation", buffer_bytes(&text), (struct bytes){0}, e);
    }
    if (code)
        return code;
    if (reply.status != 200)
        return error_set(e, ERR_BACKEND_BROKEN, "the server answered with HTTP %ld instead of a SCEP reply",
                         reply.status);
    buffer_append(answer, reply.body.data, reply.body.len);
    return answer->failed ? error_set(e, ERR_BACKEND_BROKEN, "the server's reply is too long") : ERR_OK;
}

X509_NAME *enroll_server_issuer(const struct enroll_server *s)
{
    return X509_check_ca(s->encryption) ? X509_get_subject_name(s->encryption)
                                        : X509_get_issuer_name(s->encryption);
}

void enroll_server_free(struct enroll_server *s)
{
    sk_X509_pop_free(s->bag, X509_free);
    sk_X509_pop_free(s->authorities, X509_free);
    sk_X509_pop_free(s->announcers, X509_free);
    s->bag = s->authorities = s->announcers = NULL;
    s->trusted = s->encryption = NULL;
}
