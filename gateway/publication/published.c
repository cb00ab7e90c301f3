/* published.c: see published.h. */
#include "publication/published.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bytes copy_to(uint8_t **at, struct bytes from)
{
    struct bytes copy = bytes_of(*at, from.len);
    if (from.len)
        memcpy(*at, from.data, from.len);
    *at += from.len;
    return copy;
}

struct published *published_create(const char *name, struct bytes certificate, int64_t not_before,
                                   const struct crl_record *list, int64_t due)
{
    struct published *p = malloc(sizeof *p + certificate.len + (list ? list->der.len : 0));
    if (!p)
        return NULL;
    uint8_t *at = (uint8_t *)(p + 1);
    *p = (struct published){.not_before = not_before, .due = due, .references = 1};
    snprintf(p->name, sizeof p->name, "%s", name);
    p->certificate = copy_to(&at, certificate);
    if (!list)
        return p;
    p->crl = copy_to(&at, list->der);
    p->number = list->number;
    p->this_update = list->this_update;
    p->next_update = list->next_update;
    p->entries = published_count_entries(p->crl);
    return p;
}

struct published *published_ref(struct published *p)
{
    __atomic_fetch_add(&p->references, 1, __ATOMIC_RELAXED);
    return p;
}

void published_unref(struct published *p)
{
    if (p && __atomic_sub_fetch(&p->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(p);
}

/* ---- counting ------------------------------------------------------------------------------------------ */

/* The next element: its tag and contents; `in` moves behind it. DER only: no indefinite lengths. */
static bool next_element(struct bytes *in, int *tag, struct bytes *contents)
{
    const unsigned char *at = in->data;
    long len;
    int class;
    if (!in->len || (ASN1_get_object(&at, &len, tag, &class, (long)in->len) & 0x81) ||
        class != V_ASN1_UNIVERSAL)
        return false;
    *contents = bytes_of(at, (size_t)len);
    in->len -= (size_t)(at + len - in->data);
    in->data = at + len;
    return true;
}

static bool is_time(int tag)
{
    return tag == V_ASN1_UTCTIME || tag == V_ASN1_GENERALIZEDTIME;
}

/* version, signature, issuer, thisUpdate, nextUpdate, then the entries (RFC 5280 section 5.1). */
static size_t count(struct bytes crl)
{
    struct bytes list, tbs, part;
    int tag;
    size_t found = 0;
    bool timed = false;
    if (!next_element(&crl, &tag, &list) || tag != V_ASN1_SEQUENCE || !next_element(&list, &tag, &tbs) ||
        tag != V_ASN1_SEQUENCE)
        return 0;
    while (next_element(&tbs, &tag, &part)) {
        if (is_time(tag))
            timed = true;
        else if (timed)
            break;
    }
    if (!timed || tag != V_ASN1_SEQUENCE)
        return 0;
    for (struct bytes entry; next_element(&part, &tag, &entry);)
        found++;
    return found;
}

size_t published_count_entries(struct bytes crl)
{
    size_t found = count(crl);
    ERR_clear_error();
    return found;
}
