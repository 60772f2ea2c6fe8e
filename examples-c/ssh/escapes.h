/*
 * Escape characters: what a person types at the beginning of a line to talk to this program and not to the other side.
 */
#ifndef SSH_ESCAPES_H
#define SSH_ESCAPES_H

#include <stdbool.h>
#include <stddef.h>

#include <sshwire.h>

struct escapes {
    ssh_transport *transport;
    ssh_channel *channel;
    const ssh_config_host *host;
    char character;
    bool is_behind_line_end, is_pending;
};

/* By EscapeChar: one character, ^ and a letter, or none. False for none. The configuration is used as long as somebody
 * types. */
bool escapes_begin(struct escapes *escapes, const ssh_config_host *host, ssh_transport *transport, ssh_channel *channel);

/* An input_filter of streams.h, with the escapes as userdata. */
size_t escapes_filter(void *userdata, char *bytes, size_t length);

#endif
