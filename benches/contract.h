/*
 * What the parts of the benchmark client share.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <stdint.h>

#include "bench.h"

#define WRITE_SIZE (32 * 1024)
#define LIMIT_MS 120000

struct target {
    const char *host, *port, *user, *mode, *cipher;
    uint64_t count;
    ssh_key *key;
};

struct stamp {
    double wall, user, sys;
};

/* The time, and what this process has used of it. */
struct stamp now(void);

/* Its time by the clock alone, which costs less. */
double clock_time(void);

/* Prints the one line that a measurement gives; `more` is appended as it is. */
void report(const struct target *target, struct stamp start, const char *more);

/* A transport on its way to the server, and one that is logged in. */
ssh_transport *connect_to(const struct target *target);
ssh_transport *log_in(const struct target *target);

/* A channel that runs a command, and the wait for its exit status 0. */
ssh_channel *run(ssh_transport *transport, const char *command);
void expect_success(ssh_channel *channel);

/* contract_files.c */
void sftp(const struct target *target);
void sftp_tree(const struct target *target);

/* contract_connections.c */
void handshake(const struct target *target);
void idle(const struct target *target);
void active(const struct target *target);
void first(const struct target *target);

#endif
