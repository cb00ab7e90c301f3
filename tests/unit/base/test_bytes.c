/* test_bytes.c: runs of bytes, the growing buffer and the arena. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"

Test(bytes, equal_compares_content_and_length)
{
    cr_assert(bytes_equal(bytes_of("ab", 2), bytes_of_text("ab")));
    cr_assert_not(bytes_equal(bytes_of("ab", 2), bytes_of_text("ac")));
    cr_assert_not(bytes_equal(bytes_of("ab", 1), bytes_of_text("ab")));
    cr_assert(bytes_equal(bytes_of(NULL, 0), bytes_of("", 0)));
    cr_assert_eq(bytes_of_text(NULL).len, 0);
}

Test(bytes, a_copy_is_independent)
{
    char source[] = "abc";
    struct bytes copy = bytes_copy(bytes_of_text(source));
    source[0] = 'x';
    cr_assert(bytes_equal(copy, bytes_of_text("abc")));
    free((void *)copy.data);
    cr_assert_null(bytes_copy(bytes_of(NULL, 0)).data);
}

Test(buffer, grows_and_stays_a_text)
{
    struct buffer b;
    buffer_init(&b, 100000);
    for (int i = 0; i < 1000; i++)
        buffer_format(&b, "%04d,", i);
    cr_assert_not(b.failed);
    cr_assert_eq(b.len, 5000);
    cr_assert_eq(strlen((char *)b.data), 5000);
    cr_assert_eq(memcmp(b.data + 4995, "0999,", 5), 0);
    buffer_free(&b);
    cr_assert_null(b.data);
}

Test(buffer, fails_beyond_its_max_and_stays_failed)
{
    struct buffer b;
    buffer_init(&b, 4);
    buffer_text(&b, "abcd");
    cr_assert_not(b.failed);
    buffer_text(&b, "e");
    cr_assert(b.failed);
    cr_assert_eq(b.len, 0);
    buffer_text(&b, "a");
    cr_assert(b.failed);
    cr_assert_null(buffer_extend(&b, 1));
    cr_assert_null(buffer_take(&b, NULL));
    buffer_reset(&b);
    buffer_text(&b, "a");
    cr_assert_not(b.failed);
    cr_assert_str_eq((char *)b.data, "a");
    buffer_free(&b);
}

Test(buffer, lengths_that_overflow_are_refused)
{
    struct buffer b;
    buffer_init(&b, SIZE_MAX);
    buffer_text(&b, "abc");
    cr_assert_null(buffer_extend(&b, SIZE_MAX - 1));
    cr_assert(b.failed);
    buffer_reset(&b);
    cr_assert_null(buffer_extend(&b, SIZE_MAX));
    buffer_free(&b);
}

Test(buffer, take_gives_the_memory_away)
{
    struct buffer b;
    buffer_init(&b, 100);
    buffer_text(&b, "text");
    size_t len = 99;
    char *text = buffer_take(&b, &len);
    cr_assert_str_eq(text, "text");
    cr_assert_eq(len, 4);
    cr_assert_eq(b.len, 0);
    free(text);
    text = buffer_take(&b, NULL);
    cr_assert_str_eq(text, "");
    free(text);
}

Test(arena, pieces_are_zeroed_aligned_and_apart)
{
    struct arena *a = arena_create();
    unsigned char *pieces[200];
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * 37 % 3000 + 1;
        pieces[i] = arena_alloc(a, size);
        cr_assert_not_null(pieces[i]);
        cr_assert_eq((uintptr_t)pieces[i] % sizeof(void *), 0);
        for (size_t k = 0; k < size; k++)
            cr_assert_eq(pieces[i][k], 0);
        memset(pieces[i], (int)i, size);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i * 37 % 3000 + 1; k++)
            cr_assert_eq(pieces[i][k], (unsigned char)i);
    arena_free(a);
}

Test(arena, copies_texts_and_runs)
{
    struct arena *a = arena_create();
    cr_assert_str_eq(arena_text(a, "hello"), "hello");
    struct bytes run = arena_bytes(a, "a\0b", 3);
    cr_assert_eq(run.len, 3);
    cr_assert_eq(memcmp(run.data, "a\0b", 4), 0);
    struct bytes empty = arena_bytes(a, NULL, 0);
    cr_assert_not_null(empty.data);
    cr_assert_eq(empty.len, 0);
    cr_assert_null(arena_alloc(a, SIZE_MAX));
    cr_assert_null(arena_bytes(a, "", SIZE_MAX).data);
    arena_free(a);
    arena_free(NULL);
}
