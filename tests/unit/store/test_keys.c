/* test_keys.c: the key ring, sealed values, challenge hashes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/keys.h"
#include "store/store.h"

DEFINE_CLEANUP(keys, struct keys *, keys_free)

#define DIGITS_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define DIGITS_B "FFEEDDCCBBAA99887766554433221100FFEEDDCCBBAA99887766554433221100"

static struct keys *ring(const char *text)
{
    struct keys *k = NULL;
    struct error e = {0};
    cr_assert_eq(keys_create(&k, bytes_of_text(text), &e), ERR_OK, "%s", e.text);
    return k;
}

static struct buffer sealed(const struct keys *k, enum seal_kind kind, const char *alias, const char *record,
                            const char *plain)
{
    struct buffer out;
    buffer_init(&out, 4096);
    cr_assert_eq(keys_seal(k, kind, alias, record, bytes_of_text(plain), &out, NULL), ERR_OK);
    return out;
}

static enum error_code unseal(const struct keys *k, enum seal_kind kind, const char *alias,
                              const char *record, struct bytes box)
{
    CLEANUP(secret) struct secret plain = {0};
    enum error_code code = keys_unseal(k, kind, alias, record, box, &plain, NULL);
    cr_assert_eq(plain.data != NULL, code == ERR_OK);
    return code;
}

Test(keys, are_read_newest_first)
{
    CLEANUP(keys) struct keys *k = ring("new-1:" DIGITS_A "\r\n\nold:" DIGITS_B);
    cr_assert_eq(keys_count(k), 2);
    cr_assert_str_eq(keys_id(k, 0), "new-1");
    cr_assert_str_eq(keys_id(k, 1), "old");
    cr_assert_str_eq(keys_id(k, 2), "");
    cr_assert_eq(strlen(keys_check_value(k)), 32);
    CLEANUP(keys) struct keys *same = ring("renamed:" DIGITS_A "\n"), *other = ring("new-1:" DIGITS_B "\n");
    cr_assert_str_eq(keys_check_value(k), keys_check_value(same));
    cr_assert_str_neq(keys_check_value(k), keys_check_value(other));
    cr_assert_null(strstr(DIGITS_A, keys_check_value(k)));
    const char *checks[KEYS_MAX];
    cr_assert_eq(keys_check_values(k, checks), 2);
    cr_assert_str_eq(checks[0], keys_check_value(k));
    cr_assert_str_eq(checks[1], keys_check_value(other));
}

Test(keys, digests_are_alike_for_holders_of_the_same_key_alone)
{
    CLEANUP(keys) struct keys *k = ring("new:" DIGITS_A "\nold:" DIGITS_B), *old = ring("x:" DIGITS_B "\n");
    uint8_t a[KEYS_DIGEST_SIZE], b[KEYS_DIGEST_SIZE];
    struct bytes text = bytes_of_text("retention.audit 5");
    cr_assert_eq(keys_digest(k, 1, text, a), ERR_OK);
    cr_assert_eq(keys_digest(old, 0, text, b), ERR_OK);
    cr_assert_arr_eq(a, b, sizeof a);
    cr_assert_eq(keys_digest(k, 0, text, b), ERR_OK);
    cr_assert_arr_neq(a, b, sizeof a);
    cr_assert_eq(keys_digest(k, 1, bytes_of_text("retention.audit 6"), b), ERR_OK);
    cr_assert_arr_neq(a, b, sizeof a);
    cr_assert_eq(keys_digest(k, 2, text, b), ERR_KEY_UNUSABLE);
}

Test(keys, refuse_what_is_not_in_their_form_and_show_no_key)
{
    const struct {
        const char *text, *sentence;
    } bad[] = {
        {"", "there is no key"},
        {"a:" DIGITS_A "\nb:12\n", "line 2: the key is not 64 hex digits"},
        {"a:" DIGITS_A "0\n", "line 1: the key is not"},
        {"a:g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "line 1: the key is not"},
        {DIGITS_A, "line 1: expected ID"},
        {":" DIGITS_A, "line 1: expected ID"},
        {"Upper:" DIGITS_A, "line 1: expected ID"},
        {"a23456789012345678:" DIGITS_A, "line 1: expected ID"},
        {"a:" DIGITS_A "\na:" DIGITS_B, "line 2: the key id a is used twice"},
        {"a:" DIGITS_A "\nb:" DIGITS_A "\nc:" DIGITS_A "\nd:" DIGITS_A "\ne:" DIGITS_A "\nf:" DIGITS_A
         "\ng:" DIGITS_A "\nh:" DIGITS_A "\ni:" DIGITS_A,
         "line 9: there are more than 8 keys"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct keys *k = NULL;
        struct error e = {0};
        cr_assert_eq(keys_create(&k, bytes_of_text(bad[i].text), &e), ERR_KEY_UNUSABLE, "row %zu", i);
        cr_assert_null(k);
        cr_assert_not_null(strstr(e.text, bad[i].sentence), "%s", e.text);
        cr_assert_null(strstr(e.text, "0001020304"));
    }
}

Test(keys, seal_and_unseal)
{
    CLEANUP(keys) struct keys *k = ring("a:" DIGITS_A);
    CLEANUP(buffer) struct buffer one = sealed(k, SEAL_CSR, "alpha", "r1", "the challenge is canary");
    CLEANUP(buffer) struct buffer two = sealed(k, SEAL_CSR, "alpha", "r1", "the challenge is canary");
    CLEANUP(secret) struct secret plain = {0};
    cr_assert_eq(one.data[0], 1); /* version, id length, id, nonce, ciphertext, tag */
    cr_assert_eq(one.data[1], 1);
    cr_assert_eq(one.data[2], 'a');
    cr_assert_eq(one.len, 3 + 12 + strlen("the challenge is canary") + 16);
    cr_assert_null(memmem(one.data, one.len, "canary", 6));
    cr_assert(one.len == two.len && memcmp(one.data, two.data, one.len) != 0); /* a nonce of its own */
    cr_assert_eq(keys_unseal(k, SEAL_CSR, "alpha", "r1", buffer_bytes(&one), &plain, NULL), ERR_OK);
    cr_assert_str_eq((const char *)plain.data, "the challenge is canary");
    CLEANUP(buffer) struct buffer empty = sealed(k, SEAL_RA_KEY, "alpha", "r1", "");
    cr_assert_eq(keys_unseal(k, SEAL_RA_KEY, "alpha", "r1", buffer_bytes(&empty), &plain, NULL), ERR_OK);
    cr_assert_eq(plain.len, 0);
}

Test(keys, a_sealed_value_opens_nowhere_else)
{
    CLEANUP(keys) struct keys *k = ring("a:" DIGITS_A), *other = ring("a:" DIGITS_B);
    CLEANUP(buffer) struct buffer box = sealed(k, SEAL_CSR, "alpha", "r1", "plain");
    struct bytes b = buffer_bytes(&box);
    cr_assert_eq(unseal(k, SEAL_CSR, "alpha", "r1", b), ERR_OK);
    cr_assert_eq(unseal(k, SEAL_CSR, "alpha", "r2", b), ERR_KEY_UNUSABLE);
    cr_assert_eq(unseal(k, SEAL_CSR, "alphar", "1", b), ERR_KEY_UNUSABLE);
    cr_assert_eq(unseal(k, SEAL_CSR, "beta", "r1", b), ERR_KEY_UNUSABLE);
    cr_assert_eq(unseal(k, SEAL_RA_KEY, "alpha", "r1", b), ERR_KEY_UNUSABLE);
    cr_assert_eq(unseal(other, SEAL_CSR, "alpha", "r1", b), ERR_KEY_UNUSABLE);
    for (size_t i = 0; i < box.len; i++) { /* every byte counts */
        box.data[i] ^= 1;
        cr_assert_eq(unseal(k, SEAL_CSR, "alpha", "r1", b), ERR_KEY_UNUSABLE, "byte %zu", i);
        box.data[i] ^= 1;
    }
    for (size_t len = 0; len < box.len; len++)
        cr_assert_eq(unseal(k, SEAL_CSR, "alpha", "r1", bytes_of(b.data, len)), ERR_KEY_UNUSABLE,
                     "length %zu", len);
}

Test(keys, an_older_key_still_opens)
{
    CLEANUP(keys)
    struct keys *before = ring("old:" DIGITS_A), *after = ring("new:" DIGITS_B "\nold:" DIGITS_A);
    CLEANUP(keys) struct keys *later = ring("new:" DIGITS_B);
    CLEANUP(buffer) struct buffer box = sealed(before, SEAL_CSR, "alpha", "r1", "plain");
    CLEANUP(buffer) struct buffer fresh = sealed(after, SEAL_CSR, "alpha", "r1", "plain");
    cr_assert_eq(unseal(after, SEAL_CSR, "alpha", "r1", buffer_bytes(&box)), ERR_OK);
    cr_assert_eq(unseal(later, SEAL_CSR, "alpha", "r1", buffer_bytes(&fresh)), ERR_OK); /* the newest seals */
    CLEANUP(secret) struct secret plain = {0};
    struct error e = {0};
    cr_assert_eq(keys_unseal(later, SEAL_CSR, "alpha", "r1", buffer_bytes(&box), &plain, &e),
                 ERR_KEY_UNUSABLE);
    cr_assert_not_null(strstr(e.text, "not in the ring"));
}

Test(keys, challenge_hashes_depend_on_key_alias_and_challenge)
{
    CLEANUP(keys) struct keys *k = ring("a:" DIGITS_A "\nb:" DIGITS_B), *again = ring("x:" DIGITS_A);
    uint8_t hash[6][CHALLENGE_HASH_SIZE];
    struct bytes c = bytes_of_text("canary");
    cr_assert_eq(keys_challenge_hash(k, 0, "alpha", c, hash[0]), ERR_OK);
    cr_assert_eq(keys_challenge_hash(again, 0, "alpha", c, hash[1]), ERR_OK);
    cr_assert_arr_eq(hash[0], hash[1], CHALLENGE_HASH_SIZE);
    cr_assert_eq(keys_challenge_hash(k, 1, "alpha", c, hash[1]), ERR_OK);
    cr_assert_eq(keys_challenge_hash(k, 0, "beta", c, hash[2]), ERR_OK);
    cr_assert_eq(keys_challenge_hash(k, 0, "alpha", bytes_of_text("canarz"), hash[3]), ERR_OK);
    cr_assert_eq(keys_challenge_hash(k, 0, "alphac", bytes_of_text("anary"), hash[4]), ERR_OK);
    cr_assert_eq(keys_challenge_hash(k, 0, "alpha", bytes_of(NULL, 0), hash[5]), ERR_OK);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++)
            cr_assert_arr_neq(hash[i], hash[j], CHALLENGE_HASH_SIZE);
    cr_assert_eq(keys_challenge_hash(k, 2, "alpha", c, hash[0]), ERR_KEY_UNUSABLE);
}

Test(keys, a_missing_file_is_made_once)
{
    char folder[] = "/tmp/scepgate-keys-XXXXXX", path[64];
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/master.key", folder);
    struct keys *none = NULL;
    struct error e = {0};
    cr_assert_eq(keys_from_file(&none, path, false, &e), ERR_FILE_UNREADABLE);
    cr_assert_not_null(strstr(e.text, path));
    CLEANUP(keys) struct keys *first = NULL;
    CLEANUP(keys) struct keys *second = NULL;
    cr_assert_eq(keys_from_file(&first, path, true, &e), ERR_OK, "%s", e.text);
    cr_assert_eq(keys_from_file(&second, path, true, &e), ERR_OK, "%s", e.text);
    cr_assert_str_eq(keys_check_value(first), keys_check_value(second));
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert_eq(chmod(path, 0644), 0);
    cr_assert_eq(keys_from_file(&none, path, true, &e), ERR_KEY_UNUSABLE);
    cr_assert_not_null(strstr(e.text, "chmod 600"));
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(folder), 0, "something was left beside the key");
    cr_assert_eq(keys_from_file(&none, path, true, &e), ERR_FILE_UNREADABLE); /* no folder */
}

Test(names, are_given_for_every_value)
{
    cr_assert_str_eq(store_outcome_name(STORE_TAKEN), "taken");
    cr_assert_str_eq(store_outcome_name((enum store_outcome)99), "?");
    for (int o = STORE_OK; o <= STORE_UNKNOWN; o++)
        cr_assert_str_neq(store_outcome_name((enum store_outcome)o), "?");
    for (int s = TRANSACTION_RECEIVED; s <= TRANSACTION_SUPERSEDED; s++)
        cr_assert_str_neq(transaction_state_name((enum transaction_state)s), "?");
    cr_assert_str_eq(transaction_state_name((enum transaction_state)0), "?");
    cr_assert_str_eq(challenge_state_name(CHALLENGE_REVOKED), "revoked");
}
