/* runner.c: see runner.h. */
#include "support/runner.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct runner_test *first, **last = &first;
static atomic_bool failed;           /* the test that is running */
static const char *volatile running; /* for the handler of the alarm */

void runner_add(struct runner_test *test)
{
    *last = test;
    last = &test->next;
}

bool runner_check(bool holds, const char *file, int line, const char *what)
{
    if (!holds) {
        atomic_store(&failed, true);
        printf("  %s:%d: %s\n", file, line, what);
    }
    return holds;
}

bool runner_check_text(const char *have, const char *want, const char *file, int line, const char *what)
{
    bool same = have && want ? strcmp(have, want) == 0 : have == want;
    if (!same) {
        atomic_store(&failed, true);
        printf("  %s:%d: %s is \"%s\", not \"%s\"\n", file, line, what, have ? have : "(null)",
               want ? want : "(null)");
    }
    return same;
}

bool runner_check_int(long long have, long long want, const char *file, int line, const char *what)
{
    if (have != want) {
        atomic_store(&failed, true);
        printf("  %s:%d: %s is %lld, not %lld\n", file, line, what, have, want);
    }
    return have == want;
}

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(2);
}

static void hung(int number)
{
    (void)number;
    say("FAILED ");
    say(running ? running : "");
    say(" (it hangs)\n");
    _exit(1);
}

static bool chosen(const struct runner_test *test, int argc, char **argv)
{
    bool any = argc <= 1;
    for (int i = 1; i < argc; i++)
        any = any || strstr(test->name, argv[i]);
    return any;
}

int runner_main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, hung);
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        for (const struct runner_test *t = first; t; t = t->next)
            puts(t->name);
        return 0;
    }
    int passes = 0, failures = 0;
    for (const struct runner_test *t = first; t; t = t->next) {
        if (!chosen(t, argc, argv))
            continue;
        running = t->name;
        atomic_store(&failed, false);
        alarm(RUNNER_SECONDS);
        t->run();
        alarm(0);
        bool bad = atomic_load(&failed);
        printf("%s %s\n", bad ? "FAILED" : "ok    ", t->name);
        failures += bad;
        passes += !bad;
    }
    printf("%d passed, %d failed\n", passes, failures);
    return failures > 0 || passes == 0;
}
