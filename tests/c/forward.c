/* Forwarding: the protocol's calls in both roles, and the helper with its handle. */
#include "pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define WAIT_MS 20000

static atomic_int forwarded, listened;

static uint16_t listen_somewhere(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(*fd >= 0 && bind(*fd, (struct sockaddr *)&address, size) == 0 && listen(*fd, 8) == 0);
    CHECK(getsockname(*fd, (struct sockaddr *)&address, &size) == 0);
    return ntohs(address.sin_port);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void read_exactly(int fd, const char *expected)
{
    char text[64];
    size_t length = strlen(expected), all = 0;
    while (all < length) {
        ssize_t count = read(fd, text + all, length - all);
        CHECK(count > 0);
        all += (size_t)count;
    }
    CHECK(memcmp(text, expected, length) == 0);
}

/* The server's program: listens nowhere, but says so. */
static void on_listen(ssh_request *request, void *userdata)
{
    (void)userdata;
    uint16_t port = 1;
    const char *address = ssh_request_destination(request, &port);
    CHECK(ssh_request_kind(request) == SSH_REQUEST_LISTEN);
    CHECK(address != NULL);
    if (address[0] == '/') {
        CHECK(port == 0 && strcmp(ssh_request_name(request), "streamlocal-forward@openssh.com") == 0);
        CHECK_STATUS(ssh_request_accept_port(request, 1), SSH_ERR_STATE);
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    } else if (port == 0) {
        CHECK(strcmp(ssh_request_name(request), "tcpip-forward") == 0 && ssh_request_wants_reply(request));
        CHECK_STATUS(ssh_request_accept(request), SSH_ERR_STATE);
        CHECK_STATUS(ssh_request_accept_port(request, 0), SSH_ERR_STATE);
        CHECK_STATUS(ssh_request_accept_port(request, 4000), SSH_OK);
        CHECK_STATUS(ssh_request_accept_port(request, 4000), SSH_ERR_STATE);
    } else if (port == 5000) {
        CHECK_STATUS(ssh_request_accept_port(request, 5001), SSH_ERR_STATE);
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    } /* others are refused by being freed */
    atomic_fetch_add(&listened, 1);
    ssh_request_free(request);
}

static void on_cancel(ssh_request *request, void *userdata)
{
    (void)userdata;
    CHECK(ssh_request_kind(request) == SSH_REQUEST_CANCEL_LISTEN);
    CHECK(ssh_request_destination(request, NULL) != NULL);
    CHECK_STATUS(ssh_request_serve(request, NULL), SSH_ERR_STATE);
    ssh_request_accept(request);
    ssh_request_free(request);
}

static void on_forward(ssh_channel *channel, const char *origin, uint16_t origin_port, const char *address,
                       uint16_t port, void *userdata)
{
    (void)userdata;
    CHECK(strcmp(origin, "192.0.2.1") == 0 && origin_port == 7);
    CHECK(strcmp(address, "here") == 0 && port == 4000);
    CHECK(strcmp(ssh_channel_kind(channel), "forwarded-tcpip") == 0);
    uint16_t again = 0;
    CHECK(strcmp(ssh_channel_origin(channel, &again), "192.0.2.1") == 0 && again == 7);
    CHECK(strcmp(ssh_channel_destination(channel, &again), "here") == 0 && again == 4000);
    ssh_channel_free(channel);
    atomic_fetch_add(&forwarded, 1);
}

static ssh_status ask(pair *p, const char *address, uint16_t port, uint16_t *bound, ssh_error **error)
{
    return ssh_transport_request_port_forward(p->client, address, port, on_forward, &p->destroyed, pair_destroy,
                                              WAIT_MS, bound, error);
}

static void the_calls(pair *p)
{
    ssh_error *error = NULL;
    uint16_t port = 9;
    ssh_transport_set_callback(p->server_transport, SSH_REQUEST_LISTEN, on_listen, NULL, NULL);
    ssh_transport_set_callback(p->server_transport, SSH_REQUEST_CANCEL_LISTEN, on_cancel, NULL, NULL);

    /* The userdata ends with each call that fails. */
    CHECK_STATUS(ask(p, NULL, 0, &port, NULL), SSH_ERR_INVALID_ARG);
    CHECK(port == 0);
    CHECK_STATUS(ask(p, "/a/path", 1, NULL, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ask(p, "here", 6000, NULL, &error), SSH_ERR_DENIED);
    CHECK(ssh_error_code(error) == SSH_ERR_DENIED);
    ssh_error_free(error);
    CHECK_STATUS(ssh_transport_request_port_forward(NULL, "", 0, on_forward, &p->destroyed, pair_destroy, 0, NULL, NULL),
                 SSH_ERR_BAD_HANDLE);
    wait_for(&p->destroyed, 4);

    CHECK_OK(ask(p, "here", 0, &port, &error), error);
    CHECK(port == 4000);
    CHECK_STATUS(ask(p, "here", 4000, NULL, NULL), SSH_ERR_STATE);
    wait_for(&p->destroyed, 5);
    ssh_channel *channel = ssh_transport_open_forwarded_tcpip_channel(p->server_transport, "192.0.2.1", 7, "here", 4000,
                                                                      WAIT_MS, &error);
    CHECK(channel != NULL);
    wait_for(&forwarded, 1);
    ssh_channel_free(channel);
    /* A place that nobody asked for. */
    CHECK(ssh_transport_open_forwarded_tcpip_channel(p->server_transport, "192.0.2.1", 7, "here", 4001, WAIT_MS,
                                                     &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_CHANNEL && ssh_error_channel_reason(error) == 1);
    ssh_error_free(error);
    CHECK_OK(ssh_transport_cancel_port_forward(p->client, "here", 4000, WAIT_MS, &error), error);
    wait_for(&p->destroyed, 6);
    CHECK_STATUS(ssh_transport_cancel_port_forward(p->client, "here", 4000, WAIT_MS, NULL), SSH_ERR_STATE);
    CHECK(ssh_transport_open_forwarded_tcpip_channel(p->server_transport, "192.0.2.1", 7, "here", 4000, WAIT_MS,
                                                     NULL) == NULL);

    /* Without a callback: the queue; a path; the port that was asked for. */
    CHECK_OK(ssh_transport_request_port_forward(p->client, "/run/s", 0, NULL, NULL, NULL, WAIT_MS, &port, &error), error);
    CHECK(port == 0);
    CHECK_OK(ssh_transport_request_port_forward(p->client, "", 5000, NULL, NULL, NULL, WAIT_MS, &port, &error), error);
    CHECK(port == 5000);
    wait_for(&listened, 4);
    channel = ssh_transport_open_forwarded_tcpip_channel(p->server_transport, NULL, 0, "/run/s", 0, WAIT_MS, &error);
    CHECK(channel != NULL);
    ssh_channel *taken = ssh_transport_accept(p->client, WAIT_MS, &error);
    CHECK(strcmp(ssh_channel_kind(taken), "forwarded-streamlocal@openssh.com") == 0);
    CHECK(strcmp(ssh_channel_destination(taken, &port), "/run/s") == 0 && port == 0);
    CHECK(ssh_channel_origin(taken, NULL) == NULL);
    ssh_channel_free(taken);
    ssh_channel_free(channel);
    /* A server asks nobody to listen. */
    CHECK_STATUS(ssh_transport_request_port_forward(p->server_transport, "", 0, NULL, NULL, NULL, WAIT_MS, NULL, NULL),
                 SSH_ERR_STATE);
}

static void serve(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_request_serve(request, NULL);
    ssh_request_free(request);
}

static void once(ssh_forward *forward, int listener, const char *words)
{
    uint64_t connections = 0, active = 9, failed = 9, sent = 0, received = 0;
    int near = connect_to(ssh_forward_port(forward));
    CHECK(near >= 0);
    CHECK(write(near, words, strlen(words)) == (ssize_t)strlen(words));
    int far = accept(listener, NULL, NULL);
    CHECK(far >= 0);
    read_exactly(far, words);
    CHECK(write(far, "back", 4) == 4);
    read_exactly(near, "back");
    close(near);
    char end;
    CHECK(read(far, &end, 1) == 0);
    close(far);
    long until = milliseconds() + WAIT_MS;
    while (active > 0 && milliseconds() < until) {
        usleep(1000);
        CHECK_STATUS(ssh_forward_counters(forward, &connections, &active, &failed, &sent, &received), SSH_OK);
    }
    CHECK(connections == 1 && active == 0 && failed == 0);
    CHECK(sent + received == strlen(words) + 4);
}

static void the_helper(void)
{
    pair p;
    ssh_error *error = NULL;
    int listener;
    pair_make(&p);
    pair_login(&p);
    uint16_t target = listen_somewhere(&listener);

    /* Who says yes to every channel has not said yes to this. */
    ssh_forward *forward = ssh_forward_local(p.client, "localhost", 0, "127.0.0.1", target, &error);
    CHECK(forward != NULL && ssh_forward_is_listening(forward));
    int near = connect_to(ssh_forward_port(forward));
    char end;
    CHECK(near >= 0 && read(near, &end, 1) == 0);
    close(near);
    ssh_forward_free(forward);
    CHECK(ssh_forward_remote(p.client, "localhost", 0, "127.0.0.1", target, WAIT_MS, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_DENIED);
    ssh_error_free(error);

    ssh_transport_set_callback(p.server_transport, SSH_REQUEST_CONNECT, serve, NULL, NULL);
    ssh_transport_set_callback(p.server_transport, SSH_REQUEST_LISTEN, serve, NULL, NULL);
    forward = ssh_forward_local(p.client, "localhost", 0, "127.0.0.1", target, &error);
    CHECK(strcmp(ssh_forward_address(forward), "localhost") == 0 && ssh_forward_port(forward) != 0);
    once(forward, listener, "there");
    ssh_forward *remote = ssh_forward_remote(p.client, "localhost", 0, "127.0.0.1", target, WAIT_MS, &error);
    CHECK(remote != NULL);
    once(remote, listener, "and here");

    /* Who connects there says where to, in SOCKS, and is let through to what is permitted. */
    char permitted[64];
    snprintf(permitted, sizeof permitted, "127.0.0.1:%u [::1]:*", target);
    const char *lists[] = {permitted, "none"};
    for (size_t i = 0; i < 2; i++) {
        ssh_forward *far = ssh_forward_remote_dynamic(p.client, "localhost", 0, lists[i], WAIT_MS, &error);
        CHECK(far != NULL && ssh_forward_port(far) != 0);
        const uint8_t request[] = {4, 1, (uint8_t)(target >> 8), (uint8_t)target, 127, 0, 0, 1, 0};
        uint8_t answer[8] = {1};
        int visitor = connect_to(ssh_forward_port(far));
        CHECK(write(visitor, request, sizeof request) == (ssize_t)sizeof request);
        CHECK(recv(visitor, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer);
        CHECK(answer[0] == 0 && answer[1] == (i == 0 ? 90 : 91));
        if (i == 0)
            close(accept(listener, NULL, NULL));
        CHECK(recv(visitor, answer, 1, 0) == 0);
        close(visitor);
        ssh_forward_free(far);
    }
    const char *no_lists[] = {NULL, "", "host", "host:0", "host:http", "any none", "[::1:1", "\xff:1"};
    for (size_t i = 0; i < sizeof no_lists / sizeof no_lists[0]; i++) {
        CHECK(ssh_forward_remote_dynamic(p.client, "localhost", 0, no_lists[i], WAIT_MS, &error) == NULL);
        CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
        ssh_error_free(error);
    }

    /* Addresses that cannot be. */
    CHECK(ssh_forward_local(p.client, "example.org", 0, "x", 1, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(ssh_forward_local(p.client, "localhost", 0, "x", 0, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(ssh_forward_local(p.client, "localhost", target, "x", 1, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_IO && ssh_error_errno(error) == EADDRINUSE);
    ssh_error_free(error);
    CHECK(ssh_forward_dynamic(p.server_transport, "localhost", 0, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_STATE);
    ssh_error_free(error);

    CHECK_STATUS(ssh_forward_set_max_connections(forward, 0), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_forward_set_max_connections(forward, 1), SSH_OK);
    uint16_t port = ssh_forward_port(forward);
    CHECK_STATUS(ssh_forward_stop(forward), SSH_OK);
    CHECK(!ssh_forward_is_listening(forward) && connect_to(port) < 0);
    CHECK_STATUS(ssh_forward_stop(forward), SSH_OK);
    /* In any order; the session takes the rest with it. */
    ssh_forward *last = ssh_forward_dynamic(p.client, "localhost", 0, &error);
    CHECK(last != NULL);
    ssh_transport_free(p.client);
    p.client = NULL;
    long until = milliseconds() + WAIT_MS;
    while (ssh_forward_is_listening(last) && milliseconds() < until)
        usleep(1000);
    CHECK(!ssh_forward_is_listening(last) && !ssh_forward_is_listening(remote));
    ssh_forward_free(remote);
    ssh_forward_free(forward);
    ssh_forward_free(last);
    ssh_forward_free(last);
    ssh_forward_free(NULL);
    close(listener);
    pair_free(&p);
}

int main(void)
{
    pair p;
    pair_make(&p);
    ssh_error *error = NULL;
    CHECK(ssh_forward_local(p.client, "localhost", 0, "x", 1, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_STATE);
    ssh_error_free(error);
    pair_login(&p);
    the_calls(&p);
    pair_free(&p);
    the_helper();
    return 0;
}
