/* codec.h: hex, base64, percent escapes and JSON strings. Pure functions. */
#pragma once

#include "base/bytes.h"

void codec_hex(struct buffer *out, struct bytes in); /* lower case, no separators */
/* Accepts both cases and ':' or ' ' between bytes. false on anything else or an odd digit count. */
bool codec_unhex(struct buffer *out, const char *text);
void codec_base64(struct buffer *out, struct bytes in);    /* RFC 4648 section 4, padded, one line */
void codec_base64url(struct buffer *out, struct bytes in); /* RFC 4648 section 5, no padding */
/* As SCEP clients send it: both alphabets mixed, white space anywhere (a space where a form decoder ate
 * a '+' counts as '+' only when `space_is_plus`), padding optional. false when it is no base64 text. */
bool codec_unbase64(struct buffer *out, struct bytes in, bool space_is_plus);
/* RFC 3986 unescape; '+' stays '+'; a stray '%' stays as it is. */
void codec_unescape(struct buffer *out, struct bytes in);
void codec_escape(struct buffer *out, struct bytes in); /* everything but unreserved characters */
/* A quoted JSON string; invalid UTF-8 and control bytes become \u escapes, never raw output. */
void codec_json_string(struct buffer *out, struct bytes in);
/* The same escapes without quotes, for people: what would move a cursor or forge a line never comes out raw.
 */
void codec_printable(struct buffer *out, struct bytes in);
