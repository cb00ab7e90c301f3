/* ber.c: see ber.h. */
#include "scep/ber.h"

#include <stdlib.h>
#include <string.h>

#define INDEFINITE      0x80
#define HIGH_TAG_NUMBER 0x1F

struct header {
    uint8_t identifier;
    bool indefinite;
    size_t length; /* of the content, when definite */
};

struct walk {
    int depth_left;
    size_t elements_left;
    bool limited; /* it stopped at a limit, not at a fault */
};

static void advance(struct bytes *b, size_t by)
{
    b->data += by;
    b->len -= by;
}

static bool read_length(struct bytes *rest, uint8_t first, struct header *h)
{
    size_t octets = first & 0x7F;
    if (octets > 4 || octets > rest->len)
        return false;
    h->length = 0;
    for (size_t i = 0; i < octets; i++)
        h->length = h->length << 8 | rest->data[i];
    advance(rest, octets);
    return true;
}

static bool read_header(struct bytes *rest, struct header *h)
{
    if (rest->len < 2)
        return false;
    uint8_t first = rest->data[1];
    *h = (struct header){.identifier = rest->data[0], .length = first};
    advance(rest, 2);
    if (h->identifier == 0 || (h->identifier & HIGH_TAG_NUMBER) == HIGH_TAG_NUMBER)
        return false;
    if (first == INDEFINITE) {
        h->indefinite = true;
        return (h->identifier & BER_CONSTRUCTED) != 0;
    }
    if (first > INDEFINITE && !read_length(rest, first, h))
        return false;
    return h->length <= rest->len;
}

static bool at_end_of_contents(const struct bytes *rest)
{
    return rest->len >= 2 && rest->data[0] == 0 && rest->data[1] == 0;
}

static bool walk_element(struct bytes *rest, struct walk *w);

/* Elements until the run ends, or until end-of-contents octets, which are left in place. */
static bool walk_elements(struct bytes *rest, bool indefinite, struct walk *w)
{
    if (w->depth_left-- == 0) {
        w->limited = true;
        return false;
    }
    while (indefinite ? !at_end_of_contents(rest) : rest->len > 0)
        if (!walk_element(rest, w))
            return false;
    w->depth_left++;
    return true;
}

static bool walk_element(struct bytes *rest, struct walk *w)
{
    struct header h;
    if (!read_header(rest, &h))
        return false;
    if (w->elements_left-- == 0) {
        w->limited = true;
        return false;
    }
    if (h.indefinite) {
        if (!walk_elements(rest, true, w))
            return false;
        advance(rest, 2);
        return true;
    }
    struct bytes inside = bytes_of(rest->data, h.length);
    advance(rest, h.length);
    return !(h.identifier & BER_CONSTRUCTED) || walk_elements(&inside, false, w);
}

static struct walk fresh_walk(void)
{
    return (struct walk){.depth_left = BER_DEPTH_MAX, .elements_left = BER_ELEMENTS_MAX};
}

enum error_code ber_check(struct bytes in, size_t *length, struct error *e)
{
    struct bytes rest = in;
    struct walk w = fresh_walk();
    *length = 0;
    if (walk_element(&rest, &w)) {
        *length = in.len - rest.len;
        return ERR_OK;
    }
    if (w.limited)
        return error_set(e, ERR_MESSAGE_MALFORMED, "more than %d nested or %d single ASN.1 elements",
                         BER_DEPTH_MAX, BER_ELEMENTS_MAX);
    return error_set(e, ERR_NOT_CMS, "not ASN.1: the encoding breaks off or has impossible tags or lengths");
}

bool ber_next(struct bytes *rest, struct ber *out)
{
    struct bytes at = *rest;
    struct header h;
    if (!read_header(&at, &h))
        return false;
    const uint8_t *content = at.data;
    size_t length = h.length;
    if (h.indefinite) {
        struct walk w = fresh_walk();
        if (!walk_elements(&at, true, &w))
            return false;
        length = (size_t)(at.data - content);
        advance(&at, 2);
    } else {
        advance(&at, length);
    }
    out->identifier = h.identifier;
    out->content = bytes_of(content, length);
    out->whole = bytes_of(rest->data, rest->len - at.len);
    *rest = at;
    return true;
}

bool ber_take(struct bytes *rest, uint8_t identifier, struct ber *out)
{
    if (rest->len == 0 || (rest->data[0] != identifier && rest->data[0] != (identifier | BER_CONSTRUCTED)))
        return false;
    return ber_next(rest, out);
}

size_t ber_count(struct bytes content)
{
    struct ber element;
    size_t count = 0;
    while (ber_next(&content, &element))
        count++;
    return count;
}

/* The pieces are no longer than the whole, so `to` has room for them. */
static bool gather(struct bytes pieces, uint8_t *to, size_t *used, int depth)
{
    struct ber piece;
    while (pieces.len > 0) {
        if (!ber_take(&pieces, BER_OCTET_STRING, &piece))
            return false;
        if (piece.identifier & BER_CONSTRUCTED) {
            if (depth == 0 || !gather(piece.content, to, used, depth - 1))
                return false;
        } else if (piece.content.len > 0) {
            memcpy(to + *used, piece.content.data, piece.content.len);
            *used += piece.content.len;
        }
    }
    return true;
}

#define PIECES_DEPTH_MAX 5 /* OpenSSL's bound for constructed strings */

bool ber_octets(const struct ber *string, struct bytes *out, uint8_t **owned)
{
    *owned = NULL;
    *out = string->content;
    if (!(string->identifier & BER_CONSTRUCTED))
        return true;
    uint8_t *copy = malloc(string->content.len + 1);
    size_t used = 0;
    if (!copy || !gather(string->content, copy, &used, PIECES_DEPTH_MAX)) {
        free(copy);
        return false;
    }
    *owned = copy;
    *out = bytes_of(copy, used);
    return true;
}
