/*
 * jump: runs a command on a machine that is reached through others, each hop a session within the one before.
 */
#define _GNU_SOURCE /* getopt_long, strsep */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "command.h"

#define MOST_HOPS 16

static const char help[] =
    "usage: jump -J [USER@]HOST[:PORT][,...] [OPTION...] [USER@]HOST COMMAND...\n"
    "Runs COMMAND on HOST, which is reached from the last of the jump hosts, which is reached from the one before\n"
    "it. The host key of each is checked, and each is logged in to with the same options; what is sent to HOST, no\n"
    "jump host can read. Input, output and the exit status are passed through as exec does.\n"
    "\n"
    "  -J, --jump HOSTS           the machines to go through, in order\n"
    "  -n, --no-input             the command reads nothing\n" CLIENT_HELP
    "\n"
    "example: jump -J me@gate.example.org -i key --host-key gate.pub --host-key inner.pub me@inner uptime\n";

static int run_command(ssh_transport *transport, const char *command, bool no_input)
{
    ssh_error *error = NULL;
    ssh_channel *channel = ssh_transport_open_session(transport, SSH_TIMEOUT_DEFAULT, &error);
    if (channel == NULL)
        fail_error("session", error);
    if (ssh_channel_request_exec(channel, command, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK)
        fail_error("command", error);
    int code = command_pass_through(transport, channel, no_input);
    ssh_channel_free(channel);
    return code;
}

/* Splits "host:port" where there is a port; [v6]:port too. */
static void split_port(struct client_options *options)
{
    char *host = (char *)options->host, *end = host;
    if (*host == '[' && (end = strchr(host, ']')) != NULL) {
        options->host = host + 1;
        *end++ = '\0';
    } else if (strchr(host, ':') != strrchr(host, ':')) {
        return; /* a bare IPv6 address */
    }
    char *colon = strchr(end, ':');
    if (colon != NULL) {
        *colon = '\0';
        parse_number(colon + 1, 1, 65535, "the port of a jump host");
        options->port = colon + 1;
    }
}

/* A session with `options->host` within the session `below`. */
static ssh_transport *client_within(const struct client_options *options, ssh_transport *below)
{
    ssh_error *error = NULL;
    uint16_t port = (uint16_t)parse_number(options->port, 1, 65535, "port");
    ssh_channel *channel = ssh_transport_open_channel(below, "direct-tcpip", options->host, port, "127.0.0.1", 0,
                                                      options->timeout_ms, &error);
    if (channel == NULL)
        fail_error(options->host, error);
    ssh_transport *transport = ssh_transport_new_channel(channel, &error);
    if (transport == NULL)
        fail_error(options->host, error);
    /* The transport keeps what it needs of the channel. */
    ssh_channel_free(channel);
    client_log_in(options, transport);
    return transport;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"jump", required_argument, NULL, 'J'},
                                                 {"no-input", no_argument, NULL, 'n'},
                                                 CLIENT_LONG_OPTIONS,
                                                 {NULL, 0, NULL, 0}};
    program_name = "jump";
    struct client_options options;
    client_defaults(&options);
    char *hops = NULL;
    bool no_input = false;
    int option;
    while ((option = getopt_long(argc, argv, "+J:n" CLIENT_SHORT_OPTIONS, long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == 'J')
            hops = optarg;
        else if (option == 'n')
            no_input = true;
        else if (!client_option(&options, option, optarg))
            fail("try --help");
    }
    if (hops == NULL || argc - optind < 2)
        fail("a jump host, a host and a command are wanted; try --help");

    ssh_transport *transports[MOST_HOPS + 1];
    size_t count = 0;
    for (char *hop; (hop = strsep(&hops, ",")) != NULL;) {
        struct client_options there = options;
        there.port = "22";
        if (count == MOST_HOPS)
            fail("more than %d jump hosts", MOST_HOPS);
        client_target(&there, hop);
        split_port(&there);
        transports[count] = count == 0 ? client_connect(&there) : client_within(&there, transports[count - 1]);
        count++;
    }
    client_target(&options, argv[optind]);
    transports[count] = client_within(&options, transports[count - 1]);
    char *command = join_words(argv + optind + 1, argc - optind - 1);
    int code = run_command(transports[count], command, no_input);
    free(command);
    /* From the inside out, so that each can say goodbye. */
    for (size_t i = count + 1; i-- > 0;) {
        ssh_transport_close(transports[i]);
        ssh_transport_free(transports[i]);
    }
    return code;
}
