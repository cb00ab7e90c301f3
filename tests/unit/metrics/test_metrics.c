/* test_metrics.c: series, bounds and the Prometheus text form. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"

static struct metrics *m;
static struct buffer out;

static void setup(void)
{
    m = metrics_create();
    buffer_init(&out, 64 << 20);
}

static void teardown(void)
{
    metrics_free(m);
    buffer_free(&out);
}

TestSuite(metrics, .init = setup, .fini = teardown);

static const char *written(void)
{
    buffer_reset(&out);
    metrics_write(m, &out);
    cr_assert_not(out.failed);
    return (const char *)out.data;
}

static size_t lines_with(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

#define HAS(part)   cr_assert_not_null(strstr(written(), part), "%s", written())
#define LACKS(part) cr_assert_null(strstr(written(), part), "%s", written())

Test(metrics, counters_add_up_per_label_set)
{
    metrics_add(m, METRIC_HTTP_REQUESTS, 1, METRIC_LABELS("PKIOperation", "200"));
    metrics_add(m, METRIC_HTTP_REQUESTS, 2, METRIC_LABELS("PKIOperation", "200"));
    metrics_add(m, METRIC_HTTP_REQUESTS, 1, METRIC_LABELS("PKIOperation", "503"));
    metrics_add(m, METRIC_HTTP_REQUESTS, 1, METRIC_LABELS("PKI", "Operation200"));
    HAS("# HELP scepgate_http_requests_total HTTP requests answered\n# TYPE scepgate_http_requests_total "
        "counter\n");
    HAS("scepgate_http_requests_total{operation=\"PKIOperation\",status=\"200\"} 3\n");
    HAS("scepgate_http_requests_total{operation=\"PKIOperation\",status=\"503\"} 1\n");
    HAS("scepgate_http_requests_total{operation=\"PKI\",status=\"Operation200\"} 1\n");
}

Test(metrics, a_family_is_described_once)
{
    for (int i = 0; i < 50; i++) {
        char alias[16];
        snprintf(alias, sizeof alias, "a%d", i);
        metrics_add(m, METRIC_CERTIFICATES, 1, METRIC_LABELS(alias));
    }
    cr_assert_eq(lines_with(written(), "# TYPE scepgate_certificates_issued_total counter\n"), 1);
    cr_assert_eq(lines_with(written(), "scepgate_certificates_issued_total{"), 50);
}

Test(metrics, gauges_are_set_and_moved)
{
    metrics_set(m, METRIC_WORKER_WAITING, 7, NULL);
    metrics_add(m, METRIC_WORKER_WAITING, -2.5, NULL);
    HAS("# TYPE scepgate_worker_waiting gauge\nscepgate_worker_waiting 4.5\n");
    metrics_set(m, METRIC_RA_EXPIRY, 1769862896, METRIC_LABELS("demo"));
    HAS("scepgate_ra_not_after_seconds{alias=\"demo\"} 1769862896\n");
    metrics_set(m, METRIC_STORE_READY, INFINITY, NULL);
    HAS("scepgate_store_ready +Inf\n");
}

Test(metrics, what_has_no_labels_is_there_from_the_start)
{
    HAS("scepgate_store_ready 0\n");
    HAS("scepgate_loop_late_turns_total 0\n");
    LACKS("scepgate_certificates_issued_total");
}

Test(metrics, nonsense_counts_nothing)
{
    metrics_add(m, METRIC_LOOP_LATE, 3, NULL);
    metrics_add(m, METRIC_LOOP_LATE, -1, NULL);
    metrics_add(m, METRIC_LOOP_LATE, NAN, NULL);
    HAS("scepgate_loop_late_turns_total 3\n");
    metrics_add(NULL, METRIC_LOOP_LATE, 1, NULL);
}

Test(metrics, label_values_are_escaped)
{
    metrics_add(m, METRIC_CERTIFICATES, 1, METRIC_LABELS("a\"b\\c\nd"));
    HAS("scepgate_certificates_issued_total{alias=\"a\\\"b\\\\c\\nd\"} 1\n");
}

Test(metrics, histograms_are_cumulative)
{
    const double seconds[] = {0.0001, 0.0005, 0.003, 0.2, 59, 60, 61, 1e6, -1};
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
        metrics_observe(m, METRIC_STEP_SECONDS, seconds[i], METRIC_LABELS("open"));
    HAS("# TYPE scepgate_step_seconds histogram\n");
    HAS("scepgate_step_seconds_bucket{step=\"open\",le=\"0.0005\"} 3\n");
    HAS("scepgate_step_seconds_bucket{step=\"open\",le=\"0.001\"} 3\n");
    HAS("scepgate_step_seconds_bucket{step=\"open\",le=\"0.005\"} 4\n");
    HAS("scepgate_step_seconds_bucket{step=\"open\",le=\"0.25\"} 5\n");
    HAS("scepgate_step_seconds_bucket{step=\"open\",le=\"60\"} 7\n");
    HAS("scepgate_step_seconds_bucket{step=\"open\",le=\"+Inf\"} 9\n");
    HAS("scepgate_step_seconds_count{step=\"open\"} 9\n");
    const char *sum = strstr(written(), "scepgate_step_seconds_sum{step=\"open\"} ");
    cr_assert_not_null(sum);
    cr_assert_float_eq(strtod(strchr(sum, '}') + 1, NULL), 1000180.2036, 1e-6);
}

Test(metrics, a_full_family_counts_under_other)
{
    for (int i = 0; i < METRICS_SERIES_MAX + 500; i++) {
        char alias[16];
        snprintf(alias, sizeof alias, "a%d", i);
        metrics_add(m, METRIC_REFUSALS, 1, METRIC_LABELS(alias, "X"));
    }
    metrics_add(m, METRIC_REFUSALS, 1, METRIC_LABELS("a0", "X"));
    cr_assert_eq(lines_with(written(), "scepgate_refusals_total{"), METRICS_SERIES_MAX);
    HAS("scepgate_refusals_total{alias=\"a0\",error=\"X\"} 2\n");
    HAS("scepgate_refusals_total{alias=\"other\",error=\"other\"} 501\n");
}
