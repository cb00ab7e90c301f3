/* enroll.c: `scepgate enroll`, a SCEP client for trying and debugging an endpoint. The story is in run():
 * meet the server, prepare or resume a request, exchange messages until there is an answer, keep what came.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "cli/commands.h"
#include "cli/enroll_names.h"
#include "cli/enroll_server.h"
#include "cli/enroll_state.h"
#include "cli/pem.h"
#include "scep/client.h"

enum outcome { ISSUED = 0, BROKEN = 1, USAGE = 2, REFUSED = 3, STILL_PENDING = 4 };

struct enrolment {
    struct enroll_options options;
    FILE *narration; /* stdout, or stderr with --json */
    struct enroll_server server;
    struct enroll_state state;
    EVP_PKEY *key;        /* of the CSR */
    EVP_PKEY *signer_key; /* the same, unless an older certificate signs */
    X509_NAME *subject;
    X509 *issued; /* borrowed from `reply` */
    struct scep_client_reply reply;
    bool resumed;
    struct error e;
};

static const struct key_type {
    const char *name, *algorithm, *curve;
    size_t bits;
} key_types[] = {
    {"rsa:2048", "RSA", NULL, 2048}, {"rsa:3072", "RSA", NULL, 3072}, {"rsa:4096", "RSA", NULL, 4096},
    {"ec:p256", "EC", "P-256", 0},   {"ec:p384", "EC", "P-384", 0},
};

static const char *fail_name(enum fail_info fail)
{
    static const char *const names[] = {"badAlg", "badMessageCheck", "badRequest", "badTime", "badCertId"};
    return fail >= FAIL_BAD_ALG && fail <= FAIL_BAD_CERT_ID ? names[fail] : "no failInfo";
}

/* --- preparing a request --- */

static enum error_code make_folder(const struct enrolment *n, struct error *e)
{
    if (n->options.out && mkdir(n->options.out, 0700) != 0 && errno != EEXIST)
        return error_set(e, ERR_FILE_UNREADABLE, "cannot make the folder %s: %s", n->options.out,
                         error_errno(errno));
    return ERR_OK;
}

static enum error_code find_key_type(const struct key_type **out, struct enrolment *n)
{
    const char *wanted = n->options.key_type ? n->options.key_type : "rsa:2048";
    for (size_t i = 0; i < sizeof key_types / sizeof *key_types; i++) {
        *out = &key_types[i];
        if (strcmp((*out)->name, wanted) == 0)
            return ERR_OK;
    }
    return error_set(&n->e, ERR_SETTINGS_INVALID,
                     "--key-type '%s' is not rsa:2048, rsa:3072, rsa:4096, ec:p256 or ec:p384", wanted);
}

static bool is_of_type(EVP_PKEY *key, const struct key_type *t)
{
    char curve[64] = "";
    if (!EVP_PKEY_is_a(key, t->algorithm))
        return false;
    if (!t->curve)
        return EVP_PKEY_get_bits(key) == (int)t->bits;
    return EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1 &&
           EC_curve_nist2nid(t->curve) == OBJ_sn2nid(curve);
}

/* A key without a certificate is what a refused or interrupted try left behind; one with a certificate is in
 * use. */
static enum error_code take_left_key(struct enrolment *n, const struct key_type *type)
{
    const struct enroll_options *o = &n->options;
    if (access(o->cert_path, F_OK) == 0)
        return error_set(&n->e, ERR_FILE_UNREADABLE,
                         "%s and %s are there already: name another place, or use --key", o->key_path,
                         o->cert_path);
    enum error_code code = pem_read_key(&n->key, o->key_path, &n->e);
    if (!code && o->key_type && !is_of_type(n->key, type))
        return error_set(&n->e, ERR_KEY_UNUSABLE,
                         "%s holds a key that is not %s: remove it or name another place", o->key_path,
                         type->name);
    if (!code)
        fprintf(n->narration, "using the key that is there: %s\n", o->key_path);
    return code;
}

/* A new key is on disk before anybody hears of it. */
static enum error_code provide_key(struct enrolment *n)
{
    const struct enroll_options *o = &n->options;
    const struct key_type *t = NULL;
    if (o->key_file)
        return pem_read_key(&n->key, o->key_file, &n->e);
    enum error_code code = find_key_type(&t, n);
    if (code)
        return code;
    if (access(o->key_path, F_OK) == 0)
        return take_left_key(n, t);
    fprintf(n->narration, "making a key: %s\n", t->name);
    n->key = t->curve ? EVP_PKEY_Q_keygen(NULL, NULL, t->algorithm, t->curve)
                      : EVP_PKEY_Q_keygen(NULL, NULL, t->algorithm, t->bits);
    if (!n->key)
        return error_set_openssl(&n->e, ERR_KEY_UNUSABLE, "cannot make a key of type %s", t->name);
    code = make_folder(n, &n->e);
    if (!code)
        code = pem_write_key(o->key_path, n->key, &n->e);
    if (!code)
        fprintf(n->narration, "wrote the key: %s\n", o->key_path);
    return code;
}

/* --with-cert signs; what the new certificate shall say comes from it unless the command line says otherwise.
 */
static enum error_code take_old_certificate(struct enrolment *n)
{
    struct enroll_options *o = &n->options;
    enum error_code code = pem_read_certificate(&n->state.signer, o->with_cert, &n->e);
    if (!code)
        code = pem_read_key(&n->signer_key, o->with_key, &n->e);
    if (code)
        return code;
    if (X509_check_private_key(n->state.signer, n->signer_key) != 1)
        return error_set_openssl(&n->e, ERR_KEY_UNUSABLE, "%s is not the key of %s", o->with_key,
                                 o->with_cert);
    if (!o->sans[0]) {
        int left_out = sans_of_certificate(o->sans, sizeof o->sans, n->state.signer);
        if (left_out != 0)
            fprintf(n->narration,
                    "note: not all alternative names of the old certificate could be taken over\n");
    }
    return ERR_OK;
}

static enum error_code provide_subject(struct enrolment *n)
{
    if (n->options.subject)
        return subject_parse(&n->subject, n->options.subject, &n->e);
    n->subject = X509_NAME_dup(X509_get_subject_name(n->state.signer));
    return n->subject ? ERR_OK : error_set(&n->e, ERR_INTERNAL, "out of memory");
}

static enum error_code provide_signer(struct enrolment *n)
{
    if (n->state.signer)
        return ERR_OK;
    fprintf(n->narration, "signing with a self-signed certificate of the new key\n");
    if (EVP_PKEY_up_ref(n->key) == 1)
        n->signer_key = n->key;
    return scep_client_self_signed(&n->state.signer, n->key, n->subject, &n->e);
}

static enum error_code fill_state(struct enrolment *n)
{
    const struct enroll_options *o = &n->options;
    char id[ID_TEXT_SIZE];
    random_id(id);
    n->state.url = strdup(o->url);
    n->state.transaction_id = strdup(o->transaction_id ? o->transaction_id : id);
    n->state.key_path = strdup(o->key_file ? o->key_file : o->key_path);
    n->state.signer_key_path =
        n->state.key_path ? strdup(o->with_key ? o->with_key : n->state.key_path) : NULL;
    n->state.type = SCEP_PKCS_REQ;
    if (o->renew && n->server.capabilities.renewal)
        n->state.type = SCEP_RENEWAL_REQ;
    else if (o->renew)
        fprintf(n->narration,
                "the server does not offer Renewal: sending a PKCSReq signed with the old certificate\n");
    if (!n->state.url || !n->state.transaction_id || !n->state.signer_key_path)
        return error_set(&n->e, ERR_INTERNAL, "out of memory");
    if (!*n->state.transaction_id || strlen(n->state.transaction_id) > SCEP_TRANSACTION_ID_MAX)
        return error_set(&n->e, ERR_SETTINGS_INVALID, "--transaction-id has 1 to %d characters",
                         SCEP_TRANSACTION_ID_MAX);
    return ERR_OK;
}

static enum error_code prepare(struct enrolment *n)
{
    const struct secret *challenge = &n->options.challenge;
    enum error_code code = n->options.with_cert ? take_old_certificate(n) : ERR_OK;
    if (!code)
        code = provide_subject(n);
    if (!code)
        code = fill_state(n);
    if (!code)
        code = provide_key(n);
    if (!code)
        code = provide_signer(n);
    if (!code)
        code = scep_client_csr(&n->state.csr, n->key, n->subject, bytes_of(challenge->data, challenge->len),
                               n->options.sans, &n->e);
    if (!code && n->options.out)
        code = enroll_state_save(&n->state, n->options.out, &n->e);
    return code;
}

/* Goes on with what DIR holds, if it holds anything. */
static enum error_code resume(struct enrolment *n)
{
    if (!n->options.out)
        return ERR_OK;
    enum error_code code = enroll_state_load(&n->state, &n->resumed, n->options.out, &n->e);
    if (code || !n->resumed)
        return code;
    if (strcmp(n->state.url, n->options.url) != 0)
        return error_set(&n->e, ERR_SETTINGS_INVALID,
                         "%s holds an unfinished enrolment at %s: finish it first, or use another folder",
                         n->options.out, n->state.url);
    fprintf(n->narration, "resuming the unfinished enrolment in %s\n", n->options.out);
    code = pem_read_key(&n->key, n->state.key_path, &n->e);
    if (!code)
        code = pem_read_key(&n->signer_key, n->state.signer_key_path, &n->e);
    if (code)
        return code;
    const uint8_t *at = n->state.csr.data;
    CLEANUP(X509_REQ) X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)n->state.csr.len);
    n->subject = request ? X509_NAME_dup(X509_REQ_get_subject_name(request)) : NULL;
    return n->subject ? ERR_OK
                      : error_set_openssl(&n->e, ERR_FILE_UNREADABLE, "the request in %s cannot be read",
                                          n->options.out);
}

/* --- talking --- */

static enum scep_cipher choose_cipher(const struct enrolment *n)
{
    if (n->options.cipher)
        return n->options.cipher;
    /* Servers that name no cipher are old ones; all of them know 3DES (RFC 8894 section 7.5). */
    return n->server.capabilities.ciphers & SCEP_CIPHER_AES128 ? SCEP_CIPHER_AES128 : SCEP_CIPHER_DES3;
}

static enum scep_digest choose_digest(const struct enrolment *n)
{
    static const enum scep_digest preferred[] = {SCEP_DIGEST_SHA256, SCEP_DIGEST_SHA512, SCEP_DIGEST_SHA384};
    if (n->options.digest)
        return n->options.digest;
    for (size_t i = 0; i < sizeof preferred / sizeof *preferred; i++)
        if (n->server.capabilities.digests & preferred[i])
            return preferred[i];
    return SCEP_DIGEST_SHA1;
}

static enum error_code open_reply(struct enrolment *n, const struct scep_client_request *request,
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
static enum error_code exchange(struct enrolment *n, enum scep_message_type type)
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

static enum error_code note_pending(struct enrolment *n)
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
static enum error_code converse(struct enrolment *n)
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

static enum error_code keep_certificate(struct enrolment *n)
{
    const struct enroll_options *o = &n->options;
    n->issued = scep_client_find(n->reply.certificates, n->key);
    if (!n->issued)
        return error_set(&n->e, ERR_BACKEND_BROKEN, "none of the certificates that came back has our key");
    enum error_code code = make_folder(n, &n->e);
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

static void explain_refusal(struct enrolment *n)
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

static enum outcome conclude(struct enrolment *n)
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

static bool knows_what_to_ask(struct enrolment *n)
{
    const struct key_type *type = NULL;
    if (n->options.subject || n->options.with_cert)
        return find_key_type(&type, n) == ERR_OK;
    error_set(&n->e, ERR_SETTINGS_INVALID, "which name shall be certified? Give --subject (see --help)");
    return false;
}

static enum outcome run(struct enrolment *n)
{
    if (resume(n))
        return BROKEN;
    if (!n->resumed && !knows_what_to_ask(n))
        return USAGE;
    if (enroll_server_meet(&n->server, &n->e))
        return BROKEN;
    if (!n->resumed && prepare(n))
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

static void add_issued(json_t *object, struct enrolment *n)
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

static void print_json(struct enrolment *n, enum outcome outcome)
{
    static const char *const names[] = {"issued", "error", "usage", "refused", "pending"};
    json_t *object = json_object();
    char print[FINGERPRINT_SIZE];
    add_text(object, "status", names[outcome]);
    add_text(object, "transaction_id", n->state.transaction_id);
    if (n->server.trusted) {
        fingerprint(print, n->server.trusted);
        add_text(object, "ca_sha256", print);
    }
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

static void explain_error(struct enrolment *n)
{
    fprintf(stderr, "scepgate enroll: %s\n", error_text(&n->e));
    if (n->options.out && enroll_state_exists(n->options.out))
        fprintf(stderr, "The request is kept in %s: run the same command again to go on.\n", n->options.out);
}

static void release(struct enrolment *n)
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
    struct enrolment n = {0};
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
    return (int)outcome;
}
