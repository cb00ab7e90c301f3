/* ber.h: reading BER in place (X.690): what OpenSSL's CMS API keeps to itself, and the limits that apply
 * before it is asked.
 *
 * Indefinite lengths and constructed strings are accepted (checklist G-06); tag numbers above 30 never occur
 * in SCEP and are not. Elements borrow from the input. Pure.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#define BER_DEPTH_MAX    32
#define BER_ELEMENTS_MAX 8192

enum { /* identifier octets */
       BER_INTEGER = 0x02,
       BER_BIT_STRING = 0x03,
       BER_OCTET_STRING = 0x04,
       BER_OID = 0x06,
       BER_SEQUENCE = 0x30,
       BER_SET = 0x31,
       BER_CONTEXT_0 = 0xA0, /* constructed: EXPLICIT, or an IMPLICIT SET or SEQUENCE */
       BER_CONTEXT_1 = 0xA1,
       BER_CONTEXT_0_STRING = 0x80, /* IMPLICIT string */
};

#define BER_CONSTRUCTED 0x20

struct ber {
    uint8_t identifier;
    struct bytes content; /* without the end-of-contents octets of an indefinite length */
    struct bytes whole;
};

/* Walks everything inside the first element: ERR_NOT_CMS when it is not BER, ERR_MESSAGE_MALFORMED when it is
 * deeper or has more elements than the limits. `*length` is the first element's; what follows it is not
 * looked at. */
enum error_code ber_check(struct bytes in, size_t *length, struct error *e);

/* Takes the next element off `rest`; false at the end and when it is not BER. */
bool ber_next(struct bytes *rest, struct ber *out);
/* Takes the next element if it has this identifier, otherwise leaves `rest` alone. An identifier without
 * BER_CONSTRUCTED stands for both forms of a string. */
bool ber_take(struct bytes *rest, uint8_t identifier, struct ber *out);
/* How many elements there are; they have to be well-formed (ber_check). */
size_t ber_count(struct bytes content);
/* The octets of a string, from its pieces when it is constructed: then `*owned` is their copy, which the
 * caller frees. */
bool ber_octets(const struct ber *string, struct bytes *out, uint8_t **owned);
