/* audit.c: see audit.h. */
#include "audit/audit.h"

#include <string.h>

#include "base/codec.h"

#define VALUE_MAX   512
#define DETAILS_MAX 65536

static const struct {
    const char *name, *help;
} rows[] = {
#define EVENT(code, name, help) [AUDIT_##code] = {name, help},
#include "audit/events.def"
#undef EVENT
};

const char *audit_name(enum audit_code code)
{
    return rows[code].name;
}

const char *audit_help(enum audit_code code)
{
    return rows[code].help;
}

void audit_details_init(struct audit_details *d)
{
    buffer_init(&d->json, DETAILS_MAX);
    buffer_text(&d->json, "{");
}

static uint8_t last_byte(const struct buffer *b)
{
    return b->len > 0 ? b->data[b->len - 1] : 0;
}

static void begin_member(struct audit_details *d, const char *name)
{
    struct buffer *json = &d->json;
    if (last_byte(json) == '}') /* audit_details_text closed it */
        json->data[--json->len] = 0;
    if (last_byte(json) != '{')
        buffer_text(json, ",");
    codec_json_string(json, bytes_of_text(name));
    buffer_text(json, ":");
}

/* Not in the middle of a UTF-8 sequence. */
static struct bytes shortened(const char *value)
{
    size_t len = strnlen(value, VALUE_MAX + 1);
    if (len <= VALUE_MAX)
        return bytes_of(value, len);
    len = VALUE_MAX;
    while (len > VALUE_MAX - 4 && ((unsigned char)value[len] & 0xc0) == 0x80)
        len--;
    return bytes_of(value, len);
}

void audit_detail(struct audit_details *d, const char *name, const char *value)
{
    if (!value)
        return;
    begin_member(d, name);
    codec_json_string(&d->json, shortened(value));
}

void audit_detail_number(struct audit_details *d, const char *name, int64_t value)
{
    begin_member(d, name);
    buffer_format(&d->json, "%lld", (long long)value);
}

const char *audit_details_text(struct audit_details *d)
{
    if (last_byte(&d->json) != '}')
        buffer_text(&d->json, "}");
    return d->json.failed ? "{}" : (const char *)d->json.data;
}

void audit_details_free(struct audit_details *d)
{
    buffer_free(&d->json);
}

struct audit_event audit_event(enum audit_code code, const char *alias, const char *tenant,
                               const char *transaction, const char *client, const char *details)
{
    return (struct audit_event){
        .event = audit_name(code),
        .alias = alias ? alias : "",
        .tenant = tenant ? tenant : "",
        .transaction = transaction ? transaction : "",
        .client = client ? client : "",
        .details = details ? details : "{}",
    };
}
