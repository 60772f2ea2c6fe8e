/* A server and a client of this library in one process, over a pair of sockets. */
#ifndef PAIR_H
#define PAIR_H

#include "check.h"

/* For what comes at once, but not under tools that make everything slow. */
#define PAIR_MS (20000 * (int)slow())

typedef struct pair {
    ssh_server *server;
    ssh_transport *server_transport;
    ssh_transport *client;
    ssh_key *host_key;
    atomic_int destroyed;
} pair;

static inline void pair_accept(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_request_accept(request);
    ssh_request_free(request);
}

static inline void pair_destroy(void *userdata)
{
    atomic_fetch_add((atomic_int *)userdata, 1);
}

/* Lets in "alice" with the password "open sesame". */
static inline void pair_password(ssh_request *request, void *userdata)
{
    (void)userdata;
    size_t length = 99;
    const char *password = ssh_request_password(request, &length);
    const char *user = ssh_request_username(request);
    CHECK(ssh_request_kind(request) == SSH_REQUEST_AUTH_PASSWORD);
    CHECK(password != NULL && user != NULL);
    if (strcmp(user, "alice") == 0 && length == 11 && memcmp(password, "open sesame", 11) == 0)
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    else
        CHECK_STATUS(ssh_request_refuse(request), SSH_OK);
    ssh_request_free(request);
}

/* Two transports, not started; callbacks that accept sessions and what is asked on them. */
static inline void pair_make(pair *p)
{
    int fds[2];
    ssh_error *error = NULL;
    memset(p, 0, sizeof *p);
    sockets(fds);
    p->host_key = ssh_key_generate(SSH_KEY_ED25519, 0, "host", &error);
    CHECK(p->host_key != NULL);
    p->server = ssh_server_new();
    CHECK_STATUS(ssh_server_add_key(p->server, p->host_key), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p->server, SSH_REQUEST_AUTH_PASSWORD, pair_password, p, NULL),
                 SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p->server, SSH_REQUEST_CHANNEL_OPEN, pair_accept,
                                         &p->destroyed, pair_destroy),
                 SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p->server, SSH_REQUEST_EXEC, pair_accept, NULL, NULL), SSH_OK);
    p->server_transport = ssh_transport_new(fds[0], &error);
    p->client = ssh_transport_new(fds[1], &error);
    CHECK(p->server_transport != NULL && p->client != NULL);
}

/* Starts both sides; the server's with an event, for this thread cannot do both. */
static inline void pair_start(pair *p)
{
    ssh_error *error = NULL;
    ssh_event *started = ssh_event_new();
    CHECK_OK(ssh_transport_start_server(p->server_transport, p->server, started, PAIR_MS, &error), error);
    CHECK_STATUS(ssh_transport_set_expected_host_key(p->client, p->host_key), SSH_OK);
    CHECK_OK(ssh_transport_start_client(p->client, NULL, PAIR_MS, &error), error);
    CHECK_STATUS(ssh_event_wait(started, PAIR_MS), SSH_OK);
    ssh_event_free(started);
}

static inline void pair_login(pair *p)
{
    ssh_error *error = NULL;
    pair_start(p);
    CHECK_OK(ssh_transport_auth_password(p->client, "alice", "open sesame", 11, false, NULL, PAIR_MS,
                                         &error),
             error);
}

/* A session channel and the server's side of it, with a command begun. */
static inline ssh_channel *pair_session(pair *p, ssh_channel **server_side)
{
    ssh_error *error = NULL;
    ssh_channel *channel = ssh_transport_open_session(p->client, PAIR_MS, &error);
    CHECK(channel != NULL);
    CHECK_OK(ssh_channel_request_exec(channel, "work", PAIR_MS, &error), error);
    *server_side = ssh_transport_accept(p->server_transport, PAIR_MS, &error);
    CHECK(*server_side != NULL);
    return channel;
}

static inline void pair_free(pair *p)
{
    ssh_transport_free(p->client);
    ssh_transport_free(p->server_transport);
    ssh_server_free(p->server);
    ssh_key_free(p->host_key);
}

/* Waits for callbacks of other threads to be through; `destroyed` counts with an atomic. */
static inline void wait_for(atomic_int *count, int wanted)
{
    long until = milliseconds() + PAIR_MS / 2;
    while (atomic_load(count) < wanted && milliseconds() < until)
        usleep(1000);
    CHECK(atomic_load(count) == wanted);
}

/* Sends back what comes on a channel, until there is no more; says how much that was. */
static inline size_t pair_echo(ssh_channel *channel, size_t most, int timeout_ms)
{
    char *buffer = malloc(most);
    size_t length, all = 0;
    ssh_status status;
    CHECK(buffer != NULL);
    while ((status = ssh_channel_read(channel, buffer, most, &length, timeout_ms)) == SSH_OK) {
        CHECK_STATUS(ssh_channel_write_all(channel, buffer, length, NULL, timeout_ms), SSH_OK);
        all += length;
    }
    CHECK_STATUS(status, SSH_EOF);
    CHECK_STATUS(ssh_channel_send_eof(channel), SSH_OK);
    free(buffer);
    return all;
}

#endif
