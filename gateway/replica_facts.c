/* replica_facts.c: see replica_facts.h. */
#include "replica_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/codec.h"

#define DIGEST_BYTES 8
#define DIGEST_SIZE  (2 * DIGEST_BYTES + 1)
#define UNKNOWN      "----------------" /* the length of a digest: not known yet, so no difference */
#define TEXT_MAX     ((size_t)4 << 20)

struct piece {
    char *name;
    char digest[KEYS_MAX][DIGEST_SIZE]; /* under each key of the ring, newest first */
};

struct replica_facts {
    const struct keys *keys; /* borrowed */
    struct piece *pieces;    /* sorted by name */
    size_t count, capacity;
    bool failed;
    struct buffer text;
};

/* ---- making -------------------------------------------------------------------------------------------- */

static struct piece *add_piece(struct replica_facts *f, const char *name)
{
    if (f->count == f->capacity) {
        size_t more = f->capacity ? 2 * f->capacity : 64;
        struct piece *larger = realloc(f->pieces, more * sizeof *larger);
        if (!larger)
            return NULL;
        f->pieces = larger;
        f->capacity = more;
    }
    struct piece *p = &f->pieces[f->count];
    *p = (struct piece){.name = strdup(name)};
    f->count += p->name != NULL;
    return p->name ? p : NULL;
}

static bool write_digest(char out[DIGEST_SIZE], const struct keys *keys, size_t key, struct bytes value)
{
    uint8_t digest[KEYS_DIGEST_SIZE];
    CLEANUP(buffer) struct buffer hex;
    buffer_init(&hex, DIGEST_SIZE);
    if (keys_digest(keys, key, value, digest) != ERR_OK)
        return false;
    codec_hex(&hex, bytes_of(digest, DIGEST_BYTES));
    if (!hex.failed)
        memcpy(out, hex.data, DIGEST_SIZE);
    return !hex.failed;
}

/* The name goes into the digest, too, so that equal values do not show as such. */
static void on_piece(void *context, const char *name, struct bytes value)
{
    struct replica_facts *f = context;
    CLEANUP(buffer) struct buffer whole;
    buffer_init(&whole, value.len + strlen(name) + 1);
    buffer_append(&whole, name, strlen(name) + 1);
    buffer_append(&whole, value.data, value.len);
    struct piece *p = whole.failed ? NULL : add_piece(f, name);
    for (size_t i = 0; p && i < keys_count(f->keys); i++)
        f->failed = !write_digest(p->digest[i], f->keys, i, buffer_bytes(&whole)) || f->failed;
    f->failed = f->failed || !p;
}

static void add_ca(struct replica_facts *f, const struct replica_ca *ca)
{
    char name[128];
    snprintf(name, sizeof name, "backend `%s`: its CA certificate", ca->backend);
    if (ca->sha256[0]) {
        on_piece(f, name, bytes_of_text(ca->sha256));
        return;
    }
    struct piece *p = add_piece(f, name);
    for (size_t i = 0; p && i < keys_count(f->keys); i++)
        memcpy(p->digest[i], UNKNOWN, DIGEST_SIZE);
    f->failed = f->failed || !p;
}

static int compare_pieces(const void *a, const void *b)
{
    return strcmp(((const struct piece *)a)->name, ((const struct piece *)b)->name);
}

static void write_text(struct replica_facts *f, int64_t since)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    for (char *p = host; *p; p++)
        if (*p <= ' ' || *p >= 0x7F)
            *p = '?';
    buffer_format(&f->text, "1 %s %s %d %" PRId64 " %s\n", keys_check_value(f->keys), host[0] ? host : "?",
                  (int)getpid(), since, SCEPGATE_VERSION);
    for (size_t i = 0; i < f->count; i++)
        buffer_format(&f->text, "%s %s\n", f->pieces[i].digest[0], f->pieces[i].name);
}

struct replica_facts *replica_facts_make(const struct gateway_settings *s, const struct keys *keys,
                                         const struct replica_ca *cas, size_t ca_count, int64_t since)
{
    struct replica_facts *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->keys = keys;
    buffer_init(&f->text, TEXT_MAX);
    bool whole = settings_agreement(s, on_piece, f);
    for (size_t i = 0; i < ca_count; i++)
        add_ca(f, &cas[i]);
    if (f->count)
        qsort(f->pieces, f->count, sizeof *f->pieces, compare_pieces);
    write_text(f, since);
    if (whole && !f->failed && !f->text.failed)
        return f;
    replica_facts_free(f);
    return NULL;
}

void replica_facts_free(struct replica_facts *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        free(f->pieces[i].name);
    free(f->pieces);
    buffer_free(&f->text);
    free(f);
}

const char *replica_facts_text(const struct replica_facts *f)
{
    return (const char *)f->text.data;
}

/* ---- reading and comparing ----------------------------------------------------------------------------- */

static bool read_head(struct replica_identity *out, char check[64], const char *text)
{
    return sscanf(text, "1 %63s %255s %d %" SCNd64 " %31s", check, out->host, &out->pid, &out->since,
                  out->version) == 5;
}

bool replica_identity_read(struct replica_identity *out, const char *text)
{
    char check[64];
    *out = (struct replica_identity){0};
    return read_head(out, check, text);
}

static size_t key_of(const struct keys *keys, const char *check)
{
    const char *checks[KEYS_MAX];
    size_t count = keys_check_values(keys, checks), i = 0;
    while (i < count && strcmp(checks[i], check) != 0)
        i++;
    return i;
}

/* The next line "DIGEST NAME" cut out of the text; false at the end. */
static bool next_line(char **at, const char **digest, const char **name)
{
    char *line = *at, *end = strchr(line, '\n');
    if (!end || end - line <= DIGEST_SIZE - 1 || line[DIGEST_SIZE - 1] != ' ')
        return false;
    *end = line[DIGEST_SIZE - 1] = '\0';
    *digest = line;
    *name = line + DIGEST_SIZE;
    *at = end + 1;
    return true;
}

static bool same_digest(const char *ours, const char *theirs)
{
    return strcmp(ours, theirs) == 0 || strcmp(ours, UNKNOWN) == 0 || strcmp(theirs, UNKNOWN) == 0;
}

void replica_facts_compare(const struct replica_facts *ours, const char *theirs, replica_differs *differs,
                           void *context)
{
    struct replica_identity who;
    char check[64];
    CLEANUP(memory) char *copy = strdup(theirs);
    char *at = copy ? strchr(copy, '\n') : NULL;
    if (!at || !read_head(&who, check, theirs))
        return;
    at++;
    size_t key = key_of(ours->keys, check), i = 0;
    if (key == keys_count(ours->keys)) {
        differs(context, REPLICA_OTHER_KEY, "");
        return;
    }
    const char *digest, *name;
    bool more = next_line(&at, &digest, &name);
    while (more || i < ours->count) {
        const struct piece *p = &ours->pieces[i];
        int order = !more ? -1 : i == ours->count ? 1 : strcmp(p->name, name);
        if (order < 0)
            differs(context, REPLICA_LACKS, p->name);
        else if (order > 0)
            differs(context, REPLICA_HAS, name);
        else if (!same_digest(p->digest[key], digest))
            differs(context, REPLICA_OTHER_VALUE, name);
        i += order <= 0;
        more = order < 0 ? more : next_line(&at, &digest, &name);
    }
}
