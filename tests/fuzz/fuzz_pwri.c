/* fuzz_pwri.c: any bytes as the envelope of a reply, whose password recipients are looked at before OpenSSL
 * derives a key for them. */
#include <stdlib.h>

#include "scep/pwri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    if (scep_pwri_check(bytes_of(data, size), &e) != ERR_OK && !error_text(&e)[0])
        abort(); /* a refusal says why */
    return 0;
}
