/* fuzz_csr.c: any bytes as a PKCS#10 request; what is accepted has all its facts. */
#include <stdlib.h>
#include <string.h>

#include "scep/csr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct csr *c)
{
    for (size_t i = 0; i < c->field_count; i++)
        if (!c->fields[i].name || !c->fields[i].value)
            abort();
    for (size_t i = 0; i < c->san_count; i++)
        if (!c->sans[i].value || c->sans[i].kind >= SAN_KIND_COUNT)
            abort();
    if (!c->subject_text || c->has_challenge != (c->challenge.data != NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csr *c;
    enum error_code code = csr_parse(&c, bytes_of(data, size), NULL, (struct bytes){0}, 8192, NULL);
    if ((code == ERR_OK) != (c != NULL))
        abort();
    if (c)
        check(c);
    csr_free(c);
    return 0;
}
