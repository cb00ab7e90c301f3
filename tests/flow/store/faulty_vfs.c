/* faulty_vfs.c: see faulty_vfs.h. Every file is the default file system's, with write and sync in between. */
#include "flow/store/faulty_vfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

atomic_int faulty_write;
atomic_int faulty_sync;

struct file {
    sqlite3_file base;
    sqlite3_io_methods methods; /* the real ones, two replaced */
    const sqlite3_io_methods *real;
};

static sqlite3_vfs *original;
static size_t offset; /* of our part, behind the real file's */

static struct file *ours(sqlite3_file *file)
{
    return (struct file *)((char *)file + offset);
}

static int write_file(sqlite3_file *file, const void *data, int amount, sqlite3_int64 at)
{
    int code = atomic_load(&faulty_write);
    return code ? code : ours(file)->real->xWrite(file, data, amount, at);
}

static int sync_file(sqlite3_file *file, int flags)
{
    int code = atomic_load(&faulty_sync);
    return code ? code : ours(file)->real->xSync(file, flags);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    int code = original->xOpen(original, name, file, flags, out_flags);
    if (code != SQLITE_OK || !file->pMethods)
        return code;
    struct file *f = ours(file);
    f->real = file->pMethods;
    f->methods = *f->real;
    f->methods.xWrite = write_file;
    f->methods.xSync = sync_file;
    file->pMethods = &f->methods;
    return SQLITE_OK;
}

void faulty_vfs_register(void)
{
    static sqlite3_vfs faulty;
    if (original)
        return;
    original = sqlite3_vfs_find(NULL);
    faulty = *original;
    offset = ((size_t)original->szOsFile + 15) / 16 * 16;
    faulty.szOsFile = (int)(offset + sizeof(struct file));
    faulty.zName = "faulty";
    faulty.pNext = NULL;
    faulty.xOpen = open_file;
    sqlite3_vfs_register(&faulty, 1);
}
