/* server.h: the daemon: owner of the loop and of every long-lived object. */
#pragma once

/* `scepgate serve --config FILE`: returns the process' exit status. */
int server_main(int argc, char **argv);
