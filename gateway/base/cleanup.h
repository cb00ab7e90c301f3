/* cleanup.h: typed cleanup attributes, so that early return is the normal form.
 *
 *   CLEANUP(X509) X509 *certificate = NULL;      freed when it leaves scope
 *   *out = TAKE(certificate);                    hands it over instead
 */
#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/secret.h"

#define CLEANUP(kind) __attribute__((cleanup(cleanup_##kind)))
#define TAKE(pointer)                                                                                        \
    __extension__({                                                                                          \
        __typeof__(pointer) taken_ = (pointer);                                                              \
        (pointer) = NULL;                                                                                    \
        taken_;                                                                                              \
    })

#define DEFINE_CLEANUP(kind, type, release)                                                                  \
    static inline void cleanup_##kind(type *pointer)                                                         \
    {                                                                                                        \
        if (*pointer)                                                                                        \
            release(*pointer);                                                                               \
    }

static inline void cleanup_memory(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_buffer(struct buffer *b)
{
    buffer_free(b);
}

static inline void cleanup_secret(struct secret *s)
{
    secret_free(s);
}

static inline void cleanup_x509_stack(STACK_OF(X509) **stack)
{
    sk_X509_pop_free(*stack, X509_free);
}

DEFINE_CLEANUP(FILE, FILE *, fclose)
DEFINE_CLEANUP(ASN1_OBJECT, ASN1_OBJECT *, ASN1_OBJECT_free)
DEFINE_CLEANUP(ASN1_TIME, ASN1_TIME *, ASN1_TIME_free)
DEFINE_CLEANUP(BIGNUM, BIGNUM *, BN_free)
DEFINE_CLEANUP(BIO, BIO *, BIO_free_all)
DEFINE_CLEANUP(CMS, CMS_ContentInfo *, CMS_ContentInfo_free)
DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)
DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(GENERAL_NAMES, GENERAL_NAMES *, GENERAL_NAMES_free)
DEFINE_CLEANUP(PKCS7, PKCS7 *, PKCS7_free)
DEFINE_CLEANUP(X509, X509 *, X509_free)
DEFINE_CLEANUP(X509_NAME, X509_NAME *, X509_NAME_free)
DEFINE_CLEANUP(X509_REQ, X509_REQ *, X509_REQ_free)
