/* fuzz_csr.c: any bytes as what an envelope holds: a PKCS#10 request, or the IssuerAndSerialNumber of GetCert and GetCRL.
 * What is accepted has all its facts. */
#include <stdlib.h>
#include <string.h>

#include "scep/certificate.h"
#include "scep/csr.h"
#include "scep/issuer_and_serial.h"

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

static void read_names(struct bytes data)
{
    struct issuer_and_serial names;
    char hash[65], serial[CERTIFICATE_SERIAL_SIZE];
    if (!issuer_and_serial_read(&names, data))
        return;
    certificate_name_hash(hash, names.issuer);
    bool good = certificate_serial_text(serial, names.serial);
    if (!names.issuer.len || strlen(hash) != 64 || good != (serial[0] != '\0') || strlen(serial) % 2)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_names(bytes_of(data, size));
    struct csr *c;
    enum error_code code = csr_parse(&c, bytes_of(data, size), NULL, (struct bytes){0}, 8192, NULL);
    if ((code == ERR_OK) != (c != NULL))
        abort();
    if (c)
        check(c);
    csr_free(c);
    return 0;
}
