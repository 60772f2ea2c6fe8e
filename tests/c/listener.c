/* A listener: who comes in, who is refused and why, and what it survives.
 *
 *     listener [without-shortage]   all of it, or all but what happens without descriptors
 */
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/un.h>

#define MANY 300
/* For what comes at once, but not under tools that make everything slow. */
#define WAIT_MS (20000 * (int)slow())

static ssh_key *host_key;
static ssh_server *server;

static void on_password(ssh_request *request, void *userdata)
{
    (void)userdata;
    size_t length = 0;
    const char *password = ssh_request_password(request, &length);
    if (password != NULL && length == 6 && memcmp(password, "secret", 6) == 0)
        ssh_request_accept(request);
    else
        ssh_request_refuse(request);
    ssh_request_free(request);
}

static void make_server(void)
{
    ssh_error *error = NULL;
    host_key = ssh_key_generate(SSH_KEY_ED25519, 0, "host", &error);
    CHECK(host_key != NULL);
    server = ssh_server_new();
    CHECK_STATUS(ssh_server_add_key(server, host_key), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_AUTH_PASSWORD, on_password, NULL, NULL), SSH_OK);
}

/* A listener on loopback, with limits that no test of another thing comes to. */
static ssh_listener *make_listener(uint16_t *port)
{
    ssh_error *error = NULL;
    ssh_listener *listener = ssh_listener_new();
    CHECK(listener != NULL);
    CHECK(!ssh_listener_is_listening(listener));
    CHECK_STATUS(ssh_listener_set_max_unauthenticated(listener, 1000, 30, 1000), SSH_OK);
    CHECK_STATUS(ssh_listener_set_max_per_source(listener, 0, 32, 64), SSH_OK);
    CHECK_STATUS(ssh_listener_set_penalty_bounds(listener, 15000, 600000, 0), SSH_OK);
    CHECK_OK(ssh_listener_bind(listener, "127.0.0.1", 0, port, &error), error);
    CHECK(*port != 0 && ssh_listener_is_listening(listener));
    return listener;
}

/* From any address of 127.0.0.0/8, so that there are many sources. */
static int connect_from(const char *source, uint16_t port)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    CHECK(fd >= 0);
    CHECK(inet_pton(AF_INET, source, &from.sin_addr) == 1);
    CHECK(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr) == 1);
    to.sin_port = htons(port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    CHECK(bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* Whether the other side closes it without a word. */
static bool is_refused(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char byte;
    CHECK(poll(&polled, 1, WAIT_MS) == 1);
    return recv(fd, &byte, 1, 0) <= 0;
}

static uint64_t count(ssh_listener *listener, int32_t kind)
{
    return ssh_listener_counter(listener, kind);
}

static void wait_until(ssh_listener *listener, int32_t kind, uint64_t wanted)
{
    for (int i = 0; i < WAIT_MS && count(listener, kind) != wanted; i++)
        usleep(1000);
    CHECK(count(listener, kind) == wanted);
}

/* Logs in over a connection of its own, or tries to. */
static ssh_status login(int fd, const char *password)
{
    ssh_error *error = NULL;
    ssh_transport *client = ssh_transport_new(fd, &error);
    CHECK(client != NULL);
    CHECK_STATUS(ssh_transport_set_expected_host_key(client, host_key), SSH_OK);
    CHECK_STATUS(ssh_transport_set_timeout(client, SSH_TIMEOUT_KIND_HANDSHAKE, WAIT_MS), SSH_OK);
    ssh_status status = ssh_transport_start_client(client, NULL, WAIT_MS, &error);
    if (status == SSH_OK)
        status = ssh_transport_auth_password(client, "alice", password, strlen(password), false, NULL, WAIT_MS, &error);
    ssh_error_free(error);
    ssh_transport_close(client);
    CHECK_STATUS(ssh_transport_join(client, WAIT_MS), SSH_OK);
    ssh_transport_free(client);
    return status;
}

/* The transports that a server has started. */
struct started {
    ssh_transport *transports[2 * MANY];
    atomic_int count, destroyed;
    ssh_event *event;
};

static void on_connection(ssh_listener *listener, ssh_transport *transport, void *userdata)
{
    struct started *started = userdata;
    ssh_error *error = NULL;
    (void)listener;
    CHECK_STATUS(ssh_transport_set_timeout(transport, SSH_TIMEOUT_KIND_HANDSHAKE, WAIT_MS), SSH_OK);
    CHECK_OK(ssh_transport_start_server(transport, server, started->event, SSH_TIMEOUT_DEFAULT, &error), error);
    /* Callbacks run one after another. */
    int at = atomic_load(&started->count);
    CHECK(at < 2 * MANY);
    started->transports[at] = transport;
    atomic_store(&started->count, at + 1);
}

static void on_destroy(void *userdata)
{
    struct started *started = userdata;
    atomic_fetch_add(&started->destroyed, 1);
}

/* The callback is through with so many. */
static void wait_for_count(struct started *started, int wanted)
{
    for (int i = 0; i < WAIT_MS && atomic_load(&started->count) < wanted; i++)
        usleep(1000);
    CHECK(atomic_load(&started->count) >= wanted);
}

static void serve(ssh_listener *listener, struct started *started)
{
    memset(started, 0, sizeof *started);
    started->event = ssh_event_new();
    CHECK_STATUS(ssh_listener_set_callback(listener, on_connection, started, on_destroy), SSH_OK);
}

/* No callback is under way any more once destroy was called. */
static void end(ssh_listener *listener, struct started *started)
{
    ssh_listener_free(listener);
    for (int i = 0; i < WAIT_MS && atomic_load(&started->destroyed) == 0; i++)
        usleep(1000);
    CHECK(atomic_load(&started->destroyed) == 1);
    for (int i = 0; i < atomic_load(&started->count); i++)
        ssh_transport_free(started->transports[i]);
    ssh_event_free(started->event);
}

static void accept_and_poll(void)
{
    uint16_t port;
    ssh_error *error = NULL;
    ssh_listener *listener = make_listener(&port);
    CHECK(ssh_listener_accept(listener, 0, &error) == NULL && error == NULL);
    CHECK(ssh_listener_accept(listener, 1, &error) == NULL);
    CHECK_STATUS(ssh_error_code(error), SSH_ERR_TIMEOUT);
    ssh_error_free(error);
    ssh_event *event = ssh_listener_accept_event(listener);
    struct pollfd polled = {.fd = ssh_event_fd(event), .events = POLLIN};
    CHECK(poll(&polled, 1, 0) == 0);
    int fd = connect_from("127.0.0.1", port);
    CHECK(poll(&polled, 1, WAIT_MS) == 1);
    ssh_transport *transport = ssh_listener_accept(listener, WAIT_MS, &error);
    CHECK(transport != NULL && poll(&polled, 1, 0) == 0);
    uint16_t peer_port = 0;
    char *peer = ssh_transport_getpeername(transport, &peer_port);
    CHECK(takes(peer, "127.0.0.1") && peer_port != 0);
    CHECK(count(listener, SSH_LISTENER_ACCEPTED) == 1);
    CHECK(count(listener, SSH_LISTENER_UNAUTHENTICATED) == 1);
    ssh_transport_free(transport);
    CHECK(count(listener, SSH_LISTENER_UNAUTHENTICATED) == 0);
    CHECK(count(listener, 0) == 0 && count(listener, 99) == 0 && count(NULL, SSH_LISTENER_ACCEPTED) == 0);
    CHECK_STATUS(ssh_listener_stop(listener), SSH_OK);
    CHECK(ssh_event_is_set(event));
    CHECK(ssh_listener_accept(listener, SSH_TIMEOUT_FOREVER, &error) == NULL);
    CHECK_STATUS(ssh_error_code(error), SSH_ERR_CLOSED);
    ssh_error_free(error);
    error = NULL;
    CHECK_STATUS(ssh_listener_bind(listener, "127.0.0.1", 0, NULL, &error), SSH_ERR_CLOSED);
    ssh_error_free(error);
    ssh_listener_free(listener);
    CHECK(ssh_listener_accept(listener, 0, NULL) == NULL);
    ssh_event_free(event);
    close(fd);
}

static void *accept_until_ended(void *listener)
{
    ssh_error *error = NULL;
    CHECK(ssh_listener_accept(listener, SSH_TIMEOUT_FOREVER, &error) == NULL);
    ssh_status status = ssh_error_code(error);
    ssh_error_free(error);
    CHECK(status == SSH_ERR_CANCELLED || status == SSH_ERR_CLOSED || status == SSH_ERR_BAD_HANDLE);
    return NULL;
}

static void ends_calls(void)
{
    uint16_t port;
    pthread_t threads[4];
    ssh_listener *listener = make_listener(&port);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, accept_until_ended, listener) == 0);
    CHECK_STATUS(ssh_listener_cancel(listener), SSH_OK);
    ssh_listener_free(listener);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* What is no address, no socket and no limit is refused. */
static void misuse(void)
{
    uint16_t port = 7;
    ssh_error *error = NULL;
    int pair[2];
    ssh_listener *listener = ssh_listener_new();
    CHECK_STATUS(ssh_listener_bind(listener, "example.org", 22, &port, &error), SSH_ERR_INVALID_ARG);
    CHECK(port == 0);
    ssh_error_free(error);
    CHECK_STATUS(ssh_listener_bind(listener, "192.0.2.1", 22, NULL, NULL), SSH_ERR_IO);
    sockets(pair);
    CHECK_STATUS(ssh_listener_add_fd(listener, pair[0], NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_listener_add_fd(listener, -1, NULL), SSH_ERR_IO);
    close(pair[0]);
    close(pair[1]);
    CHECK_STATUS(ssh_listener_set_max_unauthenticated(listener, 2, 30, 1), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_listener_set_max_unauthenticated(listener, 0, 30, 0), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_listener_set_max_unauthenticated(listener, 1, 101, 1), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_listener_set_max_per_source(listener, 1, 33, 64), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_listener_set_max_per_source(listener, 1, 32, 129), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_listener_set_penalty(listener, 0, 1), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_listener_set_penalty_bounds(listener, 2, 1, 1), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_listener_add_exempt(listener, "127.0.0.1/8"), SSH_ERR_INVALID_ARG);
    for (int i = 0; i < 256; i++)
        CHECK_STATUS(ssh_listener_add_exempt(listener, "127.0.0.0/8"), SSH_OK);
    CHECK_STATUS(ssh_listener_add_exempt(listener, "127.0.0.0/8"), SSH_ERR_INVALID_ARG);
    ssh_listener_free(listener);
    ssh_listener_free(NULL);
}

/* Case L2: many that stay silent, from one source, and honest clients from others and from the same one. */
static void flood_of_one_source(void)
{
    static struct started started;
    static int flood[MANY];
    uint16_t port;
    ssh_listener *listener = make_listener(&port);
    CHECK_STATUS(ssh_listener_set_max_per_source(listener, 20, 32, 64), SSH_OK);
    serve(listener, &started);
    for (int i = 0; i < MANY; i++)
        flood[i] = connect_from("127.0.0.2", port);
    CHECK_STATUS(login(connect_from("127.0.0.1", port), "secret"), SSH_OK);
    wait_until(listener, SSH_LISTENER_REFUSED_PER_SOURCE, MANY - 20);
    CHECK(count(listener, SSH_LISTENER_REFUSED_TOTAL) == 0);
    CHECK_STATUS(login(connect_from("127.0.0.1", port), "secret"), SSH_OK);
    CHECK(login(connect_from("127.0.0.2", port), "secret") != SSH_OK);
    for (int i = 0; i < MANY; i++)
        close(flood[i]);
    wait_until(listener, SSH_LISTENER_UNAUTHENTICATED, 0);
    CHECK_STATUS(login(connect_from("127.0.0.2", port), "secret"), SSH_OK);
    end(listener, &started);
}

static uint64_t handled(ssh_listener *listener)
{
    return count(listener, SSH_LISTENER_ACCEPTED) + count(listener, SSH_LISTENER_REFUSED_TOTAL);
}

/* From everywhere: no more than the bound, and those who are in do not count. */
static void flood_of_many_sources(void)
{
    static struct started started;
    static int flood[MANY];
    uint16_t port;
    char source[32];
    ssh_error *error = NULL;
    ssh_listener *listener = make_listener(&port);
    CHECK_STATUS(ssh_listener_set_max_unauthenticated(listener, 50, 50, 100), SSH_OK);
    serve(listener, &started);
    ssh_transport *inside[60];
    for (int i = 0; i < 60; i++) {
        inside[i] = ssh_transport_new(connect_from("127.0.0.1", port), &error);
        CHECK_OK(ssh_transport_connect(inside[i], host_key, "alice", "secret", NULL, WAIT_MS, &error), error);
    }
    wait_until(listener, SSH_LISTENER_UNAUTHENTICATED, 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(source, sizeof source, "127.0.1.%d", i % 250 + 1);
        flood[i] = connect_from(source, port);
    }
    for (int i = 0; i < WAIT_MS && handled(listener) != 60 + MANY; i++)
        usleep(1000);
    CHECK(handled(listener) == 60 + MANY);
    CHECK(count(listener, SSH_LISTENER_UNAUTHENTICATED) <= 100);
    CHECK(count(listener, SSH_LISTENER_UNAUTHENTICATED) >= 50);
    for (int i = 0; i < 60; i++) {
        CHECK(ssh_transport_is_authenticated(inside[i]));
        ssh_transport_free(inside[i]);
    }
    for (int i = 0; i < MANY; i++)
        close(flood[i]);
    end(listener, &started);
}

static void penalties(void)
{
    static struct started started;
    uint16_t port;
    ssh_listener *listener = make_listener(&port);
    serve(listener, &started);
    CHECK_STATUS(ssh_listener_set_penalty_bounds(listener, 200000, 600000, 10), SSH_OK);
    CHECK_STATUS(ssh_listener_set_penalty(listener, SSH_PENALTY_AUTH_FAILED, 150000), SSH_OK);
    CHECK_STATUS(ssh_listener_set_penalty(listener, SSH_PENALTY_NO_AUTH, 0), SSH_OK);
    CHECK_STATUS(ssh_listener_set_penalty(listener, SSH_PENALTY_PROTOCOL, 300000), SSH_OK);
    /* Leaving costs nothing now. */
    close(connect_from("127.0.0.2", port));
    wait_until(listener, SSH_LISTENER_ACCEPTED, 1);
    wait_until(listener, SSH_LISTENER_UNAUTHENTICATED, 0);
    CHECK(count(listener, SSH_LISTENER_PENALIZED) == 0);
    /* Two wrong passwords are enough. */
    CHECK(login(connect_from("127.0.0.2", port), "wrong") != SSH_OK);
    wait_until(listener, SSH_LISTENER_PENALIZED, 1);
    CHECK_STATUS(login(connect_from("127.0.0.2", port), "secret"), SSH_OK);
    CHECK(login(connect_from("127.0.0.2", port), "wrong") != SSH_OK);
    wait_until(listener, SSH_LISTENER_UNAUTHENTICATED, 0);
    int fd = connect_from("127.0.0.2", port);
    CHECK(is_refused(fd));
    close(fd);
    CHECK(count(listener, SSH_LISTENER_REFUSED_PENALTY) == 1);
    /* One that is no SSH client at all. */
    fd = connect_from("127.0.0.3", port);
    CHECK(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
    wait_until(listener, SSH_LISTENER_PENALIZED, 2);
    close(fd);
    fd = connect_from("127.0.0.3", port);
    CHECK(is_refused(fd));
    close(fd);
    CHECK_STATUS(login(connect_from("127.0.0.1", port), "secret"), SSH_OK);
    /* Whom nothing is held against any more. */
    CHECK_STATUS(ssh_listener_add_exempt(listener, "127.0.0.2"), SSH_OK);
    CHECK_STATUS(login(connect_from("127.0.0.2", port), "secret"), SSH_OK);
    end(listener, &started);
}

/* The clock of a login is the transport's; the listener hears of it. */
static void grace(void)
{
    static struct started started;
    uint16_t port;
    ssh_listener *listener = make_listener(&port);
    CHECK_STATUS(ssh_listener_set_penalty_bounds(listener, 10000, 600000, 10), SSH_OK);
    CHECK_STATUS(ssh_server_set_auth_limits(server, 6, 100), SSH_OK);
    serve(listener, &started);
    int fd = connect_from("127.0.0.2", port);
    wait_until(listener, SSH_LISTENER_PENALIZED, 1);
    wait_until(listener, SSH_LISTENER_UNAUTHENTICATED, 0);
    int other = connect_from("127.0.0.2", port);
    CHECK(is_refused(other));
    close(fd);
    close(other);
    CHECK_STATUS(ssh_server_set_auth_limits(server, 6, 120000), SSH_OK);
    end(listener, &started);
}

static long cpu_ms(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000L +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000L;
}

/* Without descriptors nothing can be accepted. It goes on when there are some, and does not spin until then. */
static void no_descriptors(void)
{
    static struct started started;
    static int taken[4096];
    uint16_t port;
    int count_taken = 0, waiting[4];
    struct rlimit before, low;
    ssh_listener *listener = make_listener(&port);
    serve(listener, &started);
    /* Whatever the library opens at first use is open after this, and what it closes is closed. */
    CHECK_STATUS(login(connect_from("127.0.0.1", port), "secret"), SSH_OK);
    wait_for_count(&started, 1);
    CHECK_STATUS(ssh_transport_join(started.transports[0], WAIT_MS), SSH_OK);
    for (int i = 0; i < 4; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(waiting[i] >= 0);
    }
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    low = before;
    low.rlim_cur = 256;
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    int fd;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        taken[count_taken++] = fd;
    CHECK(errno == EMFILE);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    CHECK(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr) == 1);
    for (int i = 0; i < 4; i++)
        CHECK(connect(waiting[i], (struct sockaddr *)&to, sizeof to) == 0);
    for (int i = 0; i < WAIT_MS && count(listener, SSH_LISTENER_SHORTAGES) == 0; i++)
        usleep(1000);
    CHECK(count(listener, SSH_LISTENER_SHORTAGES) > 0);
    long used = cpu_ms();
    sleep(1);
    /* A loop that spins would have used all of the second; the wait in between is tenths of it. */
    CHECK(cpu_ms() - used < 500);
    CHECK(count(listener, SSH_LISTENER_ACCEPTED) == 1);
    for (int i = 0; i < count_taken; i++)
        close(taken[i]);
    for (int i = 0; i < 4; i++)
        CHECK_STATUS(login(waiting[i], "secret"), SSH_OK);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_STATUS(login(connect_from("127.0.0.1", port), "secret"), SSH_OK);
    end(listener, &started);
}

static void given_socket_and_unix_socket(void)
{
    static struct started started;
    ssh_error *error = NULL;
    char directory[] = "/tmp/sshwire-listener-XXXXXX", path[64];
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/socket", directory);
    ssh_listener *listener = ssh_listener_new();
    serve(listener, &started);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr) == 1);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    CHECK_OK(ssh_listener_add_fd(listener, fd, &error), error);
    CHECK_OK(ssh_listener_bind(listener, path, 0, NULL, &error), error);
    CHECK_STATUS(login(connect_from("127.0.0.1", ntohs(address.sin_port)), "secret"), SSH_OK);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%.60s", path);
    int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(local, (struct sockaddr *)&to, sizeof to) == 0);
    CHECK_STATUS(login(local, "secret"), SSH_OK);
    end(listener, &started);
    CHECK(access(path, F_OK) != 0);
    rmdir(directory);
}

int main(int argc, char **argv)
{
    bool shortage = argc < 2 || strcmp(argv[1], "without-shortage") != 0;
    watchdog(120);
    make_server();
    accept_and_poll();
    ends_calls();
    misuse();
    flood_of_one_source();
    flood_of_many_sources();
    penalties();
    grace();
    if (shortage)
        no_descriptors();
    given_socket_and_unix_socket();
    ssh_server_free(server);
    ssh_key_free(host_key);
    puts("ok");
    return 0;
}
