/*
 * events: many connections on one thread. One poll loop, and no call that waits: each step is begun, and the
 * connection's event says when it is done.
 */
#define _GNU_SOURCE /* getopt_long */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static const char help[] =
    "usage: events [OPTION...] [USER@]HOST COMMAND\n"
    "Connects to HOST many times, runs COMMAND on each connection, and prints what each has said and how it ended. All\n"
    "connections stay open until the last one is through. Log-in is by the first --identity, or by --password-file.\n"
    "\n"
    "      --connections N        how many (100)\n"
    "      --at-once N            how many to log in at the same time (100)\n"
    "      --quiet                print only the summary\n" CLIENT_HELP
    "\n"
    "example: events -i key --fingerprint SHA256:... --connections 1000 me@example.org 'echo hello'\n";

/* What a connection waits for. */
enum state { STARTING, LOGGING_IN, OPENING, BEGINNING, RUNNING, THROUGH, FAILED };

struct connection {
    enum state state;
    ssh_transport *transport;
    ssh_channel *channel;
    ssh_event *event; /* the one event of all its steps */
    char output[128];
    size_t length;
    int32_t exit_kind;
    uint32_t exit_status;
};

static struct client_options options;
static const char *command;
static char *address, *password;
static ssh_key *key;
static bool quiet;

static void give_up(struct connection *c, const char *what, ssh_error *error)
{
    say_error(what, error);
    c->state = FAILED;
    ssh_channel_free(c->channel);
    ssh_transport_free(c->transport);
    c->channel = NULL;
    c->transport = NULL;
}

static void begin(struct connection *c)
{
    ssh_error *error = NULL;
    c->event = ssh_event_new();
    /* Nobody needs to know when the connection is made: the start waits for it in the background. */
    c->transport = ssh_transport_begin_address(address, NULL, options.timeout_ms, &error);
    if (c->event == NULL || c->transport == NULL) {
        give_up(c, address, error);
        return;
    }
    apply_algorithms(&options.algorithms, c->transport);
    client_expect_host_key(&options, c->transport);
    if (ssh_transport_start_client(c->transport, c->event, options.timeout_ms, &error) != SSH_OK)
        give_up(c, address, error);
}

static void log_in(struct connection *c)
{
    ssh_error *error = NULL;
    ssh_status status;
    if (!ssh_transport_is_active(c->transport)) {
        give_up(c, address, ssh_transport_get_exception(c->transport));
        return;
    }
    client_check_host_key(&options, c->transport);
    c->state = LOGGING_IN;
    if (key != NULL)
        status = ssh_transport_auth_publickey(c->transport, options.user, key, c->event, options.timeout_ms, &error);
    else
        status = ssh_transport_auth_password(c->transport, options.user, password, strlen(password), false, c->event,
                                             options.timeout_ms, &error);
    if (status != SSH_OK)
        give_up(c, "login", error);
}

static void open_session(struct connection *c)
{
    ssh_error *error = NULL;
    ssh_status status = ssh_transport_auth_status(c->transport, &error);
    if (status == SSH_AGAIN)
        return;
    if (status != SSH_OK) {
        give_up(c, "login", error);
        return;
    }
    c->state = OPENING;
    c->channel = ssh_transport_begin_session(c->transport, c->event, &error);
    if (c->channel == NULL)
        give_up(c, "session", error);
}

static void begin_command(struct connection *c)
{
    ssh_error *error = NULL;
    ssh_status status = ssh_channel_open_status(c->channel, &error);
    if (status == SSH_AGAIN)
        return;
    ssh_channel_set_combine_stderr(c->channel, true);
    c->state = BEGINNING;
    if (status == SSH_OK)
        status = ssh_channel_begin_exec(c->channel, command, c->event, &error);
    if (status != SSH_OK)
        give_up(c, "session", error);
}

static void watch_command(struct connection *c)
{
    ssh_error *error = NULL;
    ssh_status status = ssh_channel_request_status(c->channel, &error);
    if (status == SSH_AGAIN)
        return;
    if (status != SSH_OK) {
        give_up(c, "command", error);
        return;
    }
    ssh_channel_send_eof(c->channel);
    c->state = RUNNING;
    /* Sets the event at once if something is there already. */
    ssh_channel_set_event(c->channel, c->event, SSH_CHANNEL_READABLE | SSH_CHANNEL_EOF | SSH_CHANNEL_CLOSED);
}

static void read_output(struct connection *c)
{
    char block[4096];
    size_t count = 0;
    ssh_status status;
    while ((status = ssh_channel_read(c->channel, block, sizeof block, &count, 0)) == SSH_OK) {
        size_t room = sizeof c->output - 1 - c->length;
        size_t part = count < room ? count : room;
        memcpy(c->output + c->length, block, part);
        c->length += part;
    }
    if (status == SSH_EOF)
        status = ssh_channel_wait_exit(c->channel, 0, &c->exit_kind, &c->exit_status);
    if (status == SSH_AGAIN)
        return;
    if (status != SSH_OK) {
        give_up(c, "command", ssh_transport_get_exception(c->transport));
        return;
    }
    c->state = THROUGH;
}

/* The connection's event was set: on to whatever is possible now. */
static void step(struct connection *c)
{
    switch (c->state) {
    case STARTING: log_in(c); break;
    case LOGGING_IN: open_session(c); break;
    case OPENING: begin_command(c); break;
    case BEGINNING: watch_command(c); break;
    case RUNNING: read_output(c); break;
    case THROUGH:
    case FAILED: break;
    }
}

static void report(size_t number, const struct connection *c)
{
    if (quiet || c->state == FAILED)
        return;
    char line[sizeof c->output];
    size_t length = strcspn(c->output, "\n");
    memcpy(line, c->output, length);
    line[length] = '\0';
    if (c->exit_kind == SSH_EXIT_STATUS)
        printf("%zu: status %" PRIu32 ": %s\n", number, c->exit_status, line);
    else
        printf("%zu: no status: %s\n", number, line);
}

static bool is_over(const struct connection *c)
{
    return c->state == THROUGH || c->state == FAILED;
}

static bool has_succeeded(const struct connection *c)
{
    return c->state == THROUGH && c->exit_kind == SSH_EXIT_STATUS && c->exit_status == 0;
}

/* The loop: `at_once` connections are on their way at a time, and those that are through stay open. */
static void run(struct connection *connections, size_t wanted, size_t at_once)
{
    struct pollfd *polled = calloc(wanted, sizeof *polled);
    size_t *owners = calloc(wanted, sizeof *owners);
    size_t begun = 0, over = 0;
    if (polled == NULL || owners == NULL)
        fail("out of memory");
    while (over < wanted) {
        while (begun < wanted && begun - over < at_once) {
            begin(&connections[begun]);
            over += is_over(&connections[begun]);
            begun++;
        }
        size_t count = 0;
        for (size_t i = 0; i < begun; i++) {
            if (is_over(&connections[i]))
                continue;
            polled[count].fd = ssh_event_fd(connections[i].event);
            polled[count].events = POLLIN;
            owners[count++] = i;
        }
        if (count > 0 && poll(polled, (nfds_t)count, -1) < 0 && errno != EINTR)
            fail("poll: %s", strerror(errno));
        for (size_t i = 0; i < count; i++) {
            struct connection *c = &connections[owners[i]];
            if ((polled[i].revents & POLLIN) == 0)
                continue;
            /* First reset, then look: what comes in between sets it again. */
            ssh_event_reset(c->event);
            step(c);
            if (is_over(c)) {
                report(owners[i], c);
                over++;
            }
        }
    }
    free(owners);
    free(polled);
}

static void load_credentials(void)
{
    if (options.identity_count > 0)
        key = load_private_key(options.identities[0], options.passphrase_file, !options.batch);
    else if (options.password_file != NULL)
        password = read_first_line(options.password_file);
    else
        fail("--identity or --password-file is wanted");
    if (!options.insecure && options.host_key_count + options.fingerprint_count == 0)
        fail("--host-key or --fingerprint is wanted: nobody can be asked %s", "in a poll loop");
}

enum { OPTION_CONNECTIONS = OPTION_LAST_CLIENT, OPTION_AT_ONCE, OPTION_QUIET };

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"connections", required_argument, NULL, OPTION_CONNECTIONS},
                                                 {"at-once", required_argument, NULL, OPTION_AT_ONCE},
                                                 {"quiet", no_argument, NULL, OPTION_QUIET},
                                                 CLIENT_LONG_OPTIONS,
                                                 {NULL, 0, NULL, 0}};
    program_name = "events";
    client_defaults(&options);
    size_t wanted = 100, at_once = 100;
    int option;
    while ((option = getopt_long(argc, argv, "+" CLIENT_SHORT_OPTIONS, long_options, NULL)) != -1) {
        switch (option) {
        case 'h': fputs(help, stdout); return 0;
        case OPTION_CONNECTIONS: wanted = (size_t)parse_number(optarg, 1, 100000, "--connections"); break;
        case OPTION_AT_ONCE: at_once = (size_t)parse_number(optarg, 1, 100000, "--at-once"); break;
        case OPTION_QUIET: quiet = true; break;
        default:
            if (!client_option(&options, option, optarg))
                fail("try --help");
        }
    }
    if (argc - optind != 2)
        fail("a host and a command are wanted; try --help");
    client_target(&options, argv[optind]);
    command = argv[optind + 1];
    log_to_stderr(options.verbosity);
    load_credentials();
    /* A socket and an event's descriptor for each. */
    raise_descriptor_limit();
    address = client_address(&options);

    struct connection *connections = calloc(wanted, sizeof *connections);
    if (connections == NULL)
        fail("out of memory");
    run(connections, wanted, at_once);
    size_t open = 0, succeeded = 0;
    for (size_t i = 0; i < wanted; i++) {
        open += connections[i].transport != NULL && ssh_transport_is_active(connections[i].transport);
        succeeded += has_succeeded(&connections[i]);
    }
    printf("%zu connections open at once, %zu of %zu commands succeeded\n", open, succeeded, wanted);
    for (size_t i = 0; i < wanted; i++) {
        ssh_channel_free(connections[i].channel);
        ssh_transport_free(connections[i].transport);
        ssh_event_free(connections[i].event);
    }
    free(connections);
    free(address);
    forget(password);
    ssh_key_free(key);
    return succeeded == wanted ? 0 : 1;
}
