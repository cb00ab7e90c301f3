/* query.h: the query of a SCEP URL, parsed by hand (checklist B-06 to B-12, B-19): order free, names without
 * regard to case, a raw '+' stays '+', percent escapes undone once. Pure. */
#pragma once

#include "base/bytes.h"

enum scep_operation {
    SCEP_OPERATION_NONE, /* missing or empty */
    SCEP_OPERATION_UNKNOWN,
    SCEP_GET_CA_CAPS,
    SCEP_GET_CA_CERT,
    SCEP_GET_NEXT_CA_CERT,
    SCEP_GET_CA_CERT_CHAIN,
    SCEP_PKI_OPERATION,
};

struct scep_query {
    enum scep_operation operation;
    bool has_message;
    struct bytes message; /* raw, still escaped, inside the query text */
};

void scep_query_parse(struct scep_query *out, const char *query);
/* The message parameter as DER: unescaped (twice when the first pass leaves escapes), then base64 in any
 * alphabet with line breaks and spaces as '+'. Also for a POST body that is base64 text instead of DER. false
 * when it is neither. */
bool scep_query_message(struct buffer *out, struct bytes raw, bool escaped);
