/* device.c: see device.h. */
#include "flow/enroll/device.h"

#include <openssl/cms.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/codec.h"

#define MESSAGE_MAX (256 * 1024)

static void must(bool good, const struct error *e)
{
    if (good)
        return;
    fprintf(stderr, "device: %s\n", e ? error_text(e) : "out of memory");
    abort();
}

/* ---- identities ---------------------------------------------------------------------------------------- */

static EVP_PKEY *keys[DEVICE_KEYS];
static X509 *signers[DEVICE_KEYS];

__attribute__((destructor)) static void forget(void)
{
    for (int i = 0; i < DEVICE_KEYS; i++) {
        EVP_PKEY_free(keys[i]);
        X509_free(signers[i]);
    }
}

EVP_PKEY *device_key(int n)
{
    if (!keys[n])
        keys[n] = n == DEVICE_EC_KEY ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
    must(keys[n] != NULL, NULL);
    return keys[n];
}

static X509_NAME *name_of(const char *cn)
{
    X509_NAME *name = X509_NAME_new();
    must(name && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0), NULL);
    return name;
}

X509 *device_signer(int n)
{
    struct error e = {0};
    CLEANUP(X509_NAME) X509_NAME *name = name_of("device");
    if (!signers[n])
        must(scep_client_self_signed(&signers[n], device_key(n), name, &e) == ERR_OK, &e);
    return signers[n];
}

/* ---- requests ------------------------------------------------------------------------------------------ */

static void make_message(struct call *c, const struct wish *w)
{
    struct error e = {0};
    struct scep_client_request *r = &c->request;
    c->name = name_of(w->cn ? w->cn : "device");
    must(scep_client_csr(&c->csr, device_key(w->key), c->name,
                         bytes_of_text(w->challenge ? w->challenge : ""), w->sans, &e) == ERR_OK,
         &e);
    X509 *ra = w->recipient;
    if (!ra)
        ra = gateway_alias(c->gateway, w->alias ? w->alias : "demo")->ra->identities[0].certificate;
    X509_up_ref(ra);
    *r = (struct scep_client_request){
        .type = w->type ? w->type : SCEP_PKCS_REQ,
        .transaction_id = bytes_of_text(w->transaction ? w->transaction : "transaction-1"),
        .digest = SCEP_DIGEST_SHA256,
        .cipher = SCEP_CIPHER_AES128,
        .recipient = ra,
        .signer = w->signer ? w->signer : device_signer(w->key),
        .signer_key = w->signer ? w->signer_key : device_key(w->key),
        .csr = buffer_bytes(&c->csr),
        .issuer = X509_get_subject_name(ra),
        .subject = c->name,
    };
    must(RAND_bytes(r->sender_nonce, sizeof r->sender_nonce) == 1, NULL);
    must(scep_client_seal(&c->der, r, &e) == ERR_OK, &e);
    if (w->spoil)
        c->der.data[c->der.len - 8] ^= 1;
}

static void send_post(struct call *c, const char *alias)
{
    char head[512];
    snprintf(head, sizeof head,
             "POST /scep/%s?operation=PKIOperation HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Type: application/x-pki-message\r\nContent-Length: %zu\r\n\r\n",
             alias, c->der.len);
    client_send(&c->client, head);
    client_send_bytes(&c->client, buffer_bytes(&c->der));
}

/* As PAN-OS posts it. */
static void become_text(struct buffer *der)
{
    CLEANUP(buffer) struct buffer text;
    buffer_init(&text, 2 * MESSAGE_MAX);
    codec_base64(&text, buffer_bytes(der));
    buffer_reset(der);
    buffer_append(der, text.data, text.len);
}

static void send_get(struct call *c, const char *alias)
{
    CLEANUP(buffer) struct buffer text;
    CLEANUP(buffer) struct buffer line;
    buffer_init(&text, 2 * MESSAGE_MAX);
    buffer_init(&line, 4 * MESSAGE_MAX);
    codec_base64(&text, buffer_bytes(&c->der));
    buffer_format(&line, "GET /scep/%s?operation=PKIOperation&message=", alias);
    codec_escape(&line, buffer_bytes(&text));
    buffer_text(&line, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_send_bytes(&c->client, buffer_bytes(&line));
}

void call_start(struct call *c, struct gateway *g, const struct wish *w)
{
    *c = (struct call){.gateway = g, .password = w->password ? w->password : w->challenge};
    buffer_init(&c->csr, MESSAGE_MAX);
    buffer_init(&c->der, MESSAGE_MAX);
    if (w->body.len)
        buffer_append(&c->der, w->body.data, w->body.len);
    else
        make_message(c, w);
    client_connect(&c->client, g->base, g->port);
    if (w->text)
        become_text(&c->der);
    if (w->get)
        send_get(c, w->alias ? w->alias : "demo");
    else
        send_post(c, w->alias ? w->alias : "demo");
}

static void call_free(struct call *c)
{
    X509_free(c->request.recipient);
    X509_NAME_free(c->name);
    buffer_free(&c->csr);
    buffer_free(&c->der);
}

void call_abandon(struct call *c)
{
    client_reset(&c->client);
    call_free(c);
}

/* ---- replies ------------------------------------------------------------------------------------------- */

static void read_nonce(struct answer *a)
{
    const uint8_t *at = a->http.body.data;
    CLEANUP(CMS) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)a->http.body.len);
    CLEANUP(ASN1_OBJECT) ASN1_OBJECT *oid = OBJ_txt2obj("2.16.840.1.113733.1.9.5", 1);
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    ASN1_OCTET_STRING *nonce = CMS_signed_get0_data_by_OBJ(signer, oid, -3, V_ASN1_OCTET_STRING);
    if (nonce && ASN1_STRING_length(nonce) == (int)sizeof a->nonce)
        memcpy(a->nonce, ASN1_STRING_get0_data(nonce), sizeof a->nonce);
}

static void read_certificate(struct answer *a, const struct scep_client_request *r,
                             const struct scep_client_reply *reply, EVP_PKEY *key)
{
    (void)r;
    X509 *own = scep_client_find(reply->certificates, key);
    if (!own)
        return;
    a->for_key = sk_X509_num(reply->certificates) == 1;
    CLEANUP(BIGNUM) BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(own), NULL);
    char *text = BN_bn2hex(number);
    snprintf(a->serial, sizeof a->serial, "%s", text);
    OPENSSL_free(text);
}

static EVP_PKEY *wished_key(const struct call *c)
{
    const uint8_t *at = c->csr.data;
    CLEANUP(X509_REQ) X509_REQ *csr = d2i_X509_REQ(NULL, &at, (long)c->csr.len);
    return X509_REQ_get_pubkey(csr);
}

static void read_reply(struct call *c, struct answer *a)
{
    struct error e = {0};
    struct scep_client_reply reply = {0};
    STACK_OF(X509) *authorities = sk_X509_new_null();
    sk_X509_push(authorities, c->request.recipient);
    if (scep_client_open(&reply, buffer_bytes(&a->http.body), &c->request, authorities,
                         bytes_of_text(c->password ? c->password : ""), &e) != ERR_OK) {
        snprintf(a->problem, sizeof a->problem, "%s", error_text(&e));
    } else {
        CLEANUP(EVP_PKEY) EVP_PKEY *key = wished_key(c);
        a->pki = reply.status;
        a->fail = reply.status == SCEP_FAILURE ? reply.fail : FAIL_NONE;
        snprintf(a->fail_text, sizeof a->fail_text, "%s", reply.fail_text ? reply.fail_text : "");
        read_nonce(a);
        if (reply.status == SCEP_SUCCESS)
            read_certificate(a, &c->request, &reply, key);
        scep_client_reply_clear(&reply);
    }
    sk_X509_free(authorities);
}

void call_finish(struct call *c, struct answer *a)
{
    *a = (struct answer){0};
    client_receive(&c->client, &a->http, false);
    a->status = a->http.status;
    if (a->status == 200 && c->request.recipient)
        read_reply(c, a);
    client_free(&c->client);
    call_free(c);
}

void device_ask(struct gateway *g, const struct wish *w, struct answer *a)
{
    struct call c;
    call_start(&c, g, w);
    call_finish(&c, a);
}

static bool as_expected(bool right, const struct answer *a)
{
    if (!right)
        fprintf(stderr, "    the answer was: HTTP %d, pkiStatus %d, failInfo %d, \"%s\" %s%s\n", a->status,
                (int)a->pki, (int)a->fail, a->fail_text, a->problem,
                a->status == 200 ? "" : response_text((struct response *)&a->http));
    return right;
}

bool answer_is(const struct answer *a, enum scep_pki_status pki, enum fail_info fail)
{
    bool right = a->status == 200 && !a->problem[0] && a->pki == pki && a->fail == fail;
    return as_expected(right && (pki != SCEP_SUCCESS || (a->for_key && a->serial[0])), a);
}

bool answer_is_http(const struct answer *a, int status)
{
    return as_expected(a->status == status, a);
}

void answer_free(struct answer *a)
{
    response_free(&a->http);
}
