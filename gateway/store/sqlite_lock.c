/* sqlite_lock.c: one daemon per database. The lock lives with the open file, so it ends with the process,
 * however that ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/sqlite_inside.h"

static enum error_code locked(int fd, const char *path, struct error *e)
{
    char holder[24] = "";
    ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
    long pid = n > 0 ? strtol(holder, NULL, 10) : 0;
    if (pid > 0)
        return error_set(e, ERR_STORE_LOCKED,
                         "store %s is in use by process %ld; stop it or give this daemon another store.path",
                         path, pid);
    return error_set(e, ERR_STORE_LOCKED,
                     "store %s is in use by another process; stop it or give this daemon another store.path",
                     path);
}

int sqlite_lock_take(const char *path, struct error *e)
{
    CLEANUP(buffer) struct buffer name;
    buffer_init(&name, 8192);
    buffer_format(&name, "%s.lock", path);
    if (name.failed) {
        error_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    int fd = open((const char *)name.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_set(e, ERR_STORE_BROKEN,
                  "cannot create %s.lock: %s; create the folder, allow writing or change store.path", path,
                  error_errno(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            locked(fd, path, e);
        else
            error_set(e, ERR_STORE_BROKEN, "cannot lock %s.lock: %s", path, error_errno(errno));
        close(fd);
        return -1;
    }
    /* Only for the other one's sentence: the lock holds without it. */
    char holder[24];
    int len = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, holder, (size_t)len, 0) != len)
        errno = 0;
    return fd;
}

void sqlite_lock_drop(int lock)
{
    if (lock < 0)
        return;
    if (ftruncate(lock, 0) != 0)
        errno = 0;
    close(lock);
}
