/* records.h: records of whatever kind: out of an export's answer, into an import's request. */
#pragma once

#include "store/store.h"

const char *record_kind_name(enum store_kind kind); /* "challenges" */
size_t record_count(const struct store_answer *a, enum store_kind kind);
const void *record_at(const struct store_answer *a, enum store_kind kind, size_t i); /* borrowed */
/* A fresh request, which borrows the record. */
void record_import(struct store_request *r, enum store_kind kind, const void *record);
const char *record_alias(const struct store_request *r); /* of an import; "" for an audit row */
