/* test_families.c: families of clients, and which word wins over which. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "settings/families.h"
#include "support.h"

#define BACKEND "backends: {ca: {type: test}}\n"
#define OF      "backend: ca, challenge: {type: one_time}"

static struct loaded accepts(const char *text)
{
    struct loaded l = load_text(text);
    cr_assert_not_null(l.s, "%s", problems_of(&l));
    return l;
}

static struct compat_settings compat_of(const struct loaded *l, size_t alias)
{
    return l->s->aliases[alias]->compat;
}

Test(families, set_what_they_need_on_their_alias_alone)
{
    struct loaded l = accepts(BACKEND "aliases:\n"
                                      "  a: {" OF ", compat: {clients: [apple]}}\n"
                                      "  b: {" OF "}\n"
                                      "  c: {" OF ", compat: {clients: [windows, cisco_ios]}}\n");
    cr_expect(compat_of(&l, 0).get_pki_operation && compat_of(&l, 0).fail_info_text);
    cr_expect_not(compat_of(&l, 0).root_in_get_ca_cert);
    cr_expect(compat_of(&l, 1).root_in_get_ca_cert && compat_of(&l, 1).fail_info_text);
    cr_expect_not(compat_of(&l, 2).root_in_get_ca_cert || compat_of(&l, 2).fail_info_text);
    unload(&l);
}

Test(families, an_alias_wins_over_the_defaults)
{
    struct loaded l = accepts(BACKEND "defaults: {compat: {get_pki_operation: false}}\n"
                                      "aliases:\n"
                                      "  a: {" OF ", compat: {clients: [routeros]}}\n"
                                      "  b: {" OF "}\n");
    cr_expect(compat_of(&l, 0).get_pki_operation);
    cr_expect_not(compat_of(&l, 1).get_pki_operation);
    unload(&l);
}

Test(families, in_the_defaults)
{
    struct loaded l = accepts(BACKEND "defaults: {compat: {clients: [cisco_ios]}}\n"
                                      "aliases:\n"
                                      "  a: {" OF "}\n"
                                      "  b: {" OF ", compat: {fail_info_text: true}}\n");
    cr_expect_not(compat_of(&l, 0).fail_info_text);
    cr_expect(compat_of(&l, 1).fail_info_text);
    unload(&l);
}

Test(families, a_row_beside_them_wins_and_is_warned_of)
{
    struct loaded l =
        accepts(BACKEND "aliases: {a: {" OF ", compat: {clients: sscep, get_pki_operation: false}}}\n");
    cr_expect_not(compat_of(&l, 0).get_pki_operation);
    cr_expect_not_null(strstr(warnings_of(&l), "`compat.get_pki_operation: false` stands against "
                                               "`compat.clients`: sscep enrols by GET"),
                       "%s", warnings_of(&l));
    unload(&l);
}

Test(families, a_row_outside_of_compat)
{
    struct loaded l = accepts(
        BACKEND "aliases:\n"
                "  a: {" OF ", compat: {clients: [apple, cisco_vpn_client]}}\n"
                "  b: {" OF "}\n"
                "  c: {" OF ", compat: {clients: cisco_vpn_client}, reply: {certificates: all}}\n"
                "  d: {" OF ", compat: {clients: cisco_vpn_client}, reply: {certificates: issued}}\n");
    static const enum reply_certificates expected[] = {REPLY_ISSUER, REPLY_ISSUED, REPLY_ALL, REPLY_ISSUED};
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(l.s->aliases[i]->reply.certificates, expected[i], "alias %zu", i);
    cr_expect_not_null(strstr(warnings_of(&l),
                              "`reply.certificates: issued` stands against `compat.clients`: "
                              "cisco_vpn_client wants the CA's certificate in the reply"),
                       "%s", warnings_of(&l));
    cr_expect_null(strstr(warnings_of(&l), "certificates: all"), "%s", warnings_of(&l));
    unload(&l);
}

/* Every word is known to the table behind it, and none of them brings an algorithm. */
Test(families, every_word)
{
    struct loaded plain = accepts(ALIAS(""));
    char words[] = FAMILIES, *rest = words;
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) {
        char text[512];
        snprintf(text, sizeof text, BACKEND "aliases: {a: {" OF ", compat: {clients: %s}}}\n", word);
        struct loaded l = accepts(text);
        cr_expect_eq(l.s->aliases[0]->ciphers, plain.s->aliases[0]->ciphers, "%s", word);
        cr_expect_eq(l.s->aliases[0]->digests, plain.s->aliases[0]->digests, "%s", word);
        cr_expect_not(compat_of(&l, 0).obsolete_des || compat_of(&l, 0).obsolete_md5, "%s", word);
        unload(&l);
    }
    unload(&plain);
    struct loaded unknown = load_text(BACKEND "aliases: {a: {" OF ", compat: {clients: [amiga]}}}\n");
    cr_expect_null(unknown.s);
    unload(&unknown);
}
