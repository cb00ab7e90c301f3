/* test_death.c: a process that is killed at any moment: what it was promised is there, what was not promised
 * is whole or absent. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEATHS  12
#define DEVICES 100000

extern char **environ;

struct promises {
    bool begun[DEVICES], issued[DEVICES];
    int next; /* device that nobody has tried */
};

/* Reads the victim's lines, and kills it after `lines` of them: in the middle of others' commits. */
static bool watch_and_kill(int fd, pid_t victim, int lines, struct promises *p)
{
    FILE *out = fdopen(fd, "r");
    char what;
    int n, seen = 0;
    while (out && fscanf(out, "%c %d ", &what, &n) == 2) {
        if (n < 0 || n >= DEVICES)
            break;
        (what == 'I' ? p->issued : p->begun)[n] = true;
        p->next = n + 16 > p->next ? n + 16 : p->next; /* those in flight */
        if (++seen == lines)
            kill(victim, SIGKILL);
    }
    if (out)
        fclose(out);
    int status = 0;
    return waitpid(victim, &status, 0) == victim && WIFSIGNALED(status) && seen >= lines;
}

static bool run_victim(const struct bench *b, int lines, struct promises *p)
{
    const char *program = getenv("STORE_VICTIM");
    char first[16];
    int pipes[2];
    snprintf(first, sizeof first, "%d", p->next);
    char *const arguments[] = {(char *)program, (char *)b->place, first, NULL};
    posix_spawn_file_actions_t actions;
    pid_t victim;
    if (!program || pipe(pipes) != 0 || posix_spawn_file_actions_init(&actions) != 0)
        return false;
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipes[0]);
    int failed = posix_spawn(&victim, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    if (failed) {
        close(pipes[0]);
        return false;
    }
    return watch_and_kill(pipes[0], victim, lines, p);
}

/* One device: its record and its challenge tell the same story, and as much as was promised. */
static void check_device(struct bench *b, const struct promises *p, int n)
{
    struct store_request find = bench_find("alpha", n), serial;
    struct store_answer *a = bench_ask(b, &find);
    bool there = a->outcome == STORE_OK;
    bool issued = there && a->transactions[0].state == TRANSACTION_ISSUED;
    bool whole = !issued || (a->transactions[0].chain_count == 1 && a->transactions[0].sealed_csr.len == 0);
    store_answer_free(a);
    CHECK(there || !p->begun[n]);
    CHECK(issued || !p->issued[n]);
    CHECK(whole);
    int left = bench_uses_left(b, "alpha", n);
    CHECK(there ? left == 0 : left != 0);
    store_request_init(&serial, STORE_CERTIFICATE_FIND);
    serial.certificate_find.alias = "alpha";
    serial.certificate_find.issuer_sha256 = "aa11";
    serial.certificate_find.serial = bench_id("serial", n);
    CHECK_INT(bench_outcome(b, &serial), issued ? STORE_OK : STORE_NOT_FOUND);
    if (left < 0)
        return;
    /* The client's retry, with the operation id of the first try: done before or done now, in any case once.
     */
    struct store_request retry = bench_begin("alpha", n, n, n);
    snprintf(retry.id, sizeof retry.id, "%s", bench_id("operation", n));
    a = bench_ask(b, &retry);
    bool repeated = a->repeated;
    enum store_outcome outcome = a->outcome;
    store_answer_free(a);
    CHECK_INT(outcome, STORE_MINE);
    CHECK_INT(repeated, there);
    CHECK_INT(bench_uses_left(b, "alpha", n), 0);
}

TEST(a_killed_process_keeps_its_promises)
{
    static struct promises p;
    struct bench b;
    bench_open(&b);
    p.next = 1;
    for (int death = 0; death < DEATHS; death++) {
        store_close(b.store);
        b.store = NULL;
        int first = p.next;
        CHECK(run_victim(&b, 3 + 37 * death % 101, &p));
        bench_reopen(&b);
        for (int n = first; n < p.next; n++)
            check_device(&b, &p, n);
        struct store_request verify;
        store_request_init(&verify, STORE_AUDIT_VERIFY);
        CHECK_INT(bench_outcome(&b, &verify), STORE_OK);
    }
    CHECK(p.next > DEATHS * 8);
    bench_close(&b);
}

RUNNER_MAIN()
