/* Handles used wrongly: freed, freed twice, of another type, made up, from two threads at once, in any order. */
#include "pair.h"

static void *as(uint64_t value)
{
    return (void *)(uintptr_t)value;
}

static void wrong_handles(void)
{
    ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    ssh_event *event = ssh_event_new();
    ssh_error *error = NULL;

    /* Of another type. */
    CHECK_STATUS(ssh_event_wait((ssh_event *)key, 0), SSH_ERR_BAD_HANDLE);
    CHECK(ssh_key_bits((ssh_key *)event) == 0);
    CHECK_STATUS(ssh_transport_close((ssh_transport *)key), SSH_ERR_BAD_HANDLE);
    CHECK(ssh_key_equals(key, (ssh_key *)event) == false);
    ssh_key_free((ssh_key *)event);
    CHECK_STATUS(ssh_event_wait(event, 0), SSH_AGAIN);

    /* Freed, and freed again. */
    ssh_key_free(key);
    ssh_key_free(key);
    CHECK(ssh_key_type(key) == NULL && ssh_key_fingerprint(key) == NULL);
    CHECK(ssh_key_private_text(key, SSH_KEY_FORMAT_OPENSSH, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_BAD_HANDLE && ssh_error_class(error) == SSH_CLASS_USAGE);
    ssh_error_free(error);
    ssh_error_free(error);
    CHECK(strcmp(ssh_error_message(error), "no error") == 0);

    /* An address of the program's, and anything else. */
    int local = 0;
    CHECK_STATUS(ssh_event_wait((ssh_event *)&local, 0), SSH_ERR_BAD_HANDLE);
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        CHECK_STATUS(ssh_event_wait(as(bits), 0), SSH_ERR_BAD_HANDLE);
        ssh_event_free(as(bits));
    }
    /* Near a handle that lives. */
    for (int bit = 0; bit < 64; bit++)
        CHECK_STATUS(ssh_event_set(as((uint64_t)(uintptr_t)event ^ (UINT64_C(1) << bit))),
                     SSH_ERR_BAD_HANDLE);
    CHECK(!ssh_event_is_set(event));
    ssh_event_free(event);

    /* A slot that is used again is never taken for the old handle. */
    ssh_event *old[300];
    for (int i = 0; i < 300; i++) {
        old[i] = ssh_event_new();
        ssh_event_free(old[i]);
    }
    ssh_event *live[300];
    for (int i = 0; i < 300; i++)
        live[i] = ssh_event_new();
    for (int i = 0; i < 300; i++)
        CHECK_STATUS(ssh_event_set(old[i]), SSH_ERR_BAD_HANDLE);
    for (int i = 0; i < 300; i++) {
        CHECK(!ssh_event_is_set(live[i]));
        ssh_event_free(live[i]);
    }
}

static void descriptors(void)
{
    ssh_error *error = NULL;
    int fds[2];
    CHECK(ssh_transport_new(-1, &error) == NULL && ssh_error_code(error) == SSH_ERR_IO);
    ssh_error_free(error);
    CHECK(ssh_transport_new(987654, &error) == NULL && ssh_error_errno(error) == EBADF);
    ssh_error_free(error);
    CHECK(pipe(fds) == 0);
    CHECK(ssh_transport_new(fds[1], &error) == NULL && ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    /* It stays ours. */
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listen(listening, 1) == 0);
    CHECK(ssh_transport_new(listening, &error) == NULL && ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(close(listening) == 0);
    int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(ssh_transport_new(datagrams, &error) == NULL && ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(close(datagrams) == 0);
    CHECK(ssh_transport_new_address("no port:x", 100, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(ssh_transport_new_address("127.0.0.1:1", 1000, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_IO && ssh_error_errno(error) == ECONNREFUSED);
    CHECK(ssh_error_is_retryable(error));
    ssh_error_free(error);
    /* A transport that was never started. */
    sockets(fds);
    ssh_transport *transport = ssh_transport_new(fds[0], NULL);
    CHECK(ssh_transport_open_session(transport, 100, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_STATE);
    ssh_error_free(error);
    CHECK_STATUS(ssh_transport_start_server(transport, NULL, NULL, 100, &error), SSH_ERR_STATE);
    ssh_error_free(error);
    CHECK_STATUS(ssh_transport_set_timeout(transport, 1, 0), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_transport_set_timeout(transport, 99, 1), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_transport_set_window_cap(transport, 1), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_transport_set_callback(transport, 77, pair_accept, NULL, NULL), SSH_ERR_INVALID_ARG);
    /* The peer never says anything. */
    long start = milliseconds();
    CHECK_STATUS(ssh_transport_start_client(transport, NULL, 100, &error), SSH_ERR_TIMEOUT);
    CHECK(milliseconds() - start < 3000L * slow());
    ssh_error_free(error);
    ssh_transport_free(transport);
    CHECK(close(fds[1]) == 0);
}

/* --- calls that are blocked while somebody frees, closes or cancels ----------------------------------- */

enum { READ, WRITE, ACCEPT, NEXT_REQUEST, OPEN, EXIT, CALLS };

typedef struct blocked {
    pair *p;
    ssh_channel *channel;
    int call;
    ssh_status status;
    atomic_int begun;
} blocked;

static void *block(void *argument)
{
    blocked *b = argument;
    char *buffer = calloc(1, 1 << 20);
    size_t done;
    int32_t kind;
    ssh_error *error = NULL;
    atomic_store(&b->begun, 1);
    switch (b->call) {
    case READ:
        b->status = ssh_channel_read(b->channel, buffer, 1, &done, -1);
        break;
    case WRITE:
        /* Nobody reads: it stops when the window is used up. */
        while ((b->status = ssh_channel_write_all(b->channel, buffer, 1 << 20, &done, -1)) == SSH_OK)
            continue;
        break;
    case ACCEPT:
        CHECK(ssh_transport_accept(b->p->client, -1, &error) == NULL);
        b->status = ssh_error_code(error);
        break;
    case NEXT_REQUEST:
        CHECK(ssh_transport_next_request(b->p->client, -1, &error) == NULL);
        b->status = ssh_error_code(error);
        break;
    case OPEN:
        CHECK(ssh_transport_open_session(b->p->client, -1, &error) == NULL);
        b->status = ssh_error_code(error);
        break;
    case EXIT:
        b->status = ssh_channel_wait_exit(b->channel, -1, &kind, NULL);
        break;
    }
    ssh_error_free(error);
    free(buffer);
    return NULL;
}

static ssh_request *kept;
static atomic_int kept_count;

static void keep(ssh_request *request, void *userdata)
{
    (void)userdata;
    kept = request; /* no answer for now */
    atomic_fetch_add(&kept_count, 1);
}

enum { FREE_TRANSPORT, CLOSE_TRANSPORT, CANCEL, FREE_CHANNEL, PEER_GONE, ENDS };

static ssh_status expected(int end, int call)
{
    switch (end) {
    case CANCEL:
        return SSH_ERR_CANCELLED;
    case PEER_GONE:
        return SSH_ERR_DISCONNECTED;
    default:
        (void)call;
        return SSH_ERR_CLOSED;
    }
}

static void blocked_calls(void)
{
    for (int call = 0; call < CALLS; call++) {
        for (int end = 0; end < ENDS; end++) {
            bool on_channel = call == READ || call == WRITE || call == EXIT;
            if (end == FREE_CHANNEL && !on_channel)
                continue;
            pair p;
            ssh_channel *server_side;
            pthread_t thread;
            pair_make(&p);
            pair_login(&p);
            ssh_channel *channel = pair_session(&p, &server_side);
            blocked b = {.p = &p, .channel = channel, .call = call};
            kept = NULL;
            atomic_store(&kept_count, 0);
            if (call == OPEN)
                ssh_transport_set_callback(p.server_transport, SSH_REQUEST_CHANNEL_OPEN, keep, NULL, NULL);
            CHECK(pthread_create(&thread, NULL, block, &b) == 0);
            while (!atomic_load(&b.begun))
                usleep(100);
            usleep((call == WRITE ? 100000 : 20000) * slow());
            if (call == OPEN)
                wait_for(&kept_count, 1);
            long start = milliseconds();
            if (end == FREE_TRANSPORT)
                ssh_transport_free(p.client);
            else if (end == CLOSE_TRANSPORT)
                ssh_transport_close(p.client);
            else if (end == CANCEL)
                ssh_transport_cancel(p.client);
            else if (end == FREE_CHANNEL)
                ssh_channel_free(channel);
            else
                ssh_transport_free(p.server_transport);
            pthread_join(thread, NULL);
            CHECK(milliseconds() - start < 1000L * slow());
            if (b.status != expected(end, call)) {
                fprintf(stderr, "call %d, end %d: %s, not %s\n", call, end, ssh_status_name(b.status),
                        ssh_status_name(expected(end, call)));
                exit(1);
            }
            if (end == CANCEL)
                CHECK(ssh_transport_is_active(p.client));
            /* Any order will do. */
            ssh_key_free(p.host_key);
            ssh_server_free(p.server);
            ssh_transport_free(p.server_transport);
            ssh_channel_free(server_side);
            ssh_request_free(kept);
            ssh_transport_free(p.client);
            ssh_channel_free(channel);
        }
    }
}

/* --- many threads free and use the same handles --------------------------------------------------- */

typedef struct crowd {
    ssh_event *event;
    ssh_channel *channel;
    ssh_transport *transport;
    ssh_error *error;
} crowd;

static void *trample(void *argument)
{
    crowd *c = argument;
    char buffer[16];
    size_t done;
    for (int i = 0; i < 50; i++) {
        ssh_event_set(c->event);
        ssh_channel_write(c->channel, "x", 1, &done, 0);
        ssh_channel_read(c->channel, buffer, sizeof buffer, &done, 0);
        ssh_memory_free(ssh_transport_describe(c->transport));
        ssh_error_errno(c->error);
        if (i == 25) {
            ssh_channel_free(c->channel);
            ssh_event_free(c->event);
            ssh_error_free(c->error);
            ssh_transport_free(c->transport);
        }
    }
    return NULL;
}

static void trampling(void)
{
    for (int round = 0; round < 10; round++) {
        pair p;
        ssh_channel *server_side;
        pthread_t threads[4];
        pair_make(&p);
        pair_login(&p);
        crowd c = {.event = ssh_event_new(), .transport = p.client};
        c.channel = pair_session(&p, &server_side);
        CHECK(ssh_transport_new(-1, &c.error) == NULL);
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, trample, &c);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        CHECK_STATUS(ssh_event_set(c.event), SSH_ERR_BAD_HANDLE);
        pair_free(&p);
        CHECK_STATUS(ssh_channel_close(server_side), SSH_OK);
        ssh_channel_free(server_side);
        wait_for(&p.destroyed, 1);
    }
}

/* --- inside callbacks ----------------------------------------------------------------------------- */

static atomic_int inside_done, inside_destroyed;

static void inside(ssh_request *request, void *userdata)
{
    pair *p = userdata;
    ssh_error *error = NULL;
    /* Waits for a callback that waits for this one. */
    CHECK(ssh_transport_accept(p->server_transport, 1000, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_WOULD_DEADLOCK);
    ssh_error_free(error);
    /* Takes itself away, and ends its own transport. */
    CHECK_STATUS(ssh_transport_set_callback(p->server_transport, SSH_REQUEST_CHANNEL_OPEN, NULL, NULL, NULL),
                 SSH_OK);
    CHECK(atomic_load(&inside_destroyed) == 0);
    ssh_transport_free(p->server_transport);
    CHECK(ssh_request_transport(request) == NULL);
    ssh_request_free(request);
    atomic_fetch_add(&inside_done, 1);
}

static void inside_callbacks(void)
{
    pair p;
    ssh_error *error = NULL;
    pair_make(&p);
    pair_login(&p);
    static pair *shared;
    shared = &p;
    ssh_transport_set_callback(p.server_transport, SSH_REQUEST_CHANNEL_OPEN, inside, shared, NULL);
    CHECK(ssh_transport_open_session(p.client, 10000, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_DISCONNECTED);
    ssh_error_free(error);
    wait_for(&inside_done, 1);
    pair_free(&p);
}

/* --- counting ------------------------------------------------------------------------------------- */

/* What callbacks and threads of the library still hold goes away by itself. */
static void wait_for_handles(size_t wanted)
{
    for (int i = 0; i < 20000 && ssh_handle_count() != wanted; i++)
        usleep(1000);
    CHECK(ssh_handle_count() == wanted);
}

static void counting(void)
{
    pair p;
    ssh_channel *server_side;
    CHECK(ssh_handle_count() == 0);
    ssh_event *event = ssh_event_new(), *other = ssh_event_new();
    CHECK(event != NULL && other != NULL && ssh_handle_count() == 2);
    ssh_event_free(event);
    CHECK(ssh_handle_count() == 1);
    ssh_event_free(event); /* a handle no longer */
    CHECK(ssh_handle_count() == 1);
    pair_make(&p);
    pair_login(&p);
    ssh_channel *channel = pair_session(&p, &server_side);
    /* The event, and of the pair a key, a server, two transports and two ends of a channel. */
    wait_for_handles(7);
    ssh_channel_free(channel);
    ssh_channel_free(server_side);
    pair_free(&p);
    wait_for_handles(1);
    ssh_event_free(other);
    CHECK(ssh_handle_count() == 0);
}

int main(void)
{
    watchdog(300);
    counting();
    wrong_handles();
    descriptors();
    blocked_calls();
    trampling();
    inside_callbacks();
    puts("handles: ok");
    return 0;
}
