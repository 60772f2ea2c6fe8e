/*
 * The command line behind ~C: forwardings that begin and end while the session goes on.
 */
#ifndef SSH_COMMANDS_H
#define SSH_COMMANDS_H

#include <sshwire.h>

/* Asks for a command on the terminal, which is raw before and after, and does what it says. For the thread that reads
 * what is typed. */
void commands_ask(const ssh_config_host *host, ssh_transport *transport);

#endif
