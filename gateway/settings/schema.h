/* schema.h: the tables of settings. Every row is defined in schema.c and nowhere else. */
#pragma once

#include "settings/block.h"
#include "settings/settings.h"

extern const struct setting_row schema_gateway[]; /* struct gateway_settings */
extern const size_t schema_gateway_count;
extern const struct setting_row schema_alias[]; /* struct alias_settings */
extern const size_t schema_alias_count;
extern const struct setting_row schema_rule[]; /* struct pattern_rule */
extern const size_t schema_rule_count;

/* Keys of the document that are not rows: they hold sections. Ended by NULL. */
extern const char *const schema_sections[];

const struct backend_rows *catalogue_find(const struct settings_catalogue *catalogue, const char *type);
