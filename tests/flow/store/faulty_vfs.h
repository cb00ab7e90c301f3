/* faulty_vfs.h: a file system for SQLite that fails when a test says so. Becomes the default one of the
 * process. */
#pragma once

#include <stdatomic.h>

void faulty_vfs_register(void);
extern atomic_int faulty_write; /* SQLite result code of every write from now on; 0: they work */
extern atomic_int faulty_sync;  /* the same for every sync */
