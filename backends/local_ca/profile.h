/* profile.h: what the settings say about certificates, as ready-made DER. Immutable. */
#pragma once

#include "backends/local_ca/ca.h"

struct profile {
    int64_t validity, backdate; /* seconds */
    bool san;                   /* copies the request's subjectAltName */
    /* The extensions that are the same in every certificate: for RSA keys, for keys that cannot encipher, for
     * the gateway's RA. */
    struct der client_rsa, client_other, ra, ra_opening, ra_signing;
};

bool profile_create(struct profile *out, const struct ca *ca, struct backend_host *host,
                    const struct backend_services *services, struct problem *p);
void profile_free(struct profile *f);
/* The AuthorityKeyIdentifier that names this CA's key; nothing for a CA without an id. */
void authority_key_id_write(struct der *d, const struct ca *ca);

/* SEQUENCE { extnID, critical when true, OCTET STRING { … } } around what is written between open and close.
 */
struct extension_at {
    size_t sequence, value;
};

struct extension_at extension_open(struct der *d, int nid, bool critical);
void extension_close(struct der *d, struct extension_at at);
