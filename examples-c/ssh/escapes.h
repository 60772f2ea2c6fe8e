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
    char character;
    bool is_behind_line_end, is_pending;
};

/* `written` is EscapeChar: one character, ^ and a letter, or none. False for none. */
bool escapes_begin(struct escapes *escapes, const char *written, ssh_transport *transport, ssh_channel *channel);

/* An input_filter of streams.h, with the escapes as userdata. */
size_t escapes_filter(void *userdata, char *bytes, size_t length);

#endif
