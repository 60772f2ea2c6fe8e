/*
 * Programs of this machine that are run on the way: Match exec, LocalCommand, xauth.
 */
#ifndef SSH_CHILD_H
#define SSH_CHILD_H

#include <stdbool.h>
#include <stdint.h>

/* Runs a command with the user's shell, to its end. Its exit status, or -1 when it could not be run or a signal ended
 * it. `is_silent` gives it neither input nor output. */
int32_t child_run(const char *command, bool is_silent);

#endif
