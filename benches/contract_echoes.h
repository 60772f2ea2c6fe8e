/*
 * The benchmark server's event loop.
 */
#ifndef CONTRACT_ECHOES_H
#define CONTRACT_ECHOES_H

#include "bench.h"

/* Takes the channel, and sends back what comes on it until it ends. Any thread. */
void echo_in_loop(ssh_channel *channel);

/* contract_server.c: ends a command well. */
void finish(ssh_channel *channel);

#endif
