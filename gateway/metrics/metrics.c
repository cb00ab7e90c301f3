/* metrics.c: see metrics.h. A family is an array of series in order of their making, and an open-addressed
 * index over it. */
#include "metrics/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type { COUNTER, GAUGE, HISTOGRAM };

static const char *const type_names[] = {"counter", "gauge", "histogram"};

static const struct row {
    enum type type;
    const char *name, *labels, *help;
} rows[] = {
#define METRIC(code, type, name, labels, help) {type, name, labels, help},
#include "metrics/metrics.def"
#undef METRIC
};

/* Upper bounds in seconds; one more bucket counts what is slower. */
static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
#define BOUNDS (sizeof bounds / sizeof bounds[0])

struct histogram {
    uint64_t counts[BOUNDS + 1];
    double sum;
};

struct series {
    double value;                /* counter, gauge */
    struct histogram *histogram; /* NULL for others */
    uint64_t hash;
    char labels[]; /* the values, each with its NUL */
};

struct family {
    struct series **series;
    size_t count, capacity;
    uint32_t *slots; /* index + 1 of a series; 0: free. Twice `capacity`, a power of two */
    size_t label_count;
};

struct metrics {
    struct family families[METRIC_COUNT_];
};

static size_t count_labels(const char *names)
{
    size_t count = names[0] ? 1 : 0;
    for (; *names; names++)
        count += *names == ',';
    return count;
}

static void series_free(struct series *s)
{
    free(s->histogram);
    free(s);
}

/* FNV-1a over the values and their NULs. */
static uint64_t hash_labels(const char *const *labels, size_t count)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *p = (const unsigned char *)labels[i];
        do
            hash = (hash ^ *p) * 1099511628211u;
        while (*p++);
    }
    return hash;
}

static bool has_labels(const struct series *s, const char *const *labels, size_t count)
{
    const char *have = s->labels;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(have, labels[i]) != 0)
            return false;
        have += strlen(have) + 1;
    }
    return true;
}

static size_t slot_of(const struct family *f, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 32) & (f->capacity * 2 - 1);
}

static struct series *find(const struct family *f, uint64_t hash, const char *const *labels)
{
    if (f->capacity == 0)
        return NULL;
    for (size_t slot = slot_of(f, hash); f->slots[slot] > 0; slot = (slot + 1) & (f->capacity * 2 - 1)) {
        struct series *s = f->series[f->slots[slot] - 1];
        if (s->hash == hash && has_labels(s, labels, f->label_count))
            return s;
    }
    return NULL;
}

static void index_series(struct family *f, size_t number)
{
    size_t slot = slot_of(f, f->series[number]->hash);
    while (f->slots[slot] > 0)
        slot = (slot + 1) & (f->capacity * 2 - 1);
    f->slots[slot] = (uint32_t)number + 1;
}

static bool grow(struct family *f)
{
    size_t capacity = f->capacity > 0 ? f->capacity * 2 : 8;
    uint32_t *slots = calloc(capacity * 2, sizeof *slots);
    struct series **series = slots ? realloc(f->series, capacity * sizeof(struct series *)) : NULL;
    if (!series) {
        free(slots);
        return false;
    }
    free(f->slots);
    f->slots = slots;
    f->series = series;
    f->capacity = capacity;
    for (size_t i = 0; i < f->count; i++)
        index_series(f, i);
    return true;
}

static struct series *series_create(enum type type, uint64_t hash, const char *const *labels, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(labels[i]) + 1;
    struct series *s = calloc(1, sizeof *s + size);
    if (!s)
        return NULL;
    s->hash = hash;
    char *place = s->labels;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(labels[i]) + 1;
        memcpy(place, labels[i], len);
        place += len;
    }
    if (type == HISTOGRAM && !(s->histogram = calloc(1, sizeof *s->histogram))) {
        series_free(s);
        return NULL;
    }
    return s;
}

static struct series *find_or_make(struct family *f, enum type type, const char *const *labels)
{
    uint64_t hash = hash_labels(labels, f->label_count);
    struct series *s = find(f, hash, labels);
    if (s || (f->count == f->capacity && !grow(f)))
        return s;
    s = series_create(type, hash, labels, f->label_count);
    if (!s)
        return NULL;
    f->series[f->count] = s;
    index_series(f, f->count++);
    return s;
}

/* NULL: out of memory, the sample is lost. */
static struct series *series_for(struct metrics *m, enum metric which, const char *const *labels)
{
    static const char *const other[METRIC_LABELS_MAX] = {"other", "other", "other", "other"};
    struct family *f = &m->families[which];
    const char *values[METRIC_LABELS_MAX];
    for (size_t i = 0; i < f->label_count; i++)
        values[i] = labels[i] ? labels[i] : "";
    /* The last place of a family is kept for "other". */
    bool full = f->count >= METRICS_SERIES_MAX - 1;
    if (full && !find(f, hash_labels(values, f->label_count), values))
        return find_or_make(f, rows[which].type, other);
    return find_or_make(f, rows[which].type, values);
}

struct metrics *metrics_create(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    for (size_t i = 0; m && i < METRIC_COUNT_; i++) {
        m->families[i].label_count = count_labels(rows[i].labels);
        assert(m->families[i].label_count <= METRIC_LABELS_MAX);
        /* What has no labels is there from the start, so that "no sample" never means "zero". */
        if (m->families[i].label_count == 0 && !series_for(m, (enum metric)i, NULL)) {
            metrics_free(m);
            return NULL;
        }
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < METRIC_COUNT_; i++) {
        struct family *f = &m->families[i];
        for (size_t k = 0; k < f->count; k++)
            series_free(f->series[k]);
        free(f->series);
        free(f->slots);
    }
    free(m);
}

void metrics_add(struct metrics *m, enum metric which, double amount, const char *const *labels)
{
    assert(rows[which].type != HISTOGRAM);
    if (!m || isnan(amount) || (rows[which].type == COUNTER && amount < 0))
        return;
    struct series *s = series_for(m, which, labels);
    if (s)
        s->value += amount;
}

void metrics_set(struct metrics *m, enum metric which, double value, const char *const *labels)
{
    assert(rows[which].type == GAUGE);
    if (!m || isnan(value))
        return;
    struct series *s = series_for(m, which, labels);
    if (s)
        s->value = value;
}

void metrics_observe(struct metrics *m, enum metric which, double seconds, const char *const *labels)
{
    assert(rows[which].type == HISTOGRAM);
    if (!m || isnan(seconds))
        return;
    struct series *s = series_for(m, which, labels);
    if (!s)
        return;
    if (seconds < 0)
        seconds = 0;
    size_t bucket = 0;
    while (bucket < BOUNDS && seconds > bounds[bucket])
        bucket++;
    s->histogram->counts[bucket]++;
    s->histogram->sum += seconds;
}

/* ---- the text form ------------------------------------------------------------------------------------- */

/* The shortest decimal that reads back as the same number. */
static void write_number(struct buffer *out, double value)
{
    char text[32];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_text(out, isinf(value) ? (value > 0 ? "+Inf" : "-Inf") : text);
}

static void write_escaped(struct buffer *out, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\n')
            buffer_text(out, "\\n");
        else if (*text == '\\' || (quotes && *text == '"'))
            buffer_append(out, (const char[]){'\\', *text}, 2);
        else
            buffer_append(out, text, 1);
    }
}

/* {alias="a",status="0",le="0.5"}; nothing when there are neither labels nor `le`. */
static void write_labels(struct buffer *out, const struct row *row, const struct series *s, const char *le)
{
    const char *name = row->labels, *value = s->labels;
    const char *before = "{";
    while (*name) {
        size_t len = strcspn(name, ",");
        buffer_text(out, before);
        buffer_append(out, name, len);
        buffer_text(out, "=\"");
        write_escaped(out, value, true);
        buffer_text(out, "\"");
        before = ",";
        value += strlen(value) + 1;
        name += len + (name[len] == ',');
    }
    if (le)
        buffer_format(out, "%sle=\"%s\"", before, le);
    if (le || row->labels[0])
        buffer_text(out, "}");
}

static void write_histogram(struct buffer *out, const struct row *row, const struct series *s)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= BOUNDS; i++) {
        char le[32] = "+Inf";
        if (i < BOUNDS)
            snprintf(le, sizeof le, "%g", bounds[i]);
        total += s->histogram->counts[i];
        buffer_format(out, "%s_bucket", row->name);
        write_labels(out, row, s, le);
        buffer_format(out, " %llu\n", (unsigned long long)total);
    }
    buffer_format(out, "%s_sum", row->name);
    write_labels(out, row, s, NULL);
    buffer_text(out, " ");
    write_number(out, s->histogram->sum);
    buffer_format(out, "\n%s_count", row->name);
    write_labels(out, row, s, NULL);
    buffer_format(out, " %llu\n", (unsigned long long)total);
}

static void write_family(struct buffer *out, const struct row *row, const struct family *f)
{
    buffer_format(out, "# HELP %s ", row->name);
    write_escaped(out, row->help, false);
    buffer_format(out, "\n# TYPE %s %s\n", row->name, type_names[row->type]);
    for (size_t i = 0; i < f->count; i++) {
        if (row->type == HISTOGRAM) {
            write_histogram(out, row, f->series[i]);
            continue;
        }
        buffer_text(out, row->name);
        write_labels(out, row, f->series[i], NULL);
        buffer_text(out, " ");
        write_number(out, f->series[i]->value);
        buffer_text(out, "\n");
    }
}

void metrics_write(const struct metrics *m, struct buffer *out)
{
    for (size_t i = 0; m && i < METRIC_COUNT_; i++)
        if (m->families[i].count > 0)
            write_family(out, &rows[i], &m->families[i]);
}
