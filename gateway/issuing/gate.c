/* gate.c: gates (backends/backend.h): what stands behind them, and their two calls. */
#include <string.h>

#include "base/log.h"
#include "issuing/instance.h"

static bool is_gate(const struct backend_instance *i)
{
    return i->type->admit != NULL;
}

/* The value of the row that names another backend; NULL when there is none. */
static const char *name_behind(const struct backend_instance *i)
{
    for (size_t n = 0; n < i->type->setting_count; n++)
        if (i->type->settings[n].type == BACKEND_SETTING_BACKEND)
            return setting_block_text(i->values->block, i->type->settings[n].path);
    return NULL;
}

struct backend_instance *backends_gate(struct backends *b, const char *name)
{
    struct backend_instance *i = backends_find(b, name);
    return i && is_gate(i) ? i : NULL;
}

struct backend_instance *backends_issuer(struct backends *b, const char *name)
{
    struct backend_instance *i = backends_find(b, name);
    if (!i || !is_gate(i))
        return i;
    const char *behind = name_behind(i);
    struct backend_instance *issuer = behind ? backends_find(b, behind) : NULL;
    return issuer && !is_gate(issuer) ? issuer : NULL;
}

void backend_admit(struct backend_instance *gate, const struct backend_request *request,
                   const struct backend_facts *facts, struct backend_admission *admission)
{
    *admission = (struct backend_admission){0};
    gate->type->admit(gate->opened, request, facts, admission);
    if (admission->hold && admission->approvals < 1)
        admission->approvals = 1;
}

static void announced(void *context, const char *problem)
{
    struct backend_instance *gate = context;
    gate->announcing = false;
    gate->announced(gate->announced_context, problem);
}

enum backend_announcement backend_announce(struct backend_instance *gate, const char *notice,
                                           backend_announced *done, void *context)
{
    if (!gate->type->announce)
        return ANNOUNCEMENT_NEEDLESS;
    if (gate->announcing)
        return ANNOUNCEMENT_BUSY;
    gate->announced = done;
    gate->announced_context = context;
    gate->announcing = gate->type->announce(gate->opened, notice, announced, gate);
    return gate->announcing ? ANNOUNCEMENT_STARTED : ANNOUNCEMENT_BUSY;
}
