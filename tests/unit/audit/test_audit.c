/* test_audit.c: event names and the JSON of their details. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "audit/audit.h"

Test(audit, events_have_distinct_dotted_names_and_help)
{
    for (int i = 0; i < AUDIT_COUNT; i++) {
        const char *name = audit_name((enum audit_code)i);
        cr_assert_not_null(strchr(name, '.'));
        cr_assert_gt(strlen(audit_help((enum audit_code)i)), 5);
        for (int k = 0; k < i; k++)
            cr_assert_str_neq(name, audit_name((enum audit_code)k));
    }
    cr_assert_str_eq(audit_name(AUDIT_CHALLENGE_REUSED), "challenge.reused");
}

Test(audit, details_are_a_json_object)
{
    struct audit_details d;
    audit_details_init(&d);
    cr_assert_str_eq(audit_details_text(&d), "{}");
    audit_detail(&d, "serial", "0a");
    audit_detail(&d, "absent", NULL);
    audit_detail_number(&d, "uses", -3);
    cr_assert_str_eq(audit_details_text(&d), "{\"serial\":\"0a\",\"uses\":-3}");
    cr_assert_str_eq(audit_details_text(&d), "{\"serial\":\"0a\",\"uses\":-3}");
    audit_detail(&d, "brace", "}");
    cr_assert_str_eq(audit_details_text(&d), "{\"serial\":\"0a\",\"uses\":-3,\"brace\":\"}\"}");
    audit_details_free(&d);
}

Test(audit, hostile_values_stay_values)
{
    struct audit_details d;
    audit_details_init(&d);
    audit_detail(&d, "subject", "CN=x\",\"by\":\"admin\n\xff");
    json_t *json = json_loads(audit_details_text(&d), JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(json);
    cr_assert_eq(json_object_size(json), 1);
    cr_assert_str_eq(json_string_value(json_object_get(json, "subject")), "CN=x\",\"by\":\"admin\n\xc3\xbf");
    json_decref(json);
    audit_details_free(&d);
}

Test(audit, long_values_are_cut_between_characters)
{
    char value[1001] = "x";
    for (size_t i = 1; i + 1 < sizeof value - 1; i += 2)
        memcpy(value + i, "\xc3\xbc", 2);
    struct audit_details d;
    audit_details_init(&d);
    audit_detail(&d, "a", value);
    json_t *json = json_loads(audit_details_text(&d), 0, NULL);
    cr_assert_not_null(json);
    const char *cut = json_string_value(json_object_get(json, "a"));
    cr_assert_eq(strlen(cut), 511);
    cr_assert_eq(strncmp(cut, value, 511), 0);
    json_decref(json);
    memset(value, 'y', 512);
    value[512] = 0;
    audit_details_free(&d);
    audit_details_init(&d);
    audit_detail(&d, "a", value);
    cr_assert_eq(strlen(audit_details_text(&d)), 512 + strlen("{\"a\":\"\"}"));
    audit_details_free(&d);
}

Test(audit, an_event_has_no_null_members)
{
    struct audit_event e = audit_event(AUDIT_RA_MADE, "demo", NULL, NULL, NULL, NULL);
    cr_assert_str_eq(e.event, "ra.made");
    cr_assert_str_eq(e.alias, "demo");
    cr_assert_str_eq(e.tenant, "");
    cr_assert_str_eq(e.transaction, "");
    cr_assert_str_eq(e.client, "");
    cr_assert_str_eq(e.details, "{}");
}
