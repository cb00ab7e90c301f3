/* head.c: see head.h. */
#include "http/head.h"

#include <string.h>

#define VERSION_ROOM 16 /* " HTTP/1.1" and a CR, with room for curious clients */

/* What evhttp can name and our handlers may see; CONNECT is left out, its target is no URL. */
static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"};

void head_init(struct head *h, size_t uri_max, size_t fields_max, size_t body_max)
{
    *h = (struct head){.uri_max = uri_max, .fields_max = fields_max, .body_max = body_max};
}

static bool is_method(const char *word)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i], word) == 0)
            return true;
    return false;
}

static bool is_token(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static enum head_verdict feed_method(struct head *h, uint8_t c)
{
    if (c == ' ') {
        if (h->line == 0)
            return HEAD_BAD;
        h->method_len = h->line;
        h->last_space = h->line;
        return is_method(h->method) ? HEAD_MORE : HEAD_METHOD;
    }
    if (!is_token(c))
        return HEAD_BAD;
    if (h->line + 1 >= sizeof h->method)
        return HEAD_METHOD;
    h->method[h->line] = (char)c;
    return HEAD_MORE;
}

static enum head_verdict line_ended(struct head *h)
{
    if (h->last_space <= h->method_len + 1)
        return HEAD_BAD; /* no target, or no version */
    if (h->last_space - h->method_len - 1 > h->uri_max)
        return HEAD_URI;
    h->fields = true;
    h->line = 0;
    h->previous = 0;
    return HEAD_MORE;
}

static enum head_verdict feed_line(struct head *h, uint8_t c)
{
    enum head_verdict verdict = HEAD_MORE;
    if (h->method_len == 0)
        verdict = feed_method(h, c);
    else if (c == '\n')
        return line_ended(h);
    else if (c == 0)
        verdict = HEAD_BAD;
    else if (c == ' ')
        h->last_space = h->line;
    h->line++;
    if (verdict == HEAD_MORE && h->method_len > 0 && h->line - h->method_len > h->uri_max + VERSION_ROOM)
        return HEAD_URI;
    return verdict;
}

/* Only to refuse early: what the number really means for the body is evhttp's to say. */
static void feed_length(struct head *h, uint8_t c)
{
    static const char name[] = "content-length:";
    const size_t whole = sizeof name - 1;
    uint8_t lower = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    if (h->matched == whole && c >= '0' && c <= '9' && h->digits < UINT64_MAX / 10 - 10)
        h->digits = h->digits * 10 + (uint64_t)(c - '0');
    else if (h->matched == h->line && h->matched < whole && lower == (uint8_t)name[h->matched])
        h->matched++;
    if (c != '\n')
        return;
    if (h->digits > h->body_length)
        h->body_length = h->digits;
    h->matched = 0;
    h->digits = 0;
}

static enum head_verdict feed_field(struct head *h, uint8_t c)
{
    if (c == '\n' && (h->line == 0 || (h->line == 1 && h->previous == '\r')))
        return h->body_length > h->body_max ? HEAD_LENGTH : HEAD_WHOLE;
    if (c == 0)
        return HEAD_BAD;
    if (++h->total > h->fields_max)
        return HEAD_FIELDS;
    feed_length(h, c);
    h->line = c == '\n' ? 0 : h->line + 1;
    h->previous = c;
    return HEAD_MORE;
}

enum head_verdict head_feed(struct head *h, struct bytes data)
{
    enum head_verdict verdict = HEAD_MORE;
    for (size_t i = 0; i < data.len && verdict == HEAD_MORE; i++)
        verdict = h->fields ? feed_field(h, data.data[i]) : feed_line(h, data.data[i]);
    return verdict;
}
