/*
 * The forwardings of a session: ports and sockets, the agent, the display.
 */
#ifndef SSH_FORWARDS_H
#define SSH_FORWARDS_H

#include <stdbool.h>

#include <sshwire.h>

/* Begins those that are configured. False when one could not be begun; a person was told. */
bool forwards_begin(ssh_transport *transport, const ssh_config_host *host);

/* For a host key of which nobody knows whose it is: nothing is forwarded from here on, neither what is configured, of which
 * a person is told, nor what is asked for later. True when that leaves something out that was wanted, which with
 * ExitOnForwardFailure is the end. */
bool forwards_withhold(const ssh_config_host *host);

/* Ends the one of a kind ('L', 'R' or 'D') that listens where the configuration's first DynamicForward does. False when
 * there is none. */
bool forwards_end_one(const ssh_config_host *host, char kind);

/* What PermitRemoteOpen names, with blanks between, for the caller to free; NULL when there is no memory for it. */
char *forwards_permitted(const ssh_config_host *host);

/* Has the session's programs use the agent and the display of this side, where the configuration says so. To be called
 * before anything is started on the channel. */
void forwards_offer(ssh_channel *channel, const ssh_config_host *host);

/* Waits until no connection is forwarded any more. */
void forwards_wait(ssh_transport *transport);

/* Says what there is. */
void forwards_show(void);

/* Ends all of them. */
void forwards_end(void);

#endif
