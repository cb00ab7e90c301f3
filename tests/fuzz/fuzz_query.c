/* fuzz_query.c: any bytes as a request head, a request target, a query and a message parameter. */
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "http/head.h"
#include "http/query.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool inside(struct bytes part, const char *text)
{
    uintptr_t from = (uintptr_t)text, at = (uintptr_t)part.data;
    return part.len == 0 || (at >= from && at + part.len <= from + strlen(text));
}

/* However the bytes come, the verdict is the same. */
static void try_head(struct bytes data)
{
    struct head whole, drip;
    head_init(&whole, 60, 200, 100);
    head_init(&drip, 60, 200, 100);
    enum head_verdict verdict = head_feed(&whole, data), last = HEAD_MORE;
    for (size_t i = 0; i < data.len && last == HEAD_MORE; i++)
        last = head_feed(&drip, bytes_of(data.data + i, 1));
    must(verdict == last);
}

static void try_target(const char *text)
{
    struct target_parts parts;
    target_split(&parts, text);
    must(inside(parts.authority, text) && inside(parts.query, text));
    must(inside(parts.path, text) || bytes_equal(parts.path, bytes_of_text("/")));
    char *host = host_of(parts.authority.len > 0 ? parts.authority : bytes_of_text(text));
    must(host != NULL && strpbrk(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
    free(host);
}

/* What was decoded comes back when it is encoded as a careful client does. */
static void try_message(struct bytes raw, bool escaped)
{
    struct buffer der, text, url, again;
    buffer_init(&der, 2 * raw.len + 16);
    buffer_init(&text, 4 * raw.len + 16);
    buffer_init(&url, 12 * raw.len + 64);
    buffer_init(&again, 2 * raw.len + 16);
    if (scep_query_message(&der, raw, escaped)) {
        must(der.len > 0 && der.len <= raw.len);
        codec_base64(&text, buffer_bytes(&der));
        codec_escape(&url, buffer_bytes(&text));
        must(scep_query_message(&again, buffer_bytes(&url), true));
        must(bytes_equal(buffer_bytes(&der), buffer_bytes(&again)));
    }
    buffer_free(&der);
    buffer_free(&text);
    buffer_free(&url);
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    struct scep_query query;
    scep_query_parse(&query, text);
    must(inside(query.message, text));
    try_message(query.message, true);
    try_message(bytes_of(data, size), false);
    try_head(bytes_of(data, size));
    try_target(text);
    free(text);
    return 0;
}
