/*
 * What -V, -Q and -G print.
 */
#ifndef SSH_LISTING_H
#define SSH_LISTING_H

#include <sshwire.h>

/* Each prints to standard output (the version to standard error, as ssh does) and returns the status to end with. */
int print_version(void);
int list_algorithms(const char *what);
int print_config(const ssh_config_host *host, const char *destination);

#endif
