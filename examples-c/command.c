#define _POSIX_C_SOURCE 200809L
#include "command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "process.h"
#include "streams.h"

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
    /* The thread that reads may outlive this call. */
    static struct stream input;
    signal(SIGPIPE, SIG_IGN);
    input = (struct stream){.channel = channel, .fd = STDIN_FILENO};
    struct stream output = {.channel = channel, .fd = STDOUT_FILENO, .signals_pipe = true};
    struct stream errors = {.channel = channel, .fd = STDERR_FILENO, .is_stderr = true, .signals_pipe = true};
    streams_copy(no_input ? NULL : &input, &output, &errors);
    return exit_code(transport, channel);
}
