/*
 * What the programs of the soak test share: noise that is compared byte for byte, dice, and the line of figures.
 */
#ifndef SOAK_H
#define SOAK_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <sshwire.h>

#define PASSWORD "open sesame"
/* Long, for the machine may be busy with other things; nothing waits so long when all is well. */
#define LIMIT_MS 240000
#define FIGURES_MS 3000
#define STACK_SIZE (256 * 1024)
#define BUFFER_SIZE (64 * 1024)
/* A prime, so that pieces of round lengths never repeat. */
#define NOISE_SIZE 1048573

/* Ends the program: the test itself cannot go on. */
static inline _Noreturn void soak_fail(const char *what, ssh_error *error)
{
    fprintf(stderr, "%s%s%s\n", what, error == NULL ? "" : ": ", error == NULL ? "" : ssh_error_message(error));
    exit(2);
}

static inline void *soak_memory(size_t length)
{
    void *memory = malloc(length);
    if (memory == NULL)
        soak_fail("no memory", NULL);
    return memory;
}

static inline uint64_t soak_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Some number below `bound`. */
static inline uint32_t dice(uint64_t *state, uint32_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)((*state >> 32) % bound);
}

/* Starts a thread that nobody waits for. */
static inline void soak_thread(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, run, argument) != 0)
        soak_fail("no thread", NULL);
    pthread_attr_destroy(&attributes);
}

static inline struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Listens on a port that the system chooses. */
static inline int soak_listen(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        soak_fail("cannot listen", NULL);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Breaks a connection off as a crash of the machine would: the peer gets a reset, and nothing else. */
static inline void soak_cut(int fd)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    if (connect(fd, &nowhere, sizeof nowhere) != 0)
        perror("cut");
}

/* Whether standard input has ended, which is how the runner says that it is over. */
static inline bool soak_is_over(int wait_ms)
{
    char byte;
    struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&wait, 1, wait_ms) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* What is allocated and what the allocator keeps, of all its arenas: tells a leak from memory that is in pieces. */
static inline void print_memory(void)
{
    struct mallinfo2 heap = mallinfo2();
    printf("\"heap\":%zu,\"kept\":%zu,\"handles\":%zu", (heap.uordblks + heap.hblkhd) / 1024, heap.fordblks / 1024,
           ssh_handle_count());
}

#endif
