/* attribute.h: SCEP's signed attributes by name, type and OID (RFC 8894 section 3.2.1, table 1 and 2). Pure.
 */
#pragma once

#include <openssl/cms.h>

#include "scep/message.h"

enum scep_attribute {
    SCEP_ATTRIBUTE_MESSAGE_TYPE,
    SCEP_ATTRIBUTE_PKI_STATUS,
    SCEP_ATTRIBUTE_FAIL_INFO,
    SCEP_ATTRIBUTE_SENDER_NONCE,
    SCEP_ATTRIBUTE_RECIPIENT_NONCE,
    SCEP_ATTRIBUTE_TRANSACTION_ID,
    SCEP_ATTRIBUTE_FAIL_INFO_TEXT,
};

/* The value is written under the attribute's own string type, byte for byte, whatever characters it holds
 * (I-05). */
struct scep_attribute_value {
    enum scep_attribute attribute;
    struct bytes value;
};

const char *scep_attribute_name(enum scep_attribute a); /* "transactionID" */
enum error_code scep_attribute_add(CMS_SignerInfo *signer, const struct scep_attribute_value *v,
                                   struct error *e);
/* The one value of a signed attribute that occurs at most once; any of the usual string types will do (H-05,
 * H-06). An absent one leaves `*present` false. `out` is borrowed from `signer`. */
enum error_code scep_attribute_read(const CMS_SignerInfo *signer, enum scep_attribute a, struct bytes *out,
                                    bool *present, struct error *e);
