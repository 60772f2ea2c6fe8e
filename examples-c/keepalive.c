/*
 * keepalive: asks a server now and then whether it is there, shows how long the answers take, and says when it is
 * gone.
 */
#define _GNU_SOURCE /* getopt_long */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "client.h"

static const char help[] =
    "usage: keepalive [OPTION...] [USER@]HOST\n"
    "Stays connected to HOST, asks it each interval whether it is there, and prints the round trips. Ends with 1 when\n"
    "HOST answers no more or the connection is lost, with 0 after --count answers.\n"
    "\n"
    "      --interval MS          milliseconds between questions (1000)\n"
    "      --missed N             unanswered questions after which HOST is dead (3)\n"
    "      --count N              stop after so many answers (0: never)\n" CLIENT_HELP
    "\n"
    "example: keepalive -i key --fingerprint SHA256:... --interval 5000 me@example.org\n";

struct watch {
    ssh_event *done;
    uint64_t wanted;
    uint64_t answers; /* only the callback touches it, and callbacks come one at a time */
};

static void told(ssh_transport *transport, int64_t round_trip_us, uint32_t missed, void *userdata)
{
    struct watch *watch = userdata;
    (void)transport;
    if (round_trip_us < 0) {
        printf("no answer, %" PRIu32 " in a row\n", missed);
    } else {
        printf("answer after %.3f ms\n", (double)round_trip_us / 1000);
        if (++watch->answers == watch->wanted)
            ssh_event_set(watch->done);
    }
    fflush(stdout);
}

enum { OPTION_INTERVAL = OPTION_LAST_CLIENT, OPTION_MISSED, OPTION_COUNT };

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"interval", required_argument, NULL, OPTION_INTERVAL},
                                                 {"missed", required_argument, NULL, OPTION_MISSED},
                                                 {"count", required_argument, NULL, OPTION_COUNT},
                                                 CLIENT_LONG_OPTIONS,
                                                 {NULL, 0, NULL, 0}};
    program_name = "keepalive";
    struct client_options options;
    client_defaults(&options);
    struct watch watch = {.done = ssh_event_new()};
    uint32_t interval_ms = 1000, missed = 3;
    int option;
    while ((option = getopt_long(argc, argv, CLIENT_SHORT_OPTIONS, long_options, NULL)) != -1) {
        switch (option) {
        case 'h': fputs(help, stdout); return 0;
        case OPTION_INTERVAL: interval_ms = (uint32_t)parse_number(optarg, 10, 86400000, "--interval"); break;
        case OPTION_MISSED: missed = (uint32_t)parse_number(optarg, 1, 1000, "--missed"); break;
        case OPTION_COUNT: watch.wanted = parse_number(optarg, 0, UINT64_MAX, "--count"); break;
        default:
            if (!client_option(&options, option, optarg))
                fail("try --help");
        }
    }
    if (argc - optind != 1)
        fail("a host is wanted; try --help");
    client_target(&options, argv[optind]);
    ssh_transport *transport = client_connect(&options);
    printf("connected\n");
    fflush(stdout);
    if (ssh_transport_set_keepalive(transport, interval_ms, missed, told, &watch, NULL) != SSH_OK)
        fail("keepalive cannot be set");

    /* Until the server is gone, or has answered often enough. */
    while (ssh_event_wait(watch.done, 100) != SSH_OK && ssh_transport_is_active(transport))
        ;
    int code = 0;
    if (!ssh_transport_is_active(transport)) {
        say_error("the server is gone", ssh_transport_get_exception(transport));
        code = 1;
    }
    /* Once this is done no callback runs any more that could use `watch`. */
    ssh_transport_set_keepalive(transport, 0, 0, NULL, NULL, NULL);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    return code;
}
