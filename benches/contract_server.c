/*
 * contract_server PORT HOSTKEY [ROOT]: a server for benchmarks, on the loopback interface. It lets everybody in who holds any
 * key, and answers a few commands itself, so that no other program is measured:
 *
 *   head -c N /dev/zero   N zeros
 *   cat                   what comes goes back
 *   cat >/dev/null        what comes is thrown away
 *   anything else         ends at once
 *
 * all with exit status 0. With ROOT it serves that directory over SFTP. BENCH_KEEPALIVE in the environment is the seconds of
 * silence after which it asks whether the client is still there.
 */
#define _GNU_SOURCE /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "contract_echoes.h"

/* Looking at each of very many connections takes time, so it is done when many have come, and now and then. */
#define SWEEP_MS 60000
#define SWEEP_MIN 256
/* So many are looked at each time another one has come. */
#define LATEST 8
#define STACK_SIZE (128 * 1024)
/* So many echoes have a thread each, which is the simplest way and for few of them the fastest. The others share one. */
#define ECHO_THREADS 8

static ssh_sftp_server *files;
static atomic_int echo_threads;

struct task {
    ssh_channel *channel;
    bool echoes;
    uint64_t zeros;
};

void finish(ssh_channel *channel)
{
    ssh_channel_send_exit_status(channel, 0);
    ssh_channel_send_eof(channel);
    ssh_channel_free(channel);
}

static bool send_zeros(ssh_channel *channel, uint64_t left)
{
    static const char zeros[BENCH_BUFFER];
    while (left > 0) {
        size_t part = left < sizeof zeros ? (size_t)left : sizeof zeros;
        if (ssh_channel_write_all(channel, zeros, part, NULL, SSH_TIMEOUT_FOREVER) != SSH_OK)
            return false;
        left -= part;
    }
    return true;
}

static bool take_all(ssh_channel *channel, bool echoes)
{
    char *buffer = malloc(BENCH_BUFFER);
    size_t done;
    ssh_status status = SSH_ERR_RESOURCE;
    while (buffer != NULL) {
        status = ssh_channel_read(channel, buffer, BENCH_BUFFER, &done, SSH_TIMEOUT_FOREVER);
        if (status == SSH_OK && echoes)
            status = ssh_channel_write_all(channel, buffer, done, NULL, SSH_TIMEOUT_FOREVER);
        if (status != SSH_OK)
            break;
    }
    free(buffer);
    return status == SSH_EOF;
}

static void *perform(void *argument)
{
    struct task *task = argument;
    bool good = task->zeros > 0 ? send_zeros(task->channel, task->zeros) : take_all(task->channel, task->echoes);
    if (good)
        finish(task->channel);
    else
        ssh_channel_free(task->channel);
    if (task->echoes)
        echo_threads--;
    free(task);
    return NULL;
}

/* Runs a task on a thread of its own, for callbacks are not the place to wait. */
static void start_task(struct task wanted)
{
    pthread_t thread;
    pthread_attr_t attributes;
    struct task *task = malloc(sizeof *task);
    if (task == NULL)
        bench_fail("memory", SSH_ERR_RESOURCE, NULL);
    *task = wanted;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, perform, task) != 0)
        bench_fail("thread", SSH_ERR_RESOURCE, NULL);
    pthread_attr_destroy(&attributes);
}

static void on_key(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_request_accept(request);
    ssh_request_free(request);
}

static void on_channel(ssh_request *request, void *userdata)
{
    (void)userdata;
    const char *kind = ssh_request_channel_kind(request);
    /* Its requests find the channel's one handle; whoever carries the command out frees it. */
    if (kind != NULL && strcmp(kind, "session") == 0)
        ssh_request_accept_channel(request, NULL);
    ssh_request_free(request);
}

static void on_exec(ssh_request *request, void *userdata)
{
    (void)userdata;
    struct task task = {.channel = ssh_request_channel(request)};
    size_t length = 0;
    const char *command = ssh_request_command(request, &length);
    bool known = true;
    if (command == NULL || task.channel == NULL || ssh_request_accept(request) != SSH_OK) {
        ssh_request_free(request);
        return;
    }
    if (strncmp(command, "head -c ", 8) == 0)
        task.zeros = strtoull(command + 8, NULL, 10);
    else if (strcmp(command, "cat") == 0)
        task.echoes = true;
    else if (strcmp(command, "cat >/dev/null") != 0)
        known = false;
    if (task.echoes && echo_threads++ >= ECHO_THREADS) {
        echo_threads--;
        echo_in_loop(task.channel);
    } else if (known)
        start_task(task);
    else
        finish(task.channel);
    ssh_request_free(request);
}

static void on_subsystem(ssh_request *request, void *userdata)
{
    (void)userdata;
    const char *name = ssh_request_name(request);
    if (name != NULL && strcmp(name, "sftp") == 0)
        ssh_request_accept_sftp(request, files, NULL);
    ssh_request_free(request);
}

static ssh_server *make_server(const char *path, const char *root)
{
    ssh_error *error = NULL;
    ssh_key *key = ssh_key_load_file(path, NULL, &error);
    ssh_server *server = ssh_server_new();
    if (key == NULL || server == NULL)
        bench_fail("host key", SSH_OK, error);
    bench_check("host key", ssh_server_add_key(server, key), NULL);
    bench_check("callback", ssh_server_set_callback(server, SSH_REQUEST_AUTH_KEY_ASKED, on_key, NULL, NULL), NULL);
    bench_check("callback", ssh_server_set_callback(server, SSH_REQUEST_AUTH_KEY_PROVEN, on_key, NULL, NULL), NULL);
    bench_check("callback", ssh_server_set_callback(server, SSH_REQUEST_CHANNEL_OPEN, on_channel, NULL, NULL), NULL);
    bench_check("callback", ssh_server_set_callback(server, SSH_REQUEST_EXEC, on_exec, NULL, NULL), NULL);
    if (root != NULL) {
        files = ssh_sftp_server_new_directory(root, &error);
        if (files == NULL)
            bench_fail("root", SSH_OK, error);
        bench_check("callback", ssh_server_set_callback(server, SSH_REQUEST_SUBSYSTEM, on_subsystem, NULL, NULL), NULL);
    }
    ssh_key_free(key);
    return server;
}

static int listen_on(const char *port)
{
    const int yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 512) != 0) {
        perror("listen");
        exit(1);
    }
    return listener;
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Frees the transports whose connection is over, and returns how many are left. */
static size_t sweep(ssh_transport **transports, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (ssh_transport_is_alive(transports[i]))
            transports[left++] = transports[i];
        else
            ssh_transport_free(transports[i]);
    }
    return left;
}

static void serve(ssh_server *server, int listener)
{
    ssh_transport **transports = NULL;
    size_t count = 0, room = 0, left = 0;
    int64_t swept = now_ms();
    ssh_event *started = ssh_event_new();
    const char *keepalive = getenv("BENCH_KEEPALIVE");
    for (;;) {
        struct pollfd wait = {.fd = listener, .events = POLLIN};
        int ready = poll(&wait, 1, SWEEP_MS);
        if (now_ms() - swept >= SWEEP_MS || count - left >= SWEEP_MIN + left / 2) {
            count = left = sweep(transports, count);
            swept = now_ms();
        }
        int fd = ready > 0 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        /* Short connections are over by the time the next one comes, and their memory is still in the caches. */
        size_t others = count > LATEST ? count - LATEST : 0;
        count = others + sweep(transports + others, count - others);
        left = left < count ? left : count;
        ssh_error *error = NULL;
        ssh_transport *transport = ssh_transport_new(fd, &error);
        if (transport == NULL)
            bench_fail("transport", SSH_OK, error);
        bench_check("start", ssh_transport_start_server(transport, server, started, SSH_TIMEOUT_DEFAULT, &error), error);
        /* It may be over already. */
        if (keepalive != NULL)
            ssh_transport_set_keepalive(transport, atoi(keepalive) * 1000, 3, NULL, NULL, NULL);
        if (count == room) {
            room = room == 0 ? 64 : room * 2;
            transports = realloc(transports, room * sizeof(*transports));
            if (transports == NULL)
                bench_fail("memory", SSH_ERR_RESOURCE, NULL);
        }
        transports[count++] = transport;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: contract_server PORT HOSTKEY [ROOT]\n");
        return 64;
    }
    serve(make_server(argv[2], argc == 4 ? argv[3] : NULL), listen_on(argv[1]));
    return 0;
}
