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
 *   sftpputtree, sftpgettree    the tree $BENCH_LOCAL to $BENCH_FILE and back, N files, with one call
 *   handshake  N times: connect, key exchange, public key, disconnect
 *   idle       N connections at once; with BENCH_HOLD in the environment they stay until standard input ends
 *   active     N connections with a `cat` each, which get a byte to send back every 10 ms, for $BENCH_SECONDS; counts the
 *              round trips, and adds their median and 99th percentile in microseconds
 *   first      the first ssh_transport_new() of the process; no server is asked
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

#include "contract.h"

/* Channels that move data at once. */
#define CHANNELS 16

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double clock_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct stamp now(void)
{
    struct rusage usage;
    double wall = clock_time();
    getrusage(RUSAGE_SELF, &usage);
    return (struct stamp){.wall = wall,
                          .user = seconds(usage.ru_utime),
                          .sys = seconds(usage.ru_stime)};
}

void report(const struct target *target, struct stamp start, const char *more)
{
    struct stamp end = now();
    printf("{\"mode\":\"%s\",\"count\":%" PRIu64 ",\"secs\":%.6f,\"user\":%.6f,\"sys\":%.6f%s}\n", target->mode,
           target->count, end.wall - start.wall, end.user - start.user, end.sys - start.sys, more);
    fflush(stdout);
}

ssh_transport *connect_to(const struct target *target)
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

ssh_transport *log_in(const struct target *target)
{
    ssh_error *error = NULL;
    ssh_transport *transport = connect_to(target);
    bench_check("log in", ssh_transport_connect(transport, NULL, target->user, NULL, target->key, LIMIT_MS, &error),
                error);
    return transport;
}

ssh_channel *run(ssh_transport *transport, const char *command)
{
    ssh_error *error = NULL;
    ssh_channel *channel = ssh_transport_open_session(transport, LIMIT_MS, &error);
    if (channel == NULL)
        bench_fail("open", SSH_OK, error);
    bench_check("exec", ssh_channel_request_exec(channel, command, LIMIT_MS, &error), error);
    return channel;
}

void expect_success(ssh_channel *channel)
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
    double ended;
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
    while (buffer != NULL && (status = ssh_channel_read(stream->channel, buffer, BENCH_BUFFER, &done, LIMIT_MS)) == SSH_OK)
        total += done;
    if (status != SSH_EOF || total != stream->count)
        bench_fail("read", status, NULL);
    stream->ended = now().wall;
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
        double seconds = streams[i].ended - start.wall;
        slowest = seconds > slowest ? seconds : slowest;
        mean += 1 / seconds / CHANNELS;
    }
    snprintf(more, sizeof more, ",\"slowest\":%.3f", 1 / slowest / mean);
    report(target, start, more);
    for (size_t i = 0; i < CHANNELS; i++)
        ssh_channel_free(streams[i].channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct target *target);
    } modes[] = {{"down", down}, {"up", up}, {"echo", echo}, {"exec", exec}, {"both", both},
                 {"channels", channels}, {"sftpget", sftp}, {"sftpput", sftp}, {"sftpread", sftp}, {"sftpwrite", sftp},
                 {"sftpputtree", sftp_tree}, {"sftpgettree", sftp_tree}, {"active", active},
                 {"handshake", handshake},
                 {"idle", idle}};
    ssh_error *error = NULL;
    if (argc != 8) {
        fprintf(stderr, "usage: contract_client HOST PORT USER KEYFILE MODE N CIPHER\n");
        return 64;
    }
    struct target target = {.host = argv[1], .port = argv[2], .user = argv[3], .mode = argv[5], .cipher = argv[7]};
    target.count = strtoull(argv[6], NULL, 10);
    if (strcmp(target.mode, "first") == 0) {
        first(&target);
        return 0;
    }
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
