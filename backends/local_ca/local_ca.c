/* local_ca.c: a CA whose key is a file beside the gateway. The backend's face: settings, open, close, calls.
 */
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/backend.h"
#include "backends/local_ca/certificate.h"
#include "backends/local_ca/crl.h"
#include "backends/local_ca/own.h"

#define PATH_SIZE    4096
#define PROBLEM_SIZE 320
#define DAY          (86400LL * 1000)

struct local_ca {
    struct backend_host *host;
    const struct backend_services *services;
    struct authorities authorities;
};

static const struct backend_setting settings[] = {
    {"certificate", BACKEND_SETTING_PATH,
     .help = "The CA certificate, PEM; certificates behind it are its chain. Default: "
             "ca.pem in the backend's state folder."},
    {"key", BACKEND_SETTING_PATH,
     .help = "The CA's private key, PEM, RSA or EC. Default: ca-key.pem in the backend's state "
             "folder."},
    {"key_passphrase", BACKEND_SETTING_SECRET, .help = "Passphrase of the key file, when it is encrypted."},
    {"chain", BACKEND_SETTING_PATH,
     .help = "Certificates above a subordinate CA, PEM, its issuer first, up to the root."},
    {"successor.certificate", BACKEND_SETTING_PATH,
     .help =
         "The certificate of the CA that shall follow this one, PEM; certificates behind it are its chain. "
         "Clients that ask for the next CA (GetNextCACert) are given it from now on."},
    {"successor.key", BACKEND_SETTING_PATH, .help = "The successor's private key, PEM, RSA or EC."},
    {"successor.key_passphrase", BACKEND_SETTING_SECRET,
     .help = "Passphrase of the successor's key file, when it is encrypted."},
    {"successor.chain", BACKEND_SETTING_PATH,
     .help =
         "Certificates above a successor that is a subordinate CA, PEM, its issuer first, up to the root."},
    {"successor.from", BACKEND_SETTING_TEXT, 0, 64,
     .help =
         "When the successor takes over, like 2030-01-31T12:00:00Z; no restart is needed. The CA before it "
         "stays in reach for what it has issued, so these rows stay until its last certificate has ended."},
    {"create", BACKEND_SETTING_BOOL, .initial = "true",
     .help = "Makes key and self-signed certificate when neither file "
             "exists."},
    {"key_type", BACKEND_SETTING_CHOICE, .initial = "rsa-3072",
     .choices = "rsa-2048 rsa-3072 rsa-4096 ec-p256 ec-p384", .help = "Key of a created CA."},
    {"subject", BACKEND_SETTING_TEXT, 0, 512,
     .help = "Subject of a created CA, like \"CN=Example CA,O=Example\". Default: "
             "CN=scepgate CA NAME."},
    {"ca_validity", BACKEND_SETTING_DURATION, DAY, 36500 * DAY, .initial = "3650d",
     .help = "Validity of a created CA."},
    {"answers_scep", BACKEND_SETTING_BOOL, .initial = "false",
     .help =
         "Gives a created CA the keyUsage bits that it needs to answer SCEP messages itself (ra.from: ca)."},
    {"digest", BACKEND_SETTING_CHOICE, .initial = "sha256", .choices = "sha256 sha384 sha512",
     .help = "Digest of the CA's signatures."},
    {"profile.validity", BACKEND_SETTING_DURATION, 60 * 1000, 36500 * DAY, .initial = "365d",
     .help =
         "Validity of certificates; never beyond the CA's own end, and shortened by an alias' max_validity."},
    {"profile.backdate", BACKEND_SETTING_DURATION, 0, 7 * DAY, .initial = "5m",
     .help = "How far notBefore lies in the past, for clients whose clock is slow; at most a tenth of the "
             "validity, and "
             "never before the CA's own beginning."},
    {"profile.key_usage", BACKEND_SETTING_CHOICES, .initial = "[digitalSignature, keyEncipherment]",
     .choices = "digitalSignature contentCommitment keyEncipherment dataEncipherment keyAgreement",
     .help = "keyUsage, critical. Bits that the kind of key cannot have are left out: encipherment for EC "
             "and Ed25519, "
             "keyAgreement for RSA."},
    {"profile.extended_key_usage", BACKEND_SETTING_LIST, .initial = "[clientAuth]",
     .help = "extendedKeyUsage, as names or OIDs; an empty list leaves the extension out."},
    {"profile.san", BACKEND_SETTING_BOOL, .initial = "true",
     .help = "Copies the subjectAltName of the request, which the alias' "
             "policy has passed."},
    {"profile.issuer_urls", BACKEND_SETTING_LIST,
     .help = "Where the CA certificate is published (authorityInfoAccess). {ca} stands for the CA's "
             "subjectKeyIdentifier in hexadecimal digits, under which the gateway publishes it: "
             "http://pki.example.com/pki/{ca}.cer."},
    {"profile.ocsp_urls", BACKEND_SETTING_LIST, .help = "OCSP responders (authorityInfoAccess)."},
    {"profile.crl_urls", BACKEND_SETTING_LIST,
     .help = "Where the CRL is published (cRLDistributionPoints). {ca} as above: "
             "http://pki.example.com/pki/{ca}.crl."},
    {"profile.basic_constraints", BACKEND_SETTING_CHOICE, .initial = "critical",
     .choices = "critical noncritical absent", .help = "How certificates say that they are no CA's."},
    {"crl.interval", BACKEND_SETTING_DURATION, 1000, 30 * DAY, .initial = "1d",
     .help =
         "How often a new revocation list is made although nothing changed. A revocation makes one at once."},
    {"crl.validity", BACKEND_SETTING_DURATION, 2000, 366 * DAY, .initial = "7d",
     .help = "From a list's thisUpdate to its nextUpdate: how long it is good when no newer one comes. "
             "Longer than "
             "`crl.interval`."},
};

static const char *text_of(const struct local_ca *l, const char *path)
{
    return l->services->setting_text(l->host, path);
}

static int64_t now_of(const struct local_ca *l)
{
    return l->services->now(l->host);
}

static const struct authority *authority_of(const struct local_ca *l, enum backend_authority which)
{
    return authorities_find(&l->authorities, which, now_of(l));
}

static void say(const struct local_ca *l, enum backend_log_level level, const char *sentence)
{
    l->services->log(l->host, level, sentence);
}

/* ---- open and close ------------------------------------------------------------------------------------ */

struct places {
    char certificate[PATH_SIZE], key[PATH_SIZE];
};

static bool place(char out[PATH_SIZE], const char *set, const char *folder, const char *name,
                  struct problem *p)
{
    int len = set ? snprintf(out, PATH_SIZE, "%s", set) : snprintf(out, PATH_SIZE, "%s/%s", folder, name);
    return (len > 0 && len < PATH_SIZE) || problem_say(p, "the path %s is too long", set ? set : folder);
}

static bool create_files(const struct local_ca *l, const struct places *at, struct problem *p)
{
    char subject[PROBLEM_SIZE], sentence[PROBLEM_SIZE];
    snprintf(subject, sizeof subject, "CN=scepgate CA %s", l->services->name(l->host));
    struct ca_order order = {
        .key_type = text_of(l, "key_type"),
        .subject = text_of(l, "subject") ? text_of(l, "subject") : subject,
        .digest = text_of(l, "digest"),
        .validity = l->services->setting_number(l->host, "ca_validity"),
        .answers_scep = l->services->setting_number(l->host, "answers_scep") != 0,
        .passphrase = text_of(l, "key_passphrase"),
        .key_path = at->key,
        .certificate_path = at->certificate,
    };
    if (!ca_create(&order, p))
        return false;
    snprintf(sentence, sizeof sentence, "made a CA of type %s: \"%.200s\"", order.key_type, order.subject);
    say(l, BACKEND_LOG_INFO, sentence);
    return true;
}

/* Both files, or, with `create`, neither: anything in between is for a person to look at. */
static bool settle_files(const struct local_ca *l, const struct places *at, struct problem *p)
{
    if (!ca_finish_creation(at->certificate, at->key, p))
        return false;
    bool certificate = access(at->certificate, F_OK) == 0, key = access(at->key, F_OK) == 0;
    if (certificate && key)
        return true;
    if (certificate || key)
        return problem_say(p,
                           "%s exists, but %s does not; bring the missing file, or move the other away to "
                           "have a new CA made",
                           certificate ? at->certificate : at->key, certificate ? at->key : at->certificate);
    if (!l->services->setting_number(l->host, "create"))
        return problem_say(
            p,
            "there is no CA certificate %s and no key %s; bring them, set `create: true`, or run "
            "`scepgate ca init`",
            at->certificate, at->key);
    return create_files(l, at, p);
}

static void warn_of_readable_key(const struct local_ca *l, const char *path)
{
    struct stat s;
    char sentence[PROBLEM_SIZE];
    if (stat(path, &s) != 0 || !(s.st_mode & (S_IRWXG | S_IRWXO)))
        return;
    snprintf(sentence, sizeof sentence, "the CA key %.200s can be read by others; run chmod 600 on it", path);
    say(l, BACKEND_LOG_WARNING, sentence);
}

static void warn_of_short_life(const struct local_ca *l)
{
    const struct authority *by = authority_of(l, BACKEND_CA_CURRENT);
    if (!authority_of(l, BACKEND_CA_NEXT) && by->ca->not_after < now_of(l) / 1000 + by->profile.validity)
        say(l, BACKEND_LOG_WARNING,
            "the CA certificate ends before certificates of the profile's validity would; they are cut to "
            "its end: it is time to stage a successor");
}

static void tell_successor(const struct local_ca *l)
{
    char name[200] = "", sentence[PROBLEM_SIZE];
    const struct authority *next = &l->authorities.successor;
    if (!next->ca)
        return;
    X509_NAME_oneline(X509_get_subject_name(next->ca->certificate), name, sizeof name);
    snprintf(sentence, sizeof sentence, "the CA %s %s from %s", name,
             now_of(l) < l->authorities.from ? "is staged and takes over" : "has taken over, in charge",
             text_of(l, "successor.from"));
    say(l, BACKEND_LOG_INFO, sentence);
}

static void warn_of_no_lists(const struct local_ca *l, const struct ca *ca)
{
    if (ca && crl_refusal(ca))
        say(l, BACKEND_LOG_WARNING, crl_refusal(ca));
}

static bool load(struct local_ca *l, struct problem *p)
{
    struct places at;
    const char *folder = l->services->state_folder(l->host);
    if (!place(at.certificate, text_of(l, "certificate"), folder, "ca.pem", p) ||
        !place(at.key, text_of(l, "key"), folder, "ca-key.pem", p) || !settle_files(l, &at, p))
        return false;
    struct authorities_source source = {
        .first = {.certificate = at.certificate,
                  .key = at.key,
                  .passphrase = text_of(l, "key_passphrase"),
                  .chain = text_of(l, "chain"),
                  .digest = text_of(l, "digest")},
        .successor = {.certificate = text_of(l, "successor.certificate"),
                      .key = text_of(l, "successor.key"),
                      .passphrase = text_of(l, "successor.key_passphrase"),
                      .chain = text_of(l, "successor.chain"),
                      .digest = text_of(l, "digest")},
        .from = text_of(l, "successor.from"),
        .host = l->host,
        .services = l->services,
    };
    if (!authorities_load(&l->authorities, &source, now_of(l), p))
        return false;
    warn_of_readable_key(l, at.key);
    for (size_t i = 0; i < 2; i++)
        warn_of_no_lists(l, i ? l->authorities.successor.ca : l->authorities.first.ca);
    if (source.successor.key)
        warn_of_readable_key(l, source.successor.key);
    warn_of_short_life(l);
    tell_successor(l);
    return true;
}

static bool check_times(const struct local_ca *l, struct problem *p)
{
    return l->services->setting_number(l->host, "crl.validity") >
               l->services->setting_number(l->host, "crl.interval") ||
           problem_say(
               p, "crl.validity must be longer than crl.interval, or every revocation list has ended before "
                  "the next one is made");
}

static void local_ca_close(void *instance)
{
    struct local_ca *l = instance;
    if (!l)
        return;
    authorities_free(&l->authorities);
    free(l);
}

static bool local_ca_open(void **instance, struct backend_host *host, const struct backend_services *services,
                          char *problem, size_t problem_size)
{
    struct problem p = {.text = problem, .size = problem_size};
    *instance = NULL;
    struct local_ca *l = calloc(1, sizeof *l);
    if (!l)
        return problem_say(&p, "out of memory");
    l->host = host;
    l->services = services;
    if (!check_times(l, &p) || !load(l, &p)) {
        local_ca_close(l);
        return false;
    }
    *instance = l;
    return true;
}

/* ---- calls --------------------------------------------------------------------------------------------- */

struct backend_op {
    struct local_ca *local;
    backend_done *done;
    void *context;
    bool cancelled;             /* loop thread; the worker does not look */
    bool chain;                 /* asks for the chain alone */
    bool list;                  /* asks for a revocation list */
    const struct authority *by; /* NULL: there is no such CA */
    int64_t delay;              /* of a chain: until that CA takes over */
    struct crl_order crl;       /* owns its revocations */
    struct certificate_order order;
    enum certificate_result result;
    struct der made; /* certificate or list */
    char reason[PROBLEM_SIZE];
    uint8_t copies[]; /* what `order` points to: after cancel the request is gone, while a worker may still
                         read */
};

static void op_free(struct backend_op *op)
{
    der_free(&op->made);
    free(op->crl.revocations);
    free(op);
}

static void make_list(struct backend_op *op, struct problem *p)
{
    if (!op->by)
        op->result = CERTIFICATE_REFUSED;
    else
        op->result = crl_make(&op->made, op->by->ca, &op->crl, p) ? CERTIFICATE_MADE : CERTIFICATE_FAILED;
}

static void op_run(void *data)
{
    struct backend_op *op = data;
    if (op->chain)
        return;
    struct problem p = {.text = op->reason, .size = sizeof op->reason};
    if (op->list) {
        make_list(op, &p);
        return;
    }
    if (op->by) {
        op->result = certificate_make(&op->made, op->by, &op->order, &p);
        return;
    }
    op->result = CERTIFICATE_FAILED;
    problem_say(&p, "the CA that this request was accepted for is in the settings no more; bring it back, as "
                    "`certificate` or as `successor.certificate`, or refuse the request");
}

static void give_list(const struct backend_op *op, struct backend_result *result)
{
    result->crl = der_bytes(&op->made);
    result->this_update = op->crl.this_update * 1000;
    result->next_update = op->crl.next_update * 1000;
}

static void op_done(void *data)
{
    static const enum backend_verdict verdicts[] = {
        [CERTIFICATE_MADE] = BACKEND_ISSUED,
        [CERTIFICATE_REFUSED] = BACKEND_REJECTED,
        [CERTIFICATE_FAILED] = BACKEND_MISCONFIGURED,
    };
    struct backend_op *op = data;
    struct backend_result result = {
        .verdict = verdicts[op->result], .reason = op->reason, .delay = op->delay};
    if (result.verdict == BACKEND_ISSUED && op->list) {
        give_list(op, &result);
    } else if (result.verdict == BACKEND_ISSUED) {
        const struct ca *ca = op->by->ca;
        if (!op->chain)
            result.chain[result.chain_count++] = der_bytes(&op->made);
        for (size_t i = 0; i < ca->chain_count && result.chain_count < BACKEND_CHAIN_MAX; i++)
            result.chain[result.chain_count++] = der_bytes(&ca->chain[i]);
    }
    if (!op->cancelled)
        op->done(op->context, &result);
    op_free(op);
}

static struct backend_op *op_start(struct local_ca *l, size_t copies, backend_done *done, void *context)
{
    struct backend_op *op = calloc(1, sizeof *op + copies);
    if (!op)
        return NULL;
    op->local = l;
    op->done = done;
    op->context = context;
    return op;
}

static struct backend_op *op_submit(struct backend_op *op)
{
    if (op->local->services->work(op->local->host, op_run, op_done, op))
        return op;
    op_free(op);
    return NULL;
}

static struct backend_bytes copy_to(uint8_t **at, struct backend_bytes from)
{
    struct backend_bytes copy = {.data = *at, .len = from.len};
    if (from.len)
        memcpy(*at, from.data, from.len);
    *at += from.len;
    return copy;
}

static struct backend_op *local_ca_enroll(void *instance, const struct backend_request *r, backend_done *done,
                                          void *context)
{
    struct backend_op *op =
        op_start(instance, r->subject.len + r->spki.len + r->extensions.len + r->plan.len, done, context);
    if (!op)
        return NULL;
    uint8_t *at = op->copies;
    op->order.purpose = r->purpose;
    op->order.subject = copy_to(&at, r->subject);
    op->order.spki = copy_to(&at, r->spki);
    op->order.extensions = copy_to(&at, r->extensions);
    op->order.plan = copy_to(&at, r->plan);
    op->by = certificate_planned_by(&op->local->authorities, op->order.plan);
    return op_submit(op);
}

static struct backend_op *local_ca_chain(void *instance, enum backend_authority which, backend_done *done,
                                         void *context)
{
    struct backend_op *op = op_start(instance, 0, done, context);
    if (!op)
        return NULL;
    op->chain = true;
    const struct local_ca *l = instance;
    int64_t now = now_of(l);
    op->by = authorities_find(&l->authorities, which, now);
    if (!op->by) {
        op->result = CERTIFICATE_REFUSED;
        snprintf(op->reason, sizeof op->reason, "there is no such CA");
    }
    if (which == BACKEND_CA_NEXT && op->by)
        op->delay = l->authorities.from - now;
    return op_submit(op);
}

/* NULL with a reason when this CA signs no lists, or is none of ours. */
static const struct authority *list_signer(const struct local_ca *l, struct backend_bytes issuer,
                                           char *reason, size_t size)
{
    struct problem p = {.text = reason, .size = size};
    const struct authority *by = issuer.len
                                     ? authorities_by_certificate(&l->authorities, issuer)
                                     : authorities_find(&l->authorities, BACKEND_CA_CURRENT, now_of(l));
    if (!by)
        problem_say(&p, "this backend does not have the CA that the revocation list is asked for");
    else if (crl_refusal(by->ca))
        problem_say(&p, "%s", crl_refusal(by->ca));
    else
        return by;
    return NULL;
}

static bool copy_revocations(struct crl_order *to, const struct backend_crl_request *r)
{
    size_t size = r->count * sizeof *r->revocations;
    to->count = r->count;
    if (!size)
        return true;
    to->revocations = r->count <= CRL_ENTRIES_MAX ? malloc(size) : NULL;
    if (to->revocations)
        memcpy(to->revocations, r->revocations, size);
    return to->revocations != NULL;
}

static struct backend_op *local_ca_crl(void *instance, const struct backend_crl_request *r,
                                       backend_done *done, void *context)
{
    struct local_ca *l = instance;
    struct backend_op *op = op_start(l, 0, done, context);
    if (!op)
        return NULL;
    op->list = true;
    op->by = list_signer(l, r->issuer, op->reason, sizeof op->reason);
    op->crl.number = r->number;
    op->crl.this_update = now_of(l) / 1000;
    op->crl.next_update = op->crl.this_update + l->services->setting_number(l->host, "crl.validity") / 1000;
    if (!copy_revocations(&op->crl, r)) {
        op_free(op);
        return NULL;
    }
    return op_submit(op);
}

static int64_t local_ca_crl_interval(void *instance)
{
    const struct local_ca *l = instance;
    return l->services->setting_number(l->host, "crl.interval");
}

static void local_ca_cancel(void *instance, struct backend_op *op)
{
    (void)instance;
    op->cancelled = true;
}

static size_t local_ca_prepare(void *instance, const struct backend_request *request, uint8_t *plan)
{
    const struct local_ca *l = instance;
    char sentence[PROBLEM_SIZE];
    struct problem p = {.text = sentence, .size = sizeof sentence};
    const struct authority *by = request->issuer.len
                                     ? authorities_by_certificate(&l->authorities, request->issuer)
                                     : authority_of(l, BACKEND_CA_CURRENT);
    if (!by)
        problem_say(&p, "the CA that shall issue is staged no more");
    else if (certificate_plan(plan, by, request->max_validity / 1000, now_of(l) / 1000, &p))
        return PLAN_SIZE;
    say(l, BACKEND_LOG_ERROR, sentence);
    return 0;
}

/* ---- CA-as-RA, health ---------------------------------------------------------------------------------- */

static char *take_text(BIO *pem)
{
    char *data;
    long len = BIO_get_mem_data(pem, &data);
    return len > 0 ? strndup(data, (size_t)len) : NULL;
}

static bool local_ca_key(void *instance, enum backend_authority which, char **key_pem, char **certificate_pem)
{
    const struct authority *of = authority_of(instance, which);
    OWN(BIO) BIO *key = BIO_new(BIO_s_secmem());
    OWN(BIO) BIO *certificate = BIO_new(BIO_s_mem());
    *key_pem = *certificate_pem = NULL;
    if (!of || !key || !certificate ||
        !PEM_write_bio_PKCS8PrivateKey(key, of->ca->key, NULL, NULL, 0, NULL, NULL) ||
        !PEM_write_bio_X509(certificate, of->ca->certificate))
        return false;
    *key_pem = take_text(key);
    *certificate_pem = take_text(certificate);
    if (*key_pem && *certificate_pem)
        return true;
    if (*key_pem)
        OPENSSL_cleanse(*key_pem, strlen(*key_pem));
    free(*key_pem);
    free(*certificate_pem);
    *key_pem = *certificate_pem = NULL;
    return false;
}

static bool local_ca_health(void *instance, char *problem, size_t problem_size)
{
    const struct local_ca *l = instance;
    struct problem p = {.text = problem, .size = problem_size};
    return authority_of(l, BACKEND_CA_CURRENT)->ca->not_after > now_of(l) / 1000 ||
           problem_say(&p, "the CA certificate has expired; bring a renewed one");
}

extern const struct backend_type local_ca_type;
const struct backend_type local_ca_type = {
    .abi = BACKEND_ABI,
    .name = "local_ca",
    .help = "A CA whose key is a file beside the gateway, made at first start or brought along.",
    .flags = BACKEND_CAN_CERTIFY_RA | BACKEND_SAFE_TO_REPEAT,
    .settings = settings,
    .setting_count = sizeof settings / sizeof *settings,
    .open = local_ca_open,
    .close = local_ca_close,
    .prepare = local_ca_prepare,
    .enroll = local_ca_enroll,
    .cancel = local_ca_cancel,
    .ca_chain = local_ca_chain,
    .crl = local_ca_crl,
    .crl_interval = local_ca_crl_interval,
    .ca_key = local_ca_key,
    .health = local_ca_health,
};
