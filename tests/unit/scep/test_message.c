/* test_message.c: the vocabulary's look-ups, and the two library contexts. */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "scep/library.h"
#include "scep/message.h"

Test(message, ciphers_have_names_and_nids)
{
    static const struct {
        enum scep_cipher cipher;
        int nid;
        const char *name;
    } rows[] = {
        {SCEP_CIPHER_AES128, NID_aes_128_cbc, "aes-128-cbc"},
        {SCEP_CIPHER_AES192, NID_aes_192_cbc, "aes-192-cbc"},
        {SCEP_CIPHER_AES256, NID_aes_256_cbc, "aes-256-cbc"},
        {SCEP_CIPHER_DES3, NID_des_ede3_cbc, "des-ede3-cbc"},
        {SCEP_CIPHER_DES, NID_des_cbc, "des-cbc"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_str_eq(scep_cipher_name(rows[i].cipher), rows[i].name);
        cr_assert_eq(scep_cipher_nid(rows[i].cipher), rows[i].nid);
        cr_assert_eq(scep_cipher_of_nid(rows[i].nid), rows[i].cipher);
    }
    cr_assert_null(scep_cipher_name(0));
    cr_assert_null(scep_cipher_name(SCEP_CIPHER_AES128 | SCEP_CIPHER_AES256));
    cr_assert_eq(scep_cipher_nid(0), NID_undef);
    cr_assert_eq(scep_cipher_of_nid(NID_bf_cbc), 0);
    cr_assert_eq(scep_cipher_of_nid(NID_undef), 0);
}

Test(message, digests_have_names_that_openssl_fetches_by)
{
    static const struct {
        enum scep_digest digest;
        int nid;
    } rows[] = {
        {SCEP_DIGEST_SHA1, NID_sha1},     {SCEP_DIGEST_SHA224, NID_sha224}, {SCEP_DIGEST_SHA256, NID_sha256},
        {SCEP_DIGEST_SHA384, NID_sha384}, {SCEP_DIGEST_SHA512, NID_sha512}, {SCEP_DIGEST_MD5, NID_md5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EVP_MD *md = EVP_MD_fetch(NULL, scep_digest_name(rows[i].digest), NULL);
        cr_assert_not_null(md, "%s", scep_digest_name(rows[i].digest));
        cr_assert_eq(EVP_MD_get_type(md), rows[i].nid);
        EVP_MD_free(md);
        cr_assert_eq(scep_digest_nid(rows[i].digest), rows[i].nid);
        cr_assert_eq(scep_digest_of_nid(rows[i].nid), rows[i].digest);
    }
    cr_assert_null(scep_digest_name(0));
    cr_assert_eq(scep_digest_of_nid(NID_md4), 0);
}

Test(message, types_have_names)
{
    cr_assert_str_eq(scep_message_type_name(3), "CertRep");
    cr_assert_str_eq(scep_message_type_name(17), "RenewalReq");
    cr_assert_str_eq(scep_message_type_name(18), "UpdateReq");
    cr_assert_str_eq(scep_message_type_name(19), "PKCSReq");
    cr_assert_str_eq(scep_message_type_name(20), "CertPoll");
    cr_assert_str_eq(scep_message_type_name(21), "GetCert");
    cr_assert_str_eq(scep_message_type_name(22), "GetCRL");
    cr_assert_str_eq(scep_message_type_name(0), "unknown");
}

Test(library, des_exists_in_the_obsolete_context_alone)
{
    cr_assert_null(scep_library(false));
    cr_assert(scep_library_obsolete_available());
    cr_assert_eq(scep_library(true), scep_library(true));
    cr_assert_null(EVP_CIPHER_fetch(scep_library(false), scep_cipher_name(SCEP_CIPHER_DES), NULL));
    EVP_CIPHER *des = EVP_CIPHER_fetch(scep_library(true), scep_cipher_name(SCEP_CIPHER_DES), NULL);
    cr_assert_not_null(des);
    EVP_CIPHER_free(des);
    EVP_MD *md5 = EVP_MD_fetch(scep_library(true), scep_digest_name(SCEP_DIGEST_MD5), NULL);
    cr_assert_not_null(md5);
    EVP_MD_free(md5);
}
