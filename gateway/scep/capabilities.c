/* capabilities.c: see capabilities.h. */
#include "scep/capabilities.h"

#include <string.h>
#include <strings.h>

static const struct keyword {
    const char *text;
    uint32_t cipher;
    uint32_t digest;
    size_t flag; /* offset of a bool in struct scep_capabilities */
    bool read_only;
} keywords[] = {
    {"AES", .cipher = SCEP_CIPHER_AES128},
    {"DES3", .cipher = SCEP_CIPHER_DES3},
    {"GetNextCACert", .flag = offsetof(struct scep_capabilities, next_ca)},
    {"POSTPKIOperation", .flag = offsetof(struct scep_capabilities, post)},
    {"Renewal", .flag = offsetof(struct scep_capabilities, renewal)},
    {"SHA-1", .digest = SCEP_DIGEST_SHA1},
    {"SHA-224", .digest = SCEP_DIGEST_SHA224, .read_only = true}, /* some clients know it, none needs it */
    {"SHA-256", .digest = SCEP_DIGEST_SHA256},
    {"SHA-384", .digest = SCEP_DIGEST_SHA384},
    {"SHA-512", .digest = SCEP_DIGEST_SHA512},
    {"Update", .flag = offsetof(struct scep_capabilities, update)},
};

#define KEYWORD_COUNT (sizeof keywords / sizeof *keywords)
static const char standard[] = "SCEPStandard";

static bool *flag_of(struct scep_capabilities *c, const struct keyword *k)
{
    return (bool *)((char *)c + k->flag);
}

static bool has(const struct scep_capabilities *c, const struct keyword *k)
{
    if (k->cipher || k->digest)
        return (c->ciphers & k->cipher) || (c->digests & k->digest);
    return *(const bool *)((const char *)c + k->flag);
}

void scep_capabilities_write(struct buffer *out, const struct scep_capabilities *c)
{
    for (size_t i = 0; i < KEYWORD_COUNT; i++) {
        if (keywords[i].read_only || !has(c, &keywords[i]))
            continue;
        buffer_text(out, keywords[i].text);
        buffer_text(out, "\n");
    }
    if ((c->ciphers & SCEP_CIPHER_AES128) && (c->digests & SCEP_DIGEST_SHA256) && c->post &&
        !(c->ciphers & SCEP_CIPHER_DES) && !(c->digests & SCEP_DIGEST_MD5)) {
        buffer_text(out, standard);
        buffer_text(out, "\n");
    }
}

static bool is(struct bytes word, const char *keyword)
{
    return word.len == strlen(keyword) && strncasecmp((const char *)word.data, keyword, word.len) == 0;
}

static void read_word(struct scep_capabilities *c, struct bytes word)
{
    if (is(word, standard)) { /* implies these three (C-06) */
        c->standard = c->post = true;
        c->ciphers |= SCEP_CIPHER_AES128;
        c->digests |= SCEP_DIGEST_SHA256;
        return;
    }
    for (size_t i = 0; i < KEYWORD_COUNT; i++) {
        const struct keyword *k = &keywords[i];
        if (!is(word, k->text))
            continue;
        c->ciphers |= k->cipher;
        c->digests |= k->digest;
        if (!k->cipher && !k->digest)
            *flag_of(c, k) = true;
    }
}

void scep_capabilities_read(struct scep_capabilities *out, struct bytes text)
{
    static const char space[] = " \t\r\n";
    *out = (struct scep_capabilities){0};
    size_t at = 0;
    while (at < text.len) {
        size_t start = at;
        while (at < text.len && !memchr(space, text.data[at], sizeof space - 1))
            at++;
        if (at > start)
            read_word(out, bytes_of(text.data + start, at - start));
        else
            at++;
    }
}
