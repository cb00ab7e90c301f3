/* ca_files.c: making a CA's files (ca_files.h).
 *
 * Order of a creation: the key as KEY.new, the certificate in place, the key in place. A crash between the
 * last two is mended by ca_finish_creation; before that nobody has seen the certificate, and the next start
 * begins anew.
 */
#include "backends/local_ca/ca_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/local_ca/ca.h"
#include "backends/local_ca/name.h"
#include "backends/local_ca/own.h"

#define PATH_SIZE   4096
#define SERIAL_BITS 159 /* of a CA certificate: 20 octets, positive */

static const struct key_type {
    const char *name;
    int rsa_bits;
    const char *curve;
} key_types[] = {
    {"rsa-2048", 2048, NULL}, {"rsa-3072", 3072, NULL}, {"rsa-4096", 4096, NULL},
    {"ec-p256", 0, "P-256"},  {"ec-p384", 0, "P-384"},
};

const char *ca_key_types(void)
{
    return "rsa-2048 rsa-3072 rsa-4096 ec-p256 ec-p384";
}

/* ---- files --------------------------------------------------------------------------------------------- */

static bool say_errno(struct problem *p, const char *what, const char *path)
{
    int cause = errno;
    char text[128];
    return problem_say(p, "cannot %s %s: %s", what, path, strerror_r(cause, text, sizeof text));
}

static bool exists(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0;
}

static bool staging_path(char out[PATH_SIZE], const char *path, struct problem *p)
{
    int len = snprintf(out, PATH_SIZE, "%s.new", path);
    return (len > 0 && len < PATH_SIZE) || problem_say(p, "the path %s is too long", path);
}

static bool sync_folder(const char *path, struct problem *p)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (!done)
        say_errno(p, "write to", folder);
    if (fd >= 0)
        close(fd);
    return done;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            data += written;
            len -= (size_t)written;
        }
    }
    return fsync(fd) == 0;
}

/* Writes PATH.new, replacing what an earlier attempt left there. */
static bool stage(const char *path, mode_t mode, BIO *content, struct problem *p)
{
    char staged[PATH_SIZE];
    if (!staging_path(staged, path, p))
        return false;
    unlink(staged);
    int fd = open(staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return say_errno(p, "create", staged);
    char *data;
    long len = BIO_get_mem_data(content, &data);
    bool written = write_all(fd, data, (size_t)len);
    if (!written) {
        say_errno(p, "write", staged);
        unlink(staged);
    }
    close(fd);
    return written;
}

/* PATH.new becomes PATH; never over an existing file. */
static bool publish(const char *path, struct problem *p)
{
    char staged[PATH_SIZE];
    if (!staging_path(staged, path, p))
        return false;
    int failed = renameat2(AT_FDCWD, staged, AT_FDCWD, path, RENAME_NOREPLACE);
    if (failed && (errno == EINVAL || errno == ENOSYS)) { /* a file system that cannot do it in one step */
        if (exists(path))
            errno = EEXIST;
        else
            failed = rename(staged, path);
    }
    return failed ? say_errno(p, "create", path) : sync_folder(path, p);
}

bool ca_finish_creation(const char *certificate_path, const char *key_path, struct problem *p)
{
    char staged[PATH_SIZE];
    if (!staging_path(staged, key_path, p))
        return false;
    if (!exists(certificate_path) || exists(key_path) || !exists(staged))
        return true;
    return publish(key_path, p);
}

/* ---- key ----------------------------------------------------------------------------------------------- */

static bool make_key(EVP_PKEY **out, const char *name, struct problem *p)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof key_types / sizeof *key_types; i++) {
        const struct key_type *type = &key_types[i];
        if (strcmp(type->name, name) != 0)
            continue;
        *out = type->curve ? EVP_EC_gen(type->curve) : EVP_RSA_gen((unsigned)type->rsa_bits);
        return *out || problem_openssl(p, "cannot make a key of type %s", name);
    }
    return problem_say(p, "there is no key type \"%s\"; choose one of: %s", name, ca_key_types());
}

static bool stage_key(EVP_PKEY *key, const struct ca_order *order, struct problem *p)
{
    OWN(BIO) BIO *pem = BIO_new(BIO_s_secmem());
    const char *passphrase = order->passphrase && *order->passphrase ? order->passphrase : NULL;
    bool written =
        pem && PEM_write_bio_PKCS8PrivateKey(pem, key, passphrase ? EVP_aes_256_cbc() : NULL, passphrase,
                                             passphrase ? (int)strlen(passphrase) : 0, NULL, NULL);
    if (!written)
        return problem_openssl(p, "cannot encode the CA key");
    return stage(order->key_path, 0600, pem, p);
}

/* ---- certificate and request --------------------------------------------------------------------------- */

struct issuer { /* empty for a self-signed CA */
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
};

static void issuer_clear(struct issuer *i)
{
    sk_X509_pop_free(i->chain, X509_free);
    EVP_PKEY_free(i->key);
}

static bool load_issuer(struct issuer *out, const struct ca_order *order, struct problem *p)
{
    if (!order->issuer_certificate && !order->issuer_key)
        return true;
    if (!order->issuer_certificate || !order->issuer_key)
        return problem_say(p, "the issuer of a subordinate needs both its certificate and its key");
    struct ca_source source = {.certificate = order->issuer_certificate, .key = order->issuer_key};
    return ca_read_certificates(&out->chain, source.certificate, p) &&
           ca_read_key(&out->key, source.key, order->issuer_passphrase, p) &&
           ca_check_pair(sk_X509_value(out->chain, 0), out->key, &source, p);
}

static bool set_serial(X509 *certificate)
{
    OWN(BIGNUM) BIGNUM *number = BN_new();
    return number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
           BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
}

static bool set_validity(X509 *certificate, int64_t validity, X509 *issuer)
{
    time_t now = time(NULL);
    if (!ASN1_TIME_set(X509_getm_notBefore(certificate), now) ||
        !ASN1_TIME_set(X509_getm_notAfter(certificate), now + (time_t)(validity / 1000)))
        return false;
    if (!issuer || ASN1_TIME_compare(X509_get0_notAfter(certificate), X509_get0_notAfter(issuer)) <= 0)
        return true;
    return X509_set1_notAfter(certificate, X509_get0_notAfter(issuer));
}

static bool add_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool added = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

static bool add_extensions(X509 *certificate, X509 *issuer, bool answers_scep)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer ? issuer : certificate, certificate, NULL, NULL, 0);
    const char *usage = answers_scep ? "critical,keyCertSign,cRLSign,digitalSignature,keyEncipherment"
                                     : "critical,keyCertSign,cRLSign";
    return add_extension(certificate, &context, NID_basic_constraints,
                         issuer ? "critical,CA:TRUE,pathlen:0" : "critical,CA:TRUE") &&
           add_extension(certificate, &context, NID_key_usage, usage) &&
           add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
           (!issuer || add_extension(certificate, &context, NID_authority_key_identifier, "keyid"));
}

static bool make_certificate(X509 **out, EVP_PKEY *key, const struct ca_order *order, const struct issuer *by,
                             struct problem *p)
{
    OWN(NAME) X509_NAME *subject = name_from_text(order->subject, p);
    if (!subject)
        return false;
    X509 *issuer = by->key ? sk_X509_value(by->chain, 0) : NULL;
    const EVP_MD *digest = EVP_get_digestbyname(order->digest ? order->digest : "sha256");
    OWN(X509) X509 *certificate = X509_new();
    bool made = certificate && digest && X509_set_version(certificate, X509_VERSION_3) &&
                set_serial(certificate) && X509_set_subject_name(certificate, subject) &&
                X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject) &&
                X509_set_pubkey(certificate, key) && set_validity(certificate, order->validity, issuer) &&
                add_extensions(certificate, issuer, order->answers_scep) &&
                X509_sign(certificate, issuer ? by->key : key, digest);
    if (!made)
        return problem_openssl(p, "cannot make the CA certificate");
    *out = GIVE(certificate);
    return true;
}

static bool stage_certificate(X509 *certificate, const struct ca_order *order, const struct issuer *by,
                              struct problem *p)
{
    OWN(BIO) BIO *pem = BIO_new(BIO_s_mem());
    bool written = pem && PEM_write_bio_X509(pem, certificate);
    for (int i = 0; written && i < sk_X509_num(by->chain); i++)
        written = PEM_write_bio_X509(pem, sk_X509_value(by->chain, i));
    if (!written)
        return problem_openssl(p, "cannot encode the CA certificate");
    return stage(order->certificate_path, 0644, pem, p);
}

static bool stage_request(EVP_PKEY *key, const struct ca_order *order, struct problem *p)
{
    OWN(NAME) X509_NAME *subject = name_from_text(order->subject, p);
    if (!subject)
        return false;
    const EVP_MD *digest = EVP_get_digestbyname(order->digest ? order->digest : "sha256");
    OWN(REQ) X509_REQ *request = X509_REQ_new();
    OWN(extensions) X509_EXTENSIONS *wanted = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    if (!wanted || !ca || !sk_X509_EXTENSION_push(wanted, ca)) {
        X509_EXTENSION_free(ca);
        return problem_openssl(p, "cannot make the request");
    }
    OWN(BIO) BIO *pem = BIO_new(BIO_s_mem());
    bool made = request && pem && digest && X509_REQ_set_version(request, X509_REQ_VERSION_1) &&
                X509_REQ_set_subject_name(request, subject) && X509_REQ_set_pubkey(request, key) &&
                X509_REQ_add_extensions(request, wanted) && X509_REQ_sign(request, key, digest) &&
                PEM_write_bio_X509_REQ(pem, request);
    if (!made)
        return problem_openssl(p, "cannot make the request");
    return stage(order->request_path, 0644, pem, p);
}

static bool create(const struct ca_order *order, EVP_PKEY *key, const struct issuer *by, struct problem *p)
{
    const char *visible = order->request_path;
    if (visible) {
        if (!stage_request(key, order, p))
            return false;
    } else {
        OWN(X509) X509 *certificate = NULL;
        visible = order->certificate_path;
        if (!make_certificate(&certificate, key, order, by, p) ||
            !stage_certificate(certificate, order, by, p))
            return false;
    }
    return stage_key(key, order, p) && sync_folder(order->key_path, p) && publish(visible, p) &&
           publish(order->key_path, p);
}

bool ca_create(const struct ca_order *order, struct problem *p)
{
    const char *paths[] = {order->key_path, order->certificate_path, order->request_path};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i] && exists(paths[i]))
            return problem_say(
                p, "%s exists already and is not overwritten; name another file or move it away", paths[i]);
    EVP_PKEY *made = NULL;
    struct issuer by = {0};
    bool done =
        load_issuer(&by, order, p) && make_key(&made, order->key_type ? order->key_type : "rsa-3072", p);
    OWN(PKEY) EVP_PKEY *key = made;
    done = done && create(order, key, &by, p);
    issuer_clear(&by);
    return done;
}
