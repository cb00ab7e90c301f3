/* command.h: a program of the administrator's that is told something on its standard input. Blocking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs `arguments` (ended by NULL; the first is the path of the program, no shell is involved) with `input`, and waits. It gets
 * no descriptor and no output of ours, and is killed, with what it started, when `deadline` ms are over. False and a
 * sentence in `problem` unless it ends with status 0. */
bool command_run(char *const *arguments, const char *input, int64_t deadline, char *problem, size_t size);
