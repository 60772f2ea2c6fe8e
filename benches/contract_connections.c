/*
 * Connections: one after another, many that are idle, many that are not.
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract.h"

/* Connections that log in at the same time. */
#define BATCH 16
/* Of `active`: seconds between the bytes of one connection. */
#define PERIOD 0.01

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

void handshake(const struct target *target)
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

void idle(const struct target *target)
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

/* --- many that are not idle -------------------------------------------------------------------------- */

struct talker {
    ssh_transport *transport;
    ssh_channel *channel;
    double due, sent;
    bool waiting;
};

/* What all of them have measured. */
struct latencies {
    float *seconds;
    size_t count, room;
};

static int compare(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

/* Takes the byte that came back. */
static void hear(struct talker *talker, struct latencies *latencies)
{
    char byte;
    size_t done;
    ssh_status status = ssh_channel_read(talker->channel, &byte, 1, &done, 0);
    if (status == SSH_AGAIN)
        return;
    bench_check("read", status, NULL);
    talker->waiting = false;
    if (latencies->count < latencies->room)
        latencies->seconds[latencies->count++] = (float)(clock_time() - talker->sent);
}

/* Sends the next byte if it is due. */
static void say(struct talker *talker, double time)
{
    if (talker->waiting || time < talker->due)
        return;
    talker->sent = clock_time();
    bench_check("write", ssh_channel_write_all(talker->channel, "x", 1, NULL, LIMIT_MS), NULL);
    talker->waiting = true;
    /* Each keeps its beat: were the late ones due a period from now, they would all come at once from then on. */
    do
        talker->due += PERIOD;
    while (talker->due <= time);
}

static void start_talkers(const struct target *target, struct talker *talkers, ssh_event *readable)
{
    ssh_transport *transports[BATCH];
    for (uint64_t i = 0; i < target->count; i += BATCH) {
        size_t batch = target->count - i < BATCH ? (size_t)(target->count - i) : BATCH;
        log_in_batch(target, transports, batch);
        for (size_t j = 0; j < batch; j++) {
            ssh_channel *channel = run(transports[j], "cat");
            talkers[i + j] = (struct talker){.transport = transports[j], .channel = channel};
            bench_check("userdata", ssh_channel_set_userdata(channel, &talkers[i + j], NULL), NULL);
            bench_check("event", ssh_channel_set_event(channel, readable, SSH_CHANNEL_READABLE), NULL);
        }
    }
}

void active(const struct target *target)
{
    const char *text = getenv("BENCH_SECONDS");
    double length = text == NULL ? 5 : strtod(text, NULL);
    char more[128];
    struct target counted = *target;
    ssh_event *readable = ssh_event_new();
    struct talker *talkers = calloc(target->count, sizeof *talkers);
    struct latencies latencies = {.room = (size_t)((double)target->count * (length / PERIOD + 2))};
    latencies.seconds = malloc(latencies.room * sizeof *latencies.seconds);
    if (talkers == NULL || latencies.seconds == NULL)
        bench_fail("memory", SSH_ERR_RESOURCE, NULL);
    start_talkers(target, talkers, readable);
    struct stamp start = now();
    for (uint64_t i = 0; i < target->count; i++)
        talkers[i].due = start.wall + PERIOD * (double)i / (double)target->count;
    for (double time = start.wall; time < start.wall + length; time = clock_time()) {
        ssh_channel *channel;
        ssh_event_reset(readable);
        while ((channel = ssh_event_take_channel(readable)) != NULL)
            hear(ssh_channel_get_userdata(channel), &latencies);
        for (uint64_t i = 0; i < target->count; i++)
            say(&talkers[i], time);
        ssh_event_wait(readable, 1);
    }
    if (latencies.count == 0)
        bench_fail("no byte came back", SSH_OK, NULL);
    qsort(latencies.seconds, latencies.count, sizeof *latencies.seconds, compare);
    snprintf(more, sizeof more, ",\"p50_us\":%.0f,\"p99_us\":%.0f", latencies.seconds[latencies.count / 2] * 1e6,
             latencies.seconds[latencies.count * 99 / 100] * 1e6);
    counted.count = latencies.count;
    report(&counted, start, more);
    for (uint64_t i = 0; i < target->count; i++) {
        ssh_channel_free(talkers[i].channel);
        ssh_transport_free(talkers[i].transport);
    }
    ssh_event_free(readable);
    free(latencies.seconds);
    free(talkers);
}

void first(const struct target *target)
{
    int sockets[2];
    ssh_error *error = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        bench_fail("socketpair", SSH_ERR_IO, NULL);
    struct stamp start = now();
    ssh_transport *transport = ssh_transport_new(sockets[0], &error);
    if (transport == NULL)
        bench_fail("transport", SSH_OK, error);
    report(target, start, "");
    ssh_transport_free(transport);
    close(sockets[1]);
}
