/*
 * contract_client HOST PORT USER KEYFILE MODE N CIPHER: one measurement, printed as one line of JSON.
 *
 *   down       N bytes from `head -c N /dev/zero`, counted
 *   up         N bytes to `cat >/dev/null`, until its exit status is here
 *   echo       N times one byte to `cat` and back
 *   exec       N times on one connection: a channel, `true`, its exit status
 *   both       N bytes to `cat` and back, at once
 *   channels   N bytes over 16 channels of one connection at once; adds the slowest one's share of the mean rate
 *   sftpget    N bytes of $BENCH_FILE to nowhere, with one call
 *   sftpput    N zeros to $BENCH_FILE.up, with one call
 *   sftpread, sftpwrite    the same in plain reads and writes of 32 KiB
 *   handshake  N times: connect, key exchange, public key, disconnect
 *   idle       N connections at once; with BENCH_HOLD in the environment they stay until standard input ends
 *
 * The times leave out the connecting, except in handshake and idle. CIPHER - is the library's default. BENCH_KEX names
 * another key exchange than curve25519-sha256. Host keys are not checked: all of it stays on the loopback interface.
 */
#define _GNU_SOURCE /* clock_gettime, getrusage */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define WRITE_SIZE (32 * 1024)
#define LIMIT_MS 120000
/* Connections of `idle` that log in at the same time. */
#define BATCH 16
/* Channels that move data at once. */
#define CHANNELS 16

struct target {
    const char *host, *port, *user, *mode, *cipher;
    uint64_t count;
    ssh_key *key;
};

struct stamp {
    double wall, user, sys;
};

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static struct stamp now(void)
{
    struct timespec time;
    struct rusage usage;
    clock_gettime(CLOCK_MONOTONIC, &time);
    getrusage(RUSAGE_SELF, &usage);
    return (struct stamp){.wall = (double)time.tv_sec + (double)time.tv_nsec / 1e9,
                          .user = seconds(usage.ru_utime),
                          .sys = seconds(usage.ru_stime)};
}

/* A line of /proc/self/status, such as VmRSS (KiB) or Threads. */
static long status_of(const char *name)
{
    char line[256];
    long value = 0;
    size_t length = strlen(name);
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            value = strtol(line + length + 1, NULL, 10);
    if (file != NULL)
        fclose(file);
    return value;
}

static void report(const struct target *target, struct stamp start, const char *more)
{
    struct stamp end = now();
    printf("{\"mode\":\"%s\",\"count\":%" PRIu64 ",\"secs\":%.6f,\"user\":%.6f,\"sys\":%.6f%s}\n", target->mode,
           target->count, end.wall - start.wall, end.user - start.user, end.sys - start.sys, more);
    fflush(stdout);
}

static ssh_transport *connect_to(const struct target *target)
{
    char address[512];
    ssh_error *error = NULL;
    snprintf(address, sizeof address, "%s:%s", target->host, target->port);
    ssh_transport *transport = ssh_transport_new_address(address, LIMIT_MS, &error);
    if (transport == NULL)
        bench_fail("connect", SSH_OK, error);
    ssh_security_options *options = ssh_transport_security_options(transport);
    const char *kex = getenv("BENCH_KEX");
    bench_check("kex", ssh_security_options_set_kex(options, kex == NULL ? "curve25519-sha256" : kex, &error), error);
    bench_check("host key", ssh_security_options_set_key_types(options, "ssh-ed25519", &error), error);
    if (strcmp(target->cipher, "-") != 0)
        bench_use_cipher(options, target->cipher);
    ssh_security_options_free(options);
    bench_check("host key", ssh_transport_set_insecure_accept_any_host_key(transport), NULL);
    return transport;
}

static ssh_transport *log_in(const struct target *target)
{
    ssh_error *error = NULL;
    ssh_transport *transport = connect_to(target);
    bench_check("log in", ssh_transport_connect(transport, NULL, target->user, NULL, target->key, LIMIT_MS, &error),
                error);
    return transport;
}

static ssh_channel *run(ssh_transport *transport, const char *command)
{
    ssh_error *error = NULL;
    ssh_channel *channel = ssh_transport_open_session(transport, LIMIT_MS, &error);
    if (channel == NULL)
        bench_fail("open", SSH_OK, error);
    bench_check("exec", ssh_channel_request_exec(channel, command, LIMIT_MS, &error), error);
    return channel;
}

static void expect_success(ssh_channel *channel)
{
    int32_t kind = SSH_EXIT_NONE;
    uint32_t status = 0;
    bench_check("exit status", ssh_channel_wait_exit(channel, LIMIT_MS, &kind, &status), NULL);
    if (kind != SSH_EXIT_STATUS || status != 0)
        bench_fail("exit status is not 0", SSH_OK, NULL);
}

static void down(const struct target *target)
{
    static char buffer[BENCH_BUFFER];
    char command[64];
    uint64_t total = 0;
    size_t done;
    ssh_status status;
    snprintf(command, sizeof command, "head -c %" PRIu64 " /dev/zero", target->count);
    ssh_transport *transport = log_in(target);
    struct stamp start = now();
    ssh_channel *channel = run(transport, command);
    while ((status = ssh_channel_read(channel, buffer, sizeof buffer, &done, LIMIT_MS)) == SSH_OK)
        total += done;
    if (status != SSH_EOF || total != target->count)
        bench_fail("read", status, NULL);
    report(target, start, "");
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

static void up(const struct target *target)
{
    static const char zeros[WRITE_SIZE];
    uint64_t left = target->count;
    ssh_transport *transport = log_in(target);
    struct stamp start = now();
    ssh_channel *channel = run(transport, "cat >/dev/null");
    while (left > 0) {
        size_t part = left < sizeof zeros ? (size_t)left : sizeof zeros;
        bench_check("write", ssh_channel_write_all(channel, zeros, part, NULL, LIMIT_MS), NULL);
        left -= part;
    }
    bench_check("eof", ssh_channel_send_eof(channel), NULL);
    expect_success(channel);
    report(target, start, "");
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

static void echo_once(ssh_channel *channel)
{
    char byte = 'x';
    size_t done;
    bench_check("write", ssh_channel_write_all(channel, &byte, 1, NULL, LIMIT_MS), NULL);
    bench_check("read", ssh_channel_read(channel, &byte, 1, &done, LIMIT_MS), NULL);
}

static void echo(const struct target *target)
{
    ssh_transport *transport = log_in(target);
    ssh_channel *channel = run(transport, "cat");
    echo_once(channel);
    struct stamp start = now();
    for (uint64_t i = 0; i < target->count; i++)
        echo_once(channel);
    report(target, start, "");
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

static void exec(const struct target *target)
{
    ssh_transport *transport = log_in(target);
    struct stamp start = now();
    for (uint64_t i = 0; i < target->count; i++) {
        ssh_channel *channel = run(transport, "true");
        expect_success(channel);
        ssh_channel_free(channel);
    }
    report(target, start, "");
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

/* --- several at once -------------------------------------------------------------------------------- */

struct stream {
    pthread_t thread;
    ssh_channel *channel;
    uint64_t count;
    double seconds;
};

static void *send_stream(void *argument)
{
    static const char zeros[WRITE_SIZE];
    struct stream *stream = argument;
    for (uint64_t left = stream->count; left > 0;) {
        size_t part = left < sizeof zeros ? (size_t)left : sizeof zeros;
        bench_check("write", ssh_channel_write_all(stream->channel, zeros, part, NULL, LIMIT_MS), NULL);
        left -= part;
    }
    bench_check("eof", ssh_channel_send_eof(stream->channel), NULL);
    return NULL;
}

static void *receive_stream(void *argument)
{
    struct stream *stream = argument;
    char *buffer = malloc(BENCH_BUFFER);
    uint64_t total = 0;
    size_t done;
    ssh_status status = SSH_ERR_RESOURCE;
    struct stamp start = now();
    while (buffer != NULL && (status = ssh_channel_read(stream->channel, buffer, BENCH_BUFFER, &done, LIMIT_MS)) == SSH_OK)
        total += done;
    if (status != SSH_EOF || total != stream->count)
        bench_fail("read", status, NULL);
    stream->seconds = now().wall - start.wall;
    free(buffer);
    return NULL;
}

static void start_stream(struct stream *stream, void *(*carry)(void *))
{
    if (pthread_create(&stream->thread, NULL, carry, stream) != 0)
        bench_fail("thread", SSH_ERR_RESOURCE, NULL);
}

static void both(const struct target *target)
{
    ssh_transport *transport = log_in(target);
    struct stream up = {.channel = run(transport, "cat"), .count = target->count}, down = up;
    struct stamp start = now();
    start_stream(&up, send_stream);
    receive_stream(&down);
    pthread_join(up.thread, NULL);
    report(target, start, "");
    ssh_channel_free(up.channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

static void channels(const struct target *target)
{
    struct stream streams[CHANNELS];
    char command[64], more[64];
    double slowest = 0, mean = 0;
    ssh_transport *transport = log_in(target);
    snprintf(command, sizeof command, "head -c %" PRIu64 " /dev/zero", target->count / CHANNELS);
    struct stamp start = now();
    for (size_t i = 0; i < CHANNELS; i++) {
        streams[i] = (struct stream){.channel = run(transport, command), .count = target->count / CHANNELS};
        start_stream(&streams[i], receive_stream);
    }
    for (size_t i = 0; i < CHANNELS; i++) {
        pthread_join(streams[i].thread, NULL);
        slowest = streams[i].seconds > slowest ? streams[i].seconds : slowest;
        mean += 1 / streams[i].seconds / CHANNELS;
    }
    snprintf(more, sizeof more, ",\"slowest\":%.3f", 1 / slowest / mean);
    report(target, start, more);
    for (size_t i = 0; i < CHANNELS; i++)
        ssh_channel_free(streams[i].channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

/* --- files ------------------------------------------------------------------------------------------- */

static bool count_bytes(void *userdata, const void *data, size_t length)
{
    (void)data;
    *(uint64_t *)userdata += length;
    return true;
}

static bool give_zeros(void *userdata, void *buffer, size_t capacity, size_t *length)
{
    uint64_t *left = userdata;
    *length = *left < capacity ? (size_t)*left : capacity;
    memset(buffer, 0, *length);
    *left -= *length;
    return true;
}

static uint64_t get_whole(ssh_sftp *sftp, const char *path)
{
    uint64_t total = 0;
    ssh_error *error = NULL;
    bench_check("get", ssh_sftp_get_callback(sftp, path, 0, count_bytes, 0, NULL, &total, LIMIT_MS, &error), error);
    return total;
}

static uint64_t put_whole(ssh_sftp *sftp, const char *path, uint64_t count)
{
    uint64_t left = count;
    ssh_error *error = NULL;
    bench_check("put", ssh_sftp_put_callback(sftp, give_zeros, count, path, 0, NULL, &left, LIMIT_MS, &error), error);
    return count - left;
}

static ssh_sftp_file *open_file(ssh_sftp *sftp, const char *path, uint32_t flags)
{
    ssh_error *error = NULL;
    ssh_sftp_file *file = ssh_sftp_open(sftp, path, flags, NULL, LIMIT_MS, &error);
    if (file == NULL)
        bench_fail("open", SSH_OK, error);
    return file;
}

static uint64_t read_pieces(ssh_sftp *sftp, const char *path)
{
    static char buffer[WRITE_SIZE];
    uint64_t total = 0;
    size_t done;
    ssh_status status;
    ssh_error *error = NULL;
    ssh_sftp_file *file = open_file(sftp, path, SSH_SFTP_READ);
    while ((status = ssh_sftp_file_read(file, buffer, sizeof buffer, &done, LIMIT_MS, &error)) == SSH_OK)
        total += done;
    if (status != SSH_EOF)
        bench_fail("read", status, error);
    ssh_sftp_file_free(file);
    return total;
}

static uint64_t write_pieces(ssh_sftp *sftp, const char *path, uint64_t count)
{
    static const char zeros[WRITE_SIZE];
    uint64_t total = 0;
    size_t done;
    ssh_error *error = NULL;
    ssh_sftp_file *file = open_file(sftp, path, SSH_SFTP_WRITE | SSH_SFTP_CREATE | SSH_SFTP_TRUNCATE);
    while (total < count) {
        size_t part = count - total < sizeof zeros ? (size_t)(count - total) : sizeof zeros;
        bench_check("write", ssh_sftp_file_write(file, zeros, part, &done, LIMIT_MS, &error), error);
        total += done;
    }
    bench_check("close", ssh_sftp_file_close(file, LIMIT_MS, &error), error);
    ssh_sftp_file_free(file);
    return total;
}

static void sftp(const struct target *target)
{
    char path[4096];
    const char *file = getenv("BENCH_FILE");
    bool puts = strcmp(target->mode, "sftpput") == 0 || strcmp(target->mode, "sftpwrite") == 0;
    bool whole = strcmp(target->mode, "sftpput") == 0 || strcmp(target->mode, "sftpget") == 0;
    ssh_error *error = NULL;
    if (file == NULL)
        bench_fail("BENCH_FILE is not set", SSH_ERR_INVALID_ARG, NULL);
    snprintf(path, sizeof path, "%s%s", file, puts ? ".up" : "");
    ssh_transport *transport = log_in(target);
    ssh_sftp *session = ssh_transport_open_sftp_client(transport, LIMIT_MS, &error);
    if (session == NULL)
        bench_fail("sftp", SSH_OK, error);
    struct stamp start = now();
    uint64_t moved;
    if (puts)
        moved = whole ? put_whole(session, path, target->count) : write_pieces(session, path, target->count);
    else
        moved = whole ? get_whole(session, path) : read_pieces(session, path);
    if (moved != target->count)
        bench_fail("not as many bytes as were asked for", SSH_OK, NULL);
    report(target, start, "");
    ssh_sftp_free(session);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

/* --- connections ------------------------------------------------------------------------------------- */

static void handshake(const struct target *target)
{
    struct stamp start = now();
    for (uint64_t i = 0; i < target->count; i++) {
        ssh_transport *transport = log_in(target);
        ssh_transport_close(transport);
        ssh_transport_free(transport);
    }
    report(target, start, "");
}

/* Logs in a batch side by side, for one after another would measure the server's patience. */
static void log_in_batch(const struct target *target, ssh_transport **transports, size_t count)
{
    ssh_error *error = NULL;
    ssh_event *events[BATCH];
    for (size_t i = 0; i < count; i++) {
        events[i] = ssh_event_new();
        transports[i] = connect_to(target);
        bench_check("start", ssh_transport_start_client(transports[i], events[i], LIMIT_MS, &error), error);
    }
    for (size_t i = 0; i < count; i++) {
        bench_check("key exchange", ssh_event_wait(events[i], LIMIT_MS), NULL);
        ssh_event_reset(events[i]);
        bench_check("log in",
                    ssh_transport_auth_publickey(transports[i], target->user, target->key, events[i], LIMIT_MS,
                                                 &error),
                    error);
    }
    for (size_t i = 0; i < count; i++) {
        bench_check("log in", ssh_event_wait(events[i], LIMIT_MS), NULL);
        bench_check("log in", ssh_transport_auth_status(transports[i], &error), error);
        ssh_event_free(events[i]);
    }
}

static void idle(const struct target *target)
{
    char more[128];
    ssh_transport **transports = calloc(target->count, sizeof *transports);
    if (transports == NULL)
        bench_fail("memory", SSH_ERR_RESOURCE, NULL);
    /* Not counted: what the process costs before and with its first connection. */
    ssh_transport *first = log_in(target);
    long before = status_of("VmRSS");
    struct stamp start = now();
    for (uint64_t i = 0; i < target->count; i += BATCH)
        log_in_batch(target, transports + i, target->count - i < BATCH ? (size_t)(target->count - i) : BATCH);
    double rss = (double)(status_of("VmRSS") - before);
    snprintf(more, sizeof more, ",\"rss_kb_per_conn\":%.2f,\"threads\":%ld", rss / (double)target->count,
             status_of("Threads"));
    report(target, start, more);
    if (getenv("BENCH_HOLD") != NULL) {
        char byte;
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    }
    for (uint64_t i = 0; i < target->count; i++) {
        if (!ssh_transport_is_authenticated(transports[i]))
            bench_fail("a connection did not last", SSH_OK, NULL);
        ssh_transport_free(transports[i]);
    }
    ssh_transport_free(first);
    free(transports);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct target *target);
    } modes[] = {{"down", down}, {"up", up}, {"echo", echo}, {"exec", exec}, {"both", both},
                 {"channels", channels}, {"sftpget", sftp}, {"sftpput", sftp}, {"sftpread", sftp}, {"sftpwrite", sftp},
                 {"handshake", handshake}, {"idle", idle}};
    ssh_error *error = NULL;
    if (argc != 8) {
        fprintf(stderr, "usage: contract_client HOST PORT USER KEYFILE MODE N CIPHER\n");
        return 64;
    }
    struct target target = {.host = argv[1], .port = argv[2], .user = argv[3], .mode = argv[5], .cipher = argv[7]};
    target.count = strtoull(argv[6], NULL, 10);
    target.key = ssh_key_load_file(argv[4], NULL, &error);
    if (target.key == NULL)
        bench_fail("key", SSH_OK, error);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(target.mode, modes[i].name) == 0) {
            modes[i].run(&target);
            ssh_key_free(target.key);
            return 0;
        }
    }
    fprintf(stderr, "no mode %s\n", target.mode);
    return 64;
}
