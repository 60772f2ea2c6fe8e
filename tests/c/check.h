/* What every C test uses: checks that name their line, a pair of connected sockets, a host key. */
#ifndef CHECK_H
#define CHECK_H

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sshwire.h"

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                      \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* Compares statuses and shows both by name. */
#define CHECK_STATUS(call, expected)                                                              \
    do {                                                                                          \
        ssh_status got_ = (call);                                                                 \
        if (got_ != (expected)) {                                                                 \
            fprintf(stderr, "%s:%d: %s gave %s, not %s\n", __FILE__, __LINE__, #call,             \
                    ssh_status_name(got_), ssh_status_name(expected));                            \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* For calls that fill `error`. */
#define CHECK_OK(call, error)                                                                     \
    do {                                                                                          \
        ssh_status got_ = (call);                                                                 \
        if (got_ != SSH_OK) {                                                                     \
            fprintf(stderr, "%s:%d: %s gave %s: %s\n", __FILE__, __LINE__, #call,                 \
                    ssh_status_name(got_), ssh_error_message(error));                             \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* Compares a string of ours with what is expected, and frees it. */
static inline int takes(char *string, const char *expected)
{
    int same = string != NULL && strcmp(string, expected) == 0;
    if (!same)
        fprintf(stderr, "\"%s\" is not \"%s\"\n", string != NULL ? string : "(null)", expected);
    ssh_memory_free(string);
    return same;
}

static inline void sockets(int pair[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
}

static inline long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

/* An end of a program that hangs: a test that waits for ever says so. */
static inline void watchdog(unsigned seconds)
{
    alarm(seconds);
}

#endif
