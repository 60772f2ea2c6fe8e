/*
 * Host keys: what a person is told of them, and asked about those that a server has beside the known one.
 */
#ifndef SSH_HOST_KEYS_H
#define SSH_HOST_KEYS_H

#include <stdbool.h>

#include <sshwire.h>

#include "../asking.h"

/* Has keys shown as FingerprintHash and VisualHostKey say, and those that a server proves to have asked about, where
 * UpdateHostKeys says so and the session is a shell, so that a person is there. Before connecting; `asking` is used from
 * then on. */
void host_keys_install(ssh_config *config, const ssh_config_host *host, struct asking *asking, bool is_shell);

/* The warning that a key is not the known one, or is revoked, if that is what went wrong. */
void host_keys_tell_changed(const ssh_error *error);

/* Tells what became of a key that was not known. */
void host_keys_tell(const ssh_config_host *host, ssh_transport *transport);

/* Whether the key was let pass although another one is known. */
bool host_keys_are_doubtful(ssh_transport *transport);

/* Returns when nobody is asked about the server's keys any more, and nobody will be: what comes from here on has the
 * terminal for itself. */
void host_keys_settle(ssh_transport *transport);

#endif
