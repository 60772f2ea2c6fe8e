/*
 * Starting programs for the server: on pipes, or on a terminal of their own.
 */
#ifndef EXAMPLES_PROCESS_H
#define EXAMPLES_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a client asked for before it named the command. */
struct process_request {
    const char *command;  /* NULL: a shell to type into */
    const char *shell;    /* runs it all; NULL: the account's, as a login shell */
    const char *term;     /* NULL: no terminal, three pipes */
    uint32_t columns, rows, pixel_width, pixel_height;
    const char *const *environment;  /* NAME=value, ended by NULL; comes on top of the usual variables */
    const char *user;                /* for USER and LOGNAME; NULL: of this process */
};

struct process {
    pid_t pid;   /* also its process group and session */
    int input;   /* write here; with a terminal the same as `output` */
    int output;  /* read here */
    int errors;  /* -1 with a terminal, which has one stream */
    bool terminal;
};

/* Starts the program. 0, or an errno; then nothing was started and nothing is left open. */
int process_start(const struct process_request *request, struct process *process);

/* Tells the program's terminal its new size. */
void process_resize(const struct process *process, uint32_t columns, uint32_t rows, uint32_t pixel_width,
                    uint32_t pixel_height);

/* Sends a signal to the program and all that it started. */
void process_signal(const struct process *process, int number);

/* "TERM" to SIGTERM and back; 0 and NULL for what RFC 4254 section 6.10 has no name for. */
int signal_number(const char *name);
const char *signal_name(int number);

#endif
