/*
 * Files that exist in memory only, served over SFTP by the callbacks of sshwire.h: what a program does that has no
 * directory to show, but a database, an archive or a bucket.
 */
#ifndef EXAMPLES_MEMORY_FILES_H
#define EXAMPLES_MEMORY_FILES_H

#include <stdint.h>

#include <sshwire.h>

struct memory_files;

/* An empty directory whose files hold at most `most_bytes` together. NULL when memory is short. */
struct memory_files *memory_files_new(uint64_t most_bytes);

/* Has a server of ssh_sftp_server_new_virtual() serve them, to any number of clients, as long as it lives. */
void memory_files_serve(struct memory_files *files, ssh_sftp_server *server);

/* How many files and directories are open. */
unsigned memory_files_open(struct memory_files *files);

/* Not before the server and the channels it serves are gone. */
void memory_files_free(struct memory_files *files);

#endif
