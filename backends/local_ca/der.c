/* der.c: a forward DER writer (der.h). */
#include "backends/local_ca/der.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DER_FIRST_CAPACITY 1536 /* a usual certificate fits without growing */

void der_free(struct der *d)
{
    free(d->data);
    *d = (struct der){0};
}

struct backend_bytes der_bytes(const struct der *d)
{
    return (struct backend_bytes){.data = d->data, .len = d->len};
}

static uint8_t *extend(struct der *d, size_t len)
{
    if (d->failed)
        return NULL;
    if (d->capacity - d->len < len) {
        size_t capacity = d->capacity ? d->capacity : DER_FIRST_CAPACITY;
        while (capacity - d->len < len)
            capacity *= 2;
        uint8_t *data = realloc(d->data, capacity);
        if (!data) {
            d->failed = true;
            return NULL;
        }
        d->data = data;
        d->capacity = capacity;
    }
    uint8_t *at = d->data + d->len;
    d->len += len;
    return at;
}

void der_raw(struct der *d, const void *data, size_t len)
{
    uint8_t *at = extend(d, len);
    if (at && len)
        memcpy(at, data, len);
}

/* Length octets of `len` into `out`; returns how many (X.690 section 8.1.3). */
static size_t length_octets(size_t len, uint8_t out[1 + sizeof(size_t)])
{
    if (len < 0x80) {
        out[0] = (uint8_t)len;
        return 1;
    }
    size_t count = 0;
    for (size_t rest = len; rest; rest >>= 8)
        count++;
    out[0] = (uint8_t)(0x80 | count);
    for (size_t i = 0; i < count; i++)
        out[1 + i] = (uint8_t)(len >> (8 * (count - 1 - i)));
    return 1 + count;
}

size_t der_open(struct der *d, uint8_t tag)
{
    der_raw(d, (uint8_t[]){tag, 0}, 2);
    return d->len;
}

void der_close(struct der *d, size_t at)
{
    if (d->failed)
        return;
    uint8_t octets[1 + sizeof(size_t)];
    size_t len = d->len - at;
    size_t count = length_octets(len, octets);
    if (count > 1) {
        if (!extend(d, count - 1))
            return;
        memmove(d->data + at + count - 1, d->data + at, len);
    }
    memcpy(d->data + at - 1, octets, count);
}

void der_element(struct der *d, uint8_t tag, const void *contents, size_t len)
{
    uint8_t octets[1 + sizeof(size_t)];
    der_raw(d, &tag, 1);
    der_raw(d, octets, length_octets(len, octets));
    der_raw(d, contents, len);
}

void der_object(struct der *d, const ASN1_OBJECT *object)
{
    der_element(d, V_ASN1_OBJECT, OBJ_get0_data(object), OBJ_length(object));
}

void der_nid(struct der *d, int nid)
{
    der_object(d, OBJ_nid2obj(nid));
}

void der_true(struct der *d)
{
    der_element(d, V_ASN1_BOOLEAN, (uint8_t[]){0xff}, 1);
}

void der_time(struct der *d, int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm t;
    char text[64];
    if (!gmtime_r(&when, &t)) {
        d->failed = true;
        return;
    }
    int year = t.tm_year + 1900;
    bool utc = year >= 1950 && year < 2050;
    int len = snprintf(text, sizeof text, "%0*d%02d%02d%02d%02d%02dZ", utc ? 2 : 4, utc ? year % 100 : year,
                       t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
    der_element(d, utc ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME, text, (size_t)len);
}
