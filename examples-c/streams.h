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

/* What becomes of bytes that were read, before they are sent. It may take some out, and put in up to STREAMS_EXTRA more
 * than there were; `length` is how many there are afterwards. False ends the input, without EOF for the other side. */
typedef bool (*input_filter)(void *userdata, char *bytes, size_t *length);
#define STREAMS_EXTRA 1024

/* A direction. */
struct stream {
    ssh_channel *channel;
    int fd;
    bool is_stderr;
    /* Sent to the command when nobody reads its output any more: the signal PIPE, or the channel request
     * "eow@openssh.com", which ends only what writes on. */
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
