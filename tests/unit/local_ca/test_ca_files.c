/* test_ca_files.c: making a CA's files and loading them: what is refused, what is never overwritten, what a
 * crash leaves. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/local_ca/ca.h"
#include "backends/local_ca/own.h"
#include "unit/local_ca/host.h"

static struct backend_host *host;
static char problem_text[512];
static struct problem problem = {.text = problem_text, .size = sizeof problem_text};

static void set_up(void)
{
    host = host_create(NULL, 0);
    problem_text[0] = '\0';
}

static void tear_down(void)
{
    host_destroy(host);
}

TestSuite(ca_files, .init = set_up, .fini = tear_down);

static const char *path(const char *name)
{
    static char texts[8][256];
    static int next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%s/%s", host_folder(host), name);
    return text;
}

static struct ca_order root_order(void)
{
    return (struct ca_order){.key_type = "ec-p256",
                             .subject = "CN=Root,O=Example\\, Inc.",
                             .validity = 3650LL * 86400000,
                             .key_path = path("key"),
                             .certificate_path = path("cert")};
}

static bool load(const char *certificate, const char *key, struct ca **ca)
{
    struct ca_source source = {.certificate = certificate, .key = key, .digest = "sha256"};
    return ca_load(ca, &source, &problem);
}

static X509 *read_first(const char *file)
{
    FILE *f = fopen(file, "r");
    X509 *certificate = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (f)
        fclose(f);
    return certificate;
}

static void write_text(const char *file, const char *text)
{
    FILE *f = fopen(file, "w");
    fputs(text, f);
    fclose(f);
}

static bool shell(const char *command, const char *a, const char *b)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        execlp("openssl", "openssl", command, "-CAfile", a, b, (char *)NULL);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

Test(ca_files, root_has_the_form_of_a_root)
{
    struct ca_order order = root_order();
    cr_assert(ca_create(&order, &problem), "%s", problem_text);
    struct stat s;
    cr_assert(stat(order.key_path, &s) == 0);
    cr_assert_eq(s.st_mode & 0777, 0600);
    OWN(X509) X509 *root = read_first(order.certificate_path);
    cr_assert(root);
    char *subject = X509_NAME_oneline(X509_get_subject_name(root), NULL, 0);
    cr_assert_str_eq(subject, "/O=Example, Inc./CN=Root"); /* RFC 2253 begins with the last RDN */
    OPENSSL_free(subject);
    cr_assert_eq(X509_check_ca(root), 1);
    cr_assert_eq(X509_get_key_usage(root), (uint32_t)(KU_KEY_CERT_SIGN | KU_CRL_SIGN));
    cr_assert_eq(ASN1_STRING_length(X509_get0_serialNumber(root)), 20);
    cr_assert(X509_get0_subject_key_id(root));
    cr_assert(shell("verify", order.certificate_path, order.certificate_path));
    cr_assert_neq(access(path("key.new"), F_OK), 0);
    cr_assert_neq(access(path("cert.new"), F_OK), 0);
}

Test(ca_files, ca_that_answers_scep_may_sign_and_encipher)
{
    struct ca_order order = root_order();
    order.answers_scep = true;
    order.key_type = "rsa-2048";
    cr_assert(ca_create(&order, &problem));
    OWN(X509) X509 *root = read_first(order.certificate_path);
    cr_assert_eq(X509_get_key_usage(root),
                 (uint32_t)(KU_KEY_CERT_SIGN | KU_CRL_SIGN | KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT));
}

Test(ca_files, nothing_is_overwritten)
{
    const char *names[] = {"key", "cert"};
    for (int i = 0; i < 2; i++) {
        struct ca_order order = root_order();
        write_text(path(names[i]), "mine");
        cr_assert_not(ca_create(&order, &problem));
        cr_assert(strstr(problem_text, "is not overwritten"), "%s", problem_text);
        struct stat s;
        cr_assert(stat(path(names[i]), &s) == 0 && s.st_size == 4);
        unlink(path(names[i]));
    }
}

Test(ca_files, unknown_key_type_and_bad_subject_are_named)
{
    struct ca_order order = root_order();
    order.key_type = "dsa";
    cr_assert_not(ca_create(&order, &problem));
    cr_assert(strstr(problem_text, "ec-p384"), "%s", problem_text);
    const char *bad[] = {"", "Example", "CN=", "=x", "CN=a,", "NOSUCH=x", "CN=a\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        order = root_order();
        order.subject = bad[i];
        cr_assert_not(ca_create(&order, &problem), "%s", bad[i]);
        cr_assert_neq(access(order.key_path, F_OK), 0);
    }
}

Test(ca_files, subordinate_is_signed_by_its_issuer_and_brings_the_chain)
{
    struct ca_order order = root_order();
    cr_assert(ca_create(&order, &problem), "%s", problem_text);
    struct ca_order sub = {.key_type = "rsa-2048",
                           .subject = "CN=Issuing",
                           .validity = 36500LL * 86400000,
                           .key_path = path("sub-key"),
                           .certificate_path = path("sub-cert"),
                           .issuer_certificate = order.certificate_path,
                           .issuer_key = order.key_path};
    cr_assert(ca_create(&sub, &problem), "%s", problem_text);
    cr_assert(shell("verify", order.certificate_path, sub.certificate_path));
    OWN(X509) X509 *root = read_first(order.certificate_path);
    OWN(X509) X509 *issuing = read_first(sub.certificate_path);
    cr_assert_eq(ASN1_TIME_compare(X509_get0_notAfter(issuing), X509_get0_notAfter(root)), 0);
    cr_assert_eq(X509_get_pathlen(issuing), 0);
    struct ca *ca;
    cr_assert(load(sub.certificate_path, sub.key_path, &ca), "%s", problem_text);
    cr_assert_eq(ca->chain_count, 2);
    ca_free(ca);
}

Test(ca_files, request_is_for_an_outside_root)
{
    struct ca_order order = root_order();
    order.certificate_path = NULL;
    order.request_path = path("request");
    cr_assert(ca_create(&order, &problem), "%s", problem_text);
    FILE *f = fopen(order.request_path, "r");
    OWN(REQ) X509_REQ *request = PEM_read_X509_REQ(f, NULL, NULL, NULL);
    fclose(f);
    cr_assert(request);
    cr_assert_eq(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
    OWN(extensions) X509_EXTENSIONS *wanted = X509_REQ_get_extensions(request);
    cr_assert_eq(X509v3_get_ext_by_NID(wanted, NID_basic_constraints, -1), 0);
    cr_assert_eq(access(order.key_path, F_OK), 0);
}

Test(ca_files, encrypted_key_needs_its_passphrase)
{
    struct ca_order order = root_order();
    order.passphrase = "open sesame";
    cr_assert(ca_create(&order, &problem));
    struct ca *ca;
    cr_assert_not(load(order.certificate_path, order.key_path, &ca));
    cr_assert(strstr(problem_text, "passphrase"), "%s", problem_text);
    struct ca_source source = {.certificate = order.certificate_path,
                               .key = order.key_path,
                               .passphrase = "open sesame",
                               .digest = "sha384"};
    cr_assert(ca_load(&ca, &source, &problem), "%s", problem_text);
    ca_free(ca);
}

Test(ca_files, pair_must_belong_together)
{
    struct ca_order order = root_order(), other = root_order();
    other.key_path = path("other-key");
    other.certificate_path = path("other-cert");
    cr_assert(ca_create(&order, &problem) && ca_create(&other, &problem));
    struct ca *ca;
    cr_assert_not(load(order.certificate_path, other.key_path, &ca));
    cr_assert(strstr(problem_text, "do not belong together"), "%s", problem_text);
}

/* A self-signed certificate that has something wrong, beside its key. */
static void make_odd(const char *constraints, const char *usage, long from, long to, int rsa_bits)
{
    OWN(PKEY) EVP_PKEY *key = rsa_bits ? EVP_RSA_gen((unsigned)rsa_bits) : EVP_EC_gen("P-256");
    OWN(X509) X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(x), from);
    X509_gmtime_adj(X509_getm_notAfter(x), to);
    X509_set_pubkey(x, key);
    X509_EXTENSION *e =
        constraints ? X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, constraints) : NULL;
    if (e)
        X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    e = X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, usage);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    X509_sign(x, key, EVP_sha256());
    FILE *f = fopen(path("odd-cert"), "w");
    PEM_write_X509(f, x);
    fclose(f);
    f = fopen(path("odd-key"), "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

Test(ca_files, each_fault_of_a_brought_ca_has_its_sentence)
{
    const struct {
        const char *constraints, *usage;
        long from, to;
        int rsa_bits;
        const char *sentence;
    } rows[] = {
        {"CA:TRUE", "keyCertSign", -100, 86400, 0, NULL},
        {"CA:FALSE", "keyCertSign", -100, 86400, 0, "is not a CA's"},
        {NULL, "digitalSignature", -100, 86400, 0, "is not a CA's"},
        {"CA:TRUE", "digitalSignature", -100, 86400, 0, "keyCertSign"},
        {"CA:TRUE", "keyCertSign", -100, -10, 0, "has expired"},
        {"CA:TRUE", "keyCertSign", 1000, 86400, 0, "not valid yet"},
        {"CA:TRUE", "keyCertSign", -100, 86400, 1024, "1024 bits"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_odd(rows[i].constraints, rows[i].usage, rows[i].from, rows[i].to, rows[i].rsa_bits);
        struct ca *ca;
        bool loaded = load(path("odd-cert"), path("odd-key"), &ca);
        cr_assert_eq(loaded, rows[i].sentence == NULL, "row %zu: %s", i, problem_text);
        cr_assert(loaded || strstr(problem_text, rows[i].sentence), "row %zu: %s", i, problem_text);
        ca_free(ca);
    }
}

Test(ca_files, chain_must_link)
{
    struct ca_order order = root_order(), other = root_order();
    other.key_path = path("other-key");
    other.certificate_path = path("other-cert");
    other.subject = "CN=Stranger";
    cr_assert(ca_create(&order, &problem) && ca_create(&other, &problem));
    struct ca_source source = {.certificate = order.certificate_path,
                               .key = order.key_path,
                               .chain = other.certificate_path,
                               .digest = "sha256"};
    struct ca *ca;
    cr_assert_not(ca_load(&ca, &source, &problem));
    cr_assert(strstr(problem_text, "did not issue"), "%s", problem_text);
}

Test(ca_files, missing_files_are_named)
{
    struct ca *ca;
    cr_assert_not(load(path("nowhere"), path("nothing"), &ca));
    cr_assert(strstr(problem_text, "nowhere") && strstr(problem_text, "No such file"), "%s", problem_text);
    write_text(path("cert"), "this is no PEM");
    cr_assert_not(load(path("cert"), path("nothing"), &ca));
    cr_assert(strstr(problem_text, "not a list of PEM certificates"), "%s", problem_text);
}

Test(ca_files, creation_that_died_before_the_key_was_in_place_is_finished)
{
    void *instance = host_open(host, problem_text, sizeof problem_text);
    cr_assert(instance, "%s", problem_text);
    extern const struct backend_type local_ca_type;
    local_ca_type.close(instance);
    cr_assert_eq(rename(path("ca-key.pem"), path("ca-key.pem.new")), 0);
    instance = host_open(host, problem_text, sizeof problem_text);
    cr_assert(instance, "%s", problem_text);
    cr_assert_eq(access(path("ca-key.pem"), F_OK), 0);
    local_ca_type.close(instance);
}

Test(ca_files, half_of_a_ca_is_left_to_a_person)
{
    void *instance = host_open(host, problem_text, sizeof problem_text);
    extern const struct backend_type local_ca_type;
    local_ca_type.close(instance);
    unlink(path("ca.pem"));
    cr_assert_not(host_open(host, problem_text, sizeof problem_text));
    cr_assert(strstr(problem_text, "bring the missing file"), "%s", problem_text);
}

Test(ca_files, key_that_others_can_read_is_warned_of)
{
    void *instance = host_open(host, problem_text, sizeof problem_text);
    extern const struct backend_type local_ca_type;
    local_ca_type.close(instance);
    cr_assert_not(strstr(host_logged(host), "chmod"));
    chmod(path("ca-key.pem"), 0644);
    local_ca_type.close(host_open(host, problem_text, sizeof problem_text));
    cr_assert(strstr(host_logged(host), "chmod"));
}
