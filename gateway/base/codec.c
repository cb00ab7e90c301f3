/* codec.c: see codec.h. */
#include "base/codec.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void codec_hex(struct buffer *out, struct bytes in)
{
    if (in.len > SIZE_MAX / 2) {
        buffer_extend(out, SIZE_MAX); /* fails the buffer */
        return;
    }
    uint8_t *room = buffer_extend(out, in.len * 2);
    for (size_t i = 0; room && i < in.len; i++) {
        room[2 * i] = (uint8_t)hex_digits[in.data[i] >> 4];
        room[2 * i + 1] = (uint8_t)hex_digits[in.data[i] & 15];
    }
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool codec_unhex(struct buffer *out, const char *text)
{
    while (*text) {
        if (*text == ':' || *text == ' ') {
            text++;
            continue;
        }
        int high = hex_value((unsigned char)text[0]);
        int low = high >= 0 ? hex_value((unsigned char)text[1]) : -1;
        if (low < 0)
            return false;
        uint8_t byte = (uint8_t)(high << 4 | low);
        buffer_append(out, &byte, 1);
        text += 2;
    }
    return !out->failed;
}

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode64(struct buffer *out, struct bytes in, const char *letters, bool padded)
{
    for (size_t i = 0; i < in.len; i += 3) {
        size_t n = in.len - i < 3 ? in.len - i : 3;
        uint32_t group = (uint32_t)in.data[i] << 16;
        if (n > 1)
            group |= (uint32_t)in.data[i + 1] << 8;
        if (n > 2)
            group |= in.data[i + 2];
        char text[4] = {letters[group >> 18], letters[group >> 12 & 63],
                        n > 1 ? letters[group >> 6 & 63] : '=', n > 2 ? letters[group & 63] : '='};
        buffer_append(out, text, padded ? 4 : n + 1);
    }
    buffer_append(out, "", 0);
}

void codec_base64(struct buffer *out, struct bytes in)
{
    encode64(out, in, base64_letters, true);
}

void codec_base64url(struct buffer *out, struct bytes in)
{
    encode64(out, in, base64url_letters, false);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool codec_unbase64(struct buffer *out, struct bytes in, bool space_is_plus)
{
    uint32_t group = 0;
    size_t letters = 0, pads = 0;
    if (in.len / 4 > SIZE_MAX / 3 - 1 || !buffer_extend(out, 0))
        return false;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i];
        if (c == ' ' && space_is_plus && pads == 0)
            c = '+';
        if (is_space(c))
            continue;
        if (c == '=') {
            pads++;
            continue;
        }
        int value = base64_value(c);
        if (value < 0 || pads > 0)
            return false;
        group = group << 6 | (uint32_t)value;
        if (++letters % 4 == 0) {
            uint8_t three[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
            buffer_append(out, three, 3);
            group = 0;
        }
    }
    size_t rest = letters % 4;
    if (rest == 1 || pads > 2)
        return false;
    if (rest > 0) { /* 12 or 18 bits: one or two bytes, the bits below are dropped */
        group <<= 6 * (4 - rest);
        uint8_t two[2] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8)};
        buffer_append(out, two, rest - 1);
    }
    return !out->failed;
}

void codec_unescape(struct buffer *out, struct bytes in)
{
    buffer_append(out, "", 0);
    size_t start = 0; /* of the run that is copied as it is */
    for (size_t i = 0; i + 2 < in.len; i++) {
        if (in.data[i] != '%')
            continue;
        int high = hex_value(in.data[i + 1]), low = hex_value(in.data[i + 2]);
        if (high < 0 || low < 0)
            continue;
        uint8_t byte = (uint8_t)(high << 4 | low);
        buffer_append(out, in.data + start, i - start);
        buffer_append(out, &byte, 1);
        i += 2;
        start = i + 1;
    }
    if (start < in.len)
        buffer_append(out, in.data + start, in.len - start);
}

static bool is_unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void codec_escape(struct buffer *out, struct bytes in)
{
    static const char upper[] = "0123456789ABCDEF"; /* RFC 3986 section 2.1 asks for upper case */
    buffer_append(out, "", 0);
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i];
        char escaped[3] = {'%', upper[c >> 4], upper[c & 15]};
        if (is_unreserved(c))
            buffer_append(out, &c, 1);
        else
            buffer_append(out, escaped, 3);
    }
}

/* Length of the well-formed UTF-8 sequence at `p` and its code point; 0 when there is none (RFC 3629). */
static size_t utf8_length(const uint8_t *p, size_t left, uint32_t *point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if ((p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4 || len > left)
        return 0;
    uint32_t value = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3f);
    }
    if (value < smallest[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *point = value;
    return len;
}

/* What moves a cursor, ends a line or turns the reading direction: a hostile name must not repaint a
 * terminal. */
static bool is_unprintable(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

static void append_printable(struct buffer *out, struct bytes in, bool quoted)
{
    for (size_t i = 0; i < in.len;) {
        uint32_t point = in.data[i];
        size_t len = utf8_length(in.data + i, in.len - i, &point);
        if (len == 0 || is_unprintable(point)) {
            buffer_format(out, "\\u%04x", (unsigned)point);
            i += len > 0 ? len : 1;
            continue;
        }
        if (quoted && (point == '"' || point == '\\'))
            buffer_append(out, "\\", 1);
        buffer_append(out, in.data + i, len);
        i += len;
    }
}

void codec_json_string(struct buffer *out, struct bytes in)
{
    buffer_text(out, "\"");
    append_printable(out, in, true);
    buffer_text(out, "\"");
}

void codec_printable(struct buffer *out, struct bytes in)
{
    buffer_append(out, "", 0);
    append_printable(out, in, false);
}
