/* config.h: a settings file for a tool. */
#pragma once

#include "settings/settings.h"

/* The settings, or NULL with every problem on stderr; warnings too when they are asked for. */
struct gateway_settings *config_load(const char *path, bool warn);
