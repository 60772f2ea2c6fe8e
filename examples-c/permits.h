/*
 * What the server forwards: which places its clients may connect to and listen at.
 */
#ifndef EXAMPLES_PERMITS_H
#define EXAMPLES_PERMITS_H

#include <stdbool.h>

#include <sshwire.h>

#define PERMITS_MAX 64

/* Patterns of places: "HOST:PORT" or "/path", with * and ? as in file names. */
struct permits {
    const char *connect[PERMITS_MAX];
    size_t connect_count;
    const char *listen[PERMITS_MAX];
    size_t listen_count;
};

/* Everything may be connected to; listened at are loopback and UNIX sockets. */
void permits_default(struct permits *permits);

/* Ends the program when the pattern can match nothing. */
void permits_check(const char *pattern, const char *option);

/* Answers the questions about forwarding of all the server's connections. `permits` must live as long as it. */
void permits_serve(ssh_server *server, const struct permits *permits);

#endif
