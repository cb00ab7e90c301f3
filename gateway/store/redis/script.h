/* script.h: the Lua scripts, each one atomic step over the keys of one hash tag.
 *
 * The texts are in lua/: prelude.lua is put before each of the others when the program is built. A script gets
 * one key, the base of all keys it touches ("PREFIX{TAG}:"), and named arguments (arguments.h).
 */
#pragma once

#include <stddef.h>

struct redis_script {
    const char *name; /* "begin": lua/begin.lua */
    const char *text; /* prelude and script */
    size_t len;
    char sha1[41]; /* of the text, hex: what EVALSHA names */
};

/* Aborts when there is no script of that name. */
const struct redis_script *redis_script(const char *name);
