/*
 * What the programs that run a command on another machine share.
 */
#ifndef EXAMPLES_COMMAND_H
#define EXAMPLES_COMMAND_H

#include <stdbool.h>

#include <sshwire.h>

/* The words with a space between them; the caller frees it. Ends the program when memory runs out. */
char *join_words(char **words, int count);

/*
 * Passes standard input, output and errors through to the command that was started on the channel, until it ends.
 * Returns its exit status, 128 and the number of the signal that ended it, or EXIT_TROUBLE. A thread may still sit in
 * read() afterwards; its handles are checked, so the channel and the transport can be freed all the same.
 */
int command_pass_through(ssh_transport *transport, ssh_channel *channel, bool no_input);

#endif
