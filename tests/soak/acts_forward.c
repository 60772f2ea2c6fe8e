/*
 * What a worker does through forwarded connections: a channel of its own, a port that this side listens on, and one that
 * the server does. All lead to the program echo.
 */
#include "client.h"

#define LARGEST (128 * 1024)

/* A channel to the port, by hand. */
bool do_direct(struct worker *worker, ssh_transport *transport)
{
    ssh_error *error = NULL;
    uint64_t start = dice(&worker->state, NOISE_SIZE), got = 0;
    size_t total = 1 + dice(&worker->state, BUFFER_SIZE), length;
    ssh_channel *channel =
        ssh_transport_open_channel(transport, "direct-tcpip", "127.0.0.1", echo_port, "127.0.0.1", 1, LIMIT_MS, &error);
    if (channel == NULL)
        return failed(worker, "direct channel", SSH_OK, error);
    noise_copy(worker->buffer, start, total);
    ssh_status status = ssh_channel_write_all(channel, worker->buffer, total, NULL, LIMIT_MS);
    if (status == SSH_OK)
        status = ssh_channel_send_eof(channel);
    bool good = true;
    while (status == SSH_OK) {
        status = ssh_channel_read(channel, worker->buffer, BUFFER_SIZE, &length, LIMIT_MS);
        if (status == SSH_OK && !noise_is(worker->buffer, start + got, length))
            good = wrong(worker, "other bytes came through");
        got += length;
    }
    if (status != SSH_EOF)
        good = failed(worker, "direct channel", status, NULL);
    else if (got != total)
        good = wrong(worker, "another length came through");
    atomic_fetch_add(&moved, 2 * got);
    ssh_channel_free(channel);
    return good;
}

/* What a socket says that leads through the forwarding: what is sent there comes back. */
static bool through_socket(struct worker *worker, uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    struct timeval limit = {.tv_sec = LIMIT_MS / 1000};
    uint64_t start = dice(&worker->state, NOISE_SIZE);
    size_t total = 1 + dice(&worker->state, LARGEST), sent = 0, got = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
                connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    while (good && sent < total) {
        size_t piece = total - sent < BUFFER_SIZE ? total - sent : BUFFER_SIZE;
        noise_copy(worker->buffer, start + sent, piece);
        ssize_t done = send(fd, worker->buffer, piece, MSG_NOSIGNAL);
        good = done > 0;
        sent += good ? (size_t)done : 0;
    }
    if (good)
        shutdown(fd, SHUT_WR);
    while (good && got < total) {
        ssize_t done = recv(fd, worker->buffer, BUFFER_SIZE, 0);
        good = done > 0 && noise_is(worker->buffer, start + got, (size_t)done);
        got += good ? (size_t)done : 0;
    }
    atomic_fetch_add(&moved, 2 * got);
    if (fd >= 0)
        close(fd);
    return good || wrong(worker, "a forwarded connection did not carry");
}

static bool through_forward(struct worker *worker, ssh_forward *forward)
{
    bool good = true;
    for (uint32_t i = 0, times = 1 + dice(&worker->state, 3); good && i < times; i++)
        good = through_socket(worker, ssh_forward_port(forward));
    ssh_forward_free(forward);
    return good;
}

bool do_forward_local(struct worker *worker, ssh_transport *transport)
{
    ssh_error *error = NULL;
    ssh_forward *forward = ssh_forward_local(transport, "127.0.0.1", 0, "127.0.0.1", echo_port, &error);
    return forward != NULL ? through_forward(worker, forward) : failed(worker, "local forward", SSH_OK, error);
}

bool do_forward_remote(struct worker *worker, ssh_transport *transport)
{
    ssh_error *error = NULL;
    ssh_forward *forward = ssh_forward_remote(transport, "127.0.0.1", 0, "127.0.0.1", echo_port, LIMIT_MS, &error);
    return forward != NULL ? through_forward(worker, forward) : failed(worker, "remote forward", SSH_OK, error);
}
