/* runner.h: a small test runner that never forks, for code with threads or an event loop.
 *
 *   #include "support/runner.h"
 *   TEST(a_right_answer_passes) { CHECK(answer() == 42); CHECK_TEXT(name(), "x"); CHECK_INT(count(), 3); }
 *   RUNNER_MAIN()
 *
 * Runs every test, or those whose name contains one of the arguments; `-l` lists them. A failed check names
 * its place and returns from the test (so it needs a function without a value; any thread may fail one). The
 * process ends with 1 after a failure, or when a test hangs for RUNNER_SECONDS: a bound on deadlocks, no
 * measure of speed.
 */
#pragma once

#include <stdbool.h>

#define RUNNER_SECONDS 240

struct runner_test {
    const char *name;
    void (*run)(void);
    struct runner_test *next;
};

void runner_add(struct runner_test *test);
int runner_main(int argc, char **argv);
bool runner_check(bool holds, const char *file, int line, const char *what);
bool runner_check_text(const char *have, const char *want, const char *file, int line, const char *what);
bool runner_check_int(long long have, long long want, const char *file, int line, const char *what);

#define TEST(name)                                                                                           \
    static void name(void);                                                                                  \
    __attribute__((constructor)) static void add_##name(void)                                                \
    {                                                                                                        \
        static struct runner_test test = {#name, name, 0};                                                   \
        runner_add(&test);                                                                                   \
    }                                                                                                        \
    static void name(void)

#define CHECK_RESULT(call)                                                                                   \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            return;                                                                                          \
    } while (0)

#define CHECK(condition)       CHECK_RESULT(runner_check((condition), __FILE__, __LINE__, #condition))
#define CHECK_TEXT(have, want) CHECK_RESULT(runner_check_text((have), (want), __FILE__, __LINE__, #have))
#define CHECK_INT(have, want)                                                                                \
    CHECK_RESULT(runner_check_int((long long)(have), (long long)(want), __FILE__, __LINE__, #have))

#define RUNNER_MAIN()                                                                                        \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        return runner_main(argc, argv);                                                                      \
    }
