/* head.h: the head of one request, looked at byte by byte before evhttp parses it: is it within its caps, and
 * of a known method? Pure. Says where a head ends exactly as evhttp does: a line ends at LF, with one CR
 * before it or none. */
#pragma once

#include "base/bytes.h"

enum head_verdict {
    HEAD_MORE,   /* fine so far */
    HEAD_WHOLE,  /* the empty line was seen; what follows is the body */
    HEAD_BAD,    /* no HTTP */
    HEAD_METHOD, /* a method that this server never serves */
    HEAD_URI,    /* the request target is longer than its cap */
    HEAD_FIELDS, /* the header lines are longer than their cap */
    HEAD_LENGTH, /* whole, but Content-Length announces more than the body's cap */
};

struct head {
    size_t uri_max, fields_max, body_max;
    bool fields;       /* behind the request line */
    size_t line;       /* bytes of this line so far, without its LF */
    size_t total;      /* bytes of all header lines so far */
    size_t last_space; /* of the request line: before the version */
    char method[12];
    size_t method_len; /* 0 until its space was seen */
    uint8_t previous;
    size_t matched;       /* bytes of this line that spell "content-length:" */
    uint64_t body_length; /* announced; the largest when announced twice */
    uint64_t digits;      /* of the line being read */
};

void head_init(struct head *h, size_t uri_max, size_t fields_max, size_t body_max);
/* Not to be fed any more after a verdict other than HEAD_MORE. */
enum head_verdict head_feed(struct head *h, struct bytes data);
