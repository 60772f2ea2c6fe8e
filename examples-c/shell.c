/*
 * shell: an interactive shell on another machine, on a terminal that follows the size of ours.
 */
#define _GNU_SOURCE /* getopt_long */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alias.h"
#include "process.h"
#include "terminal.h"

static const char help[] =
    "usage: shell [OPTION...] [USER@]HOST\n"
    "Opens a shell on HOST. It ends when the shell does, with the shell's exit status.\n"
    "\n" CLIENT_HELP ALIAS_HELP;

/* The terminal's new size goes to the other side. The signal is blocked in all threads, and taken here. */
static void *follow_size(void *userdata)
{
    ssh_channel *channel = userdata;
    sigset_t resized;
    int number;
    sigemptyset(&resized);
    sigaddset(&resized, SIGWINCH);
    while (sigwait(&resized, &number) == 0) {
        struct winsize window = terminal_size();
        if (ssh_channel_window_change(channel, window.ws_col, window.ws_row, window.ws_xpixel, window.ws_ypixel) !=
            SSH_OK)
            break;
    }
    return NULL;
}

static void *send_keys(void *userdata)
{
    ssh_channel *channel = userdata;
    char keys[4096];
    for (;;) {
        ssize_t count = read(STDIN_FILENO, keys, sizeof keys);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        if (ssh_channel_write_all(channel, keys, (size_t)count, NULL, SSH_TIMEOUT_FOREVER) != SSH_OK)
            return NULL;
    }
    ssh_channel_send_eof(channel);
    return NULL;
}

static void start_thread(void *(*body)(void *), void *userdata)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, userdata) != 0 || pthread_detach(thread) != 0)
        fail("no thread to be had");
}

static void open_shell(ssh_channel *channel)
{
    unsigned char modes[128];
    ssh_error *error = NULL;
    struct winsize window = terminal_size();
    size_t length = terminal_modes(modes, sizeof modes);
    if (ssh_channel_request_pty(channel, getenv("TERM"), window.ws_col, window.ws_row, window.ws_xpixel,
                                window.ws_ypixel, modes, length, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK ||
        ssh_channel_request_shell(channel, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK) {
        terminal_restore();
        fail_error("shell", error);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {CLIENT_LONG_OPTIONS, ALIAS_LONG_OPTIONS, {NULL, 0, NULL, 0}};
    struct client_options client;
    struct alias_options alias = {.file = NULL};
    int option;

    program_name = "shell";
    client_defaults(&client);
    while ((option = getopt_long(argc, argv, CLIENT_SHORT_OPTIONS ALIAS_SHORT_OPTIONS, options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        } else if (!client_option(&client, option, optarg) && !alias_option(&alias, option, optarg)) {
            fprintf(stderr, "shell: try --help\n");
            return EXIT_TROUBLE;
        }
    }
    if (argc - optind != 1)
        fail("which host? try --help");
    client_target(&client, argv[optind]);

    signal(SIGPIPE, SIG_IGN);
    sigset_t resized;
    sigemptyset(&resized);
    sigaddset(&resized, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &resized, NULL);

    ssh_error *error = NULL;
    ssh_transport *transport = alias_connect(&alias, &client);
    ssh_channel *channel = ssh_transport_open_session(transport, SSH_TIMEOUT_DEFAULT, &error);
    if (channel == NULL)
        fail_error("session", error);
    if (!terminal_make_raw())
        fail("standard input is no terminal; for commands in scripts there is exec");
    open_shell(channel);
    start_thread(follow_size, channel);
    start_thread(send_keys, channel);

    char output[16384];
    size_t count = 0;
    while (ssh_channel_read(channel, output, sizeof output, &count, SSH_TIMEOUT_FOREVER) == SSH_OK)
        write_all(STDOUT_FILENO, output, count);
    terminal_restore();

    int32_t kind = SSH_EXIT_NONE;
    uint32_t code = 0;
    ssh_channel_wait_exit(channel, 10000, &kind, &code);
    if (kind == SSH_EXIT_SIGNAL) {
        char *name = ssh_channel_exit_signal(channel);
        say("the shell was ended by signal %s", name != NULL ? name : "?");
        code = name != NULL && signal_number(name) != 0 ? 128 + (uint32_t)signal_number(name) : EXIT_TROUBLE;
        ssh_memory_free(name);
    } else if (kind == SSH_EXIT_NONE) {
        say_error("the connection is gone", ssh_transport_error(transport));
        code = EXIT_TROUBLE;
    }
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    return (int)(code & 0xff);
}
