/* enroll_request.c: preparing a request, or taking up an unfinished one (see enroll_request.h). */
#include "cli/enroll_request.h"

#include <errno.h>
#include <openssl/ec.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/enroll_names.h"
#include "cli/pem.h"

static const struct key_type {
    const char *name, *algorithm, *curve;
    size_t bits;
} key_types[] = {
    {"rsa:2048", "RSA", NULL, 2048}, {"rsa:3072", "RSA", NULL, 3072}, {"rsa:4096", "RSA", NULL, 4096},
    {"ec:p256", "EC", "P-256", 0},   {"ec:p384", "EC", "P-384", 0},
};

enum error_code enroll_make_folder(const struct enroll_run *n, struct error *e)
{
    if (n->options.out && mkdir(n->options.out, 0700) != 0 && errno != EEXIST)
        return error_set(e, ERR_FILE_UNREADABLE, "cannot make the folder %s: %s", n->options.out,
                         error_errno(errno));
    return ERR_OK;
}

static enum error_code find_key_type(const struct key_type **out, struct enroll_run *n)
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

bool enroll_request_possible(struct enroll_run *n)
{
    const struct key_type *type = NULL;
    if (n->options.subject || n->options.with_cert)
        return find_key_type(&type, n) == ERR_OK;
    error_set(&n->e, ERR_SETTINGS_INVALID, "which name shall be certified? Give --subject (see --help)");
    return false;
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
static enum error_code take_left_key(struct enroll_run *n, const struct key_type *type)
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
static enum error_code provide_key(struct enroll_run *n)
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
    code = enroll_make_folder(n, &n->e);
    if (!code)
        code = pem_write_key(o->key_path, n->key, &n->e);
    if (!code)
        fprintf(n->narration, "wrote the key: %s\n", o->key_path);
    return code;
}

/* --with-cert signs; what the new certificate shall say comes from it unless the command line says otherwise.
 */
static enum error_code take_old_certificate(struct enroll_run *n)
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

static enum error_code provide_subject(struct enroll_run *n)
{
    if (n->options.subject)
        return subject_parse(&n->subject, n->options.subject, &n->e);
    n->subject = X509_NAME_dup(X509_get_subject_name(n->state.signer));
    return n->subject ? ERR_OK : error_set(&n->e, ERR_INTERNAL, "out of memory");
}

static enum error_code provide_signer(struct enroll_run *n)
{
    if (n->state.signer)
        return ERR_OK;
    fprintf(n->narration, "signing with a self-signed certificate of the new key\n");
    if (EVP_PKEY_up_ref(n->key) == 1)
        n->signer_key = n->key;
    return scep_client_self_signed(&n->state.signer, n->key, n->subject, &n->e);
}

static enum error_code fill_state(struct enroll_run *n)
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

enum error_code enroll_request_prepare(struct enroll_run *n)
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

enum error_code enroll_request_resume(struct enroll_run *n)
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
