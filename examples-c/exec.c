/*
 * exec: runs a command on another machine. Input, output, errors and the exit status are passed through.
 */
#define _GNU_SOURCE /* getopt_long */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "alias.h"
#include "command.h"
#include "xauth.h"

static const char help[] =
    "usage: exec [OPTION...] [USER@]HOST COMMAND...\n"
    "Runs COMMAND on HOST. Its input, output and exit status are passed through; a command that a signal ends\n"
    "gives 128 and the signal's number, trouble of our own 255.\n"
    "\n"
    "  -t, --terminal             run the command on a terminal over there\n"
    "      --env NAME=VALUE       set a variable, if the server lets us; may be given several times\n"
    "  -A, --agent                let the command use the agent at SSH_AUTH_SOCK\n"
    "  -X, --x11                  let it show windows on DISPLAY\n"
    "  -n, --no-input             the command reads nothing\n" CLIENT_HELP ALIAS_HELP
    "\n"
    "example: tar c project | exec -i key --fingerprint SHA256:... me@example.org 'tar x'\n";

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

static void forward_agent(ssh_channel *channel)
{
    ssh_error *error = NULL;
    const char *socket = getenv("SSH_AUTH_SOCK");
    if (socket == NULL)
        fail("SSH_AUTH_SOCK is not set");
    if (ssh_channel_request_agent_forward(channel, socket, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK)
        fail_error("agent", error);
}

static void forward_display(ssh_channel *channel)
{
    ssh_error *error = NULL;
    unsigned char cookie[256];
    const char *display = getenv("DISPLAY");
    if (display == NULL)
        fail("DISPLAY is not set");
    const char *dot = strrchr(display, '.');
    uint32_t screen = dot != NULL && strchr(dot, ':') == NULL ? (uint32_t)strtoul(dot + 1, NULL, 10) : 0;
    size_t length = read_cookie("xauth", display, cookie, sizeof cookie);
    if (ssh_channel_request_x11(channel, display, cookie, length, screen, false, SSH_TIMEOUT_DEFAULT, NULL, &error) !=
        SSH_OK)
        fail_error("display", error);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {CLIENT_LONG_OPTIONS, ALIAS_LONG_OPTIONS,
                                            {"terminal", no_argument, NULL, 't'},
                                            {"agent", no_argument, NULL, 'A'},
                                            {"x11", no_argument, NULL, 'X'},
                                            {"no-input", no_argument, NULL, 'n'},
                                            {"env", required_argument, NULL, OPTION_LAST_CLIENT},
                                            {NULL, 0, NULL, 0}};
    struct client_options client;
    struct alias_options alias = {.file = NULL};
    const char *variables[64];
    size_t variable_count = 0;
    bool terminal = false, agent = false, x11 = false, no_input = false;
    int option;

    program_name = "exec";
    client_defaults(&client);
    /* The + ends the options at the host, so that those of the command stay its own. */
    while ((option = getopt_long(argc, argv, "+tnAX" CLIENT_SHORT_OPTIONS ALIAS_SHORT_OPTIONS, options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        } else if (option == 't') {
            terminal = true;
        } else if (option == 'A') {
            agent = true;
        } else if (option == 'X') {
            x11 = true;
        } else if (option == 'n') {
            no_input = true;
        } else if (option == OPTION_LAST_CLIENT && variable_count < sizeof variables / sizeof variables[0]) {
            variables[variable_count++] = optarg;
        } else if (!client_option(&client, option, optarg) && !alias_option(&alias, option, optarg)) {
            fprintf(stderr, "exec: try --help\n");
            return EXIT_TROUBLE;
        }
    }
    if (argc - optind < 2)
        fail("which host, which command? try --help");
    client_target(&client, argv[optind]);
    char *command = join_words(argv + optind + 1, argc - optind - 1);

    ssh_error *error = NULL;
    ssh_transport *transport = alias_connect(&alias, &client);
    ssh_channel *channel = ssh_transport_open_session(transport, SSH_TIMEOUT_DEFAULT, &error);
    if (channel == NULL)
        fail_error("session", error);
    for (size_t i = 0; i < variable_count; i++)
        set_variable(channel, variables[i]);
    if (terminal)
        request_terminal(channel);
    if (agent)
        forward_agent(channel);
    if (x11)
        forward_display(channel);
    if (ssh_channel_request_exec(channel, command, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK)
        fail_error("command", error);
    free(command);

    int code = command_pass_through(transport, channel, no_input);
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    return code;
}
