/*
 * Programs of this machine that are run on the way: Match exec, LocalCommand, SSH_ASKPASS.
 */
#ifndef EXAMPLES_CHILD_H
#define EXAMPLES_CHILD_H

#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Starts a program, looked for in PATH unless it is named with a slash. Threads of the library, which may call this, have
 * all signals blocked; the program has none, and ends for SIGPIPE as usual. 0, or an errno; `actions` may be NULL. */
int child_start(pid_t *child, const char *program, char **arguments, const posix_spawn_file_actions_t *actions);

/* Waits for its end. Its exit status, or -1 when a signal ended it. */
int32_t child_wait(pid_t child);

/* Runs a command with the user's shell, to its end. Its exit status, or -1 when it could not be run or a signal ended
 * it. `is_silent` gives it neither input nor output. */
int32_t child_run(const char *command, bool is_silent);

#endif
