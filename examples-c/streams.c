#define _POSIX_C_SOURCE 200809L
#include "streams.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"

#define BLOCK (128 * 1024)

/* Like read(), also where whoever else has the file has made it one that does not wait. */
static ssize_t read_some(int fd, char *block, size_t room)
{
    for (;;) {
        ssize_t count = read(fd, block, room);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (count >= 0 || (errno != EINTR && errno != EAGAIN))
            return count;
        if (errno == EAGAIN)
            poll(&ready, 1, -1);
    }
}

static void *send_input(void *userdata)
{
    const struct stream *stream = userdata;
    char *block = malloc(BLOCK + STREAMS_EXTRA);
    if (block == NULL)
        fail("out of memory");
    for (;;) {
        ssize_t count = read_some(stream->fd, block, BLOCK);
        if (count <= 0) {
            ssh_channel_send_eof(stream->channel);
            break;
        }
        size_t length = (size_t)count;
        if (stream->filter != NULL)
            length = stream->filter(stream->userdata, block, length);
        /* A command may end without reading all that we have for it. */
        if (ssh_channel_write_all(stream->channel, block, length, NULL, SSH_TIMEOUT_FOREVER) != SSH_OK)
            break;
    }
    free(block);
    return NULL;
}

/* The channel's output, or its errors. */
static void *receive_output(void *userdata)
{
    const struct stream *stream = userdata;
    char *block = malloc(BLOCK);
    bool reader_is_gone = false;
    size_t count = 0;
    if (block == NULL)
        fail("out of memory");
    for (;;) {
        ssh_status status =
            stream->is_stderr
                ? ssh_channel_read_stderr(stream->channel, block, BLOCK, &count, SSH_TIMEOUT_FOREVER)
                : ssh_channel_read(stream->channel, block, BLOCK, &count, SSH_TIMEOUT_FOREVER);
        if (status != SSH_OK)
            break;
        /* What nobody wants to read any more is still taken in, for the command to come to its end. */
        if (!reader_is_gone && !write_all(stream->fd, block, count)) {
            reader_is_gone = true;
            if (stream->signals_pipe)
                ssh_channel_signal(stream->channel, "PIPE");
            else if (!stream->is_stderr)
                ssh_channel_request(stream->channel, "eow@openssh.com", NULL, 0, false, SSH_TIMEOUT_DEFAULT, NULL);
        }
    }
    free(block);
    return NULL;
}

void streams_copy(const struct stream *input, const struct stream *output, const struct stream *errors)
{
    pthread_t input_thread, error_thread;
    if (input == NULL)
        ssh_channel_send_eof(output->channel);
    else if (pthread_create(&input_thread, NULL, send_input, (void *)input) != 0 || pthread_detach(input_thread) != 0)
        fail("no thread to read the input");
    if (errors != NULL && pthread_create(&error_thread, NULL, receive_output, (void *)errors) != 0)
        fail("no thread to read the errors");
    receive_output((void *)output);
    if (errors != NULL)
        pthread_join(error_thread, NULL);
}
