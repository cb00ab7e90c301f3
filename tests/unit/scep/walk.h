/* walk.h: a reader of DER for tests that look at single bytes; no OpenSSL templates, no code of the room. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct node {
    unsigned tag;        /* the identifier octet: 0x30, 0x13, 0xa0 … */
    struct bytes whole;  /* with tag and length */
    struct bytes inside; /* contents octets */
};

struct node walk_parse(struct bytes der);                /* tag 0 when it is no definite, minimal TLV */
struct node walk_child(struct node parent, unsigned at); /* tag 0 when there is none */
unsigned walk_count(struct node parent);
/* From `start` down through child numbers, up to a negative one. */
struct node walk_down(struct node start, const int *path);
#define WALK(start, ...) walk_down((start), (const int[]){__VA_ARGS__, -1})
bool walk_is_oid(struct node node, const char *dotted);
/* The value of the signed attribute `dotted` of a CMS SignedData with one signer; tag 0 when absent or
 * repeated. */
struct node walk_signed_attribute(struct bytes message, const char *dotted);
struct node walk_signer_info(struct bytes message);
