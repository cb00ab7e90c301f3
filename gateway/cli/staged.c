/* staged.c: see staged.h. */
#include "cli/staged.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "backends/local_ca/authorities.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define SENTENCE_SIZE 512

struct staged {
    const struct backend_settings *backend;
    struct ca_source source;
    const char *from;
};

static struct staged staged_of(const struct backend_settings *b)
{
    return (struct staged){.backend = b,
                           .source = {.certificate = setting_block_text(b->block, "successor.certificate"),
                                      .key = setting_block_text(b->block, "successor.key"),
                                      .passphrase = setting_block_text(b->block, "successor.key_passphrase"),
                                      .whenever = true},
                           .from = setting_block_text(b->block, "successor.from")};
}

static bool load(X509 **out, int64_t *from, const struct staged *s, struct problem *p)
{
    *out = NULL;
    if (!s->source.certificate || !s->source.key || !s->from)
        return problem_say(p, "successor.certificate, successor.key and successor.from belong together");
    if (!moment_read(from, s->from))
        return problem_say(p, "successor.from: \"%s\" is no time like 2030-01-31T12:00:00Z", s->from);
    CLEANUP(x509_stack) STACK_OF(X509) *chain = NULL;
    CLEANUP(EVP_PKEY) EVP_PKEY *key = NULL;
    if (!ca_read_certificates(&chain, s->source.certificate, p) ||
        !ca_read_key(&key, s->source.key, s->source.passphrase, p) ||
        !ca_check_pair(sk_X509_value(chain, 0), key, &s->source, p))
        return false;
    *out = sk_X509_shift(chain);
    if (ca_time(X509_get0_notBefore(*out)) * 1000 > *from)
        return problem_say(p, "the successor %s is not valid yet at successor.from", s->source.certificate);
    return ca_time(X509_get0_notAfter(*out)) * 1000 > *from ||
           problem_say(p, "the successor %s has expired at successor.from", s->source.certificate);
}

static bool check_one(const struct staged *s)
{
    char sentence[SENTENCE_SIZE] = "", name[256] = "";
    struct problem p = {.text = sentence, .size = sizeof sentence};
    int64_t from;
    X509 *read;
    bool good = load(&read, &from, s, &p);
    CLEANUP(X509) X509 *certificate = read;
    if (!good) {
        fprintf(stderr, "%s: backend `%s`: %s\n", s->backend->origin, s->backend->name, sentence);
        return false;
    }
    X509_NAME_oneline(X509_get_subject_name(certificate), name, sizeof name);
    bool staged = clock_realtime(&clock_system) < from;
    printf("backend `%s`: the CA %s (%s) %s %s\n", s->backend->name, name, s->source.certificate,
           staged ? "is staged and takes over at" : "is in charge since", s->from);
    return true;
}

bool staged_check(const struct gateway_settings *settings)
{
    bool good = true;
    for (size_t i = 0; i < settings->backend_count; i++) {
        const struct backend_settings *b = &settings->backends[i];
        if (strcmp(b->type, "local_ca") != 0)
            continue;
        struct staged s = staged_of(b);
        if (s.source.certificate || s.source.key || s.from)
            good = check_one(&s) && good;
    }
    return good;
}
