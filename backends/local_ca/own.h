/* own.h: cleanup attributes for the few types that this backend owns (a backend shares no header with the
 * gateway but backend.h). */
#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define OWN(kind) __attribute__((cleanup(own_##kind)))
#define GIVE(pointer)                                                                                        \
    __extension__({                                                                                          \
        __typeof__(pointer) given_ = (pointer);                                                              \
        (pointer) = NULL;                                                                                    \
        given_;                                                                                              \
    })

#define DEFINE_OWN(kind, type, release)                                                                      \
    static inline void own_##kind(type *pointer)                                                             \
    {                                                                                                        \
        if (*pointer)                                                                                        \
            release(*pointer);                                                                               \
    }

static inline void own_memory(void *pointer)
{
    free(*(void **)pointer);
}

static inline void own_certificates(STACK_OF(X509) **stack)
{
    sk_X509_pop_free(*stack, X509_free);
}

static inline void own_extensions(X509_EXTENSIONS **stack)
{
    sk_X509_EXTENSION_pop_free(*stack, X509_EXTENSION_free);
}

DEFINE_OWN(TIME, ASN1_TIME *, ASN1_TIME_free)
DEFINE_OWN(BIO, BIO *, BIO_free_all)
DEFINE_OWN(OBJECT, ASN1_OBJECT *, ASN1_OBJECT_free)
DEFINE_OWN(INTEGER, ASN1_INTEGER *, ASN1_INTEGER_free)
DEFINE_OWN(BIGNUM, BIGNUM *, BN_free)
DEFINE_OWN(DIGEST, EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_OWN(PKEY, EVP_PKEY *, EVP_PKEY_free)
DEFINE_OWN(NAMES, GENERAL_NAMES *, GENERAL_NAMES_free)
DEFINE_OWN(X509, X509 *, X509_free)
DEFINE_OWN(X509_CRL, X509_CRL *, X509_CRL_free)
DEFINE_OWN(NAME, X509_NAME *, X509_NAME_free)
DEFINE_OWN(REQ, X509_REQ *, X509_REQ_free)
