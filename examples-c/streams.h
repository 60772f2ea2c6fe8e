/*
 * Standard input, output and errors, copied to and from a channel at full speed: a thread for each direction, so that
 * each waits for its own two ends alone.
 */
#ifndef EXAMPLES_STREAMS_H
#define EXAMPLES_STREAMS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <sshwire.h>

/* What becomes of bytes that were read, before they are sent: it may take some out, and leave up to STREAMS_EXTRA more than
 * there were. Returns how many there are then. */
typedef size_t (*input_filter)(void *userdata, char *bytes, size_t length);
#define STREAMS_EXTRA 1

/* A direction. */
struct stream {
    ssh_channel *channel;
    int fd;
    bool is_stderr;
    /* What the other side is told when nobody reads the output any more: the signal PIPE for the command, or by the channel
     * request "eow@openssh.com", that no more is wanted, which ends only what writes on. */
    bool signals_pipe;
    input_filter filter; /* of input; or NULL */
    void *userdata;
};

/*
 * Copies until the channel's output is at its end. `input` NULL sends EOF at once, `errors` NULL leaves the channel's
 * errors alone. The thread that reads the input may still sit in read() afterwards; its handles are checked, so the channel
 * can be freed all the same, but what `input` points to must stay. Ends the program when there is no thread to be had.
 */
void streams_copy(const struct stream *input, const struct stream *output, const struct stream *errors);

#endif
