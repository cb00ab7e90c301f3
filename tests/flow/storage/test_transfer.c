/* test_transfer.c: a store is copied into another, also in several goes, and what differs is found. */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "flow/store/filled.h"
#include "storage/transfer.h"
#include "support/runner.h"

static struct bench from, to;

static void open_both(void)
{
    filled_open(&from);
    int64_t now = atomic_load(from.now); /* opening winds a clock back that the two may have in common */
    bench_open(&to);
    atomic_store(to.now, now);
}

static void close_both(void)
{
    bench_close(&to);
    bench_close(&from);
}

/* Each store has a loop of its own; a pause leaves its thread or its server the processor. */
static void turn_both(void)
{
    event_base_loop(from.base, EVLOOP_NONBLOCK);
    event_base_loop(to.base, EVLOOP_NONBLOCK);
    usleep(100);
}

/* Runs one to its end and gives its report. */
static struct transfer_report move(bool force)
{
    struct transfer_options options = {
        .base = from.base, .from = from.store, .to = to.store, .from_name = "test", .force = force};
    struct transfer *t = transfer_start(&options);
    while (transfer_report(t)->phase != TRANSFER_ENDED)
        turn_both();
    struct transfer_report report = *transfer_report(t);
    transfer_free(t);
    return report;
}

static size_t events_of(struct bench *b, const char *event, char details[512])
{
    struct store_request r;
    store_request_init(&r, STORE_AUDIT_LIST);
    r.list.text = event;
    r.list.limit = 1000;
    struct store_answer *a = bench_ask(b, &r);
    size_t count = a->event_count;
    if (count > 0 && details)
        snprintf(details, 512, "%s", a->events[0].details);
    store_answer_free(a);
    return count;
}

TEST(everything_is_copied_and_verified)
{
    open_both();
    struct transfer_report report = move(false);
    CHECK_TEXT(report.problem, "");
    CHECK(report.verified);
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++) {
        CHECK_INT(report.kinds[kind].copied, filled_rows[kind]);
        CHECK_INT(report.kinds[kind].to.count, filled_rows[kind]);
        CHECK(digest_sum_same(&report.kinds[kind].from, &report.kinds[kind].to));
    }
    close_both();
}

TEST(the_trail_says_where_it_came_from)
{
    char details[512], head[80];
    open_both();
    struct store_request r;
    store_request_init(&r, STORE_AUDIT_LIST);
    r.list.limit = 1;
    struct store_answer *a = bench_ask(&from, &r);
    snprintf(head, sizeof head, "\"head\":\"%s\"", a->events[0].hash);
    store_answer_free(a);
    CHECK(move(false).verified);
    CHECK_INT(events_of(&to, "store.migrated", details), 1);
    CHECK(strstr(details, head));
    CHECK(strstr(details, "\"from\":\"test\""));
    CHECK_INT(events_of(&from, "store.migrated", NULL), 0);
    close_both();
}

TEST(a_second_go_copies_nothing_and_notes_nothing)
{
    open_both();
    CHECK(move(false).verified);
    struct transfer_report again = move(false);
    CHECK_TEXT(again.problem, "");
    CHECK(again.verified);
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++) {
        CHECK_INT(again.kinds[kind].copied, 0);
        CHECK_INT(again.kinds[kind].there, filled_rows[kind]);
    }
    CHECK_INT(events_of(&to, "store.migrated", NULL), 1);
    close_both();
}

static bool told_to_stop(void *context)
{
    return *(const bool *)context;
}

/* Runs one for some turns and no further; the stores finish what they accepted, as when a program is ended. */
static struct transfer_report move_partly(int turns)
{
    bool stop = false;
    struct transfer_options options = {.base = from.base,
                                       .from = from.store,
                                       .to = to.store,
                                       .from_name = "test",
                                       .stop = told_to_stop,
                                       .context = &stop};
    struct transfer *t = transfer_start(&options);
    for (int i = 0; i < turns && transfer_report(t)->phase != TRANSFER_ENDED; i++)
        turn_both();
    stop = true;
    bench_reopen(&to);
    bench_reopen(&from);
    struct transfer_report report = *transfer_report(t);
    transfer_free(t);
    return report;
}

/* More rows than a page has. */
TEST(one_that_ended_in_the_middle_goes_on_from_there)
{
    open_both();
    for (int i = 10; i < 310; i++) {
        struct store_request create = bench_challenge("alpha", i, 1);
        CHECK_INT(bench_outcome(&from, &create), STORE_OK);
        filled_append(&from, "request.accepted");
    }
    int64_t copied = 0, goes = 1;
    for (int turns = 10;; turns *= 3, goes++) {
        struct transfer_report report = move_partly(turns);
        copied += report.kinds[STORE_KIND_AUDIT].copied;
        CHECK_INT(report.phase, TRANSFER_ENDED);
        if (report.verified)
            break;
        CHECK(strstr(report.problem, "goes on from there"));
    }
    CHECK(goes > 1);
    CHECK(move(false).verified);
    CHECK_INT(copied, filled_rows[STORE_KIND_AUDIT] + 300);
    CHECK_INT(events_of(&to, "request.accepted", NULL), 301);
    CHECK_INT(events_of(&to, "store.migrated", NULL), 1);
    close_both();
}

TEST(it_goes_back_again)
{
    struct bench first;
    open_both();
    CHECK(move(false).verified);
    first = from;
    from = to;
    bench_open(&to);
    struct transfer_report report = move(false);
    CHECK_TEXT(report.problem, "");
    CHECK(report.verified);
    CHECK_INT(report.kinds[STORE_KIND_AUDIT].copied, filled_rows[STORE_KIND_AUDIT] + 1); /* with the note */
    CHECK_INT(events_of(&to, "store.migrated", NULL), 2);
    close_both();
    bench_close(&first);
}

TEST(a_target_with_another_record_under_the_name_is_refused)
{
    open_both();
    struct store_request create = bench_challenge("alpha", 1, 9);
    CHECK_INT(bench_outcome(&to, &create), STORE_OK);
    struct transfer_report report = move(false);
    CHECK(!report.verified);
    CHECK(strstr(report.problem, "challenges of alias alpha"));
    CHECK_INT(events_of(&to, "store.migrated", NULL), 0);
    close_both();
}

TEST(a_target_with_more_in_it_is_no_copy)
{
    open_both();
    filled_append(&to, "gateway.started");
    struct transfer_report report = move(false);
    CHECK(!report.verified);
    CHECK(strstr(report.problem, "audit rows differ: 3 in the source, 4 in the target"));
    CHECK_INT(events_of(&to, "store.migrated", NULL), 0);
    close_both();
}

RUNNER_MAIN()
