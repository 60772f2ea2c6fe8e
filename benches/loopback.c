/*
 * What the loopback interface gives without SSH, and a slow line for those with it.
 *
 *   loopback client HOST PORT USER KEYFILE MODE N CIPHER   down, up and echo as contract_client does them, in the clear
 *   loopback server PORT HOSTKEY                           the other side of that
 *   loopback delay PORT TARGET MS                          passes connections on to the port TARGET; each byte arrives MS
 *                                                          milliseconds later, in both directions, at any rate
 *
 * The servers end with the program that started them, and after an hour at the latest.
 */
#define _GNU_SOURCE /* accept4, clock_nanosleep */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE (32 * 1024)
#define BLOCK (256 * 1024)
/* Bytes on their way in one direction of the slow line: 100 ms at 2.6 GB/s. */
#define ON_THE_WAY ((size_t)256 << 20)
#define HOUR 3600

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct sockaddr_in loopback(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    return address;
}

static int no_delay(int fd)
{
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static int dial(const char *port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return no_delay(fd);
}

static int listen_on(const char *port)
{
    const int yes = 1;
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    alarm(HOUR);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 512) != 0)
        fail("listen");
    return fd;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, data, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        data += done;
        length -= (size_t)done;
    }
    return true;
}

static bool read_all(int fd, char *data, size_t length)
{
    while (length > 0) {
        ssize_t done = read(fd, data, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        data += done;
        length -= (size_t)done;
    }
    return true;
}

static bool write_zeros(int fd, uint64_t left)
{
    static const char zeros[PIECE];
    while (left > 0) {
        size_t part = left < sizeof zeros ? (size_t)left : sizeof zeros;
        if (!write_all(fd, zeros, part))
            return false;
        left -= part;
    }
    return true;
}

/* Reads to the end, and returns how much it was. */
static uint64_t drain(int fd)
{
    char *buffer = malloc(BLOCK);
    uint64_t total = 0;
    ssize_t done = 0;
    while (buffer != NULL && (done = read(fd, buffer, BLOCK)) > 0)
        total += (uint64_t)done;
    free(buffer);
    return total;
}

static void spawn(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0)
        fail("thread");
    pthread_detach(thread);
}

/* --- in the clear ------------------------------------------------------------------------------------ */

/* What the client says first: what it wants, and how much of it. */
struct order {
    uint64_t count;
    char kind;
};

static void *serve(void *argument)
{
    int fd = *(int *)argument;
    struct order order;
    char byte;
    free(argument);
    if (read_all(fd, (char *)&order, sizeof order)) {
        if (order.kind == 'd')
            write_zeros(fd, order.count);
        else if (order.kind == 'u')
            write_all(fd, drain(fd) == order.count ? "x" : "", 1);
        else
            while (read(fd, &byte, 1) == 1 && write_all(fd, &byte, 1))
                ;
    }
    close(fd);
    return NULL;
}

static bool carry_out(int fd, struct order order)
{
    char byte = 'x';
    if (!write_all(fd, (const char *)&order, sizeof order))
        return false;
    switch (order.kind) {
    case 'd':
        return drain(fd) == order.count;
    case 'u':
        return write_zeros(fd, order.count) && shutdown(fd, SHUT_WR) == 0 && read_all(fd, &byte, 1) && byte == 'x';
    default:
        for (uint64_t i = 0; i < order.count; i++)
            if (!write_all(fd, &byte, 1) || !read_all(fd, &byte, 1))
                return false;
        return true;
    }
}

static int client(char **arguments)
{
    const char *mode = arguments[4];
    struct order order;
    struct rusage before, after;
    memset(&order, 0, sizeof order);
    order.count = strtoull(arguments[5], NULL, 10);
    order.kind = mode[0];
    int fd = dial(arguments[1]);
    if (fd < 0)
        fail("connect");
    getrusage(RUSAGE_SELF, &before);
    double start = clock_now();
    if (!carry_out(fd, order)) {
        fprintf(stderr, "it did not come through\n");
        return 1;
    }
    double seconds = clock_now() - start;
    getrusage(RUSAGE_SELF, &after);
    printf("{\"mode\":\"%s\",\"count\":%llu,\"secs\":%.6f,\"user\":%.6f,\"sys\":%.6f}\n", mode,
           (unsigned long long)order.count, seconds,
           (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
               (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6,
           (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
               (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6);
    return 0;
}

/* --- the slow line ----------------------------------------------------------------------------------- */

struct block {
    struct block *next;
    double due;
    size_t length;
    char data[];
};

/* One direction of a connection. Two threads use it; the second one to leave frees it. */
struct line {
    int from, to, users;
    double delay;
    struct block *first, **last;
    size_t bytes;
    bool ended;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void leave(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    bool last = --line->users == 0;
    pthread_cond_signal(&line->changed);
    pthread_mutex_unlock(&line->lock);
    if (!last)
        return;
    for (struct block *block = line->first; block != NULL;) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    close(line->from);
    close(line->to);
    free(line);
}

static void *take_in(void *argument)
{
    struct line *line = argument;
    char *buffer = malloc(BLOCK);
    ssize_t done = 0;
    while (buffer != NULL && (done = read(line->from, buffer, BLOCK)) > 0) {
        struct block *block = malloc(sizeof *block + (size_t)done);
        if (block == NULL)
            break;
        *block = (struct block){.due = clock_now() + line->delay, .length = (size_t)done};
        memcpy(block->data, buffer, (size_t)done);
        pthread_mutex_lock(&line->lock);
        while (line->bytes > ON_THE_WAY && line->users == 2)
            pthread_cond_wait(&line->changed, &line->lock);
        *line->last = block;
        line->last = &block->next;
        line->bytes += (size_t)done;
        bool alone = line->users < 2;
        pthread_cond_signal(&line->changed);
        pthread_mutex_unlock(&line->lock);
        if (alone)
            break;
    }
    free(buffer);
    pthread_mutex_lock(&line->lock);
    line->ended = true;
    pthread_cond_signal(&line->changed);
    pthread_mutex_unlock(&line->lock);
    leave(line);
    return NULL;
}

static struct block *next_block(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    while (line->first == NULL && !line->ended)
        pthread_cond_wait(&line->changed, &line->lock);
    struct block *block = line->first;
    if (block != NULL) {
        line->first = block->next;
        if (line->first == NULL)
            line->last = &line->first;
        line->bytes -= block->length;
        pthread_cond_signal(&line->changed);
    }
    pthread_mutex_unlock(&line->lock);
    return block;
}

static void *give_out(void *argument)
{
    struct line *line = argument;
    struct block *block;
    bool good = true;
    while (good && (block = next_block(line)) != NULL) {
        struct timespec due = {.tv_sec = (time_t)block->due};
        due.tv_nsec = (long)((block->due - (double)due.tv_sec) * 1e9);
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
            ;
        good = write_all(line->to, block->data, block->length);
        free(block);
    }
    /* Nothing more goes this way; who still sends is told. */
    shutdown(line->to, SHUT_WR);
    if (!good)
        shutdown(line->from, SHUT_RD);
    leave(line);
    return NULL;
}

static void lay_line(int from, int to, double delay)
{
    struct line *line = calloc(1, sizeof *line);
    if (line == NULL || from < 0 || to < 0)
        fail("line");
    line->from = from;
    line->to = to;
    line->users = 2;
    line->delay = delay;
    line->last = &line->first;
    pthread_mutex_init(&line->lock, NULL);
    pthread_cond_init(&line->changed, NULL);
    spawn(take_in, line);
    spawn(give_out, line);
}

static void pass_on(int fd, const char *target, double delay)
{
    int there = dial(target);
    if (there < 0) {
        close(fd);
        return;
    }
    /* Each direction closes descriptors of its own. */
    lay_line(dup(fd), dup(there), delay);
    lay_line(there, fd, delay);
}

int main(int argc, char **argv)
{
    if (argc == 9 && strcmp(argv[1], "client") == 0)
        return client(argv + 2);
    bool delays = argc == 5 && strcmp(argv[1], "delay") == 0;
    if (!delays && !(argc == 4 && strcmp(argv[1], "server") == 0)) {
        fprintf(stderr, "usage: loopback client ... | server PORT HOSTKEY | delay PORT TARGET MS\n");
        return 64;
    }
    int listener = listen_on(argv[2]);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        no_delay(fd);
        if (delays) {
            pass_on(fd, argv[3], strtod(argv[4], NULL) / 1000);
        } else {
            int *argument = malloc(sizeof *argument);
            if (argument == NULL)
                fail("memory");
            *argument = fd;
            spawn(serve, argument);
        }
    }
}
