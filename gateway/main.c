/* main.c: which command was asked for. */
#include "cli/command.h"
#include "server.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv, server_main);
}
