/* fixed.c: the `static` challenge: one secret for all, out of the settings. */
#include "challenge/validator.h"

static struct bytes bytes_of_secret(const struct secret *s)
{
    return bytes_of(s->data, s->len);
}

void fixed_validate(struct validation *v)
{
    const struct secret *wanted = &v->settings->challenge.secret.value;
    if (wanted->len > 0 && secret_equal(bytes_of_secret(&v->csr->challenge), bytes_of_secret(wanted)))
        validation_decide(v, ERR_OK, "the static challenge");
    else
        validation_decide(v, ERR_CHALLENGE_REFUSED, "not the static challenge");
    validation_defer(v);
}
