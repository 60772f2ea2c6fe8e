/*
 * The session on the other machine: its terminal, its environment, its command, and how it ends.
 */
#ifndef SSH_SESSION_H
#define SSH_SESSION_H

#include <sshwire.h>

#include "options.h"

/* Whether a terminal is wanted there. Tells a person when it cannot be had for want of one here. */
bool session_wants_terminal(const struct options *options, const ssh_config_host *host);

/* Standard input, output and errors are these descriptors. */
struct standard {
    int input, output, errors;
};

/* Runs what is configured: a command, a subsystem or a shell. Returns the status to end with. */
int session_run(const struct options *options, const ssh_config_host *host, ssh_transport *transport,
                const struct standard *standard);

/* Has standard input and output be a connection to a place as the other side sees it, for -W. */
int session_connect(const struct options *options, ssh_transport *transport, const struct standard *standard);

/* Waits for the end of the connection. */
int session_idle(ssh_transport *transport);

/* Ends the program from another thread than the main one: the terminal is as it was, the connection is closed. */
_Noreturn void session_end(int code);

/* From here on signals end the program in an orderly way. `is_idle`: there is no session, so that being told to end is no
 * failure. */
void session_take_signals(ssh_transport *transport, bool is_idle);

#endif
