/* open.c: a request from bytes to facts, as one table of steps. */
#include "scep/open.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include "base/cleanup.h"
#include "scep/attribute.h"
#include "scep/ber.h"
#include "scep/content_key.h"
#include "scep/enveloped.h"
#include "scep/issuer_and_serial.h"
#include "scep/signer.h"

#define CERTIFICATES_MAX 16 /* each costs the decoding of a public key */
#define SIGNERS_MAX      8
#define ATTRIBUTES_MAX   64

/* Owns everything that the message borrows. */
struct opening {
    struct scep_message message;
    struct bytes input;
    const struct scep_rules *rules; /* during scep_open only */
    size_t length;                  /* of the outer ContentInfo in `input` */
    CMS_ContentInfo *cms;
    CMS_SignerInfo *info;
    uint8_t *spki;
    struct enveloped envelope;
    struct decrypted decrypted;
};

/* ---- outer structure ----------------------------------------------------------------------------------- */

/* The certificates and signers of a SignedData, counted before OpenSSL decodes any of them. */
static enum error_code count_parts(struct bytes in, struct error *e)
{
    static const uint8_t signed_data[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02};
    struct ber info, type, wrapped, data, part;
    if (!ber_take(&in, BER_SEQUENCE, &info) || !ber_take(&info.content, BER_OID, &type) ||
        !bytes_equal(type.content, bytes_of(signed_data, sizeof signed_data)) ||
        !ber_take(&info.content, BER_CONTEXT_0, &wrapped) ||
        !ber_take(&wrapped.content, BER_SEQUENCE, &data) || !ber_take(&data.content, BER_INTEGER, &part) ||
        !ber_take(&data.content, BER_SET, &part) || !ber_take(&data.content, BER_SEQUENCE, &part))
        return error_set(e, ERR_NOT_CMS, "not a CMS SignedData");
    if (ber_take(&data.content, BER_CONTEXT_0, &part) && ber_count(part.content) > CERTIFICATES_MAX)
        return error_set(e, ERR_MESSAGE_MALFORMED, "more than %d certificates in the message",
                         CERTIFICATES_MAX);
    ber_take(&data.content, BER_CONTEXT_1, &part); /* crls: ignored */
    if (!ber_take(&data.content, BER_SET, &part))
        return error_set(e, ERR_NOT_CMS, "not a CMS SignedData");
    return ber_count(part.content) <= SIGNERS_MAX
               ? ERR_OK
               : error_set(e, ERR_MESSAGE_MALFORMED, "more than %d signers", SIGNERS_MAX);
}

static enum error_code read_structure(struct opening *o, struct error *e)
{
    enum error_code code = ber_check(o->input, &o->length, e);
    if (!code)
        code = count_parts(o->input, e);
    if (code)
        return code;
    const uint8_t *at = o->input.data;
    o->cms = d2i_CMS_ContentInfo(NULL, &at, (long)o->length);
    if (!o->cms)
        return error_set_openssl(e, ERR_NOT_CMS, "not a CMS SignedData");
    o->info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(o->cms), 0);
    return o->info ? ERR_OK : error_set(e, ERR_MESSAGE_MALFORMED, "the message has no signer");
}

/* ---- attributes ---------------------------------------------------------------------------------------- */

static enum error_code read_echoed(struct bytes *out, const struct opening *o, enum scep_attribute which,
                                   size_t max, struct error *e)
{
    bool present;
    enum error_code code = scep_attribute_read(o->info, which, out, &present, e);
    if (code)
        return code;
    if (!present || out->len == 0)
        return error_set(e, ERR_NOT_SCEP, "the signed attribute %s is missing or empty",
                         scep_attribute_name(which));
    if (out->len > max)
        return error_set(e, ERR_MESSAGE_MALFORMED, "%s has %zu bytes, more than %zu",
                         scep_attribute_name(which), out->len, max);
    return ERR_OK;
}

static enum scep_digest digest_of(CMS_SignerInfo *info)
{
    X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *oid = NULL;
    CMS_SignerInfo_get0_algs(info, NULL, NULL, &algorithm, NULL);
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    return scep_digest_of_nid(OBJ_obj2nid(oid));
}

static enum error_code read_signer(struct opening *o, struct error *e)
{
    struct scep_message *m = &o->message;
    m->signer = signer_find(o->cms, o->info);
    ERR_clear_error();
    if (!m->signer)
        return ERR_OK; /* check_form refuses it, when a reply can be made */
    m->signer_key = X509_get0_pubkey(m->signer);
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(m->signer), &o->spki);
    if (len < 0)
        return error_set_openssl(e, ERR_INTERNAL, "cannot encode the signer's public key");
    m->signer_spki = bytes_of(o->spki, (size_t)len);
    SHA256(o->spki, (size_t)len, m->signer_spki_sha256);
    m->signer_self_signed =
        X509_NAME_cmp(X509_get_issuer_name(m->signer), X509_get_subject_name(m->signer)) == 0;
    return ERR_OK;
}

/* What a CertRep needs. A digest that cannot be used for it is replaced by SHA-256. */
static enum error_code read_identity(struct opening *o, struct error *e)
{
    struct scep_message *m = &o->message;
    enum error_code code =
        read_echoed(&m->transaction_id, o, SCEP_ATTRIBUTE_TRANSACTION_ID, SCEP_TRANSACTION_ID_MAX, e);
    if (!code)
        code = read_echoed(&m->sender_nonce, o, SCEP_ATTRIBUTE_SENDER_NONCE, SCEP_NONCE_MAX, e);
    if (code)
        return code;
    enum scep_digest digest = digest_of(o->info);
    m->digest = digest & o->rules->digests ? digest : SCEP_DIGEST_SHA256;
    return read_signer(o, e);
}

static bool once(const CMS_SignerInfo *info, int nid)
{
    int at = CMS_signed_get_attr_by_NID(info, nid, -1);
    return at >= 0 && CMS_signed_get_attr_by_NID(info, nid, at) < 0 &&
           X509_ATTRIBUTE_count(CMS_signed_get_attr(info, at)) == 1;
}

static bool content_type_is_data(CMS_SignerInfo *info)
{
    const ASN1_OBJECT *type =
        CMS_signed_get0_data_by_OBJ(info, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT);
    return type && OBJ_obj2nid(type) == NID_pkcs7_data;
}

static enum error_code check_form(struct opening *o, struct error *e)
{
    const char *fault = NULL;
    if (o->length != o->input.len)
        fault = "there are bytes behind it";
    else if (sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(o->cms)) != 1)
        fault = "it has more than one signer";
    else if (CMS_signed_get_attr_count(o->info) > ATTRIBUTES_MAX)
        fault = "it has too many signed attributes";
    else if (!o->message.signer)
        fault = "the signer's certificate is not in it";
    else if (OBJ_obj2nid(CMS_get0_eContentType(o->cms)) != NID_pkcs7_data)
        fault = "its content is not id-data";
    else if (!once(o->info, NID_pkcs9_contentType) || !content_type_is_data(o->info))
        fault = "the signed attribute contentType is not id-data, once";
    else if (!once(o->info, NID_pkcs9_messageDigest))
        fault = "the signed attribute messageDigest does not occur once";
    return fault ? error_set(e, ERR_MESSAGE_MALFORMED, "the message: %s", fault) : ERR_OK;
}

/* Plain decimal without signs, spaces and leading zeros; 0, which is reserved, for anything else. */
static int decimal(struct bytes text)
{
    int value = 0;
    if (text.len == 0 || text.len > 4 || text.data[0] == '0')
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

static enum error_code read_type(struct opening *o, struct error *e)
{
    struct bytes text;
    bool present;
    enum error_code code = scep_attribute_read(o->info, SCEP_ATTRIBUTE_MESSAGE_TYPE, &text, &present, e);
    if (code)
        return code;
    if (!present)
        return error_set(e, ERR_MESSAGE_MALFORMED, "the signed attribute messageType is missing");
    int type = decimal(text);
    if (type == SCEP_UPDATE_REQ && o->rules->update_is_renewal)
        type = SCEP_RENEWAL_REQ;
    o->message.type = type;
    if (type < SCEP_RENEWAL_REQ || type > SCEP_GET_CRL)
        return error_set(e, ERR_MESSAGE_TYPE, "messageType %d (%s) is no request", type,
                         scep_message_type_name(type));
    if (!(o->rules->types & SCEP_TYPE(type)))
        return error_set(e, ERR_MESSAGE_TYPE, "%s (%d) is not served here", scep_message_type_name(type),
                         type);
    return ERR_OK;
}

/* ---- algorithms, signature, recipient ------------------------------------------------------------------ */

static enum error_code check_digest(struct opening *o, struct error *e)
{
    enum scep_digest digest = digest_of(o->info);
    if (digest & o->rules->digests)
        return ERR_OK;
    return error_set(e, ERR_ALGORITHM_REFUSED, "the digest %s is not allowed here",
                     digest ? scep_digest_name(digest) : "of the signature");
}

static struct bytes content_of(const struct opening *o)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(o->cms);
    if (!content || !*content)
        return (struct bytes){0};
    return bytes_of(ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content));
}

static enum error_code read_envelope(struct opening *o, struct error *e)
{
    struct bytes content = content_of(o);
    if (content.len == 0)
        return error_set(e, ERR_MESSAGE_MALFORMED, "the message has no pkcsPKIEnvelope");
    enum error_code code = enveloped_read(&o->envelope, content, o->rules->ciphers, e);
    o->message.cipher = o->envelope.cipher;
    return code;
}

static enum error_code check_signer(struct opening *o, struct error *e)
{
    enum error_code code = signer_check_key(o->message.signer_key, o->message.signer_spki, o->rules, e);
    return code ? code : signer_check_algorithm(o->info, o->message.signer_key, e);
}

static enum error_code verify(struct opening *o, struct error *e)
{
    return signer_verify(o->info, o->message.signer, content_of(o), e);
}

static enum error_code find_recipient(struct opening *o, struct error *e)
{
    enum error_code code = enveloped_find(&o->envelope, o->rules->recipients, o->rules->recipient_count,
                                          &o->message.recipient, e);
    o->message.transport = o->envelope.transport;
    return code;
}

/* ---- stage two ----------------------------------------------------------------------------------------- */

static enum error_code unreadable(struct error *e, const char *cause)
{
    return error_set(e, ERR_ENVELOPE_UNREADABLE, "%s", cause);
}

static enum error_code read_csr(struct opening *o, struct bytes payload, struct error *e)
{
    struct scep_message *m = &o->message;
    enum error_code code =
        csr_parse(&m->csr, payload, m->signer_key, m->signer_spki, o->rules->rsa_max_bits, e);
    if (code)
        return code;
    int digest = m->csr->signature_digest;
    if (digest != NID_undef && !(scep_digest_of_nid(digest) & o->rules->digests))
        return unreadable(e, "the certificate request is signed with a digest that is not allowed here");
    return ERR_OK;
}

static enum error_code read_names(struct opening *o, struct bytes payload, struct error *e)
{
    struct issuer_and_serial names;
    if (!issuer_and_serial_read(&names, payload))
        return unreadable(e, "no IssuerAndSerialNumber inside");
    o->message.issuer_der = names.issuer;
    o->message.serial = names.serial;
    return ERR_OK;
}

static bool carries_csr(int type)
{
    return type == SCEP_PKCS_REQ || type == SCEP_RENEWAL_REQ || type == SCEP_UPDATE_REQ;
}

/* The payload ends where its own encoding says, not where the padding does: then it costs the same whether
 * the padding is good or bad, and the padding is judged last. */
static struct bytes payload_of(const struct decrypted *d)
{
    struct bytes all = bytes_of(d->content.data, d->content.len);
    size_t length;
    if (ber_check(all, &length, NULL) == ERR_OK)
        all.len = length;
    return all;
}

static enum error_code open_envelope(struct opening *o, struct error *e)
{
    if (o->message.type == SCEP_CERT_POLL)
        return ERR_OK; /* open.h says why */
    struct decrypted *d = &o->decrypted;
    const struct scep_recipient *recipient = &o->rules->recipients[o->message.recipient];
    enum error_code code = enveloped_decrypt(d, &o->envelope, recipient->key, e);
    if (code)
        return code;
    struct bytes payload = payload_of(d);
    code = carries_csr(o->message.type) ? read_csr(o, payload, e) : read_names(o, payload, e);
    if (!d->key_sound)
        return unreadable(e,
                          "the content key was not encrypted to this endpoint's key, or was tampered with");
    if (!d->padding_sound)
        return unreadable(e, "the padding of the decrypted content is wrong");
    if (code)
        return code;
    return payload.len == d->unpadded ? ERR_OK
                                      : unreadable(e, "there are bytes behind the decrypted content");
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

/* Behind the identity a fault can be answered with a CertRep. */
static const struct step {
    enum error_code (*run)(struct opening *o, struct error *e);
    bool answerable;
} steps[] = {
    {read_structure, false}, {read_identity, false}, {read_type, true},    {check_form, true},
    {check_digest, true},    {read_envelope, true},  {check_signer, true}, {verify, true},
    {find_recipient, true},  {open_envelope, true},
};

/* What a refused message must not carry on. */
static void forget_payload(struct opening *o)
{
    struct scep_message *m = &o->message;
    csr_free(TAKE(m->csr));
    m->issuer_der = m->serial = (struct bytes){0};
}

enum error_code scep_open(struct scep_message **out, struct bytes message, const struct scep_rules *rules,
                          struct error *e)
{
    *out = NULL;
    struct opening *o = calloc(1, sizeof *o);
    if (!o)
        return error_set(e, ERR_INTERNAL, "out of memory");
    o->message.owner = o;
    o->input = message;
    o->rules = rules;
    enum error_code code = ERR_OK;
    bool answerable = true;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !code; i++) {
        code = steps[i].run(o, e);
        answerable = steps[i].answerable;
    }
    ERR_clear_error();
    o->rules = NULL;
    o->input = (struct bytes){0};
    if (code)
        forget_payload(o);
    if (answerable)
        *out = &o->message;
    else
        scep_message_free(&o->message);
    return code;
}

void scep_message_free(struct scep_message *m)
{
    if (!m)
        return;
    struct opening *o = m->owner;
    csr_free(m->csr);
    secret_free(&o->decrypted.content);
    enveloped_clear(&o->envelope);
    X509_free(m->signer);
    OPENSSL_free(o->spki);
    CMS_ContentInfo_free(o->cms);
    free(o);
}
