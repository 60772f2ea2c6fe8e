/*
 * The command line, and the configuration that it makes together with the files.
 */
#ifndef SSH_OPTIONS_H
#define SSH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <sshwire.h>

#define MOST_SETTINGS 512

struct options {
    const char *destination;
    char *command;           /* the words behind the destination; NULL without any */
    const char *config_file; /* of -F; "none" for no files; NULL for the usual ones */
    const char *stdio_to;    /* of -W */
    bool prints;             /* -G */
    char *settings[MOST_SETTINGS]; /* each as -o has it, in the order in which they count */
    size_t setting_count;
};

/* Reads the command line. -V, -Q and what cannot be done end the program. */
void options_parse(struct options *options, int argc, char **argv);

/* The setting that -L, -R or -D means; NULL when a target is missing. The caller frees it. */
char *forward_setting(char kind, const char *text);

/* The configuration, with the files read. Ends the program when one cannot be. The caller frees it. */
ssh_config *options_config(const struct options *options);

/* What holds for the destination; ends the program when it makes no sense. The caller frees it. */
ssh_config_host *options_resolve(const struct options *options, const ssh_config *config);

#endif
