/* enroll.c: `scepgate enroll`, a SCEP client for trying and debugging an endpoint. The story is in run():
 * take up or prepare a request, meet the server, exchange messages until there is an answer, keep what came.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "cli/commands.h"
#include "cli/enroll_request.h"
#include "cli/pem.h"

enum outcome { ISSUED = 0, BROKEN = 1, USAGE = 2, REFUSED = 3, STILL_PENDING = 4, FETCHED = 5 };

static const char *fail_name(enum fail_info fail)
{
    static const char *const names[] = {"badAlg", "badMessageCheck", "badRequest", "badTime", "badCertId"};
    return fail >= FAIL_BAD_ALG && fail <= FAIL_BAD_CERT_ID ? names[fail] : "no failInfo";
}

/* --- talking --- */

static enum scep_cipher choose_cipher(const struct enroll_run *n)
{
    if (n->options.cipher)
        return n->options.cipher;
    /* Servers that name no cipher are old ones; all of them know 3DES (RFC 8894 section 7.5). */
    return n->server.capabilities.ciphers & SCEP_CIPHER_AES128 ? SCEP_CIPHER_AES128 : SCEP_CIPHER_DES3;
}

static enum scep_digest choose_digest(const struct enroll_run *n)
{
    static const enum scep_digest preferred[] = {SCEP_DIGEST_SHA256, SCEP_DIGEST_SHA512, SCEP_DIGEST_SHA384};
    if (n->options.digest)
        return n->options.digest;
    for (size_t i = 0; i < sizeof preferred / sizeof *preferred; i++)
        if (n->server.capabilities.digests & preferred[i])
            return preferred[i];
    return SCEP_DIGEST_SHA1;
}

static enum error_code open_reply(struct enroll_run *n, const struct scep_client_request *request,
                                  struct bytes answer)
{
    const struct bytes password = bytes_of(n->options.challenge.data, n->options.challenge.len);
    enum error_code code =
        scep_client_open(&n->reply, answer, request, n->server.authorities, password, &n->e);
    if (code != ERR_SIGNATURE_BAD)
        return code;
    fprintf(n->narration,
            "the reply is signed with a certificate that is new here: asking for the certificates again\n");
    code = enroll_server_refresh(&n->server, &n->e);
    return code ? code : scep_client_open(&n->reply, answer, request, n->server.authorities, password, &n->e);
}

/* One message there, one CertRep back. */
static enum error_code exchange(struct enroll_run *n, enum scep_message_type type)
{
    struct scep_client_request request = {
        .type = type,
        .transaction_id = bytes_of_text(n->state.transaction_id),
        .digest = choose_digest(n),
        .cipher = choose_cipher(n),
        .recipient = n->server.encryption,
        .signer = n->state.signer,
        .signer_key = n->signer_key,
        .csr = buffer_bytes(&n->state.csr),
        .issuer = enroll_server_issuer(&n->server),
        .subject = n->subject,
    };
    fprintf(n->narration, "sending %s (transaction %s, %s, %s)\n", scep_message_type_name(type),
            n->state.transaction_id, scep_cipher_name(request.cipher), scep_digest_name(request.digest));
    enum error_code code = secret_random(request.sender_nonce, sizeof request.sender_nonce);
    if (code)
        return error_set(&n->e, code, "no random bytes");
    CLEANUP(buffer) struct buffer message, answer;
    buffer_init(&message, 1024 * 1024);
    buffer_init(&answer, 4 * 1024 * 1024);
    code = scep_client_seal(&message, &request, &n->e);
    if (!code)
        code = enroll_server_send(&n->server, &answer, buffer_bytes(&message), &n->e);
    scep_client_reply_clear(&n->reply);
    return code ? code : open_reply(n, &request, buffer_bytes(&answer));
}

static enum error_code note_pending(struct enroll_run *n)
{
    if (n->state.pending)
        return ERR_OK;
    n->state.pending = true;
    return n->options.out ? enroll_state_save(&n->state, n->options.out, &n->e) : ERR_OK;
}

static void pause_seconds(int seconds)
{
    struct timespec left = {.tv_sec = seconds};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* Sends the request, unless the server is known to have it, and polls while it says PENDING. */
static enum error_code converse(struct enroll_run *n)
{
    int polls = 0;
    bool poll = n->state.pending;
    for (;;) {
        enum error_code code = exchange(n, poll ? SCEP_CERT_POLL : n->state.type);
        if (!code && n->reply.status == SCEP_PENDING)
            code = note_pending(n);
        if (code || n->reply.status != SCEP_PENDING || polls == n->options.poll_count)
            return code;
        polls++;
        fprintf(n->narration, "pending; poll %d of %d in %d s\n", polls, n->options.poll_count,
                n->options.poll_interval);
        fflush(n->narration);
        pause_seconds(n->options.poll_interval);
        poll = true;
    }
}

/* --- the answer --- */

static enum error_code keep_certificate(struct enroll_run *n)
{
    const struct enroll_options *o = &n->options;
    n->issued = scep_client_find(n->reply.certificates, n->key);
    if (!n->issued)
        return error_set(&n->e, ERR_BACKEND_BROKEN, "none of the certificates that came back has our key");
    enum error_code code = enroll_make_folder(n, &n->e);
    if (!code)
        code = pem_write_certificate(o->cert_path, n->issued, &n->e);
    if (!code && o->ca_path)
        code = pem_write_certificates(o->ca_path, n->server.bag, &n->e);
    if (code)
        return code;
    char name[256] = "", print[FINGERPRINT_SIZE];
    X509_NAME_oneline(X509_get_subject_name(n->issued), name, sizeof name);
    fingerprint(print, n->issued);
    fprintf(n->narration, "issued: %s\n  SHA-256 %s\n  certificate: %s\n", name, print, o->cert_path);
    if (o->ca_path)
        fprintf(n->narration, "  CA certificates: %s\n", o->ca_path);
    if (!enroll_server_trusts(&n->server, n->issued))
        fprintf(n->narration,
                "note: the certificate does not lead to the trusted CA by what the server has shown\n");
    return ERR_OK;
}

/* Text of the server on a terminal: quoted, control bytes escaped. */
static void print_quoted(FILE *file, const char *text)
{
    CLEANUP(buffer) struct buffer quoted;
    buffer_init(&quoted, 8192);
    codec_json_string(&quoted, bytes_of_text(text));
    if (!quoted.failed)
        fprintf(file, "%s", (const char *)quoted.data);
}

static void explain_refusal(struct enroll_run *n)
{
    FILE *out = n->narration;
    fprintf(out, "refused: %s", fail_name(n->reply.fail));
    if (n->reply.fail_text) {
        fprintf(out, ": ");
        print_quoted(out, n->reply.fail_text);
    }
    fprintf(out, "\n");
    if (n->reply.fail == FAIL_BAD_ALG && !EVP_PKEY_is_a(n->signer_key, "RSA"))
        fprintf(out, "  this server does not take messages signed with %s keys: use an RSA key\n",
                EVP_PKEY_get0_type_name(n->signer_key));
}

static enum outcome conclude(struct enroll_run *n)
{
    switch (n->reply.status) {
    case SCEP_SUCCESS:
        if (keep_certificate(n))
            return BROKEN;
        break;
    case SCEP_FAILURE:
        explain_refusal(n);
        break;
    case SCEP_PENDING:
        fprintf(n->narration, "still pending; %s\n",
                n->options.out ? "run the same command again to go on"
                               : "without --out it cannot be resumed");
        return STILL_PENDING;
    }
    if (n->options.out)
        enroll_state_remove(n->options.out);
    return n->reply.status == SCEP_SUCCESS ? ISSUED : REFUSED;
}

/* --- the next CA --- */

static void print_next(struct enroll_run *n, STACK_OF(X509) *bag)
{
    fprintf(n->narration, "next CA, as the present one has signed it:\n");
    for (int i = 0; i < sk_X509_num(bag); i++)
        enroll_server_print(&n->server, sk_X509_value(bag, i));
}

static void note_next_ca(struct enroll_run *n, STACK_OF(X509) *bag)
{
    for (int i = 0; i < sk_X509_num(bag) && !*n->next_ca_sha256; i++)
        if (X509_check_ca(sk_X509_value(bag, i)) > 0)
            fingerprint(n->next_ca_sha256, sk_X509_value(bag, i));
}

static enum error_code fetch_next_ca(struct enroll_run *n)
{
    STACK_OF(X509) *bag;
    enum error_code code = enroll_server_next(&n->server, &bag, &n->e);
    if (code)
        return code;
    print_next(n, bag);
    note_next_ca(n, bag);
    if (n->options.next_ca)
        code = pem_write_certificates(n->options.next_ca, bag, &n->e);
    if (!code && n->options.to_next)
        return enroll_server_follow(&n->server, bag, &n->e);
    sk_X509_pop_free(bag, X509_free);
    return code;
}

static enum outcome run(struct enroll_run *n)
{
    bool only_next = enroll_options_only_next(&n->options);
    if (!only_next && enroll_request_resume(n))
        return BROKEN;
    if (!only_next && !n->resumed && !enroll_request_possible(n))
        return USAGE;
    if (enroll_server_meet(&n->server, &n->e))
        return BROKEN;
    if ((n->options.next_ca || n->options.to_next) && fetch_next_ca(n))
        return BROKEN;
    if (only_next)
        return FETCHED;
    if (!n->resumed && enroll_request_prepare(n))
        return BROKEN;
    if (converse(n))
        return BROKEN;
    return conclude(n);
}

/* --- the closing line --- */

static void add_text(json_t *object, const char *name, const char *value)
{
    if (value)
        json_object_set_new(object, name, json_string(value));
}

static void add_issued(json_t *object, struct enroll_run *n)
{
    char print[FINGERPRINT_SIZE];
    fingerprint(print, n->issued);
    CLEANUP(BIGNUM) BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(n->issued), NULL);
    char *serial = number ? BN_bn2hex(number) : NULL;
    add_text(object, "serial", serial);
    add_text(object, "sha256", print);
    add_text(object, "certificate", n->options.cert_path);
    add_text(object, "key", n->state.key_path);
    add_text(object, "ca", n->options.ca_path);
    OPENSSL_free(serial);
}

static void print_json(struct enroll_run *n, enum outcome outcome)
{
    static const char *const names[] = {"issued", "error", "usage", "refused", "pending", "fetched"};
    json_t *object = json_object();
    char print[FINGERPRINT_SIZE];
    add_text(object, "status", names[outcome]);
    add_text(object, "transaction_id", n->state.transaction_id);
    if (n->server.trusted) {
        fingerprint(print, n->server.trusted);
        add_text(object, "ca_sha256", print);
    }
    if (*n->next_ca_sha256)
        add_text(object, "next_ca_sha256", n->next_ca_sha256);
    if (outcome == ISSUED)
        add_issued(object, n);
    if (outcome == REFUSED) {
        add_text(object, "fail_info", fail_name(n->reply.fail));
        add_text(object, "fail_text", n->reply.fail_text);
    }
    if (outcome == BROKEN || outcome == USAGE)
        add_text(object, "error", error_text(&n->e));
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void explain_error(struct enroll_run *n)
{
    fprintf(stderr, "scepgate enroll: %s\n", error_text(&n->e));
    if (n->options.out && enroll_state_exists(n->options.out))
        fprintf(stderr, "The request is kept in %s: run the same command again to go on.\n", n->options.out);
}

static void release(struct enroll_run *n)
{
    scep_client_reply_clear(&n->reply);
    enroll_server_free(&n->server);
    enroll_state_free(&n->state);
    EVP_PKEY_free(n->key);
    EVP_PKEY_free(n->signer_key);
    X509_NAME_free(n->subject);
    enroll_options_free(&n->options);
}

int cli_enroll(int argc, char **argv)
{
    struct enroll_run n = {0};
    const enum enroll_parsed parsed = enroll_options_parse(&n.options, argc, argv);
    if (parsed != ENROLL_RUN) {
        enroll_options_free(&n.options);
        return parsed == ENROLL_HELP ? ISSUED : USAGE;
    }
    n.narration = n.options.json ? stderr : stdout;
    n.server = (struct enroll_server){.options = &n.options, .narration = n.narration};
    enroll_state_init(&n.state);
    const enum outcome outcome = run(&n);
    if (outcome == BROKEN || outcome == USAGE)
        explain_error(&n);
    if (n.options.json)
        print_json(&n, outcome);
    release(&n);
    return outcome == FETCHED ? 0 : (int)outcome;
}
