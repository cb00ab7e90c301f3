/* test_sharing.c: replicas that count refused challenges together: how many guesses they let through, news that
 * is late, lost or refused, windows, memory. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "challenge/challenge.h"
#include "challenge/limiter.h"
#include "support/runner.h"

#define LIMIT    5
#define WINDOW   60000
#define REPLICAS 3
#define START    INT64_C(1700000000000)

/* ---- a store that counts, and answers when the test says ----------------------------------------------- */

#define COUNTERS_MAX 65536

struct counter {
    uint8_t key[TALLY_KEY_SIZE];
    int64_t window_number, present, before;
};

struct asked {
    const struct store_request *request;
    store_done *done;
    void *context;
    struct asked *next;
};

static struct counting_store {
    struct store store;
    struct counter *counters;
    size_t count;
    struct asked *first, **last;
    bool held;                 /* nothing is answered */
    bool shares;               /* false: as an embedded store */
    enum store_outcome before; /* not OK: what it answers without counting */
    enum store_outcome after;  /* not OK: what it answers although it counted */
    char done_id[ID_TEXT_SIZE];
    int carried_out, answered, most_entries;
} counting;

static struct event_base *base;
static struct challenge_service *replicas[REPLICAS];
static struct keys *ring;
static struct alias_settings settings;
static char demo_name[] = "demo";
static struct alias alias = {.settings = &settings};
static struct csr csr = {.has_challenge = true};
static enum error_code verdict;
static int64_t steady;

static int64_t read_realtime(void *context)
{
    (void)context;
    return START + steady;
}

static int64_t read_monotonic(void *context)
{
    (void)context;
    return steady;
}

static const struct clock stepped = {read_realtime, read_monotonic, NULL};

static struct counter *counter_of(const uint8_t key[TALLY_KEY_SIZE], int64_t window)
{
    int64_t number = (START + steady) / window;
    struct counter *c = counting.counters;
    while (c < counting.counters + counting.count && memcmp(c->key, key, TALLY_KEY_SIZE) != 0)
        c++;
    if (c == counting.counters + counting.count) {
        counting.count++;
        memcpy(c->key, key, TALLY_KEY_SIZE);
        c->window_number = number;
    }
    if (number != c->window_number) {
        c->before = number == c->window_number + 1 ? c->present : 0;
        c->present = 0;
        c->window_number = number;
    }
    return c;
}

static void carry_out(const struct store_request *r, struct store_answer *answer)
{
    bool repeat = strcmp(counting.done_id, r->id) == 0;
    struct tally_record *tallies = arena_alloc(answer->arena, r->tally.count * sizeof *tallies);
    counting.carried_out += !repeat;
    snprintf(counting.done_id, sizeof counting.done_id, "%s", r->id);
    if ((int)r->tally.count > counting.most_entries)
        counting.most_entries = (int)r->tally.count;
    for (size_t i = 0; i < r->tally.count; i++) {
        struct counter *c = counter_of(r->tally.entries[i].key, r->tally.window);
        c->present += repeat ? 0 : r->tally.entries[i].add;
        memcpy(tallies[i].key, c->key, TALLY_KEY_SIZE);
        tallies[i].present = c->present;
        tallies[i].before = c->before;
    }
    answer->tallies = tallies;
    answer->tally_count = counting.shares ? r->tally.count : 0;
    answer->now = START + steady;
    answer->outcome = counting.after;
}

/* Carries out and answers what waits, oldest first. */
static void answer_all(void)
{
    while (counting.first && !counting.held) {
        struct asked *a = counting.first;
        counting.first = a->next;
        if (!counting.first)
            counting.last = &counting.first;
        struct arena *arena = arena_create();
        struct store_answer *answer = arena_alloc(arena, sizeof *answer);
        *answer = (struct store_answer){.arena = arena, .outcome = counting.before, .reason = "", .next = ""};
        if (counting.before == STORE_OK)
            carry_out(a->request, answer);
        counting.answered++;
        a->done(a->context, answer);
        free(a);
    }
}

static void submit(struct store *s, const struct store_request *request, store_done *done, void *context)
{
    (void)s;
    struct asked *a = calloc(1, sizeof *a);
    if (!a || request->operation != STORE_TALLY)
        abort();
    *a = (struct asked){request, done, context, NULL};
    *counting.last = a;
    counting.last = &a->next;
}

static bool ready(const struct store *s, char *problem, size_t size)
{
    (void)s;
    (void)problem;
    (void)size;
    return true;
}

static void close_store(struct store *s)
{
    (void)s;
}

static const struct store_type type = {submit, ready, close_store};

/* ---- replicas ------------------------------------------------------------------------------------------ */

static void begin(void)
{
    static const char line[] = "key:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    steady = 0;
    base = event_base_new();
    counting = (struct counting_store){.store.type = &type, .shares = true};
    counting.last = &counting.first;
    counting.counters = calloc(COUNTERS_MAX, sizeof *counting.counters);
    settings = (struct alias_settings){
        .name = demo_name,
        .challenge = {.type = CHALLENGE_STATIC, .failure_limit = LIMIT, .failure_window = WINDOW}};
    secret_set(&settings.challenge.secret.value, "right", 5);
    if (!base || !counting.counters || keys_create(&ring, bytes_of_text(line), NULL) != ERR_OK)
        abort();
    for (int i = 0; i < REPLICAS; i++)
        replicas[i] = challenge_service_create(base, &counting.store, ring, &stepped);
}

static void end(void)
{
    counting.held = false;
    counting.before = counting.after = STORE_OK;
    for (int i = 0; i < REPLICAS; i++)
        challenge_service_free(replicas[i]);
    answer_all(); /* what was under way comes home to nobody */
    secret_free(&settings.challenge.secret.value);
    secret_free(&csr.challenge);
    keys_free(ring);
    event_base_free(base);
    free(counting.counters);
}

static void take_verdict(void *context, const struct challenge_verdict *v)
{
    (void)context;
    verdict = v->code;
}

static enum error_code present(int replica, const char *challenge, const char *address)
{
    struct challenge_facts facts = {.csr = &csr, .client_address = address};
    secret_set(&csr.challenge, challenge, strlen(challenge));
    verdict = ERR_INTERNAL; /* stays when it has to wait for anything */
    challenge_validate(replicas[replica], &alias, &facts, take_verdict, NULL);
    event_base_loop(base, EVLOOP_NONBLOCK);
    return verdict;
}

/* 1 when the guess was looked at, 0 when it was limited. */
static int guess(int replica, const char *address)
{
    enum error_code code = present(replica, "wrong", address);
    if (code != ERR_CHALLENGE_REFUSED && code != ERR_CHALLENGE_LIMITED)
        abort();
    return code == ERR_CHALLENGE_REFUSED;
}

/* ---- the bound ----------------------------------------------------------------------------------------- */

TEST(replicas_count_together)
{
    begin();
    int through = 0;
    for (int i = 0; i < 100; i++) {
        through += guess(i % REPLICAS, "192.0.2.1");
        answer_all();
        steady += 5;
    }
    CHECK(through >= LIMIT);
    CHECK(through <= LIMIT + REPLICAS - 1); /* each of the others is late by one guess at most */
    CHECK_INT(present(0, "right", "192.0.2.2"), ERR_OK);
    end();
}

/* News that takes as long as `late` guesses at each replica. */
static int guesses_through(int late, int rounds)
{
    int through = 0;
    for (int i = 0; i < rounds; i++) {
        for (int r = 0; r < REPLICAS; r++)
            through += guess(r, "192.0.2.1");
        if (i % late == late - 1)
            answer_all();
        steady += 5;
    }
    return through;
}

TEST(the_bound_holds_however_late_the_news_is)
{
    for (int late = 1; late <= 3 * LIMIT; late++) {
        begin();
        int through = guesses_through(late, 200), bound = LIMIT + 2 * REPLICAS * late;
        bound = bound < REPLICAS * LIMIT ? bound : REPLICAS * LIMIT;
        CHECK(through >= LIMIT);
        CHECK(through <= bound);
        end();
    }
}

TEST(the_alias_as_a_whole_is_limited_by_all_replicas)
{
    begin();
    int through = 0;
    for (int i = 0; i < LIMIT * LIMITER_ALIAS_FACTOR * 3; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.%d.%d", i >> 8, i & 255);
        through += guess(i % REPLICAS, address);
        answer_all();
        steady += 1;
    }
    CHECK(through >= LIMIT * LIMITER_ALIAS_FACTOR);
    CHECK(through <= LIMIT * LIMITER_ALIAS_FACTOR + REPLICAS - 1);
    end();
}

TEST(a_client_that_changes_the_replica_is_known_there_within_a_second)
{
    begin();
    CHECK_INT(present(1, "right", "198.51.100.1"), ERR_OK); /* the second replica knows of nothing */
    answer_all();
    for (int i = 0; i < LIMIT; i++) {
        CHECK_INT(guess(0, "192.0.2.1"), 1);
        answer_all();
    }
    /* Two refreshes: that the alias has failures, and whose they are. */
    for (int i = 0; i < 2; i++) {
        steady += 1000;
        CHECK_INT(present(1, "right", i ? "192.0.2.1" : "198.51.100.1"), ERR_OK);
        answer_all();
    }
    CHECK_INT(present(1, "right", "192.0.2.1"), ERR_CHALLENGE_LIMITED);
    CHECK_INT(present(1, "right", "198.51.100.1"), ERR_OK);
    CHECK_INT(guess(2, "192.0.2.1"), 1); /* never asked: it learns with the first guess */
    answer_all();
    CHECK_INT(guess(2, "192.0.2.1"), 0);
    end();
}

TEST(the_window_frees_at_all_replicas)
{
    begin();
    guesses_through(1, 20);
    for (int r = 0; r < REPLICAS; r++)
        CHECK_INT(present(r, "right", "192.0.2.1"), ERR_CHALLENGE_LIMITED);
    steady += 3 * WINDOW;
    for (int r = 0; r < REPLICAS; r++)
        CHECK_INT(present(r, "right", "192.0.2.1"), ERR_OK);
    CHECK(guesses_through(1, 20) >= LIMIT);
    end();
}

/* The store's windows hold, not those that began with a replica's first failure. */
TEST(windows_are_the_stores)
{
    begin();
    steady = WINDOW - START % WINDOW - 1000; /* a second before the border */
    for (int i = 0; i < LIMIT; i++) {
        CHECK_INT(guess(0, "192.0.2.1"), 1);
        answer_all();
    }
    CHECK_INT(guess(0, "192.0.2.1"), 0);
    steady += 1000 + WINDOW / 2; /* half of the next one: they count a half */
    CHECK_INT(guess(0, "192.0.2.1"), 1);
    end();
}

/* ---- a store that is away ------------------------------------------------------------------------------ */

TEST(nobody_waits_for_the_news)
{
    begin();
    counting.held = true;
    for (int r = 0; r < REPLICAS; r++) {
        for (int i = 0; i < LIMIT; i++)
            CHECK_INT(guess(r, "192.0.2.1"), 1);
        CHECK_INT(guess(r, "192.0.2.1"), 0);
        CHECK_INT(present(r, "right", "192.0.2.2"), ERR_OK);
    }
    end();
}

TEST(replicas_count_alone_while_the_store_is_away_and_tell_it_afterwards)
{
    begin();
    counting.before = STORE_UNAVAILABLE;
    for (int i = 0; i < LIMIT; i++) {
        CHECK_INT(guess(0, "192.0.2.1"), 1);
        answer_all();
        steady += 10;
    }
    CHECK_INT(guess(0, "192.0.2.1"), 0);
    CHECK_INT(counting.count, 0);
    CHECK(counting.answered < LIMIT); /* it is not asked all the time */
    counting.before = STORE_OK;
    steady += 1000;
    CHECK_INT(present(0, "right", "198.51.100.1"), ERR_OK); /* any request will do */
    answer_all();
    CHECK_INT(guess(1, "192.0.2.1"), 1);
    answer_all();
    CHECK_INT(guess(1, "192.0.2.1"), 0);
    end();
}

TEST(a_lost_answer_counts_once)
{
    begin();
    counting.after = STORE_UNKNOWN;
    for (int i = 0; i < 2; i++)
        CHECK_INT(guess(0, "192.0.2.1"), 1);
    answer_all();
    counting.after = STORE_OK;
    steady += 1000;
    CHECK_INT(guess(0, "192.0.2.1"), 1); /* the lost one is repeated, and this one rides on the next */
    answer_all();
    answer_all();
    for (size_t i = 0; i < counting.count; i++)
        CHECK_INT(counting.counters[i].present, 3);
    CHECK_INT(counting.carried_out, 2);
    end();
}

TEST(a_store_that_forgot_makes_no_replica_forget_what_it_refused_itself)
{
    begin();
    for (int i = 0; i < LIMIT; i++)
        CHECK_INT(guess(0, "192.0.2.1"), 1);
    answer_all();
    counting.count = 0;
    memset(counting.counters, 0, COUNTERS_MAX * sizeof *counting.counters);
    steady += 1000;
    CHECK_INT(guess(0, "192.0.2.1"), 0);
    answer_all();
    CHECK_INT(guess(0, "192.0.2.1"), 0);
    end();
}

/* ---- what it costs ------------------------------------------------------------------------------------- */

TEST(an_embedded_store_is_asked_once)
{
    begin();
    counting.shares = false;
    for (int i = 0; i < 50; i++) {
        guess(0, "192.0.2.1");
        answer_all();
        steady += 1000;
    }
    CHECK_INT(counting.answered, 1);
    CHECK_INT(guess(0, "192.0.2.7"), 1);
    end();
}

TEST(good_requests_ask_once_a_second)
{
    begin();
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(present(0, "right", "192.0.2.1"), ERR_OK);
        answer_all();
        steady += 10;
    }
    CHECK(counting.answered >= 9);
    CHECK(counting.answered <= 11);
    end();
}

TEST(one_exchange_is_under_way_and_the_rest_rides_on_the_next)
{
    begin();
    counting.held = true;
    for (int i = 0; i < 20; i++) {
        char address[32];
        snprintf(address, sizeof address, "192.0.2.%d", i);
        CHECK_INT(guess(0, address), 1);
    }
    CHECK(counting.first && !counting.first->next);
    counting.held = false;
    answer_all();
    CHECK_INT(counting.carried_out, 2);
    CHECK_INT(counting.most_entries, 21); /* the alias and the addresses; the first only asked */
    end();
}

/* More addresses and aliases than there is room for: nothing grows, and nothing is told twice. */
TEST(memory_is_bounded)
{
    begin();
    settings.challenge.failure_limit = 1000000;
    counting.held = true;
    char name[32];
    settings.name = name;
    for (int i = 0; i < 20000; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        snprintf(name, sizeof name, "alias-%d", i % 10000);
        CHECK_INT(guess(0, address), 1);
    }
    int waiting = 0;
    for (struct asked *a = counting.first; a; a = a->next)
        waiting++;
    CHECK(waiting <= 4096);
    settings.name = demo_name;
    for (int i = 0; i < 20000; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        CHECK_INT(guess(1, address), 1);
    }
    counting.held = false;
    answer_all();
    CHECK_INT(counting.most_entries, STORE_TALLIES_MAX);
    uint8_t key[TALLY_KEY_SIZE];
    limiter_key(LIMITER_ALIAS, "demo", NULL, key);
    CHECK_INT(counter_of(key, WINDOW)->present, 20000);
    end();
}

RUNNER_MAIN()
