/* Transports over functions of the program's and over channels, subsystem handlers, the calls of event loops, and
 * questions that are pulled and answered later. */
#include "pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define WAIT_MS (20000 * (int)slow())

/* --- a stream of the program's ------------------------------------------------------------------------ */

typedef struct stream {
    int fd;
    atomic_int calls, closed, destroyed;
} stream;

static int32_t stream_read(void *buffer, size_t capacity, int32_t timeout_ms, void *userdata)
{
    stream *s = userdata;
    CHECK(capacity > 0 && timeout_ms > 0);
    atomic_fetch_add(&s->calls, 1);
    ssize_t count = read(s->fd, buffer, capacity < 9973 ? capacity : 9973);
    atomic_fetch_sub(&s->calls, 1);
    return count < 0 ? SSH_ERR_CONN_LOST : (int32_t)count;
}

static int32_t stream_write(const void *data, size_t length, int32_t timeout_ms, void *userdata)
{
    stream *s = userdata;
    CHECK(length > 0 && timeout_ms > 0);
    atomic_fetch_add(&s->calls, 1);
    ssize_t count = send(s->fd, data, length, MSG_NOSIGNAL);
    atomic_fetch_sub(&s->calls, 1);
    return count < 0 ? SSH_ERR_CONN_LOST : (int32_t)count;
}

static void stream_close(void *userdata)
{
    stream *s = userdata;
    atomic_fetch_add(&s->closed, 1);
    shutdown(s->fd, SHUT_RDWR);
}

static void stream_destroy(void *userdata)
{
    stream *s = userdata;
    CHECK(atomic_load(&s->calls) == 0);
    atomic_fetch_add(&s->destroyed, 1);
}

static void waits(atomic_int *count)
{
    long until = milliseconds() + WAIT_MS;
    while (atomic_load(count) < 1 && milliseconds() < until)
        usleep(1000);
    CHECK(atomic_load(count) == 1);
}

/* Both ways at once. */
typedef struct flow {
    ssh_channel *channel;
    size_t length;
} flow;

static void *sends(void *userdata)
{
    flow *f = userdata;
    unsigned char *data = malloc(f->length);
    for (size_t i = 0; i < f->length; i++)
        data[i] = (unsigned char)(i * 31 + i / 255);
    CHECK_STATUS(ssh_channel_write_all(f->channel, data, f->length, NULL, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_channel_send_eof(f->channel), SSH_OK);
    free(data);
    return NULL;
}

static void *receives(void *userdata)
{
    flow *f = userdata;
    unsigned char block[20000];
    size_t done = 0, count;
    ssh_status status;
    while ((status = ssh_channel_read(f->channel, block, sizeof block, &count, WAIT_MS)) == SSH_OK)
        for (size_t i = 0; i < count; i++, done++)
            CHECK(block[i] == (unsigned char)(done * 31 + done / 255));
    CHECK_STATUS(status, SSH_EOF);
    CHECK(done == f->length);
    return NULL;
}

static void full_duplex(ssh_channel *a, ssh_channel *b, size_t length)
{
    flow flows[2] = {{a, length}, {b, length}};
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[i], NULL, sends, &flows[i]) == 0);
        CHECK(pthread_create(&threads[i + 2], NULL, receives, &flows[i]) == 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void over_callbacks(void)
{
    pair p;
    int fds[2];
    ssh_error *error = NULL;
    stream ends[2];
    memset(ends, 0, sizeof ends);
    pair_make(&p);
    sockets(fds);
    ssh_transport_free(p.client);
    ssh_transport_free(p.server_transport);
    for (int i = 0; i < 2; i++) {
        ends[i].fd = fds[i];
        ssh_transport **transport = i == 0 ? &p.client : &p.server_transport;
        *transport = ssh_transport_new_stream(stream_read, stream_write, stream_close, &ends[i], stream_destroy, &error);
        CHECK(*transport != NULL);
        CHECK_STATUS(ssh_transport_set_rekey_limits(*transport, 262144, 0, 0), SSH_OK);
    }
    CHECK_STATUS(ssh_transport_connect_status(p.client, NULL), SSH_OK);
    pair_login(&p);
    ssh_channel *theirs, *ours = pair_session(&p, &theirs);
    full_duplex(ours, theirs, 1000000);
    ssh_channel_free(ours);
    ssh_channel_free(theirs);
    CHECK_STATUS(ssh_transport_close(p.client), SSH_OK);
    CHECK_STATUS(ssh_transport_join(p.client, WAIT_MS), SSH_OK);
    pair_free(&p);
    for (int i = 0; i < 2; i++) {
        waits(&ends[i].destroyed);
        CHECK(atomic_load(&ends[i].closed) == 1);
        close(fds[i]);
    }
    /* Never started: closed and destroyed all the same. */
    memset(&ends[0], 0, sizeof ends[0]);
    ends[0].fd = -1;
    ssh_transport_free(
        ssh_transport_new_stream(stream_read, stream_write, stream_close, &ends[0], stream_destroy, NULL));
    waits(&ends[0].destroyed);
    CHECK(atomic_load(&ends[0].closed) == 1);
}

static atomic_int released, stuck_destroyed;

static int32_t never_reads(void *buffer, size_t capacity, int32_t timeout_ms, void *userdata)
{
    (void)buffer, (void)capacity, (void)timeout_ms, (void)userdata;
    while (!atomic_load(&released))
        usleep(1000);
    return 0;
}

static int32_t returns_what_it_is_told(void *buffer, size_t capacity, int32_t timeout_ms, void *userdata)
{
    (void)buffer, (void)capacity, (void)timeout_ms;
    return *(int32_t *)userdata;
}

static int32_t swallows(const void *data, size_t length, int32_t timeout_ms, void *userdata)
{
    (void)data, (void)timeout_ms, (void)userdata;
    return (int32_t)length;
}

static void counts(void *userdata)
{
    atomic_fetch_add((atomic_int *)userdata, 1);
}

static void broken_callbacks(void)
{
    ssh_error *error = NULL;
    /* A read that never returns, and no close: everything but its destroy function goes on. */
    ssh_transport *stuck = ssh_transport_new_stream(never_reads, swallows, NULL, &stuck_destroyed, counts, &error);
    ssh_event *event = ssh_event_new();
    CHECK(stuck != NULL);
    CHECK_OK(ssh_transport_start_client(stuck, event, WAIT_MS, &error), error);
    CHECK_STATUS(ssh_transport_close(stuck), SSH_OK);
    CHECK_STATUS(ssh_event_wait(event, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_transport_join(stuck, WAIT_MS), SSH_OK);
    ssh_transport_free(stuck);
    ssh_event_free(event);
    CHECK(atomic_load(&stuck_destroyed) == 0);
    atomic_store(&released, 1);
    waits(&stuck_destroyed);

    static int32_t returned[] = {0, SSH_ERR_DISCONNECTED, -7, 1000000};
    static const ssh_status expected[] = {SSH_ERR_CONN_LOST, SSH_ERR_DISCONNECTED, SSH_ERR_IO, SSH_ERR_CALLBACK};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ssh_transport *t =
            ssh_transport_new_stream(returns_what_it_is_told, swallows, NULL, &returned[i], NULL, &error);
        CHECK_STATUS(ssh_transport_start_client(t, NULL, WAIT_MS, NULL), expected[i]);
        ssh_transport_free(t);
    }
    CHECK(ssh_transport_new_stream(NULL, swallows, NULL, NULL, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
}

/* --- jump hosts ------------------------------------------------------------------------------------------ */

/* A pair within a pair: the two ends of a channel of `p`. */
static void within(const pair *p, pair *inner, ssh_channel *ours, ssh_channel *theirs)
{
    ssh_error *error = NULL;
    *inner = *p;
    inner->client = ssh_transport_new_channel(ours, &error);
    inner->server_transport = ssh_transport_new_channel(theirs, &error);
    CHECK(inner->client != NULL && inner->server_transport != NULL);
    CHECK(ssh_transport_new_channel(ours, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_STATE);
    ssh_error_free(error);
    size_t done = 0;
    CHECK_STATUS(ssh_channel_write(ours, "x", 1, &done, 0), SSH_ERR_STATE);
    /* What the transports need, they keep. */
    ssh_channel_free(ours);
    ssh_channel_free(theirs);
    CHECK_STATUS(ssh_transport_set_rekey_limits(inner->client, 262144, 0, 0), SSH_OK);
    CHECK_STATUS(ssh_transport_set_rekey_limits(inner->server_transport, 262144, 0, 0), SSH_OK);
    pair_login(inner);
}

static void three_hops(bool inside_out)
{
    pair p[4];
    pair_make(&p[0]);
    pair_login(&p[0]);
    for (int i = 0; i < 3; i++) {
        ssh_channel *theirs, *ours = pair_session(&p[i], &theirs);
        within(&p[i], &p[i + 1], ours, theirs);
    }
    ssh_channel *theirs, *ours = pair_session(&p[3], &theirs);
    full_duplex(ours, theirs, 700000);
    ssh_channel_free(ours);
    ssh_channel_free(theirs);
    for (int i = 0; i < 4; i++) {
        pair *level = &p[inside_out ? 3 - i : i];
        ssh_transport_free(level->client);
        ssh_transport_free(level->server_transport);
    }
    ssh_server_free(p[0].server);
    ssh_key_free(p[0].host_key);
}

static void ends_below(void)
{
    pair p, inner;
    ssh_error *error = NULL;
    pair_make(&p);
    pair_login(&p);
    ssh_channel *theirs, *ours = pair_session(&p, &theirs);
    within(&p, &inner, ours, theirs);
    CHECK_STATUS(ssh_transport_close(p.server_transport), SSH_OK);
    CHECK_STATUS(ssh_transport_join(inner.client, WAIT_MS), SSH_OK);
    error = ssh_transport_get_exception(inner.client);
    CHECK(ssh_error_code(error) == SSH_ERR_CONN_LOST);
    /* Why the one below has ended. */
    CHECK(ssh_error_disconnect_reason(error) == 11);
    ssh_error_free(error);
    ssh_transport_free(inner.client);
    ssh_transport_free(inner.server_transport);
    pair_free(&p);
}

/* --- subsystems -------------------------------------------------------------------------------------------- */

static int32_t echoes(ssh_channel *channel, const char *name, void *userdata)
{
    char block[256];
    size_t count;
    CHECK(strcmp(name, "echo") == 0 && userdata != NULL);
    while (ssh_channel_read(channel, block, sizeof block, &count, WAIT_MS) == SSH_OK)
        CHECK_STATUS(ssh_channel_write_all(channel, block, count, NULL, WAIT_MS), SSH_OK);
    return 5;
}

static void subsystems(void)
{
    pair p;
    ssh_error *error = NULL;
    atomic_int destroyed = 0;
    pair_make(&p);
    CHECK_STATUS(ssh_server_set_subsystem_handler(p.server, "echo", echoes, &destroyed, counts), SSH_OK);
    CHECK_STATUS(ssh_server_set_subsystem_handler(p.server, "", echoes, NULL, NULL), SSH_ERR_INVALID_ARG);
    pair_login(&p);
    for (int i = 0; i < 3; i++) {
        ssh_channel *channel = ssh_transport_open_session(p.client, WAIT_MS, &error);
        CHECK(channel != NULL);
        CHECK_STATUS(ssh_channel_request_subsystem(channel, "other", WAIT_MS, NULL), SSH_ERR_DENIED);
        CHECK_OK(ssh_channel_request_subsystem(channel, "echo", WAIT_MS, &error), error);
        CHECK_STATUS(ssh_channel_write_all(channel, "hello", 5, NULL, WAIT_MS), SSH_OK);
        char block[16];
        size_t count = 0;
        CHECK_STATUS(ssh_channel_read(channel, block, sizeof block, &count, WAIT_MS), SSH_OK);
        CHECK(memcmp(block, "hello", count) == 0);
        CHECK_STATUS(ssh_channel_send_eof(channel), SSH_OK);
        int32_t kind = 0;
        uint32_t status = 0;
        CHECK_STATUS(ssh_channel_wait_exit(channel, WAIT_MS, &kind, &status), SSH_OK);
        CHECK(kind == SSH_EXIT_STATUS && status == 5);
        ssh_channel_free(channel);
    }
    /* The handlers had them. */
    CHECK(ssh_transport_accept(p.server_transport, 0, &error) == NULL);
    pair_free(&p);
    waits(&destroyed);
}

/* --- event loops ------------------------------------------------------------------------------------------- */

static void begun_calls(void)
{
    pair p;
    ssh_error *error = NULL;
    ssh_event *event = ssh_event_new();
    pair_make(&p);
    pair_login(&p);
    ssh_channel *channel = ssh_transport_begin_session(p.client, event, &error);
    CHECK(channel != NULL);
    CHECK_STATUS(ssh_event_wait(event, WAIT_MS), SSH_OK);
    CHECK_OK(ssh_channel_open_status(channel, &error), error);
    CHECK_STATUS(ssh_channel_request_status(channel, NULL), SSH_ERR_STATE);
    ssh_event_reset(event);
    /* A terminal has no callback, a command has; the answers come in order. */
    CHECK_OK(ssh_channel_begin_pty(channel, NULL, 80, 24, 0, 0, NULL, 0, NULL, &error), error);
    CHECK_OK(ssh_channel_begin_exec(channel, "work", event, &error), error);
    CHECK_STATUS(ssh_event_wait(event, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_channel_request_status(channel, NULL), SSH_ERR_DENIED);
    CHECK_OK(ssh_channel_request_status(channel, &error), error);
    ssh_event_reset(event);
    CHECK_OK(ssh_channel_begin_request(channel, "x@example.org", NULL, 0, event, &error), error);
    CHECK_STATUS(ssh_event_wait(event, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_channel_request_status(channel, NULL), SSH_ERR_DENIED);
    ssh_channel_free(channel);

    ssh_event_reset(event);
    channel = ssh_transport_begin_channel(p.client, "direct-tcpip", "localhost", 1, "127.0.0.1", 1, event, &error);
    CHECK(channel != NULL);
    ssh_transport_close(p.server_transport);
    CHECK_STATUS(ssh_event_wait(event, WAIT_MS), SSH_OK);
    CHECK(ssh_channel_open_status(channel, NULL) != SSH_AGAIN);
    ssh_channel_free(channel);
    pair_free(&p);

    /* A port where nobody listens. */
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char address[64];
    CHECK(bind(fd, (struct sockaddr *)&any, size) == 0 && getsockname(fd, (struct sockaddr *)&any, &size) == 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(any.sin_port));
    ssh_event_reset(event);
    ssh_transport *transport = ssh_transport_begin_address(address, event, WAIT_MS, &error);
    CHECK(transport != NULL);
    CHECK_STATUS(ssh_event_wait(event, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_transport_connect_status(transport, &error), SSH_ERR_IO);
    CHECK(ssh_error_errno(error) == ECONNREFUSED);
    ssh_error_free(error);
    CHECK_STATUS(ssh_transport_start_client(transport, NULL, WAIT_MS, NULL), SSH_ERR_IO);
    ssh_transport_free(transport);
    CHECK(ssh_transport_begin_address("host:", NULL, 0, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    close(fd);
    ssh_event_free(event);
}

/* --- questions pulled, and answered later by another thread -------------------------------------------- */

static atomic_uint seen;

static void *answers_later(void *userdata)
{
    ssh_request *request = userdata;
    usleep(2000);
    int32_t kind = ssh_request_kind(request);
    /* Before the answer: the client goes on once it has that. */
    atomic_fetch_or(&seen, 1U << (unsigned)kind);
    if (kind == SSH_REQUEST_AUTH_NONE || kind == SSH_REQUEST_AUTH_INTERACTIVE)
        CHECK_STATUS(ssh_request_refuse(request), SSH_OK);
    else
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    CHECK_STATUS(ssh_request_accept(request), SSH_ERR_STATE);
    ssh_request_free(request);
    return NULL;
}

static void *pulls(void *userdata)
{
    ssh_transport *transport = userdata;
    for (;;) {
        ssh_request *request = ssh_transport_next_request(transport, WAIT_MS, NULL);
        pthread_t thread;
        if (request == NULL)
            return NULL;
        CHECK(pthread_create(&thread, NULL, answers_later, request) == 0);
        pthread_join(thread, NULL);
    }
}

static void every_kind_is_pulled(void)
{
    pair p;
    ssh_error *error = NULL;
    pthread_t puller;
    pair_make(&p);
    ssh_server_free(p.server);
    p.server = ssh_server_new();
    CHECK_STATUS(ssh_server_add_key(p.server, p.host_key), SSH_OK);
    CHECK_STATUS(ssh_server_pull_requests(p.server, true), SSH_OK);
    pair_start(&p);
    CHECK(pthread_create(&puller, NULL, pulls, p.server_transport) == 0);
    CHECK_STATUS(ssh_transport_auth_none(p.client, "alice", NULL, WAIT_MS, NULL), SSH_ERR_AUTH);
    CHECK_STATUS(ssh_transport_auth_interactive(p.client, "alice", NULL, NULL, WAIT_MS, NULL), SSH_ERR_AUTH);
    CHECK_OK(ssh_transport_auth_publickey(p.client, "alice", p.host_key, NULL, WAIT_MS, &error), error);
    ssh_channel *channel = ssh_transport_open_session(p.client, WAIT_MS, &error);
    CHECK(channel != NULL);
    CHECK_STATUS(ssh_channel_request_env(channel, "A", "b"), SSH_OK);
    CHECK_OK(ssh_channel_request_pty(channel, NULL, 80, 24, 0, 0, NULL, 0, WAIT_MS, &error), error);
    CHECK_OK(ssh_channel_request_shell(channel, WAIT_MS, &error), error);
    CHECK_STATUS(ssh_channel_window_change(channel, 1, 2, 3, 4), SSH_OK);
    CHECK_STATUS(ssh_channel_signal(channel, "TERM"), SSH_OK);
    CHECK_OK(ssh_channel_break(channel, 10, WAIT_MS, &error), error);
    CHECK_OK(ssh_channel_request(channel, "x@example.org", NULL, 0, true, WAIT_MS, &error), error);
    ssh_channel_free(channel);
    channel = ssh_transport_open_session(p.client, WAIT_MS, &error);
    CHECK_OK(ssh_channel_request_exec(channel, "work", WAIT_MS, &error), error);
    ssh_channel_free(channel);
    channel = ssh_transport_open_session(p.client, WAIT_MS, &error);
    CHECK_OK(ssh_channel_request_subsystem(channel, "work", WAIT_MS, &error), error);
    ssh_channel_free(channel);
    CHECK_OK(ssh_transport_global_request(p.client, "x@example.org", NULL, 0, true, WAIT_MS, NULL, NULL, &error), error);
    static const int32_t kinds[] = {SSH_REQUEST_AUTH_NONE, SSH_REQUEST_AUTH_KEY_PROVEN, SSH_REQUEST_AUTH_INTERACTIVE,
                                    SSH_REQUEST_CHANNEL_OPEN, SSH_REQUEST_PTY, SSH_REQUEST_SHELL, SSH_REQUEST_EXEC,
                                    SSH_REQUEST_SUBSYSTEM, SSH_REQUEST_ENV, SSH_REQUEST_WINDOW_CHANGE,
                                    SSH_REQUEST_SIGNAL, SSH_REQUEST_BREAK, SSH_REQUEST_CHANNEL_REQUEST,
                                    SSH_REQUEST_GLOBAL_REQUEST};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        CHECK(atomic_load(&seen) & (1U << (unsigned)kinds[i]));
    ssh_transport_close(p.server_transport);
    pthread_join(puller, NULL);
    pair_free(&p);
}

int main(void)
{
    watchdog(120);
    over_callbacks();
    broken_callbacks();
    three_hops(true);
    three_hops(false);
    ends_below();
    subsystems();
    begun_calls();
    every_kind_is_pulled();
    return 0;
}
