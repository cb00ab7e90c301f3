/* query.c: see query.h. */
#include "http/query.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/codec.h"

#define NAME_MAX_LEN 64

static const struct {
    const char *name;
    enum scep_operation operation;
} operations[] = {
    {"GetCACaps", SCEP_GET_CA_CAPS},
    {"GetCACert", SCEP_GET_CA_CERT},
    {"GetCACertChain", SCEP_GET_CA_CERT_CHAIN},
    {"GetNextCACert", SCEP_GET_NEXT_CA_CERT},
    {"PKIOperation", SCEP_PKI_OPERATION},
};

/* Unescaped, without regard to case; a longer run is no name of ours. */
static bool is_word(struct bytes raw, const char *word)
{
    if (raw.len > 3 * NAME_MAX_LEN)
        return false;
    CLEANUP(buffer) struct buffer plain;
    buffer_init(&plain, 3 * NAME_MAX_LEN);
    codec_unescape(&plain, raw);
    return !plain.failed && plain.len == strlen(word) &&
           strncasecmp((char *)plain.data, word, plain.len) == 0;
}

static enum scep_operation operation_of(struct bytes raw)
{
    if (raw.len == 0)
        return SCEP_OPERATION_NONE;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (is_word(raw, operations[i].name))
            return operations[i].operation;
    return SCEP_OPERATION_UNKNOWN;
}

/* The first of a repeated parameter counts, whoever appended the others. */
static void parse_parameter(struct scep_query *out, struct bytes parameter, bool *has_operation)
{
    const uint8_t *equals = parameter.len > 0 ? memchr(parameter.data, '=', parameter.len) : NULL;
    size_t name_len = equals ? (size_t)(equals - parameter.data) : parameter.len;
    struct bytes name = bytes_of(parameter.data, name_len);
    struct bytes value = bytes_of(equals ? equals + 1 : NULL, equals ? parameter.len - name_len - 1 : 0);
    if (!*has_operation && is_word(name, "operation")) {
        out->operation = operation_of(value);
        *has_operation = true;
    } else if (!out->has_message && is_word(name, "message")) {
        out->message = value;
        out->has_message = true;
    }
}

void scep_query_parse(struct scep_query *out, const char *query)
{
    *out = (struct scep_query){0};
    bool has_operation = false;
    for (const char *at = query; at;) {
        size_t len = strcspn(at, "&");
        parse_parameter(out, bytes_of(at, len), &has_operation);
        at = at[len] ? at + len + 1 : NULL;
    }
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks around a body are layout; in a URL a space at the end may well have been a '+'. */
static struct bytes trim(struct bytes text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = bytes_of(text.data + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* A SEQUENCE with a long or indefinite length: no letter of base64 has the high bit. */
static bool is_der(struct bytes data)
{
    return data.len > 1 && data.data[0] == 0x30 && data.data[1] >= 0x80;
}

static bool decode(struct buffer *out, struct bytes plain)
{
    if (is_der(plain)) {
        buffer_append(out, plain.data, plain.len);
        return !out->failed;
    }
    size_t before = out->len;
    return codec_unbase64(out, plain, true) && out->len > before;
}

bool scep_query_message(struct buffer *out, struct bytes raw, bool escaped)
{
    if (!escaped)
        return decode(out, trim(raw));
    CLEANUP(buffer) struct buffer once;
    CLEANUP(buffer) struct buffer twice;
    buffer_init(&once, raw.len + 1);
    buffer_init(&twice, raw.len + 1);
    codec_unescape(&once, raw);
    if (once.failed)
        return false;
    struct bytes plain = buffer_bytes(&once);
    /* '%' is no letter of base64: what still has one was escaped twice. */
    if (!is_der(plain) && plain.len > 0 && memchr(plain.data, '%', plain.len)) {
        codec_unescape(&twice, plain);
        if (twice.failed)
            return false;
        plain = buffer_bytes(&twice);
    }
    return decode(out, plain);
}
