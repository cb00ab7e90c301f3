/* command.h: the subcommands of scepgate as rows; each lives in a file of its own. */
#pragma once

struct command {
    const char *name;
    const char *summary;               /* one line for `scepgate help` */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand; returns the exit status */
};

/* Finds the row and runs it. `serve` is the daemon's entry, which this room may not include. */
int cli_main(int argc, char **argv, int (*serve)(int argc, char **argv));
