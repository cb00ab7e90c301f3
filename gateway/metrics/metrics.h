/* metrics.h: counters, gauges and histograms as rows of metrics.def, printed for Prometheus (text format
 * 0.0.4).
 *
 * Loop thread only. A label set is made on first use and kept; a family holds at most METRICS_SERIES_MAX,
 * then counts under the label value "other". A NULL `struct metrics *` counts nothing, and so does a sample
 * that makes no sense (not a number, a counter going down).
 */
#pragma once

#include "base/bytes.h"

enum metric {
#define METRIC(code, type, name, labels, help) METRIC_##code,
#include "metrics/metrics.def"
#undef METRIC
    METRIC_COUNT_
};

#define METRICS_SERIES_MAX 20000
#define METRIC_LABELS_MAX  4

struct metrics;

struct metrics *metrics_create(void); /* NULL when out of memory */
void metrics_free(struct metrics *m);
/* Label values in the row's order; exactly as many as the row has labels, then no terminator is needed. */
void metrics_add(struct metrics *m, enum metric which, double amount, const char *const *labels);
void metrics_set(struct metrics *m, enum metric which, double value, const char *const *labels);
void metrics_observe(struct metrics *m, enum metric which, double seconds, const char *const *labels);
void metrics_write(const struct metrics *m, struct buffer *out);

#define METRIC_LABELS(...) ((const char *const[]){__VA_ARGS__})
