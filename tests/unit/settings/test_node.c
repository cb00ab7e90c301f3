/* test_node.c: YAML texts, good and hostile. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/node.h"

static struct arena *arena;
static struct buffer errors;
static struct problems problems;

static void set_up(void)
{
    arena = arena_create();
    buffer_init(&errors, 1 << 20);
    problems = (struct problems){.file = "f", .errors = &errors};
}

static void tear_down(void)
{
    arena_free(arena);
    buffer_free(&errors);
}

TestSuite(node, .init = set_up, .fini = tear_down, .timeout = 60);

static const struct node *parse(const char *text)
{
    return node_parse(bytes_of_text(text), arena, &problems);
}

static void refuses(const char *text, const char *sentence)
{
    const struct node *n = parse(text);
    cr_expect(!n || problems.error_count, "%.60s", text);
    cr_expect(errors.data && strstr((char *)errors.data, sentence), "%s",
              errors.data ? (char *)errors.data : "");
}

Test(node, knows_places)
{
    const struct node *root = parse("a: 1\nb:\n  c: [x, 'y']\n");
    cr_assert_not_null(root);
    const struct node *list = node_member(node_member(root, "b"), "c");
    cr_assert_not_null(list);
    cr_expect_eq(list->kind, NODE_LIST);
    cr_expect_eq(list->count, 2);
    cr_expect_eq(list->at.line, 3);
    cr_expect_eq(list->at.column, 6);
    cr_expect_str_eq(list->first->next->text, "y");
    cr_expect_not(list->first->next->plain);
    cr_expect_null(node_member(root, "c"));
}

Test(node, takes_an_empty_text_for_an_empty_map)
{
    const struct node *root = parse("# nothing\n");
    cr_assert_not_null(root);
    cr_expect_eq(root->kind, NODE_MAP);
    cr_expect_eq(root->count, 0);
}

Test(node, drops_a_byte_order_mark)
{
    const struct node *root = parse("\xEF\xBB\xBF"
                                    "a: 1\n");
    cr_assert_not_null(root);
    cr_expect_not_null(node_member(root, "a"));
}

Test(node, refuses_duplicates_and_names_the_first)
{
    refuses("a: 1\nb: 2\nc: {x: 1, 'x': 2}\na: 3\n", "f:4:1: `a` stands here twice (first in line 1)");
    cr_expect(strstr((char *)errors.data, "f:3:11: `x`"));
}

Test(node, refuses_two_documents)
{
    refuses("a: 1\n---\nb: 1\n", "f:2:1: a second document");
}
Test(node, refuses_tags)
{
    refuses("a: !!int 1\n", "tag");
}
Test(node, refuses_tagged_maps)
{
    refuses("a: !x {b: 1}\n", "tag");
}
Test(node, refuses_keys_that_are_no_names)
{
    refuses("? [a, b]\n: 1\n", "cannot be a key");
}
Test(node, refuses_bytes_that_are_no_utf8)
{
    refuses("a: \xFF\xFE\n", "not UTF-8");
}
Test(node, refuses_utf16)
{
    const struct node *n = node_parse(bytes_of("\xFF\xFE"
                                               "a\0:\0",
                                               6),
                                      arena, &problems);
    cr_expect(!n);
    cr_expect_eq(problems.error_count, 1);
}
Test(node, refuses_nul)
{
    refuses("a: \"x\\0y\"\n", "NUL");
}
Test(node, refuses_bad_syntax_with_its_place)
{
    refuses("a: [1, 2\nb: }\n", "f:2:");
}
Test(node, refuses_unknown_aliases)
{
    refuses("a: *nobody\n", "`*nobody`");
}
Test(node, refuses_a_node_inside_itself)
{
    refuses("a: &x [*x]\n", "names no finished anchor");
}

Test(node, refuses_depth)
{
    char text[4096] = "";
    memset(text, '[', 2000);
    refuses(text, "nested deeper");
}

Test(node, shares_what_an_alias_names)
{
    const struct node *root = parse("a: &x {b: [1, 2]}\nc: *x\n");
    cr_assert_not_null(root);
    const struct node *c = node_member(root, "c");
    cr_expect_eq(c->at.line, 2, "an alias stands where it is used");
    cr_expect_str_eq(node_member(c, "b")->first->next->text, "2");
}

/* Ten levels, each nine times the one before: some 3.5 thousand million values when expanded. */
Test(node, refuses_expansion_without_end)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    buffer_text(&text, "x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for (int i = 1; i < 10; i++) {
        buffer_format(&text, "x%d: &x%d [", i, i);
        for (int j = 0; j < 9; j++)
            buffer_format(&text, "%s*x%d", j ? ", " : "", i - 1);
        buffer_text(&text, "]\n");
    }
    refuses((char *)text.data, "too large");
    buffer_free(&text);
}

Test(node, bounds_anchors)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    for (int i = 0; i <= NODE_ANCHORS_MAX; i++)
        buffer_format(&text, "k%d: &a%d 1\n", i, i);
    refuses((char *)text.data, "anchors");
    buffer_free(&text);
}
