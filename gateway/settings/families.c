/* families.c: see families.h. */
#include "settings/families.h"

#include <assert.h>
#include <string.h>

#include "settings/settings.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum need {
    NEED_GET = 1,     /* enrols by GET, whatever is advertised */
    NEED_NO_TEXT = 2, /* older than failInfoText */
    NEED_NO_ROOT = 4, /* pins the issuing CA, or goes wrong with a root in the bag */
    NEED_ISSUER = 8,  /* takes the CA's certificate from the reply */
};

static const struct {
    enum need need;
    const char *row;
    bool value;
    const char *word; /* of a row that is a choice */
    const char *reason;
} needs[] = {
    {NEED_GET, "compat.get_pki_operation", true, NULL, "enrols by GET"},
    {NEED_NO_TEXT, "compat.fail_info_text", false, NULL, "knows no failInfoText"},
    {NEED_NO_ROOT, "compat.root_in_get_ca_cert", false, NULL, "stumbles over a root in GetCACert"},
    {NEED_ISSUER, "reply.certificates", false, "issuer", "wants the CA's certificate in the reply"},
};

/* In the order of FAMILIES. */
static const struct {
    const char *name;
    unsigned needs;
} families[] = {
    {"apple", NEED_GET | NEED_NO_ROOT},
    {"cisco_ios", NEED_GET | NEED_NO_TEXT},
    {"cisco_pix", NEED_GET | NEED_NO_TEXT},
    {"cisco_vpn_client", NEED_GET | NEED_NO_TEXT | NEED_ISSUER},
    {"windows", NEED_NO_ROOT},
    {"routeros", NEED_GET},
    {"fortios", NEED_GET},
    {"certmonger", NEED_GET},
    {"sscep", NEED_GET},
};

static unsigned needs_of(const char *name)
{
    int index = choice_index(FAMILIES, name);
    assert(index >= 0 && (size_t)index < COUNT(families) && strcmp(families[index].name, name) == 0);
    return families[index].needs;
}

/* The first family of the list that needs it, or NULL. */
static const char *who_needs(const struct text_list *clients, enum need need)
{
    for (size_t i = 0; i < clients->count; i++)
        if (needs_of(clients->items[i]) & need)
            return clients->items[i];
    return NULL;
}

static const char *value_text(const struct setting_value *v, bool choice)
{
    return choice ? v->text : v->number ? "true" : "false";
}

/* A longer chain brings the issuer as well. */
static bool stands_against(const struct setting_value *own, size_t need)
{
    const char *word = needs[need].word;
    return word ? strcmp(own->text, word) != 0 && strcmp(own->text, "all") != 0
                : own->number != needs[need].value;
}

static bool fill_in(struct setting_block *b, size_t need)
{
    const char *word = needs[need].word;
    return word ? block_put_text(b, needs[need].row, word)
                : block_put_bool(b, needs[need].row, needs[need].value);
}

bool families_apply(struct setting_block *b, struct problems *problems)
{
    const struct setting_value *v = block_own(b, block_row(b, "compat.clients"));
    if (!v)
        return true;
    const struct text_list clients = v->list;
    for (size_t i = 0; i < COUNT(needs); i++) {
        const char *family = who_needs(&clients, needs[i].need);
        const struct setting_value *own = family ? block_own(b, block_row(b, needs[i].row)) : NULL;
        if (own && stands_against(own, i))
            warning(problems, own->at, "`%s: %s` stands against `compat.clients`: %s %s", needs[i].row,
                    value_text(own, needs[i].word), family, needs[i].reason);
        if (family && !own && !fill_in(b, i))
            return false;
    }
    return true;
}
