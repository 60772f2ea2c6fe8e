/*
 * exec: runs a command on another machine. Input, output, errors and the exit status are passed through.
 */
#define _GNU_SOURCE /* getopt_long */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "client.h"
#include "process.h"

#define BLOCK (128 * 1024)

static const char help[] =
    "usage: exec [OPTION...] [USER@]HOST COMMAND...\n"
    "Runs COMMAND on HOST. Its input, output and exit status are passed through; a command that a signal ends\n"
    "gives 128 and the signal's number, trouble of our own 255.\n"
    "\n"
    "  -t, --terminal             run the command on a terminal over there\n"
    "      --env NAME=VALUE       set a variable, if the server lets us; may be given several times\n"
    "  -n, --no-input             the command reads nothing\n" CLIENT_HELP
    "\n"
    "example: tar c project | exec -i key --fingerprint SHA256:... me@example.org 'tar x'\n";

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

static char *join_words(char **words, int count)
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

static void set_variable(ssh_channel *channel, const char *assignment)
{
    char *name = strdup(assignment), *value = name != NULL ? strchr(name, '=') : NULL;
    if (value == NULL)
        fail("--env wants NAME=VALUE, not \"%s\"", assignment);
    *value++ = '\0';
    ssh_channel_request_env(channel, name, value);
    free(name);
}

static void request_terminal(ssh_channel *channel)
{
    struct winsize window = {.ws_col = 80, .ws_row = 24};
    ssh_error *error = NULL;
    ioctl(STDIN_FILENO, TIOCGWINSZ, &window);
    if (ssh_channel_request_pty(channel, getenv("TERM"), window.ws_col, window.ws_row, window.ws_xpixel,
                                window.ws_ypixel, NULL, 0, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK)
        fail_error("terminal", error);
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

int main(int argc, char **argv)
{
    static const struct option options[] = {CLIENT_LONG_OPTIONS,
                                            {"terminal", no_argument, NULL, 't'},
                                            {"no-input", no_argument, NULL, 'n'},
                                            {"env", required_argument, NULL, OPTION_LAST_CLIENT},
                                            {NULL, 0, NULL, 0}};
    struct client_options client;
    const char *variables[64];
    size_t variable_count = 0;
    bool terminal = false, no_input = false;
    int option;

    program_name = "exec";
    client_defaults(&client);
    /* The + ends the options at the host, so that those of the command stay its own. */
    while ((option = getopt_long(argc, argv, "+tn" CLIENT_SHORT_OPTIONS, options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        } else if (option == 't') {
            terminal = true;
        } else if (option == 'n') {
            no_input = true;
        } else if (option == OPTION_LAST_CLIENT && variable_count < sizeof variables / sizeof variables[0]) {
            variables[variable_count++] = optarg;
        } else if (!client_option(&client, option, optarg)) {
            fprintf(stderr, "exec: try --help\n");
            return EXIT_TROUBLE;
        }
    }
    if (argc - optind < 2)
        fail("which host, which command? try --help");
    client_target(&client, argv[optind]);
    char *command = join_words(argv + optind + 1, argc - optind - 1);
    signal(SIGPIPE, SIG_IGN);

    ssh_error *error = NULL;
    ssh_transport *transport = client_connect(&client);
    ssh_channel *channel = ssh_transport_open_session(transport, SSH_TIMEOUT_DEFAULT, &error);
    if (channel == NULL)
        fail_error("session", error);
    for (size_t i = 0; i < variable_count; i++)
        set_variable(channel, variables[i]);
    if (terminal)
        request_terminal(channel);
    if (ssh_channel_request_exec(channel, command, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK)
        fail_error("command", error);
    free(command);

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
    int code = exit_code(transport, channel);
    /* The thread that reads our standard input may sit in read() for ever; its handles are checked, so these frees
     * are safe whatever it does next. */
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    return code;
}
