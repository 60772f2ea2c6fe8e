/*
 * The sessions of the server: from "open a channel" over "run this command" to its exit status.
 */
#ifndef EXAMPLES_SESSION_H
#define EXAMPLES_SESSION_H

#include <sshwire.h>

/* Answers the questions about sessions of all the server's connections. */
/* `shell` runs all commands and shells; NULL: that of the account. It must live as long as the server. */
void sessions_serve(ssh_server *server, const char *shell);

/* Offers the subsystem "sftp" with this directory. `directory` must live as long as the server. */
void sessions_serve_sftp(ssh_server *server, ssh_sftp_server *directory);

/* Lets sessions use the agent and the display of their client; `directory` is where sockets and cookies are put. */
void sessions_serve_forwarding(ssh_server *server, const char *directory);

/* Frees sessions whose channel was closed before anything was started on it. To be called now and then. */
void sessions_sweep(void);

#endif
