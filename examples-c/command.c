#define _POSIX_C_SOURCE 200809L
#include "command.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "process.h"

#define BLOCK (128 * 1024)

struct stream {
    ssh_channel *channel;
    int fd;
    bool is_stderr;
};

/* Standard input to the channel, until either ends. */
static void *send_input(void *userdata)
{
    const struct stream *stream = userdata;
    static char block[BLOCK];
    for (;;) {
        ssize_t count = read(stream->fd, block, sizeof block);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        /* A command may end without reading all that we have for it. */
        if (ssh_channel_write_all(stream->channel, block, (size_t)count, NULL, SSH_TIMEOUT_FOREVER) != SSH_OK)
            return NULL;
    }
    ssh_channel_send_eof(stream->channel);
    return NULL;
}

/* The channel's output, or its errors, to a file descriptor. */
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
            ssh_channel_signal(stream->channel, "PIPE");
        }
    }
    free(block);
    return NULL;
}

/* How the command ended, as a status of ours. */
static int exit_code(ssh_transport *transport, ssh_channel *channel)
{
    int32_t kind = SSH_EXIT_NONE;
    uint32_t code = 0;
    ssh_status status = ssh_channel_wait_exit(channel, SSH_TIMEOUT_FOREVER, &kind, &code);
    if (status == SSH_OK && kind == SSH_EXIT_STATUS)
        return (int)(code & 0xff);
    if (status == SSH_OK && kind == SSH_EXIT_SIGNAL) {
        char *name = ssh_channel_exit_signal(channel);
        int number = name != NULL ? signal_number(name) : 0;
        say("the command was ended by signal %s%s", name != NULL ? name : "?",
            ssh_channel_exit_core_dumped(channel) ? " (core dumped)" : "");
        ssh_memory_free(name);
        return number != 0 ? 128 + number : EXIT_TROUBLE;
    }
    ssh_error *error = ssh_transport_error(transport);
    say_error("the server did not say how the command ended", error);
    return EXIT_TROUBLE;
}

char *join_words(char **words, int count)
{
    size_t size = 1;
    for (int i = 0; i < count; i++)
        size += strlen(words[i]) + 1;
    char *line = calloc(size, 1);
    if (line == NULL)
        fail("out of memory");
    for (int i = 0; i < count; i++) {
        strcat(line, words[i]);
        if (i + 1 < count)
            strcat(line, " ");
    }
    return line;
}

int command_pass_through(ssh_transport *transport, ssh_channel *channel, bool no_input)
{
    signal(SIGPIPE, SIG_IGN);
    struct stream input = {channel, STDIN_FILENO, false};
    struct stream output = {channel, STDOUT_FILENO, false};
    struct stream errors = {channel, STDERR_FILENO, true};
    pthread_t input_thread, error_thread;
    if (no_input)
        ssh_channel_send_eof(channel);
    else if (pthread_create(&input_thread, NULL, send_input, &input) != 0 || pthread_detach(input_thread) != 0)
        fail("no thread to read the input");
    if (pthread_create(&error_thread, NULL, receive_output, &errors) != 0)
        fail("no thread to read the errors");
    receive_output(&output);
    pthread_join(error_thread, NULL);
    return exit_code(transport, channel);
}
