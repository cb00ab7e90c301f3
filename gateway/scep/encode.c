/* encode.c: see encode.h. */
#include "scep/encode.h"

enum error_code scep_encode(struct buffer *out, const ASN1_ITEM *item, const void *value, struct error *e)
{
    int size = ASN1_item_i2d(value, NULL, item);
    if (size <= 0)
        return error_set_openssl(e, ERR_INTERNAL, "cannot encode a message");
    uint8_t *at = buffer_extend(out, (size_t)size);
    if (!at)
        return error_set(e, ERR_INTERNAL, "a message of %d bytes does not fit its buffer", size);
    if (ASN1_item_i2d(value, &at, item) != size)
        return error_set_openssl(e, ERR_INTERNAL, "cannot encode a message");
    return ERR_OK;
}
