/* fuzz_next_ca.c: any bytes as an answer to GetNextCACert. The seeds are signed by tests/data/scep/ra.pem, so that
 * some of them are believed. */
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "fuzz_ra.h"
#include "scep/next_ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    STACK_OF(X509) *bag, *authorities = sk_X509_new_null();
    if (!authorities || sk_X509_push(authorities, fuzz_rules()->recipients[0].certificate) <= 0)
        abort();
    enum error_code code = scep_next_ca_read(&bag, bytes_of(data, size), authorities, &e);
    if ((code == ERR_OK) != (bag != NULL) || (code != ERR_OK && !error_text(&e)[0]))
        abort(); /* a refusal says why */
    bool has_ca = false;
    for (int i = 0; i < sk_X509_num(bag); i++)
        has_ca = has_ca || X509_check_ca(sk_X509_value(bag, i)) > 0;
    if (bag && !has_ca)
        abort();
    sk_X509_pop_free(bag, X509_free);
    sk_X509_free(authorities);
    return 0;
}
