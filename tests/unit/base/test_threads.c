/* test_threads.c: the mailbox and the log under many threads. */
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mailbox.h"
#include "support/runner.h"

#define POSTERS 4
#define LETTERS 2000

struct note {
    struct letter letter;
    int poster, number;
};

static struct event_base *base;
static struct mailbox *mailbox;
static pthread_t loop_thread;
static int newest[POSTERS];
static int delivered, wrong;

static void receive(struct letter *letter)
{
    struct note *note = (struct note *)letter;
    if (!pthread_equal(pthread_self(), loop_thread) || note->number != newest[note->poster] + 1)
        wrong++;
    newest[note->poster] = note->number;
    free(note);
    if (++delivered == POSTERS * LETTERS)
        event_base_loopbreak(base);
}

static void *post_many(void *context)
{
    int poster = (int)(intptr_t)context;
    for (int i = 1; i <= LETTERS; i++) {
        struct note *note = calloc(1, sizeof *note);
        if (!note)
            abort();
        *note = (struct note){.letter.deliver = receive, .poster = poster, .number = i};
        mailbox_post(mailbox, &note->letter);
    }
    return NULL;
}

static void open_mailbox(void)
{
    base = event_base_new();
    if (!base || mailbox_create(&mailbox, base, NULL) != ERR_OK)
        abort();
    loop_thread = pthread_self();
    memset(newest, 0, sizeof newest);
    delivered = wrong = 0;
}

static void close_mailbox(void)
{
    mailbox_destroy(mailbox);
    event_base_free(base);
}

TEST(letters_of_many_threads_arrive_once_and_in_order)
{
    open_mailbox();
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS; i++)
        pthread_create(&threads[i], NULL, post_many, (void *)(intptr_t)i);
    event_base_dispatch(base);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    close_mailbox();
    CHECK_INT(delivered, POSTERS * LETTERS);
    CHECK_INT(wrong, 0);
}

TEST(destroying_delivers_what_is_inside)
{
    open_mailbox();
    for (int i = 0; i < POSTERS; i++)
        post_many((void *)(intptr_t)i);
    CHECK_INT(delivered, 0);
    close_mailbox();
    CHECK_INT(delivered, POSTERS * LETTERS);
    CHECK_INT(wrong, 0);
    mailbox_destroy(NULL);
}

static int rounds;

static void post_again(struct letter *letter)
{
    if (++rounds < 3)
        mailbox_post(mailbox, letter);
}

TEST(a_letter_posted_by_a_delivery_waits_for_the_next_turn)
{
    open_mailbox();
    struct letter letter = {.deliver = post_again};
    rounds = 0;
    mailbox_post(mailbox, &letter);
    CHECK_INT(rounds, 0);
    event_base_loop(base, EVLOOP_ONCE);
    CHECK_INT(rounds, 1);
    event_base_loop(base, EVLOOP_ONCE);
    CHECK_INT(rounds, 2);
    close_mailbox();
    CHECK_INT(rounds, 3);
}

/* ---- the log ------------------------------------------------------------------------------------------- */

static FILE *log_file;

static void open_log(enum log_level level, enum log_format format)
{
    log_file = tmpfile();
    if (!log_file)
        abort();
    fcntl(fileno(log_file), F_SETFL, O_APPEND);
    log_setup(level, format, fileno(log_file));
}

static void close_log(void)
{
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_AUTO, STDERR_FILENO);
    fclose(log_file);
}

static const char *next_line(char *line, size_t size)
{
    return fgets(line, (int)size, log_file);
}

static void *log_many(void *context)
{
    struct log_scope scope = {.alias = context};
    for (int i = 0; i < 500; i++)
        log_line(LOG_LEVEL_INFO, &scope, "test.line", "number %d", i);
    return NULL;
}

TEST(lines_of_many_threads_never_mix)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS; i++)
        pthread_create(&threads[i], NULL, log_many, (void *)"alias");
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    rewind(log_file);
    char line[512];
    int lines = 0, bad = 0;
    while (next_line(line, sizeof line)) {
        json_t *json = json_loads(line, 0, NULL);
        bad += !json || strcmp(json_string_value(json_object_get(json, "alias")), "alias") != 0;
        json_decref(json);
        lines++;
    }
    close_log();
    CHECK_INT(lines, POSTERS * 500);
    CHECK_INT(bad, 0);
}

TEST(a_json_line_has_its_members_and_no_forged_ones)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    struct log_scope scope = {
        .request_id = "r1", .tenant = "t", .alias = "a", .transaction = "x\",\"level\":\"\n"};
    log_line(LOG_LEVEL_WARNING, &scope, "test.event", "said \"%s\"", "hi\nthere");
    log_line(LOG_LEVEL_DEBUG, &scope, "test.event", "below the threshold");
    rewind(log_file);
    char line[1024];
    CHECK(next_line(line, sizeof line));
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json);
    CHECK_INT(json_object_size(json), 8);
    CHECK_TEXT(json_string_value(json_object_get(json, "level")), "warning");
    CHECK_TEXT(json_string_value(json_object_get(json, "event")), "test.event");
    CHECK_TEXT(json_string_value(json_object_get(json, "request_id")), "r1");
    CHECK_TEXT(json_string_value(json_object_get(json, "tenant")), "t");
    CHECK_TEXT(json_string_value(json_object_get(json, "transaction")), "x\",\"level\":\"\n");
    CHECK_TEXT(json_string_value(json_object_get(json, "message")), "said \"hi\nthere\"");
    CHECK(json_object_get(json, "ts"));
    CHECK(!json_object_get(json, "client"));
    json_decref(json);
    CHECK(!next_line(line, sizeof line));
    close_log();
}

TEST(a_long_value_is_shortened_to_one_whole_line)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    static char hostile[10001];
    memset(hostile, 1, sizeof hostile - 1);
    struct log_scope scope = {hostile, hostile, hostile, hostile, hostile};
    log_line(LOG_LEVEL_INFO, &scope, "test.event", "%s", hostile);
    rewind(log_file);
    static char line[65536];
    CHECK(next_line(line, sizeof line));
    json_t *json = json_loads(line, 0, NULL);
    CHECK(json);
    CHECK_INT(json_string_length(json_object_get(json, "client")), 256);
    json_decref(json);
    CHECK(!next_line(line, sizeof line));
    close_log();
}

TEST(the_readable_form_is_one_line_without_raw_escapes)
{
    open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    struct log_scope scope = {.client = "192.0.2.1:5\033[2J"};
    log_line(LOG_LEVEL_ERROR, &scope, "test.event", "two\nlines");
    rewind(log_file);
    char line[512];
    CHECK(next_line(line, sizeof line));
    CHECK(strstr(line, "error"));
    CHECK(strstr(line, "test.event  two\\u000alines  client=192.0.2.1:5\\u001b[2J\n"));
    CHECK(!strchr(line, '\033'));
    CHECK(!next_line(line, sizeof line));
    close_log();
}

TEST(levels_have_names_and_a_threshold)
{
    open_log(LOG_LEVEL_WARNING, LOG_FORMAT_JSON);
    CHECK(!log_enabled(LOG_LEVEL_INFO));
    CHECK(log_enabled(LOG_LEVEL_WARNING));
    CHECK_INT(log_level_of("debug"), LOG_LEVEL_DEBUG);
    CHECK_INT(log_level_of("ERROR"), LOG_LEVEL_ERROR);
    CHECK_INT(log_level_of("loud"), LOG_LEVEL_INFO);
    CHECK_INT(log_level_of(NULL), LOG_LEVEL_INFO);
    close_log();
}

RUNNER_MAIN()
