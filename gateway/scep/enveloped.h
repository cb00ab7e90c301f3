/* enveloped.h: the reading side of a pkcsPKIEnvelope: EnvelopedData taken apart in place (RFC 5652 section
 * 6). Pure.
 *
 * The CMS API hides the content cipher and knows no uniform failure, so the envelope is read here, and
 * decrypted in content_key.h. Nothing below uses a private key.
 */
#pragma once

#include "scep/ber.h"
#include "scep/open.h"

struct enveloped {
    struct bytes recipients; /* RecipientInfos, content of the SET */
    enum scep_cipher cipher;
    struct bytes iv;
    struct bytes ciphertext;
    /* of the recipient that was found: */
    struct bytes encrypted_key;
    struct scep_key_transport transport;
    uint8_t *ciphertext_owned, *key_owned, *iv_owned; /* gathered from constructed strings */
};

/* ERR_ALGORITHM_REFUSED: a cipher outside `ciphers`, authenticated encryption, or no key transport recipient
 * at all (pwri, kari). ERR_MESSAGE_MALFORMED: no EnvelopedData with encrypted content. `content` outlives
 * `v`. */
enum error_code enveloped_read(struct enveloped *v, struct bytes content, uint32_t ciphers, struct error *e);
/* The first RecipientInfo that names one of `recipients`. ERR_RECIPIENT_UNKNOWN when none does. */
enum error_code enveloped_find(struct enveloped *v, const struct scep_recipient *recipients, size_t count,
                               size_t *which, struct error *e);
void enveloped_clear(struct enveloped *v);
