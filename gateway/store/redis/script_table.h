/* script_table.h: all scripts, sorted by name: what embed.py makes and script.c looks into. */
#pragma once

#include "store/redis/script.h"

extern const struct redis_script redis_scripts[];
extern const size_t redis_script_count;
