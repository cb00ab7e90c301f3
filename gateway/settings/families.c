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
};

static const struct {
    enum need need;
    const char *row;
    bool value;
    const char *reason;
} needs[] = {
    {NEED_GET, "compat.get_pki_operation", true, "enrols by GET"},
    {NEED_NO_TEXT, "compat.fail_info_text", false, "knows no failInfoText"},
    {NEED_NO_ROOT, "compat.root_in_get_ca_cert", false, "stumbles over a root in GetCACert"},
};

/* In the order of FAMILIES. */
static const struct {
    const char *name;
    unsigned needs;
} families[] = {
    {"apple", NEED_GET | NEED_NO_ROOT},
    {"cisco_ios", NEED_GET | NEED_NO_TEXT},
    {"cisco_pix", NEED_GET | NEED_NO_TEXT},
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

bool families_apply(struct setting_block *b, struct problems *problems)
{
    const struct setting_value *v = block_own(b, block_row(b, "compat.clients"));
    if (!v)
        return true;
    const struct text_list clients = v->list;
    for (size_t i = 0; i < COUNT(needs); i++) {
        const char *family = who_needs(&clients, needs[i].need);
        const struct setting_value *own = family ? block_own(b, block_row(b, needs[i].row)) : NULL;
        if (own && own->number != needs[i].value)
            warning(problems, own->at, "`%s: %s` stands against `compat.clients`: %s %s", needs[i].row,
                    own->number ? "true" : "false", family, needs[i].reason);
        if (family && !own && !block_put_bool(b, needs[i].row, needs[i].value))
            return false;
    }
    return true;
}
