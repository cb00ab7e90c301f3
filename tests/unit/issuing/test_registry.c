/* test_registry.c: the built-in types, and that their rows are good settings rows. */
#include <criterion/criterion.h>
#include <string.h>

#include "issuing/backends.h"

/* A gate has exactly one row for it. */
static bool names_what_is_behind(const struct backend_type *type)
{
    int rows = 0;
    for (size_t i = 0; i < type->setting_count; i++)
        rows += type->settings[i].type == BACKEND_SETTING_BACKEND && type->settings[i].required;
    return rows == 1;
}

Test(registry, types_are_sorted_and_complete)
{
    size_t count;
    const struct backend_type *const *types = backend_types(&count);
    cr_assert_gt(count, 0);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(types[i]->abi, BACKEND_ABI);
        cr_assert(i == 0 || strcmp(types[i - 1]->name, types[i]->name) < 0, "%s is out of order",
                  types[i]->name);
        cr_assert(types[i]->help && types[i]->open && types[i]->close);
        if (types[i]->admit) {
            cr_assert(names_what_is_behind(types[i]), "%s", types[i]->name);
            cr_assert_null(types[i]->enroll, "%s is a gate, and issues nothing", types[i]->name);
            continue;
        }
        cr_assert(types[i]->enroll && types[i]->cancel && types[i]->ca_chain);
        cr_assert((types[i]->flags & BACKEND_SAFE_TO_REPEAT) || types[i]->look_up,
                  "%s can neither be repeated nor be asked", types[i]->name);
    }
}

Test(registry, catalogue_mirrors_the_types)
{
    size_t count;
    const struct backend_type *const *types = backend_types(&count);
    const struct settings_catalogue *c = backend_catalogue();
    cr_assert_eq(c->backend_count, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_str_eq(c->backends[i].type, types[i]->name);
        cr_assert_eq(c->backends[i].row_count, types[i]->setting_count);
        for (size_t k = 0; k < types[i]->setting_count; k++) {
            const struct setting_row *row = &c->backends[i].rows[k];
            cr_assert_str_eq(row->path, types[i]->settings[k].path);
            cr_assert(row->help && *row->help, "%s has no help", row->path);
            cr_assert_eq(row->min, types[i]->settings[k].min);
            cr_assert_eq(row->max, types[i]->settings[k].max);
        }
    }
}

static const struct setting_row *row_of(const char *path)
{
    const struct backend_rows *rows = &backend_catalogue()->backends[0];
    for (size_t i = 0; i < rows->row_count; i++)
        if (strcmp(rows->rows[i].path, path) == 0)
            return &rows->rows[i];
    cr_assert_fail("there is no row %s", path);
    return NULL;
}

Test(registry, types_of_rows_are_translated)
{
    cr_assert_eq(row_of("key_passphrase")->type, SETTING_SECRET);
    cr_assert(row_of("key_passphrase")->flags & SETTING_SECRET_VALUE);
    cr_assert_eq(row_of("certificate")->type, SETTING_PATH);
    cr_assert_eq(row_of("create")->type, SETTING_BOOL);
    cr_assert_eq(row_of("profile.validity")->type, SETTING_DURATION);
    cr_assert_eq(row_of("profile.key_usage")->type, SETTING_CHOICES);
    cr_assert_eq(row_of("profile.extended_key_usage")->type, SETTING_LIST);
    cr_assert_eq(row_of("digest")->type, SETTING_CHOICE);
    cr_assert_eq(row_of("subject")->type, SETTING_TEXT);
}

/* A file with every row, and the defaults as the backend reads them. */
Test(registry, rows_can_be_read_from_a_file)
{
    static const char yaml[] =
        "state: /tmp/x\n"
        "backends:\n"
        "  own:\n"
        "    type: local_ca\n"
        "    key_passphrase: {value: open sesame}\n"
        "    profile: {validity: 90d, key_usage: [digitalSignature], ocsp_urls: http://ocsp.example}\n";
    struct buffer problems;
    struct gateway_settings *s = NULL;
    buffer_init(&problems, 65536);
    enum error_code code = settings_parse(&s, bytes_of(yaml, sizeof yaml - 1), "test.yaml", "/tmp",
                                          backend_catalogue(), &problems, NULL);
    cr_assert_eq(code, ERR_OK, "%s", problems.data ? (const char *)problems.data : "");
    const struct setting_block *b = s->backends[0].block;
    cr_assert_eq(setting_block_number(b, "profile.validity"), 90LL * 86400000);
    cr_assert_eq(setting_block_number(b, "profile.backdate"), 5 * 60000);
    cr_assert_eq(setting_block_number(b, "create"), 1);
    cr_assert_str_eq(setting_block_text(b, "key_passphrase"), "open sesame");
    cr_assert_str_eq(setting_block_text(b, "key_type"), "rsa-3072");
    cr_assert_null(setting_block_text(b, "chain"));
    cr_assert_eq(setting_block_count(b, "profile.key_usage"), 1);
    cr_assert_eq(setting_block_count(b, "profile.ocsp_urls"), 1);
    cr_assert_eq(setting_block_count(b, "profile.crl_urls"), 0);
    cr_assert_str_eq(setting_block_item(b, "profile.extended_key_usage", 0), "clientAuth");
    gateway_settings_unref(s);
    buffer_free(&problems);
}
