/* ra_records.c: see ra_records.h. */
#include "issuing/ra_records.h"

static bool certified_under(const struct ra_record *r, struct bytes ca)
{
    bool found = false;
    for (size_t i = 1; ca.len && !found && i < r->chain_count; i++)
        found = bytes_equal(r->chain[i], ca);
    return found;
}

static bool alive(const struct ra_record *r, const struct ra_records *all, int64_t unusable_until)
{
    return r->chain_count > 0 && r->not_after > all->now && r->generation > unusable_until;
}

static void add(struct ra_pick *p, const struct ra_record *r)
{
    if (p->count == RA_RECORDS_MAX)
        return;
    p->roles[p->count] = ra_record_roles(r);
    p->usable[p->count++] = *r;
}

static bool is_present(const struct ra_records *all, const struct ra_record *r)
{
    return !certified_under(r, all->next) && (!all->present.len || certified_under(r, all->present));
}

void ra_pick_present(struct ra_pick *out, const struct ra_records *all)
{
    int64_t newest = 0;
    *out = (struct ra_pick){0};
    for (size_t i = 0; i < all->count; i++)
        if (alive(&all->records[i], all, all->unusable_until[0]) && is_present(all, &all->records[i])) {
            if (all->records[i].generation > newest)
                newest = all->records[i].generation;
            add(out, &all->records[i]);
        }
    out->own = out->count;
    for (size_t i = 0; i < all->count; i++) {
        const struct ra_record *r = &all->records[i];
        bool other = !certified_under(r, all->next) && !is_present(all, r);
        bool known = !newest || r->generation < newest || certified_under(r, all->previous);
        if (alive(r, all, all->unusable_until[0]) && other && known)
            add(out, r);
    }
}

void ra_pick_next(struct ra_pick *out, const struct ra_records *all)
{
    *out = (struct ra_pick){0};
    for (size_t i = 0; i < all->count; i++)
        if (alive(&all->records[i], all, all->unusable_until[1]) &&
            certified_under(&all->records[i], all->next))
            add(out, &all->records[i]);
    out->own = out->count;
}

const struct ra_record *ra_pick_newest(const struct ra_pick *p, unsigned roles, bool alone)
{
    for (size_t i = 0; i < p->count; i++)
        if (alone ? p->roles[i] == roles : (p->roles[i] & roles) == roles)
            return &p->usable[i];
    return NULL;
}

bool ra_pick_is_whole(const struct ra_pick *p)
{
    return ra_pick_newest(p, RA_OPENS, false) && ra_pick_newest(p, RA_SIGNS, false);
}

unsigned ra_pick_missing(const struct ra_pick *p, bool separate, int64_t now)
{
    static const unsigned together[] = {RA_BOTH, RA_BOTH}, apart[] = {RA_OPENS, RA_SIGNS};
    const unsigned *wanted = separate ? apart : together;
    for (size_t i = 0; i < 2; i++) {
        const struct ra_record *r = ra_pick_newest(p, wanted[i], true);
        bool own = r && (size_t)(r - p->usable) < p->own;
        if (!own || now >= ra_renewal_time(r->not_before, r->not_after))
            return wanted[i];
    }
    return 0;
}
