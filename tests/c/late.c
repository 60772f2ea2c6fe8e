/* Preloaded into a program, lets its threads meet in orders that they rarely have by themselves: calls of the C library that move
 * data, wait, wake or close begin and end late now and then.
 *
 *     SSHWIRE_LATE=SEED,PER_MILLE,MICROSECONDS LD_PRELOAD=late.so program
 *
 * Of a thousand beginnings and ends PER_MILLE wait for up to MICROSECONDS, at random from SEED. What rustix calls (the sockets of
 * transports) does not pass the C library; what the standard library of Rust calls (locks, threads that are woken) does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t state;
static unsigned long per_mille, most_us;

__attribute__((constructor)) static void begin(void)
{
    const char *setting = getenv("SSHWIRE_LATE");
    unsigned long seed = 0;
    if (setting != NULL && sscanf(setting, "%lu,%lu,%lu", &seed, &per_mille, &most_us) == 3)
        atomic_store(&state, seed);
}

/* SplitMix64. */
static uint64_t random_number(void)
{
    uint64_t z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void be_late(void)
{
    uint64_t number = random_number();
    if (number % 1000 >= per_mille || most_us == 0)
        return;
    int before = errno;
    uint64_t us = (number >> 20) % most_us;
    struct timespec late = {(time_t)(us / 1000000), (long)(us % 1000000 * 1000)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &late, NULL);
    errno = before;
}

#define LATE(type, name, parameters, arguments)                     \
    type name parameters                                             \
    {                                                                \
        static type(*_Atomic call) parameters;                       \
        if (call == NULL)                                            \
            call = (type(*) parameters)dlsym(RTLD_NEXT, #name);      \
        be_late();                                                   \
        type result = call arguments;                                \
        be_late();                                                   \
        return result;                                               \
    }

LATE(ssize_t, read, (int fd, void *data, size_t length), (fd, data, length))
LATE(ssize_t, write, (int fd, const void *data, size_t length), (fd, data, length))
LATE(ssize_t, writev, (int fd, const struct iovec *data, int count), (fd, data, count))
LATE(ssize_t, recv, (int fd, void *data, size_t length, int flags), (fd, data, length, flags))
LATE(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
LATE(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
LATE(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
LATE(int, close, (int fd), (fd))

/* How the standard library of Rust makes threads sleep and wakes them. */
long syscall(long number, ...)
{
    static long (*_Atomic call)(long, ...);
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (call == NULL)
        call = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    be_late();
    long result = call(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    be_late();
    return result;
}
