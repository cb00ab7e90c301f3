/* test_command.c: programs that end well, badly, late, or without reading what they are told. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/manual/command.h"

#define PATIENT (60 * 1000)

static char problem[320];

/* Runs a line of shell, which gets `input`. */
static bool run(const char *line, const char *input, int64_t deadline)
{
    char shell[] = "/bin/sh", option[] = "-c", *text = strdup(line);
    char *const arguments[] = {shell, option, text, NULL};
    problem[0] = 0;
    bool good = command_run(arguments, input, deadline, problem, sizeof problem);
    free(text);
    return good;
}

Test(command, is_told_on_its_standard_input)
{
    cr_assert(run("[ \"$(cat)\" = 'a \"notice\"' ]", "a \"notice\"", PATIENT), "%s", problem);
}

Test(command, fails_with_its_status)
{
    cr_assert_not(run("exit 7", "x", PATIENT));
    cr_assert(strstr(problem, "ended with status 7"), "%s", problem);
    cr_assert_not(run("kill -TERM $$", "x", PATIENT));
    cr_assert(strstr(problem, "ended by signal 15"), "%s", problem);
}

Test(command, that_is_not_there_is_named)
{
    char path[] = "/nonexistent/hook";
    char *const arguments[] = {path, NULL};
    cr_assert_not(command_run(arguments, "x", PATIENT, problem, sizeof problem));
    cr_assert(strstr(problem, "/nonexistent/hook"), "%s", problem);
}

Test(command, is_killed_with_its_children_when_it_is_late)
{
    char folder[] = "/tmp/scepgate-command-XXXXXX", line[256], file[64], pid[32] = "";
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/pid", folder);
    snprintf(line, sizeof line, "sleep 1000 & echo $! > %s; wait", file);
    cr_assert_not(run(line, "x", 500));
    cr_assert(strstr(problem, "did not end in time"), "%s", problem);
    FILE *f = fopen(file, "r");
    cr_assert(f && fgets(pid, sizeof pid, f));
    fclose(f);
    pid[strcspn(pid, "\n")] = 0;
    snprintf(line, sizeof line, "! grep -q '^State:.[SR]' /proc/%s/status", pid);
    cr_assert(run(line, "", PATIENT), "its child goes on");
    unlink(file);
    rmdir(folder);
}

/* More than any buffer between the two holds. */
Test(command, may_leave_unread_what_it_is_told)
{
    size_t size = 4 << 20;
    char *input = malloc(size + 1);
    cr_assert_not_null(input);
    memset(input, 'x', size);
    input[size] = 0;
    cr_assert(run("exit 0", input, PATIENT), "%s", problem);
    cr_assert_not(run("sleep 1000", input, 500));
    cr_assert(run("[ $(wc -c) = 4194304 ]", input, PATIENT), "%s", problem);
    free(input);
}

Test(command, gets_nothing_of_ours)
{
    int own = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    cr_assert_geq(own, 3);
    setenv("SCEPGATE_CANARY", "ours", 1);
    cr_assert(run("[ -z \"$SCEPGATE_CANARY\" ]", "", PATIENT), "%s", problem);
    char line[96];
    snprintf(line, sizeof line, "! [ -e /proc/$$/fd/%d ]", own > 9 ? own : 9);
    int high = fcntl(own, F_DUPFD, own > 9 ? own : 9);
    cr_assert(run(line, "", PATIENT), "%s", problem);
    close(high);
    close(own);
}
