/* commands.h: the entry of each subcommand; one file each. All return the exit status: 0 done, 1 failed, 2
 * wrong usage. */
#pragma once

int cli_approve(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_ca(int argc, char **argv);
int cli_certificate(int argc, char **argv);
int cli_challenge(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_demo(int argc, char **argv);
int cli_deny(int argc, char **argv);
int cli_enroll(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_store(int argc, char **argv);
int cli_store_migrate(int argc, char **argv); /* of cli_store */
int cli_transaction(int argc, char **argv);
