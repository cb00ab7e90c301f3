/* encode.h: any ASN.1 value as DER at the end of a buffer. Pure. */
#pragma once

#include <openssl/asn1.h>

#include "base/bytes.h"
#include "base/error.h"

enum error_code scep_encode(struct buffer *out, const ASN1_ITEM *item, const void *value, struct error *e);
