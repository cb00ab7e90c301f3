/* walk.c: see walk.h. */
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct node parse_at(const uint8_t *at, size_t left)
{
    struct node none = {0}, found = {0};
    if (left < 2 || (at[0] & 0x1f) == 0x1f || at[1] == 0x80)
        return none;
    size_t head = 2, length = at[1];
    if (at[1] & 0x80) {
        size_t octets = at[1] & 0x7f;
        if (octets > 4 || left < 2 + octets || at[2] == 0)
            return none;
        length = 0;
        for (size_t i = 0; i < octets; i++)
            length = length << 8 | at[2 + i];
        if (length < 0x80)
            return none; /* not minimal: no DER */
        head += octets;
    }
    if (left - head < length)
        return none;
    found.tag = at[0];
    found.whole = bytes_of(at, head + length);
    found.inside = bytes_of(at + head, length);
    return found;
}

struct node walk_parse(struct bytes der)
{
    struct node found = parse_at(der.data, der.len);
    return found.whole.len == der.len ? found : (struct node){0};
}

struct node walk_child(struct node parent, unsigned at)
{
    size_t offset = 0;
    for (unsigned i = 0;; i++) {
        struct node child = parse_at(parent.inside.data + offset, parent.inside.len - offset);
        if (!child.tag || i == at)
            return child;
        offset += child.whole.len;
    }
}

unsigned walk_count(struct node parent)
{
    unsigned count = 0;
    while (walk_child(parent, count).tag)
        count++;
    return count;
}

struct node walk_down(struct node start, const int *path)
{
    for (; *path >= 0 && start.tag; path++)
        start = walk_child(start, (unsigned)*path);
    return start;
}

bool walk_is_oid(struct node node, const char *dotted)
{
    if (node.tag != 0x06)
        return false;
    char text[128] = "";
    size_t used = 0;
    unsigned long value = 0;
    bool first = true;
    for (size_t i = 0; i < node.inside.len; i++) {
        value = value << 7 | (node.inside.data[i] & 0x7f);
        if (node.inside.data[i] & 0x80)
            continue;
        unsigned long top = value < 80 ? value / 40 : 2;
        used += (size_t)(first ? snprintf(text, sizeof text, "%lu.%lu", top, value - top * 40)
                               : snprintf(text + used, sizeof text - used, ".%lu", value));
        first = false;
        value = 0;
    }
    return strcmp(text, dotted) == 0;
}

struct node walk_signer_info(struct bytes message)
{
    struct node data = WALK(walk_parse(message), 1, 0);
    return WALK(data, (int)walk_count(data) - 1, 0);
}

struct node walk_signed_attribute(struct bytes message, const char *dotted)
{
    struct node attributes = walk_child(walk_signer_info(message), 3);
    struct node found = {0};
    for (unsigned i = 0; i < walk_count(attributes); i++) {
        struct node attribute = walk_child(attributes, i);
        if (!walk_is_oid(walk_child(attribute, 0), dotted))
            continue;
        struct node values = walk_child(attribute, 1);
        if (found.tag || walk_count(values) != 1)
            return (struct node){0};
        found = walk_child(values, 0);
    }
    return attributes.tag == 0xa0 ? found : (struct node){0};
}
