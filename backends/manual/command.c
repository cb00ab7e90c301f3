/* command.c: see command.h. */
#include "backends/manual/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool fail(char *problem, size_t size, const char *what, int cause)
{
    char text[128];
    snprintf(problem, size, "%s: %s", what, strerror_r(cause, text, sizeof text));
    return false;
}

/* A process group of its own, default signals, and nothing open but `input` and /dev/null. */
static int spawn(pid_t *pid, char *const *arguments, int input)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *const environment[] = {path, NULL};
    sigfillset(&all);
    sigemptyset(&none);
    int cause = posix_spawn_file_actions_init(&files);
    if (cause)
        return cause;
    cause = posix_spawnattr_init(&attributes);
    if (cause) {
        posix_spawn_file_actions_destroy(&files);
        return cause;
    }
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    cause = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    if (!cause)
        cause = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!cause)
        cause = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!cause)
        cause = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    if (!cause)
        cause = posix_spawn(pid, arguments[0], &files, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return cause;
}

/* Writes what the program takes; one that does not read is no failure. */
static void feed(int to, const char *input, int64_t until)
{
    size_t left = strlen(input);
    while (left > 0) {
        ssize_t sent = send(to, input, left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            input += sent;
            left -= (size_t)sent;
            continue;
        }
        int64_t wait = until - monotonic();
        struct pollfd ready = {.fd = to, .events = POLLOUT};
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return;
        if (wait <= 0 || (poll(&ready, 1, (int)wait) < 0 && errno != EINTR))
            return;
    }
}

/* Until the process has ended, or until the time is over: then it is killed. False: killed. */
static bool await(pid_t pid, int64_t until, int *status)
{
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = {.fd = handle, .events = POLLIN};
    int64_t wait;
    int found = 0;
    while (found <= 0 && (wait = until - monotonic()) > 0 && handle >= 0)
        found = poll(&ended, 1, (int)wait);
    if (found <= 0)
        kill(-pid, SIGKILL);
    if (handle >= 0)
        close(handle);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) {}
    return found > 0;
}

bool command_run(char *const *arguments, const char *input, int64_t deadline, char *problem, size_t size)
{
    int64_t until = monotonic() + deadline;
    int ends[2]; /* a pair of sockets and no pipe: writing to it needs no signal to be ignored */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(problem, size, "no socket is to be had", errno);
    pid_t pid;
    int cause = spawn(&pid, arguments, ends[1]), status = 0;
    close(ends[1]);
    if (cause) {
        close(ends[0]);
        snprintf(problem, size, "%.200s cannot be run: %s", arguments[0], strerrordesc_np(cause));
        return false;
    }
    feed(ends[0], input, until);
    close(ends[0]);
    if (!await(pid, until, &status))
        snprintf(problem, size, "%.200s did not end in time and was killed", arguments[0]);
    else if (WIFSIGNALED(status))
        snprintf(problem, size, "%.200s was ended by signal %d", arguments[0], WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(problem, size, "%.200s ended with status %d", arguments[0], WEXITSTATUS(status));
    else
        return true;
    return false;
}
