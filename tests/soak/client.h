/*
 * The client of the soak test: one worker, what it does on a connection, and how it takes failures.
 */
#ifndef SOAK_CLIENT_H
#define SOAK_CLIENT_H

#include "soak.h"

/* A server, and what it can do. */
struct place {
    const char *user, *files;
    uint16_t port;
    bool knows_password, aborts;
    /* Whether its sessions are killed from outside, at any time. */
    bool is_mortal;
};

struct worker {
    uint64_t state;
    unsigned number;
    const struct place *place;
    char *buffer;
    /* A second descriptor of the connection. */
    int socket;
    /* Whether this round has broken its connection: what fails afterwards was meant to. */
    bool cut;
};

extern const char *client_name; /* in the names of its files */
extern uint16_t echo_port;
extern unsigned char *noise; /* NOISE_SIZE bytes */
extern atomic_size_t moved, key_exchanges, cuts, planned, unplanned;
extern atomic_bool stopping;

/* Notes a failure, which is one of the library's unless it was meant to be, and returns false. */
bool failed(struct worker *worker, const char *what, ssh_status status, ssh_error *error);

/* The same for what did not fail and should have, or gave the wrong bytes. */
bool wrong(struct worker *worker, const char *what);

/* Pieces of the noise at a place of an endless stream. */
void noise_copy(void *buffer, uint64_t at, size_t length);
bool noise_is(const void *bytes, uint64_t at, size_t length);

/* A command on a channel of its own, or NULL. */
ssh_channel *run(struct worker *worker, ssh_transport *transport, const char *command);

/* What is done on a connection; false when that was its end. */
bool do_command(struct worker *worker, ssh_transport *transport);
bool do_echo(struct worker *worker, ssh_transport *transport);
bool do_download(struct worker *worker, ssh_transport *transport);
bool do_refused(struct worker *worker, ssh_transport *transport);

/* acts_files.c, acts_forward.c */
bool do_files(struct worker *worker, ssh_transport *transport);
bool do_direct(struct worker *worker, ssh_transport *transport);
bool do_forward_local(struct worker *worker, ssh_transport *transport);
bool do_forward_remote(struct worker *worker, ssh_transport *transport);

#endif
