/* test_secret.c: secrets, random texts and ids. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

Test(secret, is_a_copy_with_a_nul)
{
    struct secret s = {0};
    char source[] = "open sesame";
    cr_assert_eq(secret_set(&s, source, 4), ERR_OK);
    source[0] = 'x';
    cr_assert_eq(s.len, 4);
    cr_assert_str_eq((char *)s.data, "open");
    cr_assert_eq(secret_set(&s, s.data + 1, 2), ERR_OK, "also from itself");
    cr_assert_str_eq((char *)s.data, "pe");
    secret_free(&s);
    cr_assert_null(s.data);
    secret_free(&s);
    secret_free(NULL);
}

Test(secret, equal_means_equal)
{
    cr_assert(secret_equal(bytes_of_text("abc"), bytes_of_text("abc")));
    cr_assert_not(secret_equal(bytes_of_text("abc"), bytes_of_text("abd")));
    cr_assert_not(secret_equal(bytes_of_text("abc"), bytes_of_text("ab")));
    cr_assert(secret_equal(bytes_of(NULL, 0), bytes_of("", 0)));
}

Test(secret, random_text_uses_its_whole_alphabet_and_nothing_else)
{
    size_t seen[256] = {0};
    size_t letters = 0;
    for (int i = 0; i < 2000; i++) {
        char text[33];
        cr_assert_eq(secret_random_text(text, 32), ERR_OK);
        cr_assert_eq(strlen(text), 32);
        cr_assert_null(strpbrk(text, "01OIlU+/= &%\"'\\"));
        for (size_t k = 0; k < 32; k++)
            seen[(unsigned char)text[k]]++;
    }
    /* 64000 draws, 2000 expected per letter, standard deviation 44: a bias of a quarter would show. */
    for (size_t i = 0; i < 256; i++) {
        if (seen[i] == 0)
            continue;
        letters++;
        cr_assert(seen[i] > 1500 && seen[i] < 2500, "letter %c came %zu times", (int)i, seen[i]);
    }
    cr_assert_eq(letters, 32);
}

Test(secret, too_short_a_random_text_is_refused)
{
    char text[33] = "x";
    cr_assert_eq(secret_random_text(text, 25), ERR_INTERNAL);
    cr_assert_str_eq(text, "");
    cr_assert_eq(secret_random_text(text, 26), ERR_OK);
}

Test(secret, ids_are_hex_and_differ)
{
    char a[ID_TEXT_SIZE], b[ID_TEXT_SIZE];
    random_id(a);
    random_id(b);
    cr_assert_eq(strspn(a, "0123456789abcdef"), 32);
    cr_assert_eq(strlen(a), 32);
    cr_assert_str_neq(a, b);
}

static void write_file(char path[], const char *content)
{
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

Test(secret, a_file_loses_one_newline)
{
    char path[] = "/tmp/test_secret.XXXXXX";
    write_file(path, "pass word\n\n");
    struct secret s = {0};
    struct error e;
    cr_assert_eq(secret_from_file(&s, path, 100, &e), ERR_OK);
    cr_assert_str_eq((char *)s.data, "pass word\n");
    cr_assert_eq(secret_from_file(&s, path, 11, &e), ERR_OK, "max itself is allowed");
    cr_assert_eq(secret_from_file(&s, path, 10, &e), ERR_FILE_UNREADABLE);
    cr_assert_not_null(strstr(e.text, path));
    cr_assert_null(strstr(e.text, "pass"));
    secret_free(&s);
    unlink(path);
}

Test(secret, a_missing_file_is_named)
{
    struct secret s = {0};
    struct error e;
    cr_assert_eq(secret_from_file(&s, "/nonexistent/secret", 100, &e), ERR_FILE_UNREADABLE);
    cr_assert_not_null(strstr(e.text, "/nonexistent/secret"));
    cr_assert_null(s.data);
}
