/*
 * forward: carries connections through a server, in either direction, until it is told to end.
 */
#define _GNU_SOURCE /* getopt_long, sigtimedwait */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alias.h"

#define MOST_FORWARDS 32
#define LOOK_MS 200

static const char help[] =
    "usage: forward [-L|-R|-D PLACES]... [OPTION...] [USER@]HOST\n"
    "Carries connections through HOST.\n"
    "\n"
    "  -L, --local LISTEN:TARGET   listens here; HOST connects to TARGET\n"
    "  -R, --remote LISTEN:TARGET  HOST listens; connections are made from here to TARGET\n"
    "  -R, --remote LISTEN         HOST listens for programs that speak SOCKS; connections are made from here\n"
    "      --permit PLACE          and to this place alone: NAME:PORT, with * for any name or port. May be repeated\n"
    "  -D, --dynamic LISTEN        listens here for programs that speak SOCKS\n"
    "                              (LISTEN: [ADDRESS:]PORT or /path; TARGET: NAME:PORT or /path. Without ADDRESS it\n"
    "                              is localhost; * is all addresses, port 0 is any free one, IPv6 goes in brackets)\n"
    "      --max N                 at most N connections at once for each of them (256)\n" CLIENT_HELP ALIAS_HELP
    "\n"
    "example: forward -L 8080:intranet:80 -R 2222:localhost:22 -D 1080 -i key --host-key gate.pub me@gate\n";

struct forward {
    char kind;
    char *listen, *target; /* for people */
    ssh_forward *handle;
};

struct place {
    const char *address;
    uint16_t port;
};

static struct forward forwards[MOST_FORWARDS];
static size_t forward_count;
static size_t max_connections;
static char permitted[2048]; /* empty: any place */

/* Takes one field off the front: up to a colon, or what is in brackets. NULL at the end. */
static char *next_field(char **rest)
{
    char *field = *rest, *end;
    if (field == NULL)
        return NULL;
    if (*field == '[' && (end = strchr(field, ']')) != NULL) {
        field++;
        *end++ = '\0';
        if (*end != ':' && *end != '\0')
            fail("\"%s\" follows a bracket", end);
    } else {
        end = field + strcspn(field, ":");
    }
    *rest = *end == ':' ? end + 1 : NULL;
    *end = '\0';
    return field;
}

static bool is_number(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* The place to listen at: a path, PORT, or ADDRESS:PORT. */
static struct place listen_place(char **rest, bool remote)
{
    char *first = next_field(rest);
    if (first == NULL)
        fail("where to listen is missing");
    if (first[0] == '/')
        return (struct place){.address = first};
    if (is_number(first))
        return (struct place){.address = "localhost", .port = (uint16_t)parse_number(first, 0, 65535, "port")};
    char *port = next_field(rest);
    if (port == NULL)
        fail("\"%s\" is no port", first);
    /* Servers take the empty address for all of them. */
    return (struct place){.address = remote && strcmp(first, "*") == 0 ? "" : first,
                          .port = (uint16_t)parse_number(port, 0, 65535, "port")};
}

static struct place target_place(char **rest)
{
    char *name = next_field(rest);
    if (name == NULL)
        fail("the target is missing");
    if (name[0] == '/')
        return (struct place){.address = name};
    char *port = next_field(rest);
    if (port == NULL)
        fail("the port of \"%s\" is missing", name);
    return (struct place){.address = name, .port = (uint16_t)parse_number(port, 1, 65535, "port")};
}

static char *describe(const char *address, uint16_t port)
{
    char text[300];
    if (address[0] == '/')
        snprintf(text, sizeof text, "%s", address);
    else if (strchr(address, ':') != NULL)
        snprintf(text, sizeof text, "[%s]:%u", address, port);
    else
        snprintf(text, sizeof text, "%s:%u", *address != '\0' ? address : "*", port);
    return strdup(text);
}

static void begin(ssh_transport *transport, char kind, char *places)
{
    ssh_error *error = NULL;
    struct place listen, target = {.address = ""};
    struct forward *forward = &forwards[forward_count++];
    listen = listen_place(&places, kind == 'R');
    bool socks = kind == 'D' || (kind == 'R' && places == NULL);
    if (!socks)
        target = target_place(&places);
    if (places != NULL)
        fail("\"%s\" is too much", places);
    switch (kind) {
    case 'L':
        forward->handle = ssh_forward_local(transport, listen.address, listen.port, target.address, target.port, &error);
        break;
    case 'R':
        forward->handle = socks ? ssh_forward_remote_dynamic(transport, listen.address, listen.port,
                                                             *permitted != '\0' ? permitted : "any",
                                                             SSH_TIMEOUT_DEFAULT, &error)
                                : ssh_forward_remote(transport, listen.address, listen.port, target.address, target.port,
                                             SSH_TIMEOUT_DEFAULT, &error);
        break;
    default: forward->handle = ssh_forward_dynamic(transport, listen.address, listen.port, &error);
    }
    if (forward->handle == NULL) {
        char *where = describe(listen.address, listen.port);
        fail_error(where, error);
    }
    if (max_connections > 0)
        ssh_forward_set_max_connections(forward->handle, max_connections);
    forward->kind = kind;
    /* With the port that was chosen, where it was 0. */
    forward->listen = describe(ssh_forward_address(forward->handle), ssh_forward_port(forward->handle));
    forward->target = socks ? strdup("wherever SOCKS says") : describe(target.address, target.port);
    printf("%s %s -> %s\n", kind == 'R' ? "there" : "here", forward->listen, forward->target);
    fflush(stdout);
}

static void end(struct forward *forward)
{
    uint64_t connections = 0, active = 0, failed = 0, sent = 0, received = 0;
    ssh_forward_counters(forward->handle, &connections, &active, &failed, &sent, &received);
    printf("%s -> %s: %" PRIu64 " connections, %" PRIu64 " failed, %" PRIu64 " bytes sent, %" PRIu64 " received\n",
           forward->listen, forward->target, connections, failed, sent, received);
    ssh_forward_free(forward->handle);
    free(forward->listen);
    free(forward->target);
}

/* Once more in a list that has a blank between its words. */
static void permit(const char *place)
{
    size_t length = strlen(permitted);
    if (snprintf(permitted + length, sizeof permitted - length, " %s", place) >= (int)(sizeof permitted - length))
        fail("too much is permitted");
}

enum { OPTION_MAX = OPTION_LAST_CLIENT, OPTION_PERMIT };

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"local", required_argument, NULL, 'L'},
                                                 {"remote", required_argument, NULL, 'R'},
                                                 {"dynamic", required_argument, NULL, 'D'},
                                                 {"max", required_argument, NULL, OPTION_MAX},
                                                 {"permit", required_argument, NULL, OPTION_PERMIT},
                                                 CLIENT_LONG_OPTIONS,
                                                 ALIAS_LONG_OPTIONS,
                                                 {NULL, 0, NULL, 0}};
    program_name = "forward";
    raise_descriptor_limit();
    struct client_options options;
    struct alias_options alias = {.file = NULL};
    client_defaults(&options);
    char kinds[MOST_FORWARDS], *places[MOST_FORWARDS];
    size_t count = 0;
    int option;
    static const char letters[] = "L:R:D:" CLIENT_SHORT_OPTIONS ALIAS_SHORT_OPTIONS;
    while ((option = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        switch (option) {
        case 'h': fputs(help, stdout); return 0;
        case 'L':
        case 'R':
        case 'D':
            if (count == MOST_FORWARDS)
                fail("more than %d places", MOST_FORWARDS);
            kinds[count] = (char)option;
            places[count++] = optarg;
            break;
        case OPTION_PERMIT: permit(optarg); break;
        case OPTION_MAX: max_connections = (size_t)parse_number(optarg, 1, 1000, "--max"); break;
        default:
            if (!client_option(&options, option, optarg) && !alias_option(&alias, option, optarg))
                fail("try --help");
        }
    }
    if (argc - optind != 1 || count == 0)
        fail("a host is wanted, and at least one of -L, -R and -D; try --help");
    /* Waited for below; the library's threads leave signals alone. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    client_target(&options, argv[optind]);
    ssh_transport *transport = alias_connect(&alias, &options);
    for (size_t i = 0; i < count; i++)
        begin(transport, kinds[i], places[i]);
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    while (sigtimedwait(&signals, NULL, &look) < 0 && ssh_transport_is_active(transport))
        ;
    int code = 0;
    if (!ssh_transport_is_active(transport)) {
        say_error("the server is gone", ssh_transport_get_exception(transport));
        code = 1;
    }
    for (size_t i = 0; i < forward_count; i++)
        end(&forwards[i]);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    return code;
}
