#include <libssh/libssh.h>
#include <string.h>

#include "two_libraries.h"

static int run(ssh_session session, const char *key_file, char *text, unsigned size)
{
    ssh_key key = NULL;
    if (ssh_connect(session) != SSH_OK)
        return 2;
    if (ssh_pki_import_privkey_file(key_file, NULL, NULL, NULL, &key) != SSH_OK)
        return 3;
    int outcome = ssh_userauth_publickey(session, NULL, key);
    ssh_key_free(key);
    if (outcome != SSH_AUTH_SUCCESS)
        return 4;
    ssh_channel channel = ssh_channel_new(session);
    if (channel == NULL || ssh_channel_open_session(channel) != SSH_OK)
        return 5;
    if (ssh_channel_request_exec(channel, "echo hello from libssh") != SSH_OK)
        return 6;
    unsigned length = 0;
    int count;
    while (length < size - 1 && (count = ssh_channel_read(channel, text + length, size - 1 - length, 0)) > 0)
        length += (unsigned)count;
    text[length] = '\0';
    int status = ssh_channel_get_exit_status(channel);
    ssh_channel_close(channel);
    ssh_channel_free(channel);
    return status;
}

int exec_with_libssh(const char *host, int port, const char *user, const char *key_file, char *text, unsigned size)
{
    ssh_session session = ssh_new();
    if (session == NULL)
        return 1;
    /* Nothing of this machine's configuration, and a key check that the test does not need. */
    int off = 0;
    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off);
    ssh_options_set(session, SSH_OPTIONS_HOST, host);
    ssh_options_set(session, SSH_OPTIONS_PORT, &port);
    ssh_options_set(session, SSH_OPTIONS_USER, user);
    int outcome = run(session, key_file, text, size);
    ssh_disconnect(session);
    ssh_free(session);
    return outcome;
}
