/* scripted.c: see scripted.h. Certificates come from a CA that lives as long as the program. */
#include "flow/enroll/scripted.h"

#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "issuing/backends.h"

#define QUEUE_MAX 32

struct scripted scripted;

static struct script queue[QUEUE_MAX];
static size_t queued;
static uint8_t last_serial[16];
static struct backend_op *ops; /* started and not answered yet */

/* ---- the CA -------------------------------------------------------------------------------------------- */

static EVP_PKEY *ca_key;
static X509 *ca;

static X509 *certify(EVP_PKEY *key, X509_NAME *subject, const uint8_t serial[16])
{
    X509 *x = X509_new();
    CLEANUP(BIGNUM) BIGNUM *number = BN_bin2bn(serial, 16, NULL);
    bool made = x && number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) &&
                X509_set_version(x, 2) && X509_gmtime_adj(X509_getm_notBefore(x), -60) &&
                X509_gmtime_adj(X509_getm_notAfter(x), 90L * 86400) && X509_set_subject_name(x, subject) &&
                X509_set_issuer_name(x, ca ? X509_get_subject_name(ca) : subject) &&
                X509_set_pubkey(x, key) && X509_sign(x, ca_key, EVP_sha256());
    if (!made)
        abort();
    return x;
}

static void ca_make(void)
{
    static const uint8_t serial[16] = {1};
    if (ca)
        return;
    CLEANUP(X509_NAME) X509_NAME *name = X509_NAME_new();
    ca_key = EVP_EC_gen("P-256");
    if (!ca_key ||
        !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"Scripted CA", -1, -1, 0))
        abort();
    ca = certify(ca_key, name, serial);
}

__attribute__((destructor)) static void ca_forget(void)
{
    X509_free(ca);
    EVP_PKEY_free(ca_key);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

struct backend_op {
    struct backend_op *next;
    const struct backend_services *services;
    struct backend_host *host;
    struct script script;
    backend_done *done;
    void *context;
    void *timer; /* NULL while held */
    X509_NAME *subject;
    EVP_PKEY *key;
    uint8_t serial[16];
    bool chain_only;
};

static void op_unlink(struct backend_op *op)
{
    struct backend_op **at = &ops;
    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
}

static void op_free(struct backend_op *op)
{
    X509_NAME_free(op->subject);
    EVP_PKEY_free(op->key);
    free(op);
}

static void add(struct backend_result *r, X509 *x, uint8_t **der)
{
    int len = i2d_X509(x, der);
    if (len <= 0)
        abort();
    r->chain[r->chain_count++] = (struct backend_bytes){*der, (size_t)len};
}

static void tell(struct backend_op *op)
{
    const struct script *s = &op->script;
    struct backend_result r = {.verdict = s->verdict, .delay = s->delay, .reason = s->reason};
    CLEANUP(memory) uint8_t *own = NULL;
    CLEANUP(memory) uint8_t *issuer = NULL;
    CLEANUP(X509) X509 *certificate = NULL;
    if (s->cookie)
        r.cookie = (struct backend_bytes){(const uint8_t *)s->cookie, strlen(s->cookie)};
    if (s->verdict == BACKEND_ISSUED && !op->chain_only) {
        certificate = certify(s->certificate == FOR_ANOTHER_KEY ? ca_key : op->key, op->subject, op->serial);
        add(&r, certificate, &own);
        if (s->certificate == GARBAGE)
            r.chain[0].len /= 2;
    }
    if (s->verdict == BACKEND_ISSUED)
        add(&r, ca, &issuer);
    op->done(op->context, &r);
    op_free(op);
}

static void fire(void *data)
{
    struct backend_op *op = data;
    op_unlink(op);
    tell(op);
}

static struct script take_script(void)
{
    if (!queued)
        return (struct script){0};
    struct script s = queue[0];
    memmove(queue, queue + 1, --queued * sizeof *queue);
    return s;
}

/* ---- the type ------------------------------------------------------------------------------------------ */

struct instance {
    struct backend_host *host;
    const struct backend_services *services;
};

static bool scripted_open(void **instance, struct backend_host *host, const struct backend_services *services,
                          char *problem, size_t size)
{
    (void)problem;
    (void)size;
    ca_make();
    struct instance *i = calloc(1, sizeof *i);
    *instance = i;
    if (i)
        *i = (struct instance){host, services};
    return i != NULL;
}

static void scripted_close(void *instance)
{
    free(instance);
}

static size_t scripted_prepare(void *instance, const struct backend_request *request, uint8_t *plan)
{
    (void)instance;
    (void)request;
    scripted.prepared++;
    if (scripted.cannot_prepare || RAND_bytes(plan, 16) != 1)
        return 0;
    plan[0] = (plan[0] & 0x7f) | 0x40; /* it becomes a serial number */
    return 16;
}

static struct backend_op *begin(struct instance *i, struct script script, backend_done *done, void *context)
{
    struct backend_op *op = script.no_start ? NULL : calloc(1, sizeof *op);
    if (!op)
        return NULL;
    *op = (struct backend_op){.next = ops,
                              .services = i->services,
                              .host = i->host,
                              .script = script,
                              .done = done,
                              .context = context};
    ops = op;
    if (!script.held)
        op->timer = i->services->timer_start(i->host, 0, fire, op);
    return op;
}

static struct backend_op *start(void *instance, enum scripted_call call,
                                const struct backend_request *request, backend_done *done, void *context)
{
    scripted.calls[call]++;
    strncpy(scripted.transaction, request->transaction, sizeof scripted.transaction - 1);
    scripted.plan_len = request->plan.len;
    if (request->plan.len == sizeof scripted.plan)
        memcpy(scripted.plan, request->plan.data, sizeof scripted.plan);
    struct backend_op *op = begin(instance, take_script(), done, context);
    if (!op)
        return NULL;
    const uint8_t *subject = request->subject.data, *spki = request->spki.data;
    op->subject = d2i_X509_NAME(NULL, &subject, (long)request->subject.len);
    op->key = d2i_PUBKEY(NULL, &spki, (long)request->spki.len);
    if (!scripted.same_serial)
        memcpy(last_serial, scripted.plan, sizeof last_serial);
    memcpy(op->serial, last_serial, sizeof op->serial);
    if (!op->subject || !op->key || request->plan.len != sizeof scripted.plan)
        abort();
    return op;
}

static struct backend_op *scripted_enroll(void *instance, const struct backend_request *request,
                                          backend_done *done, void *context)
{
    return start(instance, SCRIPTED_ENROLL, request, done, context);
}

static struct backend_op *scripted_poll(void *instance, const struct backend_request *request,
                                        struct backend_bytes cookie, backend_done *done, void *context)
{
    size_t len = cookie.len < SCRIPTED_TEXT_MAX ? cookie.len : SCRIPTED_TEXT_MAX - 1;
    memset(scripted.cookie, 0, sizeof scripted.cookie);
    if (len)
        memcpy(scripted.cookie, cookie.data, len);
    return start(instance, SCRIPTED_POLL, request, done, context);
}

static struct backend_op *scripted_look_up(void *instance, const struct backend_request *request,
                                           backend_done *done, void *context)
{
    return start(instance, SCRIPTED_LOOK_UP, request, done, context);
}

static struct backend_op *scripted_ca_chain(void *instance, enum backend_authority which, backend_done *done,
                                            void *context)
{
    struct script answer = {.verdict = which == BACKEND_CA_CURRENT ? BACKEND_ISSUED : BACKEND_REJECTED};
    struct backend_op *op = begin(instance, answer, done, context);
    if (op)
        op->chain_only = true;
    return op;
}

static void scripted_cancel(void *instance, struct backend_op *op)
{
    (void)instance;
    scripted.cancelled++;
    op_unlink(op);
    if (op->timer)
        op->services->timer_stop(op->host, op->timer);
    op_free(op);
}

static struct backend_type type = {
    .abi = BACKEND_ABI,
    .name = "scripted",
    .help = "Answers as a test says.",
    .open = scripted_open,
    .close = scripted_close,
    .prepare = scripted_prepare,
    .enroll = scripted_enroll,
    .cancel = scripted_cancel,
    .ca_chain = scripted_ca_chain,
};

/* ---- behind the built-in types ------------------------------------------------------------------------- */

const struct backend_type *const *__real_backend_types(size_t *count);
const struct backend_type *const *__wrap_backend_types(size_t *count);
const struct settings_catalogue *__real_backend_catalogue(void);
const struct settings_catalogue *__wrap_backend_catalogue(void);

#define TYPES_MAX 32

const struct backend_type *const *__wrap_backend_types(size_t *count)
{
    static const struct backend_type *all[TYPES_MAX];
    const struct backend_type *const *built_in = __real_backend_types(count);
    memcpy(all, built_in, *count * sizeof *all);
    all[(*count)++] = &type;
    return all;
}

const struct settings_catalogue *__wrap_backend_catalogue(void)
{
    static struct backend_rows rows[TYPES_MAX];
    static struct settings_catalogue all = {.backends = rows};
    const struct settings_catalogue *built_in = __real_backend_catalogue();
    memcpy(rows, built_in->backends, built_in->backend_count * sizeof *rows);
    rows[built_in->backend_count] = (struct backend_rows){.type = type.name, .help = type.help};
    all.backend_count = built_in->backend_count + 1;
    return &all;
}

/* ---- the test's side ----------------------------------------------------------------------------------- */

void scripted_reset(void)
{
    scripted = (struct scripted){0};
    queued = 0;
    scripted_offers(0, false, false);
}

void scripted_offers(unsigned flags, bool poll, bool look_up)
{
    type.flags = flags;
    type.poll = poll ? scripted_poll : NULL;
    type.look_up = look_up ? scripted_look_up : NULL;
}

void scripted_next(struct script s)
{
    if (queued == QUEUE_MAX)
        abort();
    queue[queued++] = s;
}

size_t scripted_held(void)
{
    size_t held = 0;
    for (const struct backend_op *op = ops; op; op = op->next)
        held += op->timer == NULL;
    return held;
}

void scripted_release(void)
{
    for (struct backend_op *op = ops; op; op = op->next)
        if (!op->timer)
            op->timer = op->services->timer_start(op->host, 0, fire, op);
}
