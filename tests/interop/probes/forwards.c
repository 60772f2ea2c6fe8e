/*
 * Has a server listen, takes the channels itself, and has it stop: the calls beneath ssh_forward_remote().
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static const char help[] = "usage: forwards [OPTION...] HOST   (talks to a test on its standard output)\n" CLIENT_HELP;

static void serve(ssh_channel *channel, const char *by)
{
    char text[256];
    size_t length = 0, all = 0;
    uint16_t port = 0, origin_port = 0;
    const char *place = ssh_channel_destination(channel, &port);
    const char *origin = ssh_channel_origin(channel, &origin_port);
    while (all < sizeof text &&
           ssh_channel_read(channel, text + all, sizeof text - all, &length, 20000) == SSH_OK)
        all += length;
    printf("%s %s at %s:%u from %s:%d: %.*s\n", by, ssh_channel_kind(channel), place, port,
           origin != NULL ? origin : "-", origin_port != 0, (int)all, text);
    fflush(stdout);
    ssh_channel_write_all(channel, text, all, NULL, 20000);
    ssh_channel_free(channel);
}

/* Runs on a thread of the library, one after another, so it only passes the channel on. */
static ssh_channel *handed;
static ssh_event *came;

static void on_forward(ssh_channel *channel, const char *origin, uint16_t origin_port, const char *address,
                       uint16_t port, void *userdata)
{
    (void)userdata;
    uint16_t same = 0;
    if (address == NULL || strcmp(address, ssh_channel_destination(channel, &same)) != 0 || same != port)
        fail("the callback is told another place than the channel tells");
    if (origin != NULL && (strcmp(origin, ssh_channel_origin(channel, &same)) != 0 || same != origin_port))
        fail("the callback is told another origin than the channel tells");
    handed = channel;
    ssh_event_set(came);
}

static uint16_t ask_for(ssh_transport *transport, const char *address, uint16_t port, bool callback)
{
    ssh_error *error = NULL;
    uint16_t bound = 0;
    if (ssh_transport_request_port_forward(transport, address, port, callback ? on_forward : NULL, NULL, NULL, 20000,
                                           &bound, &error) != SSH_OK)
        fail_error(address, error);
    printf("asked %s:%u\n", address, bound);
    fflush(stdout);
    return bound;
}

static void cancel(ssh_transport *transport, const char *address, uint16_t port)
{
    ssh_error *error = NULL;
    if (ssh_transport_cancel_port_forward(transport, address, port, 20000, &error) != SSH_OK)
        fail_error(address, error);
    if (ssh_transport_cancel_port_forward(transport, address, port, 20000, NULL) != SSH_ERR_STATE)
        fail("cancelled twice");
    printf("cancelled %s:%u\n", address, port);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"socket", required_argument, NULL, 'S'},
                                                 CLIENT_LONG_OPTIONS,
                                                 {NULL, 0, NULL, 0}};
    program_name = "forwards";
    struct client_options options;
    client_defaults(&options);
    const char *socket_path = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "S:" CLIENT_SHORT_OPTIONS, long_options, NULL)) != -1) {
        if (option == 'S')
            socket_path = optarg;
        else if (option == 'h' || !client_option(&options, option, optarg)) {
            fputs(help, stderr);
            return EXIT_TROUBLE;
        }
    }
    client_target(&options, argv[optind]);
    (void)argc;
    came = ssh_event_new();
    ssh_error *error = NULL;
    ssh_transport *transport = client_connect(&options);

    /* Taken from the queue; twice the same port. */
    uint16_t port = ask_for(transport, "localhost", 0, false);
    for (int round = 0; round < 2; round++) {
        ssh_channel *channel = ssh_transport_accept(transport, 20000, &error);
        if (channel == NULL)
            fail_error("accept", error);
        serve(channel, "queue");
        cancel(transport, "localhost", port);
        if (round == 0)
            ask_for(transport, "localhost", port, false);
    }
    /* Taken by a callback. */
    port = ask_for(transport, "localhost", 0, true);
    if (ssh_event_wait(came, 20000) != SSH_OK)
        fail("no connection");
    serve(handed, "callback");
    cancel(transport, "localhost", port);
    if (socket_path != NULL) {
        ask_for(transport, socket_path, 0, false);
        ssh_channel *channel = ssh_transport_accept(transport, 20000, &error);
        if (channel == NULL)
            fail_error("accept", error);
        serve(channel, "queue");
        cancel(transport, socket_path, 0);
    }
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    ssh_event_free(came);
    return 0;
}
