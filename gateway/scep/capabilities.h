/* capabilities.h: the GetCACaps answer of an alias (RFC 8894 section 3.5.2), and reading one as a client. */
#pragma once

#include "scep/message.h"

struct scep_capabilities {
    uint32_t ciphers; /* allowed on this alias */
    uint32_t digests;
    bool post;
    bool renewal;
    bool next_ca;
    bool update;   /* UpdateReq of old drafts */
    bool standard; /* reading only: SCEPStandard was present */
};

/* One keyword per line, LF. SCEPStandard only when AES, SHA-256 and POST are there and neither DES nor MD5
 * . SHA-384 is listed although unregistered: strongSwan 5.9.8 needs it to use AES. */
void scep_capabilities_write(struct buffer *out, const struct scep_capabilities *c);
/* Accepts CRLF and LF, any letter case, unknown words (Z-01). */
void scep_capabilities_read(struct scep_capabilities *out, struct bytes text);
