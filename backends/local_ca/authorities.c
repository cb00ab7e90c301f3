/* authorities.c: see authorities.h. */
#include "backends/local_ca/authorities.h"

#include <string.h>
#include <time.h>

#include "backends/local_ca/own.h"

/* ---- times --------------------------------------------------------------------------------------------- */

/* "Z" or "+hh:mm" */
static bool read_offset(int64_t *seconds, const char *text)
{
    struct tm parts = {0};
    *seconds = 0;
    if (strcasecmp(text, "Z") == 0)
        return true;
    if ((*text != '+' && *text != '-') || strlen(text) != sizeof "+hh:mm" - 1)
        return false;
    const char *end = strptime(text + 1, "%H:%M", &parts);
    *seconds = (parts.tm_hour * 60 + parts.tm_min) * (*text == '-' ? -60 : 60);
    return end && !*end;
}

bool moment_read(int64_t *out, const char *text)
{
    struct tm parts = {0};
    int64_t offset;
    if (strlen(text) < sizeof "2030-01-31T12:00:00Z" - 1 || (text[10] != 'T' && text[10] != 't'))
        return false;
    const char *date_end = strptime(text, "%Y-%m-%d", &parts);
    if (date_end != text + 10)
        return false;
    const char *end = strptime(text + 11, "%H:%M:%S", &parts);
    struct tm given = parts;
    if (end != text + 19 || !read_offset(&offset, end))
        return false;
    time_t seconds = timegm(&parts);
    if (parts.tm_mday != given.tm_mday) /* the 31st of a short month */
        return false;
    *out = ((int64_t)seconds - offset) * 1000;
    return true;
}

/* ---- loading ------------------------------------------------------------------------------------------- */

static bool load_one(struct authority *out, const struct ca_source *source,
                     const struct authorities_source *all, struct problem *p)
{
    if (!ca_load(&out->ca, source, p) || !profile_create(&out->profile, out->ca, all->host, all->services, p))
        return false;
    return X509_digest(out->ca->certificate, EVP_sha256(), out->id, NULL) == 1 ||
           problem_openssl(p, "cannot take the fingerprint of %s", source->certificate);
}

/* Neither of the two may leave a time without a CA that could issue. */
static bool check_succession(const struct authorities *a, const struct authorities_source *source,
                             struct problem *p)
{
    const struct ca *first = a->first.ca, *next = a->successor.ca;
    const char *path = source->successor.certificate;
    int64_t from = a->from / 1000;
    if (memcmp(a->first.id, a->successor.id, AUTHORITY_ID_SIZE) == 0)
        return problem_say(p,
                           "successor.certificate %s is the very CA that it shall follow; stage the new CA's "
                           "certificate",
                           path);
    if (next->not_before > from)
        return problem_say(p, "the successor %s is not valid yet at successor.from (%s); set a later time",
                           path, source->from);
    if (next->not_after <= from)
        return problem_say(p, "the successor %s has expired at successor.from (%s); bring a newer one", path,
                           source->from);
    if (first->not_after < from)
        return problem_say(p,
                           "successor.from (%s) lies after the end of the CA certificate %s, so that nobody "
                           "could issue in between; set an earlier time",
                           source->from, source->first.certificate);
    return true;
}

static bool complete(const struct authorities_source *s, struct problem *p)
{
    if (s->successor.certificate && s->successor.key && s->from)
        return true;
    return problem_say(
        p, "successor.certificate, successor.key and successor.from belong together: %s is missing",
        !s->successor.certificate ? "successor.certificate"
        : !s->successor.key       ? "successor.key"
                                  : "successor.from");
}

static bool load_successor(struct authorities *a, const struct authorities_source *source, int64_t now,
                           struct problem *p)
{
    char sentence[320] = "";
    struct problem cause = {.text = sentence, .size = sizeof sentence};
    struct ca_source from = source->successor;
    from.whenever = true;
    if (!load_one(&a->successor, &from, source, &cause))
        return problem_say(p, "the successor: %s", sentence);
    if (a->successor.ca->not_after <= now / 1000)
        return problem_say(p, "the successor %s has expired; bring a newer one", from.certificate);
    return check_succession(a, source, p);
}

bool authorities_load(struct authorities *out, const struct authorities_source *source, int64_t now,
                      struct problem *p)
{
    bool staged = source->successor.certificate || source->successor.key || source->from;
    struct ca_source first = source->first;
    *out = (struct authorities){0};
    if (staged && !complete(source, p))
        return false;
    if (staged && !moment_read(&out->from, source->from))
        return problem_say(p, "successor.from: \"%s\" is no time like 2030-01-31T12:00:00Z", source->from);
    first.whenever = staged && now >= out->from; /* it has been followed: it may have expired since */
    if (!load_one(&out->first, &first, source, p))
        return false;
    return !staged || load_successor(out, source, now, p);
}

static void free_one(struct authority *a)
{
    profile_free(&a->profile);
    ca_free(a->ca);
}

void authorities_free(struct authorities *a)
{
    free_one(&a->first);
    free_one(&a->successor);
    *a = (struct authorities){0};
}

/* ---- finding ------------------------------------------------------------------------------------------- */

const struct authority *authorities_find(const struct authorities *a, enum backend_authority which,
                                         int64_t now)
{
    bool staged = a->successor.ca != NULL, followed = staged && now >= a->from;
    switch (which) {
    case BACKEND_CA_CURRENT:
        return followed ? &a->successor : &a->first;
    case BACKEND_CA_NEXT:
        return staged && !followed ? &a->successor : NULL;
    case BACKEND_CA_PREVIOUS:
        return followed ? &a->first : NULL;
    }
    return NULL;
}

const struct authority *authorities_by_id(const struct authorities *a, const uint8_t id[AUTHORITY_ID_SIZE])
{
    if (memcmp(a->first.id, id, AUTHORITY_ID_SIZE) == 0)
        return &a->first;
    return a->successor.ca && memcmp(a->successor.id, id, AUTHORITY_ID_SIZE) == 0 ? &a->successor : NULL;
}

const struct authority *authorities_by_certificate(const struct authorities *a, struct backend_bytes der)
{
    uint8_t id[EVP_MAX_MD_SIZE];
    if (EVP_Digest(der.data, der.len, id, NULL, EVP_sha256(), NULL) != 1)
        return NULL;
    return authorities_by_id(a, id);
}
