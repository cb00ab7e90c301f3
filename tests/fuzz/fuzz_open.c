/* fuzz_open.c: any bytes as a pkiMessage. The seeds are encrypted to tests/data/scep/ra.pem, so that some get
 * through to the end. */
#include <stdlib.h>

#include "fuzz_ra.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scep_message *message;
    struct error e;
    const struct scep_rules *rules = fuzz_rules();
    enum error_code code = scep_open(&message, bytes_of(data, size), rules, &e);
    if (code == ERR_OK && (!message || !message->signer || !message->cipher))
        abort();
    if (message && (!message->transaction_id.len || !message->sender_nonce.len || !message->digest))
        abort(); /* a reply needs these */
    if (code != ERR_OK && message && (message->csr || message->issuer_der.len))
        abort();
    scep_message_free(message);
    return 0;
}
