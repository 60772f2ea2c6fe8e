/*
 * Where a server program listens, as its --listen says.
 */
#ifndef LISTENING_H
#define LISTENING_H

#include <sshwire.h>

/* Listens at ADDRESS:PORT, with an IPv6 address in brackets, or at a /path, and says so on standard output, with the port that
 * the system chose for 0. Ends the program where that cannot be. */
void listen_at(ssh_listener *listener, const char *place);

#endif
