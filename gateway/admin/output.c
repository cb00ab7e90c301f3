/* output.c: values as JSON. See endpoints.h. */
#include <openssl/pem.h>
#include <string.h>

#include "admin/endpoints.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/codec.h"

json_t *admin_time(int64_t realtime_ms)
{
    char text[CLOCK_TEXT_SIZE];
    return realtime_ms == 0 ? json_null() : json_string(clock_text(realtime_ms, text));
}

json_t *admin_bytes_text(struct bytes b)
{
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, 4 * b.len + 1);
    buffer_append(&text, "", 0);
    for (size_t i = 0; i < b.len; i++) {
        uint8_t byte = b.data[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '\\')
            buffer_append(&text, &byte, 1);
        else
            buffer_format(&text, "\\x%02x", byte);
    }
    return text.failed ? NULL : json_stringn((const char *)text.data, text.len);
}

json_t *admin_text(const char *text)
{
    json_t *plain = json_string(text ? text : "");
    return plain ? plain : admin_bytes_text(bytes_of_text(text));
}

json_t *admin_hex_text(struct bytes b)
{
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, 2 * b.len + 1);
    codec_hex(&text, b);
    return text.failed || !text.data ? json_string("") : json_stringn((const char *)text.data, text.len);
}

json_t *admin_pem(struct bytes der)
{
    CLEANUP(BIO) BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!out || PEM_write_bio(out, PEM_STRING_X509, "", der.data, (long)der.len) <= 0)
        return NULL;
    long len = BIO_get_mem_data(out, &text);
    return json_stringn(text, (size_t)len);
}

void admin_answer_list(struct admin_call *c, const char *name, json_t *list,
                       const struct store_answer *answer)
{
    admin_answer(c, 200,
                 json_pack("{s:o, s:o}", name, list, "next",
                           answer->next[0] ? admin_text(answer->next) : json_null()));
}
