/*
 * The commands of Match exec. The files are read once to know what holds, and again on the way to the host; each command is
 * run once all the same, for it may do something or say something else the second time.
 */
#ifndef SSH_MATCHES_H
#define SSH_MATCHES_H

#include <sshwire.h>

/* Has the configuration run commands so. Its readings must not overlap. */
void matches_install(ssh_config *config);

/* From here on the files are read again: what was run has its status. */
void matches_read_again(void);

#endif
