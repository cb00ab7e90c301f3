/* key_facts.h: what has to hold of a stranger's public key before a signature is verified with it (checklist
 * U-07, X-10). Pure. */
#pragma once

#include "scep/csr.h"

/* A larger public exponent makes a verification as dear as a private-key operation. */
#define RSA_EXPONENT_BITS_MAX 64

/* false for EC parameters that are spelled out instead of named, and for what is no SubjectPublicKeyInfo. */
bool key_parameters_are_named(struct bytes spki);
/* RSA, RSA-PSS and DSA: at most `max_bits`, and a small exponent. Others have their size from their curve. */
bool key_is_affordable(EVP_PKEY *key, int max_bits);
