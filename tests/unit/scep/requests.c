/* requests.c: see requests.h. */
#include "requests.h"

#include <criterion/criterion.h>

struct requests f;

static void add_key_id(X509 *certificate, EVP_PKEY *issuer)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_key_identifier, "hash");
    cr_assert(extension && X509_add_ext(certificate, extension, -1) &&
              X509_sign(certificate, issuer, EVP_sha256()));
    X509_EXTENSION_free(extension);
}

void requests_start(void)
{
    making_start();
    memset(&f, 0, sizeof f);
    f.ra_key = identity_key("ra-rsa");
    f.other_key = identity_key("other-rsa");
    f.device_key = identity_key("client-rsa");
    f.ec_key = identity_key("client-ec");
    f.ra = identity_certificate(f.ra_key, &(struct identity_wish){.common_name = "RA"});
    add_key_id(f.ra, f.ra_key);
    f.old_ra = identity_certificate(f.ra_key, &(struct identity_wish){.common_name = "Old RA"});
    f.other = identity_certificate(f.other_key, &(struct identity_wish){.common_name = "Somebody else"});
    f.device = identity_certificate(f.device_key, &(struct identity_wish){.common_name = "device"});
    f.ec_device = identity_certificate(f.ec_key, &(struct identity_wish){.common_name = "ec device"});
    f.recipients[0] = (struct scep_recipient){f.ra, f.ra_key};
    f.recipients[1] = (struct scep_recipient){f.old_ra, f.ra_key};
    f.rules =
        (struct scep_rules){SCEP_CIPHERS_DEFAULT,  SCEP_DIGESTS_DEFAULT, 2048, 8192, f.recipients, 2, false,
                            SCEP_TYPES_OF_REQUESTS};
    f.csr.key = f.device_key;
    f.envelope.recipient = f.ra;
    f.message.signer = f.device;
    f.message.signer_key = f.device_key;
}

void requests_end(void)
{
    scep_message_free(f.opened);
    EVP_PKEY *keys[] = {f.ra_key, f.other_key, f.device_key, f.ec_key};
    X509 *certificates[] = {f.ra, f.old_ra, f.other, f.device, f.ec_device};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        EVP_PKEY_free(keys[i]);
    for (size_t i = 0; i < sizeof certificates / sizeof certificates[0]; i++)
        X509_free(certificates[i]);
    making_end();
}

struct bytes request_made(void)
{
    struct envelope_wish envelope = f.envelope;
    struct message_wish message = f.message;
    if (!envelope.payload.len)
        envelope.payload = made_csr(&f.csr);
    if (!message.content.len)
        message.content = made_envelope(&envelope);
    return made_message(&message);
}

enum error_code request_open(struct bytes der)
{
    scep_message_free(f.opened);
    f.e.text[0] = 0;
    return scep_open(&f.opened, der, &f.rules, &f.e);
}

void request_accepted(void)
{
    enum error_code code = request_open(request_made());
    cr_assert_eq(code, ERR_OK, "%s: %s", error_info(code)->name, f.e.text);
    cr_assert_not_null(f.opened);
}

void request_refused_der(struct bytes der, enum error_code code, const char *text, bool answerable)
{
    enum error_code found = request_open(der);
    cr_assert_eq(found, code, "%s: %s", error_info(found)->name, f.e.text);
    cr_assert_eq(f.e.code, code);
    cr_assert(strstr(f.e.text, text), "'%s' does not say '%s'", f.e.text, text);
    cr_assert_eq(f.opened != NULL, answerable, "%s", f.e.text);
    if (!answerable)
        return;
    cr_assert_gt(f.opened->transaction_id.len, 0);
    cr_assert_gt(f.opened->sender_nonce.len, 0);
    cr_assert_neq(f.opened->digest, 0);
    cr_assert_null(f.opened->csr);
    cr_assert_eq(f.opened->issuer_der.len, 0);
}

void request_refused(enum error_code code, const char *text)
{
    request_refused_der(request_made(), code, text, true);
}
