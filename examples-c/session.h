/*
 * The sessions of the server: from "open a channel" over "run this command" to its exit status.
 */
#ifndef EXAMPLES_SESSION_H
#define EXAMPLES_SESSION_H

#include <sshwire.h>

/* Answers the questions about sessions of all the server's connections. */
void sessions_serve(ssh_server *server);

/* Frees sessions whose channel was closed before anything was started on it. To be called now and then. */
void sessions_sweep(void);

#endif
