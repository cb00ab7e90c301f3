/* test_router.c: how commands reach Redis and what becomes of them, against scripted servers. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/store/redis/fake_redis.h"
#include "store/redis/router.h"
#include "support/runner.h"

static const struct redis_script script = {
    .name = "test", .text = "return 7", .len = 8, .sha1 = "0123456789012345678901234567890123456789"};

struct rig {
    struct event_base *base;
    struct fake_redis a, b;
    struct redis_router *router;
    struct redis_options options;
    const char *addresses[2];
    char heard[2000]; /* notices */
    int answered, results[3];
    long long last;
    char problem[240];
};

static void notice(void *context, bool is_problem, const char *event, const char *sentence)
{
    struct rig *r = context;
    size_t len = strlen(r->heard);
    snprintf(r->heard + len, sizeof r->heard - len, "%c %s: %s\n", is_problem ? '!' : ' ', event, sentence);
}

static void set_up(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->base = event_base_new();
    fake_redis_open(&r->a, r->base);
    fake_redis_open(&r->b, r->base);
    r->addresses[0] = r->a.address;
    r->options = (struct redis_options){.topology = REDIS_SINGLE,
                                        .addresses = r->addresses,
                                        .address_count = 1,
                                        .prefix = "test:",
                                        .connect_deadline = 2000,
                                        .command_deadline = 2000,
                                        .queue_length = 1000,
                                        .wait_deadline = 200};
}

static bool open_router(struct rig *r)
{
    struct error e = {0};
    struct redis_router_order order = {
        .options = &r->options, .base = r->base, .notice = notice, .notice_context = r};
    if (redis_router_create(&r->router, &order, &e) == ERR_OK)
        return true;
    printf("  %s\n", error_text(&e));
    return false;
}

static void tear_down(struct rig *r)
{
    redis_router_free(r->router);
    fake_redis_close(&r->a);
    fake_redis_close(&r->b);
    event_base_free(r->base);
}

static void turn_until(struct rig *r, int answered)
{
    while (r->answered < answered)
        event_base_loop(r->base, EVLOOP_ONCE);
}

static void turn_until_ready(struct rig *r)
{
    while (!redis_router_ready(r->router, NULL, 0))
        event_base_loop(r->base, EVLOOP_ONCE);
}

static void on_done(void *context, enum redis_result result, const redisReply *reply, const char *problem)
{
    struct rig *r = context;
    r->answered++;
    r->results[result]++;
    r->last = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    snprintf(r->problem, sizeof r->problem, "%s",
             reply && reply->type == REDIS_REPLY_ERROR ? reply->str : problem);
}

static void submit(struct rig *r, const char *tag, const char *word, bool durable)
{
    struct redis_command command = {
        .script = &script, .tag = tag, .durable = durable, .done = on_done, .context = r};
    arguments_init(&command.arguments);
    arguments_text(&command.arguments, word);
    redis_router_send(r->router, &command);
}

/* One command, and what came of it. */
static enum redis_result ask(struct rig *r, const char *word)
{
    int results[3];
    memcpy(results, r->results, sizeof results);
    submit(r, "a:alpha", word, true);
    turn_until(r, r->answered + 1);
    for (int i = 0; i < 3; i++)
        if (r->results[i] != results[i])
            return (enum redis_result)i;
    abort();
}

TEST(many_commands_are_answered_in_order_and_never_at_once)
{
    struct rig r;
    set_up(&r);
    CHECK(open_router(&r));
    for (int i = 0; i < 200; i++)
        submit(&r, "a:alpha", "word", true);
    CHECK_INT(r.answered, 0);
    turn_until(&r, 200);
    CHECK_INT(r.results[REDIS_REPLIED], 200);
    CHECK_INT(r.last, 7);
    CHECK_INT(r.a.accepted, 1);
    CHECK(strstr(r.a.heard, "EVALSHA 0123456789012345678901234567890123456789 1 test:{a:alpha}: word\n") !=
          NULL);
    tear_down(&r);
}

TEST(a_script_that_redis_does_not_know_is_sent_whole_once)
{
    struct rig r;
    set_up(&r);
    fake_redis_rule(&r.a, "EVALSHA", "-NOSCRIPT No matching script.\r\n", 1);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "one"), REDIS_REPLIED);
    CHECK_INT(ask(&r, "two"), REDIS_REPLIED);
    CHECK_INT(fake_redis_heard(&r.a, "EVAL return 7 1 test:{a:alpha}: one"), 1);
    CHECK_INT(fake_redis_heard(&r.a, "EVALSHA"), 2);
    tear_down(&r);
}

TEST(what_surely_was_not_done_is_tried_again)
{
    static const char *const excuses[] = {"-LOADING Redis is loading\r\n", "-TRYAGAIN multi keys\r\n",
                                          "-BUSY a script runs\r\n", "-CLUSTERDOWN soon\r\n",
                                          "-NOREPLICAS not enough\r\n"};
    struct rig r;
    set_up(&r);
    for (int i = 0; i < 5; i++)
        fake_redis_rule(&r.a, "EVALSHA", excuses[i], 1);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    CHECK_INT(r.last, 7);
    CHECK_INT(fake_redis_heard(&r.a, "EVALSHA"), 6);
    tear_down(&r);
}

TEST(other_errors_are_the_callers)
{
    struct rig r;
    set_up(&r);
    fake_redis_rule(&r.a, "EVALSHA", "-OOM command not allowed\r\n", 1);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    CHECK_TEXT(r.problem, "OOM command not allowed");
    tear_down(&r);
}

TEST(a_cut_connection_loses_what_was_sent_and_is_made_again)
{
    struct rig r;
    set_up(&r);
    fake_redis_cut(&r.a, "first", "$100\r\nhalf of");
    CHECK(open_router(&r));
    turn_until_ready(&r);
    CHECK_INT(ask(&r, "first"), REDIS_LOST);
    CHECK(strstr(r.problem, r.a.address) != NULL);
    CHECK_INT(ask(&r, "second"), REDIS_REPLIED);
    CHECK_INT(r.a.accepted, 2);
    CHECK(strstr(r.heard, "! store.unreachable") != NULL);
    tear_down(&r);
}

TEST(what_is_no_redis_is_refused)
{
    struct rig r;
    set_up(&r);
    fake_redis_rule(&r.a, "EVALSHA", "HTTP/1.1 400 Bad Request\r\n", 1);
    CHECK(open_router(&r));
    turn_until_ready(&r);
    CHECK_INT(ask(&r, "word"), REDIS_LOST);
    CHECK(strstr(r.problem, "does not speak the Redis protocol") != NULL);
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    tear_down(&r);
}

TEST(silence_ends_with_the_deadline)
{
    struct rig r;
    set_up(&r);
    r.options.command_deadline = 100;
    fake_redis_rule(&r.a, "EVALSHA", NULL, 1);
    CHECK(open_router(&r));
    turn_until_ready(&r);
    CHECK_INT(ask(&r, "word"), REDIS_LOST);
    CHECK(strstr(r.problem, "no answer within 100 ms") != NULL);
    r.options.command_deadline = 2000;
    tear_down(&r);
}

/* The sign of life finds out about a Redis that stands still although nobody asks it anything. */
TEST(an_idle_redis_that_stands_still_is_noticed)
{
    struct rig r;
    set_up(&r);
    r.options.command_deadline = 100;
    fake_redis_rule(&r.a, "PING", NULL, 1);
    CHECK(open_router(&r));
    turn_until_ready(&r);
    while (redis_router_ready(r.router, NULL, 0))
        event_base_loop(r.base, EVLOOP_ONCE);
    turn_until_ready(&r);
    tear_down(&r);
}

TEST(without_a_redis_nothing_is_done)
{
    struct rig r;
    set_up(&r);
    char nowhere[32];
    snprintf(nowhere, sizeof nowhere, "%s", r.a.address);
    r.addresses[0] = nowhere;
    fake_redis_close(&r.a);
    r.options.command_deadline = 150;
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_NOT_DONE);
    char problem[240];
    CHECK(!redis_router_ready(r.router, problem, sizeof problem));
    CHECK(strstr(problem, nowhere) != NULL);
    tear_down(&r);
}

TEST(a_full_queue_refuses_at_once)
{
    struct rig r;
    set_up(&r);
    r.options.queue_length = 10;
    fake_redis_rule(&r.a, "ROLE", NULL, -1);
    CHECK(open_router(&r));
    for (int i = 0; i < 12; i++)
        submit(&r, "a:alpha", "word", true);
    CHECK_INT(r.answered, 0);
    turn_until(&r, 2);
    CHECK_INT(r.results[REDIS_NOT_DONE], 2);
    CHECK(strstr(r.problem, "its queue is full") != NULL);
    tear_down(&r);
    CHECK_INT(r.answered, 12); /* freeing it answers the others */
    CHECK_INT(r.results[REDIS_NOT_DONE], 12);
}

TEST(freeing_it_answers_what_was_sent_as_lost)
{
    struct rig r;
    set_up(&r);
    fake_redis_rule(&r.a, "EVALSHA", NULL, -1);
    CHECK(open_router(&r));
    turn_until_ready(&r);
    submit(&r, "a:alpha", "word", true);
    while (!fake_redis_heard(&r.a, "EVALSHA"))
        event_base_loop(r.base, EVLOOP_ONCE);
    tear_down(&r);
    CHECK_INT(r.results[REDIS_LOST], 1);
}

TEST(a_refused_password_is_said_without_the_password)
{
    struct rig r;
    set_up(&r);
    r.options.user = "gateway";
    r.options.password = bytes_of_text("hunter2-canary");
    fake_redis_rule(&r.a, "AUTH gateway hunter2-canary",
                    "-WRONGPASS invalid username-password pair or user is disabled.\r\n", -1);
    CHECK(open_router(&r));
    char problem[240] = "";
    while (!strstr(problem, "password")) {
        event_base_loop(r.base, EVLOOP_ONCE);
        redis_router_ready(r.router, problem, sizeof problem);
    }
    CHECK(strstr(problem, "user or password are refused: WRONGPASS") != NULL);
    CHECK(strstr(r.heard, "hunter2") == NULL);
    tear_down(&r);
}

TEST(weak_durability_is_said_in_a_sentence_each)
{
    struct rig r;
    set_up(&r);
    fake_redis_rule(&r.a, "CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n", 1);
    fake_redis_rule(&r.a, "CONFIG GET appendfsync", "*2\r\n$11\r\nappendfsync\r\n$8\r\neverysec\r\n", 1);
    fake_redis_rule(&r.a, "CONFIG GET maxmemory", "*2\r\n$16\r\nmaxmemory-policy\r\n$11\r\nallkeys-lru\r\n",
                    1);
    fake_redis_rule(&r.a, "ACL DRYRUN default SET", "$14\r\nno permissions\r\n", 1);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    CHECK(strstr(r.heard, "(appendonly no)") != NULL);
    CHECK(strstr(r.heard, "who may not write (no permissions)") != NULL);
    CHECK(strstr(r.heard, "(appendfsync everysec)") != NULL);
    CHECK(strstr(r.heard, "(maxmemory-policy allkeys-lru)") != NULL);
    tear_down(&r);

    set_up(&r);
    fake_redis_rule(&r.a, "CONFIG", "-NOPERM this user has no permissions\r\n", -1);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    CHECK(strstr(r.heard, "CONFIG GET or ACL DRYRUN is refused") != NULL);
    tear_down(&r);
}

/* ---- waiting for replicas ------------------------------------------------------------------------------ */

TEST(a_batch_waits_once_for_its_replicas)
{
    struct rig r;
    set_up(&r);
    r.options.wait_replicas = 1;
    CHECK(open_router(&r));
    turn_until_ready(&r);
    for (int i = 0; i < 50; i++)
        submit(&r, "a:alpha", "word", true);
    turn_until(&r, 50);
    CHECK_INT(r.results[REDIS_REPLIED], 50);
    CHECK(fake_redis_heard(&r.a, "WAIT 1 200") <= 2);
    CHECK(fake_redis_position(&r.a, "EVALSHA") < fake_redis_position(&r.a, "SET test:{a:alpha}:fence"));
    CHECK(fake_redis_position(&r.a, "SET test:{a:alpha}:fence") < fake_redis_position(&r.a, "WAIT"));
    tear_down(&r);
}

TEST(a_wait_that_falls_short_makes_its_batch_unknown)
{
    struct rig r;
    set_up(&r);
    r.options.wait_replicas = 2; /* the server says 1 */
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_LOST);
    CHECK(strstr(r.problem, "only 1 of 2 replicas confirmed") != NULL);
    submit(&r, "a:alpha", "word", false); /* nothing is promised with it */
    turn_until(&r, 2);
    CHECK_INT(r.results[REDIS_REPLIED], 1);
    char problem[240];
    CHECK(!redis_router_ready(r.router, problem, sizeof problem)); /* requests are refused at once now */
    CHECK(strstr(problem, "only 1 of 2 replicas confirmed") != NULL);
    fake_redis_rule(&r.a, "WAIT", ":2\r\n", -1);
    while (!redis_router_ready(r.router, NULL, 0)) { /* what promises nothing is no hindrance */
        submit(&r, "a:alpha", "word", false);
        turn_until(&r, r.answered + 1);
    }
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    tear_down(&r);
}

TEST(without_its_fence_a_wait_proves_nothing)
{
    struct rig r;
    set_up(&r);
    r.options.wait_replicas = 1;
    fake_redis_rule(&r.a, "fence", "-OOM command not allowed\r\n", 1);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_LOST);
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    tear_down(&r);
}

TEST(a_batch_cut_before_its_wait_is_lost_though_it_was_answered)
{
    struct rig r;
    set_up(&r);
    r.options.wait_replicas = 1;
    fake_redis_cut(&r.a, "WAIT", "");
    CHECK(open_router(&r));
    turn_until_ready(&r);
    CHECK_INT(ask(&r, "word"), REDIS_LOST);
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    tear_down(&r);
}

/* ---- sentinels ----------------------------------------------------------------------------------------- */

static const char *master_is(char out[200], const struct fake_redis *f, int epoch)
{
    char port[8];
    snprintf(port, sizeof port, "%d", f->port);
    snprintf(out, 200,
             "*6\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$%zu\r\n%s\r\n$12\r\nconfig-epoch\r\n$1\r\n%"
             "d\r\n",
             strlen(port), port, epoch);
    return out;
}

TEST(commands_go_to_the_master_that_the_newest_sentinel_names)
{
    struct rig r;
    struct fake_redis old, fresh;
    char one[200], two[200];
    set_up(&r);
    fake_redis_open(&old, r.base);
    fake_redis_open(&fresh, r.base);
    r.options.topology = REDIS_SENTINEL;
    r.options.master = "mymaster";
    r.addresses[1] = r.b.address;
    r.options.address_count = 2;
    r.options.wait_replicas = 1; /* so that nothing is said of failovers */
    fake_redis_rule(&r.a, "SENTINEL MASTER mymaster", master_is(one, &old, 1), -1);
    fake_redis_rule(&r.b, "SENTINEL MASTER mymaster", master_is(two, &old, 1), -1);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "before"), REDIS_REPLIED);
    CHECK_INT(fake_redis_heard(&old, "before"), 1);
    r.b.rules[0].reply = master_is(two, &fresh, 2); /* the first does not know yet */
    while (!strstr(r.heard, "store.failover"))
        event_base_loop(r.base, EVLOOP_ONCE);
    CHECK_INT(ask(&r, "after"), REDIS_REPLIED);
    CHECK_INT(fake_redis_heard(&fresh, "after"), 1);
    fake_redis_close(&old);
    fake_redis_close(&fresh);
    tear_down(&r);
}

TEST(a_master_that_is_a_replica_is_not_used)
{
    struct rig r;
    char one[200];
    set_up(&r);
    r.options.topology = REDIS_SENTINEL;
    r.options.master = "mymaster";
    fake_redis_rule(&r.a, "SENTINEL MASTER", master_is(one, &r.b, 1), -1);
    fake_redis_rule(&r.b, "ROLE", "*1\r\n$5\r\nslave\r\n", 2);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    CHECK_INT(r.b.accepted, 3);
    CHECK(strstr(r.heard, "is a replica, not a master") != NULL);
    tear_down(&r);
}

TEST(a_master_that_became_a_replica_is_left_and_nothing_is_lost)
{
    struct rig r;
    set_up(&r);
    fake_redis_rule(&r.a, "EVALSHA", "-READONLY You can't write against a read only replica.\r\n", 1);
    CHECK(open_router(&r));
    CHECK_INT(ask(&r, "word"), REDIS_REPLIED);
    CHECK_INT(r.a.accepted, 2);
    tear_down(&r);
}

/* ---- cluster ------------------------------------------------------------------------------------------- */

static void open_cluster(struct rig *r, char slots[400])
{
    snprintf(slots, 400,
             "*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n*3\r\n:8192\r\n:16383\r\n*2\r\n$"
             "0\r\n\r\n:%d\r\n",
             r->a.port, r->b.port);
    r->options.topology = REDIS_CLUSTER;
    fake_redis_rule(&r->a, "CLUSTER SLOTS", slots, -1);
    fake_redis_rule(&r->b, "CLUSTER SLOTS", slots, -1);
}

/* The slots of "foo" (12182) and "bar" (5061) are in the cluster specification's own examples. */
TEST(commands_go_to_the_node_of_their_slot)
{
    struct rig r;
    char slots[400];
    set_up(&r);
    open_cluster(&r, slots);
    CHECK(open_router(&r));
    submit(&r, "foo", "one", true);
    submit(&r, "bar", "two", true);
    turn_until(&r, 2);
    CHECK_INT(r.results[REDIS_REPLIED], 2);
    CHECK_INT(fake_redis_heard(&r.b, "test:{foo}: one"), 1);
    CHECK_INT(fake_redis_heard(&r.a, "test:{bar}: two"), 1);
    CHECK_INT(fake_redis_heard(&r.a, "{foo}"), 0);
    tear_down(&r);
}

TEST(moved_and_asking_slots_are_followed)
{
    struct rig r;
    char slots[400], moved[64], ask_there[64];
    set_up(&r);
    open_cluster(&r, slots);
    snprintf(moved, sizeof moved, "-MOVED 5061 127.0.0.1:%d\r\n", r.b.port);
    snprintf(ask_there, sizeof ask_there, "-ASK 5061 127.0.0.1:%d\r\n", r.b.port);
    fake_redis_rule(&r.a, "asked", ask_there, 1);
    fake_redis_rule(&r.a, "moved", moved, 1);
    CHECK(open_router(&r));
    turn_until_ready(&r);
    submit(&r, "bar", "asked", true);
    turn_until(&r, 1);
    CHECK_INT(r.results[REDIS_REPLIED], 1);
    CHECK(fake_redis_position(&r.b, "ASKING\nEVALSHA") >= 0);
    submit(&r, "bar", "moved", true);
    turn_until(&r, 2);
    CHECK_INT(r.results[REDIS_REPLIED], 2);
    CHECK_INT(fake_redis_heard(&r.b, "moved"), 1);
    CHECK_INT(fake_redis_heard(&r.b, "ASKING"), 1);
    int asked = fake_redis_heard(&r.a, "CLUSTER SLOTS") + fake_redis_heard(&r.b, "CLUSTER SLOTS");
    while (fake_redis_heard(&r.a, "CLUSTER SLOTS") + fake_redis_heard(&r.b, "CLUSTER SLOTS") == asked)
        event_base_loop(r.base, EVLOOP_ONCE); /* the map is asked for anew */
    tear_down(&r);
}

TEST(a_node_that_serves_nothing_any_more_is_left)
{
    struct rig r;
    char slots[400], other[200];
    set_up(&r);
    open_cluster(&r, slots);
    CHECK(open_router(&r));
    turn_until_ready(&r);
    snprintf(other, sizeof other, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n", r.b.port);
    r.a.rules[0].reply = r.b.rules[0].reply = other;
    fake_redis_cut(&r.a, "cut", ""); /* a link that ends makes it ask again */
    submit(&r, "bar", "cut", true);
    turn_until(&r, 1);
    while (r.a.connections || !redis_router_ready(r.router, NULL, 0))
        event_base_loop(r.base, EVLOOP_ONCE);
    submit(&r, "bar", "there", true);
    turn_until(&r, 2);
    CHECK_INT(fake_redis_heard(&r.b, "there"), 1);
    tear_down(&r);
}

TEST(a_cluster_with_a_hole_is_not_ready)
{
    struct rig r;
    char slots[200], problem[240] = "";
    set_up(&r);
    r.options.command_deadline = 150;
    r.options.topology = REDIS_CLUSTER;
    snprintf(slots, sizeof slots, "*1\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n", r.a.port);
    fake_redis_rule(&r.a, "CLUSTER SLOTS", slots, -1);
    CHECK(open_router(&r));
    while (strcmp(problem, "no node of the cluster serves every slot") != 0) {
        event_base_loop(r.base, EVLOOP_ONCE);
        CHECK(!redis_router_ready(r.router, problem, sizeof problem));
    }
    submit(&r, "foo", "word", true);
    turn_until(&r, 1);
    CHECK_INT(r.results[REDIS_NOT_DONE], 1);
    tear_down(&r);
}

/* ---- options ------------------------------------------------------------------------------------------- */

TEST(options_that_cannot_be_are_refused_in_a_sentence)
{
    struct rig r;
    set_up(&r);
    r.options.prefix = "a{b}";
    CHECK(!open_router(&r));
    r.options.prefix = "test:";
    r.addresses[0] = "[::1";
    CHECK(!open_router(&r));
    r.addresses[0] = r.a.address;
    r.options.topology = REDIS_SENTINEL;
    CHECK(!open_router(&r));
    r.options.topology = REDIS_SINGLE;
    r.options.tls = true;
    r.options.tls_ca = "/nowhere/ca.pem";
    CHECK(!open_router(&r));
    tear_down(&r);
}

RUNNER_MAIN()
