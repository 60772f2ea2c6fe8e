/*
 * sftp-server: serves files over SFTP and nothing else; by default files that exist in its memory only, which shows what
 * a program does that makes its files up (memory_files.c).
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common.h"
#include "listening.h"
#include "memory_files.h"

static const char help[] =
    "usage: sftp-server [OPTION...]\n"
    "Serves files over SFTP: files in its memory, gone when it ends, or those of a directory.\n"
    "\n"
    "      --listen ADDRESS:PORT    where to listen (127.0.0.1:2222); port 0 takes a free one\n"
    "      --host-key FILE          the server's private key; without one a new key is made\n"
    "      --authorized-keys FILE   who may come in: public keys, one each line\n"
    "      --allow-anyone           let everybody in\n"
    "      --directory DIRECTORY    serve a directory instead of memory\n"
    "      --read-only              nothing may be changed\n"
    "      --most BYTES             how much the files in memory may hold together (1 GiB)\n"
    "  -v, --verbose                say what happens; twice: in detail\n"
    "  -h, --help\n"
    "\n"
    "example: sftp-server --authorized-keys ~/.ssh/id_ed25519.pub, and then: sftp -P 2222 127.0.0.1\n";

#define SWEEP_MS 500

static const char *authorized_keys;
static int verbosity;
static ssh_sftp_server *files;

/* --- what clients ask --------------------------------------------------------------------------------- */

static void on_none(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_request_accept(request);
    ssh_request_free(request);
}

/* For the question about a key, and for the proof that the client holds it. */
static void on_key(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_key *key = ssh_request_key(request);
    char *keys = read_file(authorized_keys), *rest = keys, *line;
    bool known = false;
    while (!known && (line = strsep(&rest, "\n")) != NULL) {
        ssh_key *authorized = ssh_key_from_line(line, NULL);
        known = authorized != NULL && ssh_key_equals(key, authorized);
        ssh_key_free(authorized);
    }
    if (known)
        ssh_request_accept(request);
    free(keys);
    ssh_key_free(key);
    ssh_request_free(request); /* one without an answer is refused */
}

static void on_session(ssh_request *request, void *userdata)
{
    (void)userdata;
    if (strcmp(ssh_request_channel_kind(request), "session") == 0)
        ssh_request_accept(request);
    ssh_request_free(request);
}

static void on_subsystem(ssh_request *request, void *userdata)
{
    (void)userdata;
    if (strcmp(ssh_request_name(request), "sftp") == 0)
        ssh_request_accept_sftp(request, files, NULL);
    ssh_request_free(request);
}

/* --- connections -------------------------------------------------------------------------------------- */

struct connection {
    struct connection *next;
    ssh_transport *transport;
};

static struct connection *connections;

static void start_connection(ssh_server *server, ssh_event *started, ssh_transport *transport)
{
    ssh_error *error = NULL;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL ||
        ssh_transport_start_server(transport, server, started, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK) {
        say_error("a connection was dropped", error);
        ssh_transport_free(transport);
        free(connection);
        return;
    }
    connection->transport = transport;
    connection->next = connections;
    connections = connection;
}

static void sweep(bool all)
{
    struct connection **link = &connections;
    while (*link != NULL) {
        struct connection *connection = *link;
        if (!all && ssh_transport_is_alive(connection->transport)) {
            link = &connection->next;
            continue;
        }
        if (all)
            ssh_transport_close(connection->transport);
        ssh_transport_free(connection->transport);
        *link = connection->next;
        free(connection);
    }
}

/* --- the program -------------------------------------------------------------------------------------- */

static void announce(const ssh_key *host_key)
{
    char *fingerprint = ssh_key_fingerprint(host_key);
    printf("host key %s %s\n", ssh_key_type(host_key), fingerprint);
    ssh_memory_free(fingerprint);
}

static void serve(ssh_server *server, ssh_listener *listener)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    ssh_event *started = ssh_event_new(), *came = ssh_listener_accept_event(listener);
    struct pollfd fds[] = {{.fd = ssh_event_fd(came), .events = POLLIN},
                           {.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN}};
    while (poll(fds, 2, connections != NULL ? SWEEP_MS : -1) >= 0 && (fds[1].revents & POLLIN) == 0) {
        ssh_transport *transport;
        while ((transport = ssh_listener_accept(listener, 0, NULL)) != NULL)
            start_connection(server, started, transport);
        sweep(false);
    }
    sweep(true);
    ssh_event_free(came);
    ssh_event_free(started);
    close(fds[1].fd);
}

enum { OPTION_LISTEN = 1000, OPTION_HOST_KEY, OPTION_KEYS, OPTION_ANYONE, OPTION_DIRECTORY, OPTION_READ_ONLY, OPTION_MOST };

int main(int argc, char **argv)
{
    static const struct option table[] = {{"listen", required_argument, NULL, OPTION_LISTEN},
                                          {"host-key", required_argument, NULL, OPTION_HOST_KEY},
                                          {"authorized-keys", required_argument, NULL, OPTION_KEYS},
                                          {"allow-anyone", no_argument, NULL, OPTION_ANYONE},
                                          {"directory", required_argument, NULL, OPTION_DIRECTORY},
                                          {"read-only", no_argument, NULL, OPTION_READ_ONLY},
                                          {"most", required_argument, NULL, OPTION_MOST},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    const char *listen_address = "127.0.0.1:2222", *host_key_file = NULL, *directory = NULL;
    bool allow_anyone = false, read_only = false;
    uint64_t most = 1 << 30;
    ssh_error *error = NULL;
    int option;
    program_name = "sftp-server";
    while ((option = getopt_long(argc, argv, "vh", table, NULL)) != -1) {
        switch (option) {
        case OPTION_LISTEN: listen_address = optarg; break;
        case OPTION_HOST_KEY: host_key_file = optarg; break;
        case OPTION_KEYS: authorized_keys = optarg; break;
        case OPTION_ANYONE: allow_anyone = true; break;
        case OPTION_DIRECTORY: directory = optarg; break;
        case OPTION_READ_ONLY: read_only = true; break;
        case OPTION_MOST: most = parse_number(optarg, 1, UINT64_MAX / 2, "--most"); break;
        case 'v': verbosity++; break;
        case 'h': fputs(help, stdout); return 0;
        default: fail("try --help");
        }
    }
    if (optind != argc)
        fail("what is \"%s\"? try --help", argv[optind]);
    if (authorized_keys == NULL && !allow_anyone)
        fail("nobody could log in: give --authorized-keys");
    log_to_stderr(verbosity);
    raise_descriptor_limit();

    struct memory_files *memory = NULL;
    if (directory != NULL) {
        files = ssh_sftp_server_new_directory(directory, &error);
    } else {
        files = ssh_sftp_server_new_virtual(&error);
        memory = memory_files_new(most);
        if (files != NULL && memory != NULL)
            memory_files_serve(memory, files);
    }
    if (files == NULL || (directory == NULL && memory == NULL))
        fail_error(directory != NULL ? directory : "memory", error);
    ssh_sftp_server_set_read_only(files, read_only);

    ssh_server *server = ssh_server_new();
    ssh_key *host_key = host_key_file != NULL ? load_private_key(host_key_file, NULL, true)
                                              : ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
    if (host_key == NULL || ssh_server_add_key(server, host_key) != SSH_OK)
        fail_error("host key", error);
    if (allow_anyone)
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_NONE, on_none, NULL, NULL);
    if (authorized_keys != NULL) {
        expect_public_keys(authorized_keys);
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_KEY_ASKED, on_key, NULL, NULL);
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_KEY_PROVEN, on_key, NULL, NULL);
    }
    ssh_server_set_callback(server, SSH_REQUEST_CHANNEL_OPEN, on_session, NULL, NULL);
    ssh_server_set_callback(server, SSH_REQUEST_SUBSYSTEM, on_subsystem, NULL, NULL);

    ssh_listener *listener = ssh_listener_new();
    /* All users of this machine come from one address. */
    ssh_listener_add_exempt(listener, "127.0.0.0/8");
    ssh_listener_add_exempt(listener, "::1");
    announce(host_key);
    listen_at(listener, listen_address);
    serve(server, listener);
    ssh_listener_free(listener);
    ssh_key_free(host_key);
    ssh_server_free(server);
    ssh_sftp_server_free(files);
    /* Its callbacks may still run for clients that have just gone; the process takes it along. */
    return 0;
}
